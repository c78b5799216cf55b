"""The works: what is sent; and the scenes: which work to which relay."""

import base64
import dataclasses
import json
import os
import pathlib
import urllib.request

from tests.bench import peers, relays
from tests.bench.procs import OUT, Trouble

MEBI = 2**20


@dataclasses.dataclass
class Work:
    """A request, and how it is sent. `message` and `size` are of the mail that Postern makes of it."""
    key: str
    title: str
    request: dict
    clients: int
    warm: int    # most mails before the measurement
    probe: int   # mails to find out how quick a floor is
    body: pathlib.Path = None
    message: pathlib.Path = None
    size: int = 0

    @property
    def recipients(self):
        """How many."""
        return len(self.request["to"])


@dataclasses.dataclass(frozen=True)
class Scene:
    """A work sent to a kind of relay."""
    key: str
    work: str
    relay: object
    title: str
    tls: bool = False
    fresh: bool = False
    far: bool = False


def html():
    """An order confirmation, 3 KB of JSON."""
    rows = "".join(
        f"<tr><td style=\"padding:4px\">Article {i}</td><td>{i} &times; 19.90</td><td>{i * 19.9:.2f} &euro;</td></tr>"
        for i in range(1, 22))
    return ("<!doctype html><html><body style=\"font-family:sans-serif\"><h1>Thank you for your order</h1>"
            "<p>Dear customer, we have got your order <b>4711</b> and will ship it tomorrow. You can follow it "
            "<a href=\"https://shop.example.com/orders/4711\">on its page</a>.</p><table>" + rows +
            "</table><p>Kind regards, the shop. Questions? Just answer this mail, we read every one of them.</p>"
            "</body></html>")


def request(recipients=1, attachment=0):
    """The JSON of /v1/send."""
    body = {"from": "Shop <shop@example.com>", "to": [f"Li Lei <li{i}@example.net>" for i in range(recipients)],
            "subject": "Your order 4711", "html": html()}
    if attachment:
        body["attachments"] = [{"filename": "report.pdf",
                                "content": base64.b64encode(os.urandom(attachment)).decode()}]
    return body


def sized(octets, key=None):
    """A mail of about so many octets in all: HTML below 4 KB, else an attachment."""
    if octets < 4096:
        small = {**request(), "html": "<p>" + "All is well. " * (octets // 2 // 13) + "</p>"}
        return Work(key or f"{octets}B", size_name(octets), small, 64, 200, 500)
    clients = max(2, min(64, 32 * MEBI // octets))
    return Work(key or size_name(octets), size_name(octets), request(attachment=octets), clients,
                max(2, min(200, 16 * MEBI // octets)), max(4, min(500, 32 * MEBI // octets)))


def size_name(octets):
    """1 KB, 25 MB."""
    return f"{octets // MEBI} MB" if octets >= MEBI else f"{octets // 1024} KB"


def all_works():
    """By key."""
    works = [
        Work("3KB", "3 KB HTML mail", request(), 64, 2000, 1000),
        Work("5to", "3 KB to 5 recipients", request(recipients=5), 64, 2000, 1000),
        Work("100KB", "100 KB attachment", request(attachment=100 * 1024), 32, 500, 200),
        Work("10MB", "10 MB attachment", request(attachment=10 * MEBI), 4, 4, 8),
        Work("25MB", "25 MB attachment", request(attachment=25 * MEBI), 2, 2, 4),
    ]
    return {w.key: w for w in works}


SCENES = [
    Scene("3KB", "3KB", relays.clear, "3 KB HTML mail, relay in clear"),
    Scene("3KB-tls", "3KB", relays.tls, "3 KB, STARTTLS + AUTH, sessions reused", tls=True),
    Scene("3KB-tls-new", "3KB", relays.tls_new, "3 KB, STARTTLS + AUTH for each mail", tls=True, fresh=True),
    Scene("3KB-far", "3KB", relays.far, "3 KB, relay 50 ms away, pools of 8 sessions", far=True),
    Scene("5to", "5to", relays.clear, "3 KB to 5 recipients, in clear"),
    Scene("100KB", "100KB", relays.plain, "100 KB attachment, in clear"),
    Scene("100KB-tls", "100KB", relays.tls, "100 KB attachment, STARTTLS + AUTH, sessions reused", tls=True),
    Scene("10MB", "10MB", relays.plain, "10 MB attachment, in clear"),
    Scene("25MB", "25MB", relays.plain, "25 MB attachment, in clear"),
]


def prepare(works):
    """Writes each work's request, and the mail Postern makes of it, into build/bench."""
    with peers.postern(None) as (_, address):
        for work in works:
            work.body = OUT / f"work-{work.key.replace(' ', '')}.json"
            work.body.write_bytes(json.dumps(work.request).encode())
            work.message = work.body.with_suffix(".eml")
            work.message.write_bytes(post(f"http://{address}/v1/compose", work.body.read_bytes()))
            work.size = work.message.stat().st_size


def post(url, body, timeout=60):
    """One request with JSON; the answer's body."""
    call = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(call, timeout=timeout) as answer:
            return answer.read()
    except urllib.error.HTTPError as e:
        raise Trouble(f"{url} answered {e.code}: {e.read()[:500]!r}") from e
