"""Postern and what it is measured beside. A server takes HTTP requests; a floor sends mail without any."""

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import time

from tests.bench.measure import memory_kb
from tests.bench.procs import OUT, POSTERN, SBIN, Trouble, free_port, log_file, running, wait_for

SESSIONS = 8
NOT_POOLED = ("3KB", "3KB-far")  # where reusing sessions is what is asked for, but not by all peers


@dataclasses.dataclass(frozen=True)
class Peer:
    """One program under test."""
    key: str
    title: str
    serve: object = None       # a server: (relay, address, **settings) -> command, environment
    send: object = None        # a floor: (relay, work, mails) -> figures
    tls: bool = True
    pools: bool = True         # reuses sessions
    news: bool = True          # can have a new session for each mail
    ends_sessions: bool = True # and ends it itself, else the relay has to
    only: tuple = ()           # the scenes that it takes part in; empty: all that it fits

    def command(self, relay, **settings):
        """A server's command, the address it will serve on, its environment."""
        address = local()
        argv, environment = self.serve(relay, address, **settings)
        return [str(a) for a in argv], address, {"PATH": os.environ["PATH"], **environment}

    @contextlib.contextmanager
    def start(self, relay, **settings):
        """Starts a server and waits until it listens: (process, address)."""
        argv, address, environment = self.command(relay, **settings)
        with log_file(self.key) as log, running(argv, env=environment, stderr=log, stdout=log) as process:
            wait_for(address, process)
            yield process, address

    def fits(self, scene):
        """Whether it can take part."""
        if self.only and scene.key not in self.only:
            return False
        if scene.fresh:
            return self.tls and self.news
        return (self.tls or not scene.tls) and (self.pools or scene.key in NOT_POOLED)


def local():
    """An address to serve on."""
    return f"127.0.0.1:{free_port()}"


def postern_url(relay, sessions=SESSIONS):
    """The relay as POSTERN_RELAY has it."""
    if relay.ca:
        return f"smtp://{relay.user}:{relay.password}@{relay.address}?ca={relay.ca}&sessions={sessions}"
    return f"smtp://{relay.address}?tls=none&sessions={sessions}"


def postern_command(relay, address, **settings):
    """Postern with its defaults; settings are POSTERN_ variables."""
    if relay is not None:
        settings["POSTERN_RELAY"] = postern_url(relay)
    return [POSTERN], {"POSTERN_LISTEN": address, **settings}


def go_command(relay, address, pool=SESSIONS):
    """peers/go."""
    argv = [OUT / "gopeer", "-listen", address, "-relay", relay.address, "-pool", pool]
    if relay.ca:
        argv += ["-user", relay.user, "-ca", relay.ca]
    return argv, {"RELAY_PASSWORD": relay.password}


def go_sendmail_command(relay, address):
    """The same with smtp.SendMail for each mail."""
    return go_command(relay, address, pool=0)


def go_quiet_command(relay, address):
    """The same without its log."""
    argv, environment = go_command(relay, address)
    return [*argv, "-quiet"], environment


def node_command(relay, address):
    """peers/node."""
    settings = {"RELAY": relay.address, "LISTEN": address.rsplit(":", 1)[1], "SESSIONS": str(SESSIONS),
                "NODE_ENV": "production"}
    if relay.ca:
        settings.update(RELAY_USER=relay.user, RELAY_PASSWORD=relay.password, RELAY_CA=str(relay.ca))
    if relay.fresh:
        settings["NEW_SESSIONS"] = "1"
    return [shutil.which("node"), OUT / "node" / "server.js"], settings


def run_floor(argv, mails, **environment):
    """Runs a sender to its end: seconds, CPU, peak of memory as seen on the way."""
    begin = time.monotonic()
    with log_file("floor") as log:
        process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=log, start_new_session=True,
                                   env={"PATH": os.environ["PATH"], **environment})
        try:
            peak = watch_memory(process)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
    seconds = time.monotonic() - begin
    if process.returncode != 0:
        raise Trouble(f"{argv[0]} ended with {process.returncode}: see {log.name}")
    figures = {"mails": mails, "seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak_kb": peak}
    out = process.stdout.read()
    return {**figures, **(json.loads(out) if out.startswith(b"{") else {})}


def watch_memory(process, limit=300):
    """Follows VmHWM until the process has ended, but leaves it to be waited for."""
    peak = 0
    end = time.monotonic() + limit
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        with contextlib.suppress(OSError, KeyError):
            peak = max(peak, memory_kb(process.pid, "VmHWM"))
        if time.monotonic() > end:
            raise Trouble(f"{process.args[0]} took over {limit} s")
        time.sleep(0.01)
    return peak


def smtp_source(relay, work, mails):
    """Postfix's smtp-source with -d: sessions reused. Its message is the same length, but one text."""
    return run_floor([f"{SBIN}/smtp-source", "-d", "-s", min(SESSIONS, mails), "-m", mails, "-l", work.size,
                      "-r", work.recipients, relay.address], mails)


def curl_loop(relay, work, mails):
    """peers/curl_loop.c with the message that Postern composes."""
    return run_floor([OUT / "curl_loop", f"smtp://{relay.address}", relay.ca or "-", relay.user if relay.ca else "-",
                      SESSIONS, mails, work.recipients, work.message, "new" if relay.fresh else "reuse"], mails,
                     RELAY_PASSWORD=relay.password)


ALL = [
    Peer("postern", "Postern", serve=postern_command, ends_sessions=False),
    Peer("go", "Go net/http + net/smtp, pool", serve=go_command, news=False),
    Peer("go-quiet", "the same, logging nothing", serve=go_quiet_command, only=("3KB",)),
    Peer("go-sendmail", "Go, smtp.SendMail per mail", serve=go_sendmail_command, pools=False),
    Peer("node", "Node.js fastify + nodemailer", serve=node_command),
    Peer("curl", "libcurl alone, no HTTP", send=curl_loop),
    Peer("smtp-source", "smtp-source -d, no HTTP", send=smtp_source, tls=False),
]
BY_KEY = {p.key: p for p in ALL}


def postern(relay, **settings):
    """Starts Postern."""
    return BY_KEY["postern"].start(relay, **settings)
