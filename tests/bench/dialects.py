"""Dialects: what it costs to be asked in another provider's words for the 3 KB mail of /v1/send, relay waited for."""

import dataclasses
import json
import pathlib
import urllib.parse

from tests.bench import load, peers, relays, works
from tests.bench.measure import cpu_seconds, median
from tests.bench.procs import OUT, Trouble

ROUNDS = 7
SECONDS = 1
CLIENTS = 64
COLUMNS = ["per second", "CPU µs/mail", "more than /v1/send", "p50 ms", "p99 ms"]
FROM, TO, SUBJECT = "shop@example.com", "li0@example.net", "Your order 4711"
JSON = "application/json"


@dataclasses.dataclass
class Way:
    """How the mail is asked for."""
    title: str
    path: str
    type: str
    text: bytes
    body: pathlib.Path = None


def ways():
    """The same mail, five times."""
    html = works.html()
    sendgrid = {"from": {"email": FROM, "name": "Shop"}, "personalizations": [{"to": [{"email": TO, "name": "Li Lei"}]}],
                "subject": SUBJECT, "content": [{"type": "text/html", "value": html}]}
    postmark = {"From": f"Shop <{FROM}>", "To": f"Li Lei <{TO}>", "Subject": SUBJECT, "HtmlBody": html}
    resend = {"from": f"Shop <{FROM}>", "to": [f"Li Lei <{TO}>"], "subject": SUBJECT, "html": html}
    form = urllib.parse.urlencode(resend | {"to": f"Li Lei <{TO}>"}).encode()
    made = [Way("/v1/send", "/v1/send", JSON, json.dumps(works.request()).encode()),
            Way("SendGrid", "/v3/mail/send", JSON, json.dumps(sendgrid).encode()),
            Way("Postmark", "/email", JSON, json.dumps(postmark).encode()),
            Way("Resend", "/emails", JSON, json.dumps(resend).encode()),
            Way("Mailgun, form-data", "/v3/example.com/messages", *multipart(resend | {"to": f"Li Lei <{TO}>"})),
            Way("Mailgun, urlencoded", "/v3/example.com/messages", "application/x-www-form-urlencoded", form)]
    for number, way in enumerate(made):
        way.body = OUT / f"work-dialect-{number}"
        way.body.write_bytes(way.text)
    return made


def multipart(fields):
    """As SDKs write it: (media type, body)."""
    mark = "axios-1.7.9-boundary-OYmGHzkoeMVHjtbeZxHvmSQa2"
    parts = "".join(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                    for name, value in fields.items())
    return f"multipart/form-data; boundary={mark}", f"{parts}--{mark}--\r\n".encode()


def one(way, process, address):
    """Figures of one load."""
    before = cpu_seconds(process.pid)
    said = load.run(address, way, CLIENTS, path=way.path, d=f"{SECONDS}s", header=[f"Content-Type: {way.type}"])
    cpu = cpu_seconds(process.pid) - before
    [(status, sent)] = said["statuses"].items() if len(said["statuses"]) == 1 else [(None, None)]
    if not status or not status.startswith("2") or said["broken"]:
        raise Trouble(f"{way.title} was answered with {said['statuses']}: {said.get('first_fault', '')}")
    return [sent["count"] / said["seconds"], cpu / sent["count"] * 1e6, 0.0, sent["p50_ms"], sent["p99_ms"]]


def dialects(_chosen, progress):
    """All ways in turns, to one Postern; how much more each costs than /v1/send in the same round."""
    all_ways = ways()
    rounds = []
    settings = {"POSTERN_DIALECTS": "sendgrid,postmark,resend,mailgun", "POSTERN_DIALECT_MODE": "sync"}
    with relays.smtp_sink() as relay, peers.postern(relay, **settings) as (process, address):
        for number in range(-1, ROUNDS):  # the first warms up
            progress(f"dialects: round {number + 1} of {ROUNDS}")
            made = {way.title: one(way, process, address) for way in all_ways}
            for cells in made.values():
                cells[2] = cells[1] - made["/v1/send"][1]
            if number >= 0:
                rounds.append(made)
    rows = [{"title": title, "cells": [median(r[title][i] for r in rounds) for i in range(len(COLUMNS))],
             "rounds": [r[title] for r in rounds]} for title in rounds[0]]
    return {"key": "dialects", "title": "The 3 KB mail in other providers' words", "columns": COLUMNS, "rows": rows}
