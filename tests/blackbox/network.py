"""Machines of the tests' own: network namespaces, each with a cable into one or more switches, that can be cut.

A switch is a bridge that this process is plugged into too, so that it can speak to every machine. A cable that is
cut is pulled from the switch: nothing is refused and nobody is told, what is sent is lost, as where a network fails.
"""

import functools
import os
import signal
import subprocess

from .process import wait_until

_NETS = "198.18.{}"  # of the range that RFC 2544 keeps for benchmarks


def _ip(*argv):
    done = subprocess.run(["ip", *argv], capture_output=True, text=True, check=False, timeout=30)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


class Switch:
    """Machine `n` has the address n here; this process's own is 254."""

    def __init__(self, number):
        self.number = number
        self.device = f"pt{os.getpid() % 1000000}s{number}"
        self.host = self.address(254)
        _ip("link", "add", self.device, "type", "bridge")
        try:
            _ip("address", "add", self.host + "/24", "dev", self.device)
            _ip("link", "set", self.device, "up")
        except OSError:
            self.remove()
            raise

    def address(self, n):
        return f"{_NETS.format(self.number)}.{n}"

    def remove(self):
        subprocess.run(["ip", "link", "delete", self.device], check=False, timeout=30, stderr=subprocess.DEVNULL)


class Machine:
    """A namespace. `inside` is put before a command to run it there."""

    def __init__(self, n, switches):
        self.n = n
        self.name = f"postern-{os.getpid()}-{n}"
        self.inside = ["ip", "netns", "exec", self.name]
        self._cables = {}
        _ip("netns", "add", self.name)
        try:
            _ip("-n", self.name, "link", "set", "lo", "up")
            for switch in switches:
                self._plug(switch)
        except OSError:
            self.remove()
            raise

    def _plug(self, switch):
        ours, theirs = f"{switch.device}n{self.n}", f"eth{switch.number}"
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", self.name)
        self._cables[switch] = ours
        _ip("-n", self.name, "address", "add", switch.address(self.n) + "/24", "dev", theirs)
        _ip("-n", self.name, "link", "set", theirs, "up")
        _ip("link", "set", ours, "master", switch.device, "up")

    def cut(self, switch):
        _ip("link", "set", self._cables[switch], "nomaster")

    def heal(self, switch):
        _ip("link", "set", self._cables[switch], "master", switch.device)

    def pids(self):
        return [int(pid) for pid in _ip("netns", "pids", self.name).split()]

    def kill(self):
        """kill -9, all that runs here: what is left when a machine loses its power."""
        def gone():
            for pid in self.pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return not self.pids()
        wait_until(gone, what=f"the processes of {self.name} to end")

    def remove(self):
        try:
            self.kill()
        except (OSError, TimeoutError):
            pass
        # A veth goes with its namespace, but only a while later, and the next one may have the same name.
        for device in self._cables.values():
            subprocess.run(["ip", "link", "delete", device], check=False, timeout=30, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "delete", self.name], check=False, timeout=30, stderr=subprocess.DEVNULL)


@functools.cache
def fault():
    """Why there can be none here; None: there can."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    try:
        switch = Switch(250)
        try:
            Machine(1, [switch]).remove()
        finally:
            switch.remove()
    except (OSError, subprocess.SubprocessError) as e:
        return f"network namespaces can't be made here: {e}"
    return None
