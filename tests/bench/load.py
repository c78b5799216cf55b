"""Runs the load (load/*.go) and reads its line."""

import contextlib
import json
import subprocess

from tests.bench.procs import OUT, Trouble, running, stop

LONGEST = 7200  # seconds, for a soak


def arguments(address, work, clients, **options):
    """The command; options are those of load/main.go."""
    argv = [str(OUT / "load"), "-to", address, "-body", str(work.body), "-c", str(clients)]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            argv += [f"-{name}", str(one)]
    return argv


def run(address, work, clients, **options):
    """All that the load says."""
    try:
        done = subprocess.run(arguments(address, work, clients, **options), capture_output=True, text=True,
                              check=False, timeout=LONGEST)
    except subprocess.TimeoutExpired as e:
        raise Trouble("the load did not end") from e
    return read(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def beside(address, work, clients, **options):
    """A load that runs while the block does something else; gives a function that waits for what it says."""
    with running(arguments(address, work, clients, **options), stdout=subprocess.PIPE, text=True) as process:
        yield lambda: read(process.wait(LONGEST), process.stdout.read(), "see above")


@contextlib.contextmanager
def idle(address, count):
    """Connections that say nothing for the time of the block; the server has to keep them."""
    if count == 0:
        yield
        return
    argv = [OUT / "load", "-to", address, "-idle", count]
    with running(argv, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout.readline() != "ready\n":
            raise Trouble(f"{count} idle connections could not be opened")
        yield
        stop(process)
        closed = json.loads(process.stdout.read())["closed"]
    if closed:
        raise Trouble(f"the server closed {closed} of {count} idle connections")


def read(code, out, errors):
    """The load's line."""
    if code != 0:
        raise Trouble(f"the load failed: {errors.strip()}")
    return json.loads(out)


def only_sent(said):
    """The figures where every request has to be answered with 200."""
    others = {s: n for s, n in said["statuses"].items() if s != "200"}
    if others or said["broken"] or "200" not in said["statuses"]:
        raise Trouble(f"not all mails were sent: {others}, {said['broken']} broken; the first: "
                      f"{said.get('first_fault', '')}")
    sent = said["statuses"]["200"]
    return {"mails": sent["count"], "seconds": said["seconds"], "p50_ms": sent["p50_ms"], "p99_ms": sent["p99_ms"]}
