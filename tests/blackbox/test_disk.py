"""The queue's disk is full, read-only, damaged, or loses its power: it says so, and nothing accepted is lost."""

import contextlib
import random
import shutil
import time

import pytest

from . import disks
from .disks import Real, Small, disk
from .ledger import Account, Posters, Sink, drained
from .places import scratch
from .postern import Postern, run
from .process import free_port, wait_until
from .queue_file import SENDING, count, queue_file

POWER_FAILURES = 10
TEXT = "So long.\n" * 2000


def needs(kind):
    return pytest.mark.skipif(disks.fault(kind) is not None, reason=str(disks.fault(kind)))


def postern_on(data, sink, **settings):
    return Postern(data=data, relay=sink.relay, retry_first="1s", retry_most="1s", **settings)


def posters_of(postern, **options):
    return Posters([("127.0.0.1", postern.port)], **options)


def refused(posters, key, sentence):
    """Posts one, which must be refused for this reason."""
    status, answer = posters.post(key)
    assert status == 503, answer
    assert sentence in answer, answer
    assert '"retryable":true' in answer.replace(" ", ""), answer


def refuses_to_start(data, sentence):
    done = run("serve", data=data, listen=f"127.0.0.1:{free_port()}")
    said = done.stderr.decode().strip()
    assert done.returncode not in (0, -6, -11), said
    assert sentence in said, said
    assert len(said.splitlines()) == 1, said


def all_arrives(posters, sink, file, twice=0):
    account = drained(posters, sink)
    if not account.lost:
        wait_until(lambda: count(file) == 0, what="the queue to be empty")
    Account(posters, sink.messages()).check(twice)


def fill(posters):
    """Posts until one is refused; how many were accepted."""
    for number in range(100000):
        status, answer = posters.post(f"fill-{number}")
        if status != 202:
            assert status == 503, answer
            return number
    raise AssertionError("it was never full")


@needs(Small)
def test_a_full_disk_refuses_and_keeps_what_it_has():
    with disk(Small, 8) as small, Sink(running=False) as sink, postern_on(small.path, sink) as postern:
        posters = posters_of(postern, text=TEXT)
        accepted = fill(posters)
        assert accepted > 20
        refused(posters, "full", "full")
        one = postern.get(f"/v1/messages/{posters.accepted['fill-0']}")
        assert one.status == 200, one
        assert postern.get("/healthz").status == 200
        sink.start()
        time.sleep(2)
        assert Account(posters, sink.messages()).twice == 0  # what can't be claimed is not sent
        small.resize(64)
        posters.post("room-again")
        assert "room-again" in posters.accepted
        all_arrives(posters, sink, queue_file(small.path))


@needs(Small)
def test_what_a_full_disk_had_is_there_after_a_kill():
    with disk(Small, 8) as small, Sink(running=False) as sink:
        postern = postern_on(small.path, sink)
        try:
            posters = posters_of(postern, text=TEXT)
            fill(posters)
        finally:
            postern.kill()
        small.resize(64)
        sink.start()
        with postern_on(small.path, sink):
            all_arrives(posters, sink, queue_file(small.path))


@needs(Small)
def test_a_disk_that_is_full_at_the_start():
    """It starts, or says in one line why not; and starts when there is room."""
    with disk(Small, 1) as small, Sink() as sink:
        with contextlib.suppress(OSError), open(small.path / "filler", "wb", buffering=0) as filler:
            while filler.write(b"x" * 4096):
                pass
        refuses_to_start(small.path, "full")
        (small.path / "filler").unlink()
        small.resize(64)
        with postern_on(small.path, sink) as postern:
            posters = posters_of(postern)
            posters.post("one")
            all_arrives(posters, sink, queue_file(small.path))


@needs(Small)
def test_a_disk_that_is_read_only_at_the_start():
    with disk(Small, 16) as small, Sink(running=False) as sink:
        postern = postern_on(small.path, sink)
        try:
            posters = posters_of(postern)
            posters.post("one")
        finally:
            postern.kill()
        small.read_only()
        refuses_to_start(small.path, "Read-only")
        small.read_only(False)
        sink.start()
        with postern_on(small.path, sink):
            all_arrives(posters, sink, queue_file(small.path))


@needs(Real)
def test_a_disk_that_turns_read_only():
    with disk(Real) as real, Sink(running=False) as sink:
        postern = postern_on(real.path, sink)
        try:
            posters = posters_of(postern)
            for number in range(50):
                posters.post(f"before-{number}")
            assert len(posters.accepted) == 50
            real.break_down()
            refused(posters, "after", "queue")
            assert postern.running()
        finally:
            postern.kill()
        real.mount_again()
        sink.start()
        with postern_on(real.path, sink):
            all_arrives(posters, sink, queue_file(real.path))


@needs(Real)
@pytest.mark.timeout(300)
def test_a_disk_that_loses_its_power(capsys):
    """What was not synced is gone, as if the plug had been pulled: what was accepted is not among it."""
    port = free_port()
    under_way = 0
    with disk(Real) as real, Sink(delay_ms=10) as sink:
        file = queue_file(real.path)
        postern = postern_on(real.path, sink, port=port)
        try:
            with posters_of(postern) as posters:
                for _ in range(POWER_FAILURES):
                    time.sleep(random.uniform(0.5, 1.5))
                    real.lose_power()
                    postern.kill()
                    real.mount_again()
                    under_way += count(file, f"state = {SENDING}")
                    postern = postern_on(real.path, sink, port=port)
            account = drained(posters, sink)
            with capsys.disabled():
                print(f"\n{POWER_FAILURES} power failures: {account}; {under_way} were under way. Answers: "
                      f"{dict(posters.statuses)}")
            assert not posters.faults, posters.faults[:10]
            all_arrives(posters, sink, file, twice=under_way)
            postern.stop()
        finally:
            postern.kill()


def damage(file, begin, end):
    """Overwrites these parts of the file, counted from 0 to 1, with what is no database."""
    size = file.stat().st_size
    with open(file, "r+b") as out:
        out.seek(int(size * begin))
        out.write(random.Random(7).randbytes(int(size * end) - int(size * begin)))


@pytest.fixture
def kept():
    """A folder with 200 messages in its file, which Postern has closed; the posters and the sink."""
    data = scratch("data")
    with Sink(running=False) as sink:
        with postern_on(data, sink) as postern:
            posters = posters_of(postern, text=TEXT)
            for number in range(200):
                posters.post(f"kept-{number}")
            assert len(posters.accepted) == 200
        yield data, posters, sink


def test_a_file_whose_head_is_damaged_stops_the_start(kept):
    data, posters, sink = kept
    file = queue_file(data)
    shutil.copy(file, data / "copy")
    damage(file, 0, 0.01)
    refuses_to_start(data, "damaged")
    shutil.copy(data / "copy", file)
    sink.start()
    with postern_on(data, sink):
        all_arrives(posters, sink, file)


def test_a_file_that_is_damaged_in_the_middle_is_told(kept):
    """It starts or it does not; it says what is wrong, and it does not crash. Who has a copy has everything."""
    data, posters, sink = kept
    file = queue_file(data)
    shutil.copy(file, data / "copy")
    damage(file, 0.005, 0.9)
    refuses_to_start(data, "damaged")
    shutil.copy(data / "copy", file)
    sink.start()
    with postern_on(data, sink):
        all_arrives(posters, sink, file)
