"""What tests of the queue share: its backends, a message's way to its end, a receiver of events."""

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from . import postgres
from .places import scratch
from .postern import PATIENCE, mail
from .process import wait_until

DONE = {"sent", "partial", "failed", "expired", "cancelled", "unknown"}
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
FAST = {"retry_first": "10ms", "retry_most": "50ms"}  # so that no test waits for an attempt


@pytest.fixture(scope="session")
def cluster():
    """A PostgreSQL cluster for the whole run."""
    if not postgres.available():
        pytest.skip("there is no PostgreSQL here")
    running = postgres.Cluster.create(scratch("pg") / "cluster")
    yield running
    running.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def kept(request):
    """Settings of a fresh queue, on each backend."""
    if request.param == "sqlite":
        return {"data": scratch("data")}
    running = request.getfixturevalue("cluster")
    name = f"q{kept_number()}"
    running.sql(f"CREATE DATABASE {name}", database="postgres")
    return {"queue": running.url(name), "secrets": [postgres.PASSWORD]}


def kept_number(count=[0]):  # noqa: B006: it is to be kept
    count[0] += 1
    return count[0]


def hand_over(postern, document=None, **options):
    """The message's id."""
    answer = postern.post("/v1/messages", document or mail(), **options)
    assert answer.status == 202, answer
    assert answer.headers["Location"] == f"/v1/messages/{answer.json['id']}"
    return answer.json["id"]


def look(postern, message_id):
    answer = postern.get(f"/v1/messages/{message_id}")
    assert answer.status == 200, answer
    return answer.json


def end(postern, message_id):
    """The message, when it is done."""
    def done():
        message = look(postern, message_id)
        return message if message["status"] in DONE else None
    return wait_until(done, PATIENCE, f"the end of {message_id}")


def state(postern, message_id, *states):
    def there():
        message = look(postern, message_id)
        return message if message["status"] in states else None
    return wait_until(there, PATIENCE, f"{message_id} to be {states}")


class Receiver:
    """An HTTP server that takes events: `status` is what it answers. It keeps those whose signature is right."""

    def __init__(self, status=200, secret=SECRET):
        self.status, self.events, self.wrong = status, [], []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                right = verify(secret, self.headers, body)
                (receiver.events if right else receiver.wrong).append((self.headers, json.loads(body)))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}/events"

    def types(self):
        return [event["type"] for _, event in self.events]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def verify(secret, headers, body):
    """As a receiver does it: the README's example."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split())
