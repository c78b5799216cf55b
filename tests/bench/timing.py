"""Whether the time of an answer tells how much of a signature was right: measured, and shown; nothing is judged here.

    python3 -m tests.bench.timing [REQUESTS]

A Postern with hooks of the main kinds of secrets; requests that are refused, in a random order over one connection:
wrong from the first character of the signature or token, only in its last one, without any, of another length. What is
shown is each kind's median and the difference of its mean from the first kind's, with the error that such a difference
has by chance: what is below twice that is nothing.
(That the same is computed whatever is right is what tests/unit/test_hook_constant.c is for.)
"""

import hashlib
import hmac
import http.client
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time

from tests.bench import peers, relays
from tests.bench.procs import OUT

REQUESTS = 20_000  # of each hook
SLOWEST = 0.05  # this part of the answers is left out: what else the machine did
BODY = json.dumps({"text": "x" * 200}).encode()
SECRET = "a-secret-of-some-length-0123456789"
DIGEST = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
HOOKS = {"github": ("X-Hub-Signature-256", "sha256=", DIGEST), "alertmanager": ("Authorization", "Bearer ", SECRET),
         "linear": ("Linear-Signature", "", DIGEST)}


def another(character):
    """Which is none, but of the same alphabet."""
    return "0" if character != "0" else "1"


def kinds(proof):
    """What is sent instead of the right one."""
    return {"wrong from the first": "".join(map(another, proof)), "wrong in the first": another(proof[0]) + proof[1:],
            "wrong in the last": proof[:-1] + another(proof[-1]), "too short": proof[:-2], "none": None}


def ask(connection, hook, value):
    """The nanoseconds until the answer."""
    name, before, _ = HOOKS[hook]
    headers = {"Content-Type": "application/json", **({name: before + value} if value is not None else {})}
    begin = time.perf_counter_ns()
    connection.request("POST", f"/v1/hooks/{hook}", BODY, headers)
    answer = connection.getresponse()
    took = time.perf_counter_ns() - begin
    answer.read()
    if answer.status != 401:
        sys.exit(f"{hook}: {answer.status} for what is wrong")
    return took


def measure(connection, hook, requests):
    """{kind: times}, the slowest left out."""
    ways = kinds(HOOKS[hook][2])
    times = {kind: [] for kind in ways}
    order = list(ways) * (requests // len(ways))
    random.shuffle(order)
    for kind in order:
        times[kind].append(ask(connection, hook, ways[kind]))
    return {kind: sorted(all_)[:int(len(all_) * (1 - SLOWEST))] for kind, all_ in times.items()}


def show(hook, times):
    """A line for each kind."""
    base = next(iter(times.values()))
    print(f"{hook:36}{'median µs':>12}{'differs by ns':>16}{'by chance ns':>16}")
    for kind, some in times.items():
        error = (statistics.variance(some) / len(some) + statistics.variance(base) / len(base)) ** 0.5
        print(f"  {kind:34}{statistics.median(some) / 1e3:12.2f}"
              f"{statistics.fmean(some) - statistics.fmean(base):16.0f}{error:16.0f}")


def main():
    """All hooks in turn."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    OUT.mkdir(parents=True, exist_ok=True)
    message = {"from": "a@example.com", "to": "b@example.net"}
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        file = pathlib.Path(folder) / "postern.json"
        file.write_text(json.dumps({"hooks": {name: {"profile": name, "secret": SECRET, "message": message}
                                              for name in HOOKS}}))
        with relays.smtp_sink() as relay, \
                peers.postern(relay, POSTERN_CONFIG=str(file), POSTERN_DATA=folder) as (_, address):
            connection = http.client.HTTPConnection(address)
            for hook in HOOKS:
                measure(connection, hook, 1000)
                show(hook, measure(connection, hook, requests))


if __name__ == "__main__":
    main()
