"""Programs with providers' own SDKs, unchanged but for the base URL (sdks/NAME/…, installed by tests/deps.sh).

Each is one process, which takes a job as a line of JSON and says in another what the SDK made of the answer. There are two
kinds. Those that are told of a mail, and ask for it in the SDK's way:

    {"url", "key", "separate", "snake", "mail": {"from": [name, address], "to": [[name, address], …], "subject", …}}
      -> {"status", "id", "body"}, or {"status", "errors", "text"} of what the SDK raises, or {"error"}

url: the base URL with the dialect's prefix; separate: a mail for each of `to`; "more" in mail: members of the request that
go past the SDK's functions. And those that are asked for the SDK's own calls, with arguments as the SDK has them:

    with Sdk("postmark", "node", version=4) as sdk:
        sdk.value(url, key, "sendEmail", {"From": …})          # what the SDK returns
        sdk.failure(url, key, "sendEmail", {"From": …})        # what it throws, or gives as an error
"""

import json
import os
import shutil
import subprocess
import sys

from .places import REPO, TOOLS

_SOURCES = REPO / "tests" / "blackbox" / "sdks"
_INSTALLED = TOOLS / "sdks"


class Sdk:
    """sdk: the provider and the language; script: the program, where it isn't "send"; job: what every job of it has."""

    def __init__(self, provider, language, script="send", environment=(), **job):
        self.name = f"{provider}-{language}" + (f"-{script}" if script != "send" else "") + str(job.get("version", ""))
        self._source = _SOURCES / provider / language
        self._installed = _INSTALLED / provider / language
        self._script = script
        self._environment = dict(environment)
        self._job = job
        self._process = None

    def __repr__(self):
        return self.name

    def unavailable(self):
        """Why it can't run here; None if it can."""
        return None if self._installed.is_dir() else f"{self.name} isn't installed (tests/deps.sh test)"

    def _command(self):
        if self._source.name == "node":  # modules are looked for beside the script
            return ["node", shutil.copy(self._source / f"{self._script}.mjs", self._installed)]
        if self._source.name == "python":
            return [sys.executable, self._source / f"{self._script}.py"]
        return [self._installed / self._script]

    def _start(self):
        environment = {**os.environ, "PYTHONPATH": f"{self._installed}:{_SOURCES / 'shared'}",
                       "PYTHONDONTWRITEBYTECODE": "1", **self._environment}
        self._process = subprocess.Popen(self._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, env=environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self._process:
            self._process.stdin.close()
            self._process.wait(30)
            self._process = None

    def run(self, url, key, **job):
        if not self._process:
            self._start()
        self._process.stdin.write(json.dumps({**self._job, "url": url, "key": key, **job}) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        assert not said.get("error"), said["error"]
        return said

    def send(self, url, key, mail, **options):
        return self.run(url, key, mail=mail, **options)

    def value(self, url, key, call, *arguments, **more):
        said = self.run(url, key, call=call, arguments=arguments, **more)
        assert "value" in said, said
        return said["value"]

    def failure(self, url, key, call, *arguments, **more):
        said = self.run(url, key, call=call, arguments=arguments, **more)
        assert "failure" in said, said
        return said["failure"]
