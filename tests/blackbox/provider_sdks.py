"""Providers' own SDKs, each in a process of its own (sdks/NAME/…): a job is a line of JSON to it, what became of it one from
it.

    with Sdk("postmark", "node", version=4) as sdk:
        sdk.value(url, key, "sendEmail", {"From": …})          # what the SDK returns
        sdk.failure(url, key, "sendEmail", {"From": …})        # what it throws, or gives as an error
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

from .places import TOOLS

_SOURCES = Path(__file__).with_name("sdks")


class Sdk:
    def __init__(self, provider, kind, script="send.py", **job):
        self.name = f"{kind}{job.get('version', '')}" if script == "send.py" else script.partition("_")[0]
        self._provider, self._kind, self._script, self._job = provider, kind, script, job
        self._folder = TOOLS / "sdks" / provider / kind
        self._process = None

    def unavailable(self):
        """Why it can't run here; None if it can."""
        there = (self._folder / "from").exists()
        return None if there else f"the SDK of {self._provider} for {self._kind} isn't installed"

    def start(self):
        source, environment = _SOURCES / self._provider / self._kind, dict(os.environ)
        if self._kind == "node":
            # Modules are looked for beside the script.
            command = ["node", shutil.copy(source / "send.mjs", self._folder)]
        elif self._kind == "python":
            command = ["/usr/bin/python3", source / self._script]
            environment |= {"PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1"}
        else:
            command = [self._folder / "send"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
                                         text=True)
        return self

    def stop(self):
        self._process.stdin.close()
        self._process.wait(60)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def run(self, url, key, **job):
        self._process.stdin.write(json.dumps({**self._job, "url": url, "key": key, **job}) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        assert "error" not in said, said
        return said

    def value(self, url, key, call, *arguments, **more):
        said = self.run(url, key, call=call, arguments=arguments, **more)
        assert "value" in said, said
        return said["value"]

    def failure(self, url, key, call, *arguments, **more):
        said = self.run(url, key, call=call, arguments=arguments, **more)
        assert "failure" in said, said
        return said["failure"]
