"""Those who send webhooks: services' own SDKs (senders/send.mjs, in one Node process), and, where a service has none
that signs, its computation in a line of Python.

A Sender makes requests as the service does; what is wrong with them the test says:

    sender.deliver(postern, payload, secret="another")
    sender.deliver(postern, payload, at=time.time() - 3600)
"""

import base64
import hashlib
import hmac
import json
import shutil
import subprocess
import time
import uuid
from pathlib import Path

from .places import REPO, TOOLS
from .postern import Answer

_SCRIPT = Path(__file__).with_name("senders") / "send.mjs"
_PACKAGES = TOOLS / "senders"
JSON = "application/json"


def sample(template):
    """A built-in template's payload, as the service sends it."""
    payload = json.loads((REPO / "templates" / template / "sample.json").read_text())
    payload.pop("postern", None)
    return payload


class Sdks:
    """The Node process."""

    def __init__(self):
        # Modules are looked for beside the script.
        script = shutil.copy(_SCRIPT, _PACKAGES)
        self._node = subprocess.Popen(["node", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def unavailable():
        """Why it can't run here; None if it can."""
        return None if (_PACKAGES / "node_modules").is_dir() else "the senders' SDKs aren't installed"

    def deliver(self, **job):
        self._node.stdin.write(json.dumps(job) + "\n")
        self._node.stdin.flush()
        said = json.loads(self._node.stdout.readline())
        assert "answers" in said, said
        return [Answer(one["status"], {}, one["body"].encode()) for one in said["answers"]]

    def stop(self):
        self._node.stdin.close()
        self._node.wait(30)


class Sender:
    """A service with a hook of its own.

    repeats: a delivery has an id, so that a second one of it can be told; marked: the id is this member of the payload;
    timed: when it was signed is signed, too.
    """

    def __init__(self, name, secret, template, profile=None, event="", repeats=False, marked=None, timed=False,
                 wrong=None, **hook):
        self.name, self.secret, self.template, self.event = name, secret, template, event
        self.repeats, self.marked, self.timed = repeats, marked, timed
        self.wrong = wrong or secret[:-1] + ("0" if secret[-1] != "0" else "1")
        self._hook = {"profile": profile or name, "secret": secret, "max_body": "8MiB", **hook}

    def __repr__(self):
        return self.name

    def hook(self):
        """Of the configuration file."""
        return {**self._hook, "message": {"from": "hooks@postern.test", "to": f"{self.name}@postern.test",
                                          "tags": [self.name]}}

    def payload(self):
        """What the service would send, of a delivery that there was none like."""
        return sample(self.template) | ({self.marked: str(uuid.uuid4())} if self.marked else {})

    def deliver(self, postern, payload, *, secret=None, identity=None, at=None, content_type=JSON, cut=0, times=1):
        """The answer, or with times all of them. payload: a text, or what becomes one."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        answers = self._deliver(postern, {
            "service": self.name, "url": f"http://127.0.0.1:{postern.port}/v1/hooks/{self.name}",
            "secret": secret or self.secret, "payload": text, "id": identity or str(uuid.uuid4()),
            "event": self.event, "at": int(at or time.time()), "type": content_type, "cut": cut, "times": times})
        return answers if times > 1 else answers[0]


class SdkSender(Sender):
    """Signed and sent by a service's SDK; `sdks` is set by the fixture. sdk: of another service, if it is the same."""
    sdks = None

    def __init__(self, name, *arguments, sdk=None, **options):
        super().__init__(name, *arguments, **options)
        self._sdk = sdk or name

    def _deliver(self, postern, job):
        return self.sdks.deliver(**{**job, "service": self._sdk})


class PlainSender(Sender):
    """headers: a function of a job that gives what a request has of it."""

    def __init__(self, name, *arguments, headers, **options):
        super().__init__(name, *arguments, **options)
        self._headers = headers

    def _deliver(self, postern, job):
        headers = {"Content-Type": job["type"], **self._headers(job)}
        body = job["payload"].encode()
        return [postern.request("POST", f"/v1/hooks/{self.name}", body[:len(body) - job["cut"]], headers)
                for _ in range(job["times"])]


def _hex(job, before=""):
    return hmac.new(job["secret"].encode(), (before + job["payload"]).encode(), hashlib.sha256).hexdigest()


_WHSEC = "whsec_" + base64.b64encode(bytes(range(7, 39))).decode()
_OTHER = "whsec_" + base64.b64encode(bytes(range(8, 40))).decode()

SENDERS = [
    SdkSender("github", "It's a Secret to Everybody", "github-push", event="push", repeats=True),
    # The whole of the secret is the key; "whsec_" says nothing here.
    SdkSender("stripe", "whsec_test_secret", "stripe-invoice.paid", repeats=True, marked="id", timed=True),
    SdkSender("svix", _WHSEC, "generic", repeats=True, timed=True, wrong=_OTHER),
    SdkSender("standard-webhooks", _WHSEC, "generic", repeats=True, timed=True, wrong=_OTHER),
    SdkSender("gitlab", _WHSEC, "gitlab-pipeline", sdk="standard-webhooks", repeats=True, timed=True, wrong=_OTHER),
    PlainSender("gitlab-token", "the-token-in-clear", "gitlab-merge_request", profile="gitlab", headers=lambda job: {
        "X-Gitlab-Token": job["secret"], "X-Gitlab-Event": "Merge Request Hook", "Idempotency-Key": job["id"]},
        repeats=True),
    PlainSender("grafana", "grafana-secret", "grafana", headers=lambda job: {
        "X-Grafana-Alerting-Signature": _hex(job)}),
    PlainSender("grafana-timed", "grafana-secret", "grafana", profile="grafana", timed=True,
                verify={"timestamp_header": "X-Grafana-Timestamp"}, headers=lambda job: {
                    "X-Grafana-Timestamp": str(job["at"]),
                    "X-Grafana-Alerting-Signature": _hex(job, f"{job['at']}:")}),
    PlainSender("sentry", "0123456789abcdef0123456789abcdef", "sentry", event="event_alert", headers=lambda job: {
        "Sentry-Hook-Resource": job["event"], "Sentry-Hook-Timestamp": str(job["at"]),
        "Sentry-Hook-Signature": _hex(job), "Request-ID": job["id"]}, repeats=True),
    PlainSender("slack", "8f742231b10e8888abcd99yyyzzz85a5", "slack", timed=True, headers=lambda job: {
        "X-Slack-Request-Timestamp": str(job["at"]), "X-Slack-Signature": "v0=" + _hex(job, f"v0:{job['at']}:")}),
    PlainSender("linear", "lin_wh_secret", "generic", repeats=True, headers=lambda job: {
        "Linear-Delivery": job["id"], "Linear-Event": "Issue", "Linear-Signature": _hex(job)}),
    PlainSender("calcom", "cal-secret", "generic", headers=lambda job: {"X-Cal-Signature-256": _hex(job)}),
    PlainSender("alertmanager", "the-token-of-alerts", "alertmanager", headers=lambda job: {
        "Authorization": f"Bearer {job['secret']}"}),
]


def configuration(folder, senders=tuple(SENDERS)):
    """A configuration file with a hook for each."""
    file = folder / "postern.json"
    file.write_text(json.dumps({"hooks": {sender.name: sender.hook() for sender in senders}}))
    return file
