"""More than can be done: how quickly it is refused, and what becomes of what is accepted; and a relay that is dead."""

import json

from tests.bench import load, peers, relays
from tests.bench.procs import OUT

SECONDS = 4
# What is accepted beyond the number of sessions waits for one, and takes so many times as long.
INFLIGHTS = (peers.SESSIONS, 2 * peers.SESSIONS, 8 * peers.SESSIONS)
CLIENTS = 512        # that ask at once
RELAY_WORK = "10ms"  # per mail and session: 8 sessions take 800 mails a second
BACKOFF = "100ms"    # a refused client's pause
DEAD_CLIENTS = 256
DEAD_TIMEOUT = 5     # seconds


def overload(chosen, progress):
    """Clients far above POSTERN_MAX_INFLIGHT, and for comparison one for each session."""
    rows = []
    for inflight, clients in ((INFLIGHTS[0], peers.SESSIONS), *((n, CLIENTS) for n in INFLIGHTS)):
        progress(f"overload: {clients} clients, {inflight} in flight")
        with relays.own_sink("-work", RELAY_WORK) as relay, \
                peers.postern(relay, POSTERN_MAX_INFLIGHT=str(inflight)) as (_, address):
            said = load.run(address, chosen["3KB"], clients, d=f"{SECONDS}s", backoff=BACKOFF)
        relays.check_count(relay, said["statuses"]["200"]["count"], "overload")
        rows.append({"title": f"{clients} clients, at most {inflight} in flight",
                     "cells": [*cells(said, "200"), *cells(said, "503")]})
    return {"key": "overload", "title": f"Overload: a relay that takes {RELAY_WORK} for a mail, 8 sessions", "rows": rows,
            "columns": ["200/s", "p50 ms", "p99 ms", "503/s", "p50 ms", "p99 ms"]}


def cells(said, status):
    """Rate and times of one status."""
    figures = said["statuses"].get(status)
    if figures is None:
        return [0.0, None, None]
    return [figures["count"] / said["seconds"], figures["p50_ms"], figures["p99_ms"]]


def fairness(chosen, progress):
    """Mail to a healthy relay, alone and beside clients of a relay that accepts connections and says nothing."""
    dead_work = dead(chosen["3KB"])
    rows = []
    with relays.smtp_sink() as healthy, relays.own_sink("-blackhole") as silent:
        config = OUT / "fairness.json"
        config.write_text(json.dumps({"relays": {"default": peers.postern_url(healthy),
                                                 "dead": peers.postern_url(silent)}}), encoding="utf-8")
        with peers.postern(None, POSTERN_CONFIG=str(config), POSTERN_TIMEOUT=f"{DEAD_TIMEOUT}s") as (_, address):
            progress("fairness: the healthy relay alone")
            load.run(address, chosen["3KB"], 64, d="1s")
            alone = load.run(address, chosen["3KB"], 64, d=f"{SECONDS}s")
            progress("fairness: beside a dead one")
            with load.beside(address, dead_work, DEAD_CLIENTS, d=f"{SECONDS + 1}s", backoff=BACKOFF) as end:
                load.run(address, chosen["3KB"], 64, d="1s")
                beside = load.run(address, chosen["3KB"], 64, d=f"{SECONDS}s")
                refused = end()
    rows = [{"title": "healthy relay alone", "cells": cells(alone, "200")},
            {"title": "healthy relay beside it", "cells": cells(beside, "200")}]
    rows += [{"title": f"dead relay: {n['count']} × {status}", "cells": [None, n["p50_ms"], n["p99_ms"]]}
             for status, n in sorted(refused["statuses"].items())]
    return {"key": "fairness", "title": f"{DEAD_CLIENTS} clients of a dead relay",
            "columns": ["mails/s", "p50 ms", "p99 ms"], "rows": rows}


def dead(work):
    """The same request for the relay named dead."""
    body = OUT / "work-dead.json"
    body.write_text(json.dumps({**work.request, "relay": "dead"}), encoding="utf-8")
    return type(work)(**{**vars(work), "body": body})
