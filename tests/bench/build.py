"""Builds the peers, the load and the sink into build/bench."""

import os
import shutil
import subprocess

from tests.bench.procs import OUT, ROOT, Trouble

BENCH = ROOT / "tests" / "bench"
GO_PROGRAMS = {"gopeer": "./peers/go", "tlssink": "./peers/tlssink", "load": "./load"}
CURL_FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra"]


def call(argv, folder, **environment):
    """Runs a build step; its output is shown only where it fails."""
    done = subprocess.run([str(a) for a in argv], cwd=folder, env={**os.environ, **environment}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    if done.returncode != 0:
        raise Trouble(f"{' '.join(map(str, argv))}:\n{done.stdout}")
    return done.stdout.strip()


def build_go():
    """The Go programs, with the standard library alone and nothing from the network."""
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOPROXY": "off",
                "GOCACHE": str(OUT / "go-cache")}
    for name, package in GO_PROGRAMS.items():
        call(["go", "build", "-trimpath", "-buildvcs=false", "-o", OUT / name, package], BENCH, **settings)


def build_node():
    """fastify, nodemailer and what webhooks and templates need, in the versions of package-lock.json."""
    folder = OUT / "node"
    folder.mkdir(exist_ok=True)
    lock = BENCH / "peers" / "node" / "package-lock.json"
    kept = folder / "package-lock.json"
    fresh = kept.exists() and kept.read_bytes() == lock.read_bytes() and (folder / "node_modules").exists()
    for name in ("package.json", "package-lock.json", "server.js", "template.js", "hook.js"):
        shutil.copy(BENCH / "peers" / "node" / name, folder / name)
    if not fresh:
        call(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder)


def build_curl_loop():
    """The libcurl floor."""
    libraries = call(["pkg-config", "--cflags", "--libs", "libcurl"], BENCH).split()
    call([os.environ.get("CC", "cc"), *CURL_FLAGS, "-o", OUT / "curl_loop", BENCH / "peers" / "curl_loop.c",
          *libraries], BENCH)


def build():
    """All of them."""
    OUT.mkdir(parents=True, exist_ok=True)
    build_go()
    build_node()
    build_curl_loop()
