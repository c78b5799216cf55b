"""What DKIM costs: the 3 KB mail without a signature, with RSA 2048, with Ed25519, with both; and a signature by itself."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

from tests.bench import peers, relays
from tests.bench.build import call
from tests.bench.measure import median
from tests.bench.procs import POSTERN, ROOT, Trouble
from tests.bench.rounds import measure_server, significant
from tests.bench.works import post

ROUNDS = 5
SECONDS = 2
COLUMNS = ["mails/s", "CPU µs/mail", "of it DKIM", "p50 ms", "p99 ms"]
KEYS = {"r1": "rsa", "e1": "ed25519"}
WAYS = {"not signed": [], "RSA 2048": ["r1"], "Ed25519": ["e1"], "RSA 2048 and Ed25519": ["r1", "e1"]}


class Signing:
    """The keys, their records, and Postern's settings with some of them."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self._records = {}
        for selector, kind in KEYS.items():
            said = subprocess.run([POSTERN, "dkim", "keygen", "example.com", selector, "--type", kind, "--out",
                                   self._file(selector)], check=True, capture_output=True, text=True).stdout
            self._records[selector] = "".join(re.findall(r'"([^"]*)"', said.partition("\n")[0]))

    def _file(self, selector):
        return str(self._folder / f"{selector}.pem")

    def settings(self, selectors):
        """What Postern is started with."""
        file = self._folder / f"postern-{'-'.join(selectors)}.json"
        keys = [{"selector": s, "key_file": self._file(s)} for s in selectors]
        file.write_text(json.dumps({"dkim": {"example.com": keys}} if keys else {}))
        return {"POSTERN_CONFIG": str(file)}

    def verify(self, work, selectors):
        """The mail that arrives has these signatures, and they hold."""
        with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
            with relays.own_sink("-dump", folder) as relay, \
                    peers.postern(relay, **self.settings(selectors)) as (_, address):
                post(f"http://{address}/v1/send", work.body.read_bytes())
            message = next(pathlib.Path(folder).glob("*.eml")).read_bytes()
        message = message[message.index(b"DKIM-Signature:" if selectors else b"Date:"):]  # the sink writes the envelope above it
        if message.count(b"DKIM-Signature:") != len(selectors):
            raise Trouble(f"a mail is not signed as {selectors} say")
        for selector in selectors:
            said = subprocess.run([POSTERN, "dkim", "verify", "--record", self._records[selector], "-"], input=message,
                                  capture_output=True, check=False).stdout.decode()
            if not re.search(rf"^pass: .*s={selector} ", said, re.M):
                raise Trouble(f"the signature of {selector} does not hold: {said}")


def alone():
    """{key: µs} that the signature of a mail of 3,000 bytes takes, hashing included, by tests/bench/micro.c."""
    build = ROOT / os.environ.get("BUILD", "build")
    program = build / "tests" / "bench" / "micro"
    call(["make", "-s", f"BUILD={build.relative_to(ROOT)}", program.relative_to(ROOT)], ROOT)
    return {name: float(us) for name, us in re.findall(r"signed with (.+?) +\S+ +\S+ GB/s +(\S+) us",
                                                       call([program, "signature"], ROOT))}


def one_round(work, signing, number, progress):
    """Each way once: {title: cells without what DKIM takes}."""
    cells = {}
    for title, selectors in WAYS.items():
        progress(f"DKIM: round {number + 1} of {ROUNDS}, {title}")
        with relays.smtp_sink() as relay:
            figures, _ = measure_server(peers.BY_KEY["postern"], relay, work, SECONDS,
                                        settings=signing.settings(selectors))
        cells[title] = [figures["mails"] / figures["seconds"], figures["cpu"] / figures["mails"] * 1e6,
                        figures["p50_ms"], figures["p99_ms"]]
    return cells


def dkim(chosen, progress):
    """The part of the table; what DKIM takes is the difference to the unsigned mail of the same round."""
    work = chosen["3KB"]
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        signing = Signing(folder)
        progress("DKIM: checking the signatures")
        for selectors in WAYS.values():
            signing.verify(work, selectors)
        rounds = [one_round(work, signing, number, progress) for number in range(ROUNDS)]
    rows = []
    for title in WAYS:
        rate, cpu, p50, p99 = (median(r[title][i] for r in rounds) for i in range(4))
        more = median(r[title][1] - r["not signed"][1] for r in rounds)
        rows.append({"title": title, "cells": [*map(significant, (rate, cpu)), significant(more) if WAYS[title] else None,
                                               p50, p99], "rounds": [r[title] for r in rounds]})
    progress("DKIM: a signature by itself")
    rows += [{"title": f"one signature alone, {name}", "cells": [None, None, us, None, None]}
             for name, us in alone().items()]
    return {"key": "dkim", "title": "3 KB HTML mail, signed", "columns": COLUMNS, "rows": rows}
