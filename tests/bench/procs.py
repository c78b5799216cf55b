"""Starting programs, waiting for them, and stopping them whatever happens."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "bench"
POSTERN = os.environ.get("POSTERN_BIN", str(ROOT / "build" / "postern"))
SBIN = "/usr/sbin"


class Trouble(Exception):
    """The measurement can't go on; the text says why."""


def free_port():
    """A port of loopback that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(address, process, seconds=15):
    """Waits until a program listens on host:port."""
    host, port = address.rsplit(":", 1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Trouble(f"{process.args[0]} ended with {process.returncode} at its start")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 0.5):
            return
        time.sleep(0.01)
    raise Trouble(f"{process.args[0]}: nothing listens on {address}")


@contextlib.contextmanager
def running(argv, **kwargs):
    """A program for the time of the block; SIGTERM ends it, SIGKILL if that doesn't.

    It is in a session of its own: Ctrl-C is ours alone, and we end the programs in their order.
    """
    process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, start_new_session=True, **kwargs)
    try:
        yield process
    finally:
        stop(process)


def stop(process):
    """Ends a program that running() started; what it still had to say stays in its pipe."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def log_file(name):
    """Where a program's stderr goes: build/bench/NAME.log."""
    return open(OUT / f"{name}.log", "wb")
