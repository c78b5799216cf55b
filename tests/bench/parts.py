"""The processes of a measurement: sink, Postern, load."""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
POSTERN = os.environ.get("POSTERN_BIN", str(ROOT / "build" / "postern"))
SBIN = "/usr/sbin"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.01)
    raise RuntimeError(f"nothing listens on port {port}")


@contextlib.contextmanager
def running(argv, **kwargs):
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **kwargs)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def sink():
    """Postfix's smtp-sink, which takes everything and keeps nothing. Gives its port."""
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with running([f"{SBIN}/smtp-sink", *user, f"127.0.0.1:{port}", "1000"]):
        wait_for_port(port)
        yield port


@contextlib.contextmanager
def postern(relay, **settings):
    """Gives (process, url)."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "POSTERN_LISTEN": f"127.0.0.1:{port}",
        "POSTERN_RELAY": relay,
        **settings,
    }
    with open(ROOT / "build" / "bench-postern.log", "wb") as log:
        with running([POSTERN], env=environment, stderr=log) as process:
            wait_for_port(port)
            yield process, f"http://127.0.0.1:{port}"


def start_to_first_answer(relay):
    """Milliseconds from exec to the first 200 of /healthz."""
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "POSTERN_LISTEN": f"127.0.0.1:{port}", "POSTERN_RELAY": relay}
    begin = time.monotonic()
    with running([POSTERN], env=environment, stderr=subprocess.DEVNULL):
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as s:
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                if s.recv(1024).startswith(b"HTTP/1.1 200"):
                    return (time.monotonic() - begin) * 1000
            if time.monotonic() - begin > 10:
                raise RuntimeError("postern does not start")


def post(url, body, timeout=60):
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)


WRK_SCRIPT = """
wrk.method = "POST"
wrk.path = "/v1/send"
wrk.headers["Content-Type"] = "application/json"
local f = io.open(%s, "rb")
wrk.body = f:read("*a")
f:close()
function done(summary, latency, requests)
  io.write(string.format("FIGURES %%d %%d %%d %%d %%f %%f\\n", summary.requests, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99)))
end
"""


def load(url, body, clients, seconds):
    """wrk: requests answered with 2xx, seconds, p50 and p99 in ms."""
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "body.json")
        data.write_bytes(body)
        script = pathlib.Path(folder, "post.lua")
        script.write_text(WRK_SCRIPT % json.dumps(str(data)), encoding="utf-8")
        out = subprocess.run(
            ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), url],
            check=True, capture_output=True, text=True).stdout
    figures = re.search(r"FIGURES (\d+) (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+)", out)
    requests, refused, broken, duration, p50, p99 = figures.groups()
    if int(refused) or int(broken):
        raise RuntimeError(f"the load met errors:\n{out}")
    return {"mails": int(requests), "seconds": int(duration) / 1e6, "p50_ms": float(p50) / 1000,
            "p99_ms": float(p99) / 1000}


def smtp_source(port, mails, sessions, size):
    """Postfix's smtp-source -d (sessions reused): seconds, CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    subprocess.run([f"{SBIN}/smtp-source", "-d", "-s", str(sessions), "-m", str(mails), "-l", str(size),
                    f"127.0.0.1:{port}"], check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"mails": mails, "seconds": seconds, "cpu": cpu}
