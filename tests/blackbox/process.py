"""Child processes that never outlive the tests."""

import atexit
import os
import random
import signal
import socket
import subprocess
import time

_alive = set()


class Child:
    """A process in a group of its own; its output goes to the given files.

    setpriv has the kernel send it the signal `orphaned` when the thread that started it ends,
    whatever way, so start children from a thread that lives as long as they should.
    """

    def __init__(self, argv, env=None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                 orphaned="KILL"):
        self.argv = [str(a) for a in argv]
        self.popen = subprocess.Popen(["setpriv", "--pdeathsig", orphaned, *self.argv], env=env,
                                      stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                      start_new_session=True)
        _alive.add(self)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def signal(self, number=signal.SIGTERM):
        if self.running():
            self.popen.send_signal(number)

    def wait(self, timeout):
        """The exit code; None if it still runs."""
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        _alive.discard(self)
        return code

    def stop(self, timeout=30):
        """SIGTERM, then SIGKILL to its group; the exit code."""
        self.signal(signal.SIGTERM)
        code = self.wait(timeout)
        return self.kill() if code is None else code

    def kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        _alive.discard(self)
        return self.popen.wait()


@atexit.register
def _kill_all():
    for child in list(_alive):
        child.kill()


def free_port():
    """A loopback port nobody listens on, below those that the kernel gives to clients."""
    while True:
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(condition, timeout=20, what="a condition", interval=0.01):
    """Polls until condition() is true, and returns what it returned."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout} s in vain for {what}")
        time.sleep(interval)


def accepts(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False
