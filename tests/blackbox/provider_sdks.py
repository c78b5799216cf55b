"""Providers' own SDKs (sdks.py) that are asked for their own calls: with arguments as the SDK has them, and what it returns or
throws.

    with Sdk("postmark", "node", version=4) as sdk:
        sdk.value(url, key, "sendEmail", {"From": …})          # what the SDK returns
        sdk.failure(url, key, "sendEmail", {"From": …})        # what it throws, or gives as an error
"""

import json

from . import sdks


class Sdk(sdks.Sdk):
    """job: what every job of it has."""

    def __init__(self, provider, language, script="send", **job):
        super().__init__(provider, language, script)
        self.name += str(job.get("version", ""))
        self._job = job

    def __enter__(self):
        self._start()
        return self

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
