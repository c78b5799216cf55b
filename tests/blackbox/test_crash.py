"""Killed again and again: nothing that was accepted is lost, and no more comes twice than was under way.

POSTERN_CRASH_ROUNDS: how often it is killed.
"""

import os
import random
import time

import pytest

from .ledger import Posters, Sink, drained
from .places import scratch
from .postern import Postern
from .process import free_port, wait_until
from .queue_file import SENDING, count, queue_file

ROUNDS = int(os.environ.get("POSTERN_CRASH_ROUNDS", "100"))


@pytest.mark.timeout(120 + 5 * ROUNDS)
def test_nothing_accepted_is_lost_by_kill_9(capsys):
    data = scratch("data")
    file = queue_file(data)
    port = free_port()
    under_way = most_left = 0
    with Sink(delay_ms=10) as sink:
        def start():
            return Postern(port=port, relay=sink.relay, data=data)

        postern = start()
        try:
            with Posters([("127.0.0.1", port)]) as posters:
                for _ in range(ROUNDS):
                    time.sleep(random.uniform(0.2, 1.2))
                    postern.kill()
                    under_way += count(file, f"state = {SENDING}")
                    most_left = max(most_left, count(file))
                    postern = start()
            account = drained(posters, sink)
            if not account.lost:  # what is still there could come twice
                wait_until(lambda: count(file) == 0, 60, "the queue to be empty")
                account = drained(posters, sink)
            postern.stop()
        finally:
            postern.kill()
    with capsys.disabled():
        print(f"\n{ROUNDS} kills: {account}; {under_way} were under way at the kills, at most {most_left} were in the "
              f"queue. Answers: {dict(posters.statuses)}, {posters.repeated} repeated with their key")
    assert not posters.faults, posters.faults[:10]
    assert posters.statuses[0] or not ROUNDS, "no kill hit a request"
    account.check(under_way)
