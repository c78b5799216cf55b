"""A real Prometheus Alertmanager, with a receiver that is a webhook; it is told of alerts as Prometheus tells it."""

import datetime
import http.client
import json
import shutil

from .places import scratch
from .process import Child, free_port, wait_until

PROGRAM = shutil.which("prometheus-alertmanager")
# It gives up a notification, and begins the next try, after GROUP_INTERVAL, but never before 10 seconds.
_CONFIG = """\
route:
  receiver: postern
  group_by: [alertname]
  group_wait: 100ms
  group_interval: 1s
  repeat_interval: 1h
receivers:
- name: postern
  webhook_configs:
  - url: {url}
    send_resolved: true
    http_config:
      authorization:
        type: Bearer
        credentials: {token}
"""


def _time(seconds_from_now=0):
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(seconds=seconds_from_now)).isoformat()


class Alertmanager:
    """Tells `url` of alerts, with a bearer token."""

    def __init__(self, url, token):
        folder = scratch("alertmanager")
        config = folder / "alertmanager.yml"
        config.write_text(_CONFIG.format(url=url, token=token))
        self._log = folder / "log"
        self.port = free_port()
        with self._log.open("wb") as log:
            self._child = Child([PROGRAM, f"--config.file={config}", f"--storage.path={folder / 'data'}",
                                 f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="],
                                stdout=log, stderr=log)
        wait_until(self._ready, 60, "Alertmanager to be ready")

    @staticmethod
    def unavailable():
        """Why it can't run here; None if it can."""
        return None if PROGRAM else "there is no prometheus-alertmanager here"

    def request(self, method, path, document=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, document and json.dumps(document), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def fire(self, name, **annotations):
        self._tell(name, annotations, 3600)

    def resolve(self, name, **annotations):
        self._tell(name, annotations, 0)

    def _tell(self, name, annotations, ends):
        """As Prometheus does, over and over; an end that has come resolves it."""
        alert = {"labels": {"alertname": name, "severity": "critical", "instance": "db1:9100"},
                 "annotations": annotations, "startsAt": _time(-60), "endsAt": _time(ends),
                 "generatorURL": "http://prometheus.test:9090/graph?g0.expr=up"}
        status, body = self.request("POST", "/api/v2/alerts", [alert])
        assert status == 200, body

    def tries(self):
        """How many requests it made of webhooks, and how many of them failed."""
        return [self._metric(f'alertmanager_notification_requests{which}_total{{integration="webhook"}}')
                for which in ("", "_failed")]

    def _metric(self, name):
        _, text = self.request("GET", "/metrics")
        return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))

    def log(self):
        return self._log.read_text(errors="replace")

    def _ready(self):
        assert self._child.running(), f"it did not start:\n{self.log()}"
        try:
            return self.request("GET", "/-/ready")[0] == 200
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self._child.stop()
        if kind:
            print(f"Alertmanager's log:\n{self.log()}")
