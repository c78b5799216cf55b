"""A relay a round trip away: a network namespace behind a pair of veth, delayed by netem on both sides."""

import contextlib
import dataclasses
import functools
import os
import re
import subprocess

HERE, THERE = "198.18.77.1", "198.18.77.2"  # of the range that RFC 2544 keeps for benchmarks


@dataclasses.dataclass
class Space:
    """What to put before a command to run it there, and its address."""
    before: list
    host: str = THERE


def call(*argv):
    """One command of ip or tc; what it said is the fault."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode != 0:
        raise OSError(f"{' '.join(argv)}: {done.stderr.strip()}")


def half(round_trip):
    """50ms -> 25ms"""
    number, unit = re.fullmatch(r"(\d+)(\w+)", round_trip).groups()
    return f"{int(number) / 2:g}{unit}"


@contextlib.contextmanager
def namespace(round_trip):
    """Makes the namespace for the time of the block."""
    name, ours, theirs = f"postern-bench-{os.getpid()}", f"pbench{os.getpid() % 10000}", "relay0"
    call("ip", "netns", "add", name)
    try:
        call("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        inside = ["ip", "netns", "exec", name]
        call("ip", "address", "add", HERE + "/30", "dev", ours)
        call("ip", "link", "set", ours, "up")
        call(*inside, "ip", "address", "add", THERE + "/30", "dev", theirs)
        call(*inside, "ip", "link", "set", theirs, "up")
        for before, device in (([], ours), (inside, theirs)):
            call(*before, "tc", "qdisc", "add", "dev", device, "root", "netem", "delay", half(round_trip),
                 "limit", "100000")
        yield Space(inside)
    finally:
        # With the namespace the veth goes too, but only a while later, and the next one has the same name.
        subprocess.run(["ip", "link", "delete", ours], check=False, timeout=30, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "delete", name], check=False, timeout=30)


@functools.cache
def fault():
    """Why there can be none here; None: it can."""
    if os.geteuid() != 0:
        return "making a network namespace needs root"
    try:
        with namespace("2ms"):
            return None
    except (OSError, subprocess.SubprocessError) as e:
        return str(e)
