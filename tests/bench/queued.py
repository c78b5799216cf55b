"""The queue: how fast mail is kept on a disk, and how fast it goes out, with nothing else there and with much."""

import contextlib
import json
import os
import pathlib
import shutil
import sqlite3
import tempfile
import time
import urllib.request

from tests.bench import load, peers, relays
from tests.bench.measure import cpu_seconds
from tests.bench.procs import OUT, Trouble
from tests.blackbox import postgres

SECONDS = 2
CLIENTS = 64
PAGE = 4096
MAILS = 20_000  # in a full queue
BACKLOG = 1_000_000  # scheduled ones beside them
DUE = "UPDATE postern_message SET due_at = 0, expires_at = 4102444800000000 WHERE id NOT LIKE 'backlog%'"
SENT = ('postern_attempts_total{', 'result="sent"')
COLUMNS = ["per second", "CPU µs/mail", "p50 ms", "p99 ms"]

# What scheduled messages are, without what is the same for each.
_ROW = "'backlog' || lpad, 0, 3900000000000000 + n * 1000, 4102444800000000, 5, 0, NULL, 1, '{}', '[]', '[]'"
_INTO = ("INSERT INTO postern_message (id, state, due_at, expires_at, priority, attempts, owner, size, head,"
         f" recipients, log) SELECT {_ROW} FROM ")


class Sqlite:
    """A queue in a file."""
    title = "SQLite"

    def __init__(self, folder):
        self.data = folder / "data"
        self.data.mkdir()
        self.settings = {"POSTERN_DATA": str(self.data)}

    def sql(self, text):
        with contextlib.closing(sqlite3.connect(self.data / "queue" / "queue.db")) as db, db:
            db.execute(text)

    def backlog(self):
        self.sql(_INTO + f"(WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {BACKLOG})"
                         " SELECT n, printf('%019d', n) AS lpad FROM r)")

    def close(self):
        pass


class Postgresql:
    """A queue in a server of the benchmark's own, which writes to the same disk."""
    title = "PostgreSQL"

    def __init__(self, folder):
        self._cluster = postgres.Cluster.create(folder / "cluster")
        self.settings = {"POSTERN_QUEUE": self._cluster.url()}

    def sql(self, text):
        self._cluster.sql(text)

    def backlog(self):
        self.sql(_INTO + f"(SELECT n, lpad(n::text, 19, '0') AS lpad FROM generate_series(1, {BACKLOG}) AS n) AS r")
        self.sql("VACUUM ANALYZE postern_message")
        self.sql("CHECKPOINT")  # of a million rows: not a mail's work

    def close(self):
        self._cluster.kill()


def syncs(folder):
    """How often a second a page behind the last one can be written and synced: what a disk does for one writer."""
    with open(folder / "fsync", "wb", buffering=0) as file:
        count, begin = 0, time.monotonic()
        while time.monotonic() - begin < SECONDS:
            os.pwrite(file.fileno(), bytes(PAGE), count * PAGE)
            os.fdatasync(file.fileno())
            count += 1
        return count / (time.monotonic() - begin)


def later(work):
    """The same request, for a day far away."""
    body = OUT / "work-later.json"
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 300 * 86400))
    body.write_text(json.dumps({**work.request, "send_at": at}), encoding="utf-8")
    return type(work)(**{**vars(work), "body": body})


def kept(said):
    """The figures where every request has to be answered with 202."""
    if set(said["statuses"]) != {"202"} or said["broken"]:
        raise Trouble(f"not all mails were kept: {said}")
    figures = said["statuses"]["202"]
    return {"mails": figures["count"], "seconds": said["seconds"], "p50_ms": figures["p50_ms"],
            "p99_ms": figures["p99_ms"]}


def cells(figures, cpu):
    return [figures["mails"] / figures["seconds"], cpu / figures["mails"] * 1e6, figures["p50_ms"], figures["p99_ms"]]


def at_once(work, relay):
    """Without a queue: /v1/send answers when the relay has it."""
    with peers.postern(relay) as (process, address):
        load.run(address, work, CLIENTS, d="1s")
        before = cpu_seconds(process.pid)
        figures = load.only_sent(load.run(address, work, CLIENTS, d=f"{SECONDS}s"))
        return cells(figures, cpu_seconds(process.pid) - before)


def keep(queue, work, relay, **how_many):
    """Mails for later."""
    with peers.postern(relay, **queue.settings) as (process, address):
        load.run(address, work, CLIENTS, n=500, path="/v1/messages")
        before = cpu_seconds(process.pid)
        figures = kept(load.run(address, work, CLIENTS, path="/v1/messages", **how_many))
        return cells(figures, cpu_seconds(process.pid) - before)


def sent(address):
    """How many attempts have succeeded."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if all(part in line for part in SENT))


def drain(queue, relay, mails):
    """All that is there becomes due while nobody looks; measured from the first tenth of it to the last."""
    queue.sql(DUE)
    with peers.postern(relay, **queue.settings) as (process, address):
        first = follow(address, mails / 10)
        before = cpu_seconds(process.pid)
        last = follow(address, mails * 9 / 10)
        cpu = cpu_seconds(process.pid) - before
        follow(address, mails)
    count = last[1] - first[1]
    return [count / (last[0] - first[0]), cpu / count * 1e6, None, None]


def follow(address, wanted, patience=120):
    """Waits until so many are sent: when that was, and how many then were."""
    end = time.monotonic() + patience
    while True:
        count, now = sent(address), time.monotonic()
        if count >= wanted:
            return now, count
        if now > end:
            raise Trouble(f"the queue does not drain: {count:.0f} of {wanted:.0f}")
        time.sleep(0.2)  # each look is some milliseconds of work, which the mails would wait for


def one(kind, folder, work, progress):
    """The rows of one backend."""
    far_away = later(work)
    rows = []

    def row(title, figures):
        rows.append({"title": f"{kind.title}, {title}", "cells": figures})

    queue = kind(folder)
    try:
        with relays.smtp_sink() as relay:
            progress(f"queue: {kind.title}, keeping")
            row(f"kept, {CLIENTS} clients", keep(queue, far_away, relay, d=f"{SECONDS}s"))
            queue.sql("DELETE FROM postern_message")
            queue.sql("DELETE FROM postern_body")
            for backlog in (0, BACKLOG):
                progress(f"queue: {kind.title}, {MAILS:,} mails beside {backlog:,}")
                if backlog:
                    queue.backlog()
                keep(queue, far_away, relay, n=MAILS, d="120s")
                row(f"out, beside {backlog:,}", drain(queue, relay, MAILS))
    finally:
        queue.close()
    return rows


def queue(chosen, progress):
    """Both, on one disk, and beside them what that disk does, and what the way without a queue does."""
    work = chosen["3KB"]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-bench-"))
    folder.chmod(0o755)
    rows = []
    try:
        progress("queue: the disk, and the way without a queue")
        rows.append({"title": "the disk: a page, synced", "cells": [syncs(folder), None, None, None]})
        with relays.smtp_sink() as relay:
            rows.append({"title": "/v1/send, no queue", "cells": at_once(work, relay)})
        rows += one(Sqlite, folder, work, progress)
        if postgres.available():
            rows += one(Postgresql, folder, work, progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"key": "queue", "title": "Queue", "columns": COLUMNS, "rows": rows}
