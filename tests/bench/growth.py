"""How cost grows: with idle connections, with busy ones, with the size of the mail, with the number of mails."""

import resource

from tests.bench import load, peers, relays, works
from tests.bench.measure import memory_kb
from tests.bench.rounds import measure_server

SECONDS = 2
IDLE = (0, 100, 1000, 10_000)
BUSY = (1, 8, 64, 500, 2000)
SIZES = (1024, 10 * 1024, 100 * 1024, works.MEBI, 10 * works.MEBI, 25 * works.MEBI)
SPARE_DESCRIPTORS = 200
SOAK_FIRST = 50_000
SOAK_STEPS = 10


def point(peer, work, sink=relays.smtp_sink, **options):
    """One measurement. Postern's limit of transactions is put above the clients."""
    settings = {"POSTERN_MAX_INFLIGHT": "4096"} if peer.key == "postern" else {}
    with sink() as relay:
        return measure_server(peer, relay, work, SECONDS, settings=settings, **options)[0]


def common(figures):
    """mails/s, CPU µs per mail, p50, p99, peak MB."""
    return [figures["mails"] / figures["seconds"], figures["cpu"] / figures["mails"] * 1e6, figures["p50_ms"],
            figures["p99_ms"], figures["peak_kb"] / 1024]


COMMON = ["mails/s", "CPU µs/mail", "p50 ms", "p99 ms", "peak MB"]


def idle(chosen, progress):
    """64 busy clients beside idle connections."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_DESCRIPTORS
    rows = []
    for peer in (peers.BY_KEY["postern"], peers.BY_KEY["go"]):
        for count in sorted({min(n, most) for n in IDLE}):
            progress(f"{peer.title} with {count} idle connections")
            figures = point(peer, chosen["3KB"], idle=count)
            rows.append({"title": f"{short(peer)}, {count:,} idle", "cells": common(figures)})
    return {"key": "idle", "title": "64 busy clients + idle", "columns": COMMON, "rows": rows}


def busy(chosen, progress):
    """More and more clients that all send."""
    rows = []
    for peer in (peers.BY_KEY["postern"], peers.BY_KEY["go"]):
        for count in BUSY:
            progress(f"{peer.title} with {count} busy clients")
            figures = point(peer, chosen["3KB"], clients=count)
            rows.append({"title": f"{short(peer)}, {count:,} busy", "clients": count, "cells": common(figures)})
    return {"key": "busy", "title": "Busy clients", "columns": COMMON, "rows": rows}


def short(peer):
    """A name for a row that has more to say."""
    return peer.title.partition(" ")[0]


def sizes(_chosen, progress):
    """From 1 KB to 25 MB: what a mail costs, and a megabyte of it."""
    rows = []
    kinds = [works.sized(octets) for octets in SIZES]
    works.prepare(kinds)
    for work in kinds:
        progress(f"Postern with mails of {work.title}")
        figures = point(peers.BY_KEY["postern"], work, relays.own_sink)
        cells = common(figures)
        per_mb = cells[1] / (work.size / works.MEBI)
        rows.append({"title": f"Postern, {work.title}", "octets": work.size, "cells": [*cells, per_mb]})
    return {"key": "sizes", "title": "Size of the mail", "columns": [*COMMON, "CPU µs/MB"], "rows": rows}


def soak(chosen, mails, progress):
    """Whether memory stays where it is: the resident set after the first 50,000 mails, and on the way to the end."""
    rows = []
    first = min(SOAK_FIRST, mails)
    steps = [first] + [(mails - first) // SOAK_STEPS] * (SOAK_STEPS if mails > first else 0)
    with relays.smtp_sink() as relay, peers.postern(relay) as (process, address):
        sent = 0
        for step in steps:
            progress(f"soak: {sent:,} of {mails:,} mails")
            figures = load.only_sent(load.run(address, chosen["3KB"], 64, n=step, d=f"{load.LONGEST}s"))
            sent += figures["mails"]
            rows.append({"title": f"after {sent:,} mails",
                         "cells": [figures["mails"] / figures["seconds"], memory_kb(process.pid, "VmRSS") / 1024,
                                   memory_kb(process.pid, "VmHWM") / 1024]})
    return {"key": "soak", "title": "Soak", "columns": ["mails/s", "RSS MB", "peak MB"], "rows": rows}
