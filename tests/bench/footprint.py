"""Size on disk, memory when idle, start to the first answer."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import time

from tests.bench import peers, relays
from tests.bench.measure import median, memory_kb
from tests.bench.procs import OUT, POSTERN, Trouble, log_file, running

STARTS = 10
SETTLE_SECONDS = 1
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n"
LEAN = pathlib.Path(POSTERN + "-lean")
NOWHERE = relays.Relay("127.0.0.1:9")


def lean_command(relay, address):
    """The lean program, which `make lean` builds beside the whole one."""
    _, environment = peers.postern_command(relay, address)
    return [LEAN], environment


def servers():
    """Who is looked at; the lean program takes no part in anything else."""
    postern, *others = (peers.BY_KEY[key] for key in ("postern", "go", "node"))
    return [postern, peers.Peer("lean", "Postern, the lean program", serve=lean_command), *others]


def stripped(program):
    """Octets of a program without symbols."""
    copy = OUT / (pathlib.Path(program).name + ".stripped")
    subprocess.run(["strip", "-o", copy, program], check=True, timeout=60)
    return copy.stat().st_size


def folder_size(folder):
    """Octets of all files."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and not f.is_symlink())


def sizes():
    """What has to be there to run each server, without the libraries of the system."""
    node = pathlib.Path(shutil.which("node")).resolve()
    return {"postern": stripped(POSTERN), "lean": stripped(LEAN), "go": stripped(OUT / "gopeer"),
            "node": node.stat().st_size + folder_size(OUT / "node" / "node_modules")}


def first_answer(peer):
    """Milliseconds from the start of the program to its first HTTP answer, whatever it is."""
    argv, address, environment = peer.command(NOWHERE)
    host, port = address.rsplit(":", 1)
    begin = time.monotonic()
    with log_file("start") as log, running(argv, env=environment, stdout=log, stderr=log):
        while time.monotonic() - begin < 15:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1) as s:
                s.settimeout(5)
                s.sendall(REQUEST)
                if s.recv(1024).startswith(b"HTTP/1.1 "):
                    return (time.monotonic() - begin) * 1000
            time.sleep(0.0002)
    raise Trouble(f"{peer.title} does not start")


def idle_mb(peer):
    """The resident set of a server that nobody has asked anything."""
    with peer.start(NOWHERE) as (process, _):
        time.sleep(SETTLE_SECONDS)
        return memory_kb(process.pid, "VmRSS") / 1024


def footprint(_chosen, progress):
    """A row for each server."""
    looked_at = servers()
    on_disk = sizes()
    starts = {p.key: [] for p in looked_at}
    for number in range(STARTS):
        for peer in looked_at:
            progress(f"start {number + 1} of {STARTS}: {peer.title}")
            starts[peer.key].append(first_answer(peer))
    rows = [{"title": p.title, "cells": [on_disk[p.key] / 2**20, idle_mb(p), median(starts[p.key])]} for p in looked_at]
    return {"key": "footprint", "title": "Footprint", "rows": rows,
            "columns": ["on disk MB", "idle RSS MB", "start ms"]}
