"""The relays that mail is sent to: Postfix's smtp-sink, and our own with TLS, a long way off, or dead."""

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess

from tests.bench import netns
from tests.bench.procs import OUT, SBIN, Trouble, free_port, running, stop, wait_for

ROUND_TRIP = "50ms"
MANY_SESSIONS = 64


@dataclasses.dataclass
class Relay:
    """Where and how; `count` is filled when our own sink has ended."""
    address: str
    ca: pathlib.Path | None = None
    fresh: bool = False  # a new session for each mail
    count: dict | None = None
    user = "bench"
    password = "secret"


@contextlib.contextmanager
def smtp_sink():
    """Postfix's own, in clear: takes everything and keeps nothing."""
    address = f"127.0.0.1:{free_port()}"
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with running([f"{SBIN}/smtp-sink", *user, address, "1000"]) as process:
        wait_for(address, process)
        yield Relay(address)


@contextlib.contextmanager
def own_sink(*options, tls=False, fresh=False, before=(), host="127.0.0.1"):
    """peers/tlssink: `before` is what is put before its command, `options` are its own."""
    address = f"{host}:{free_port()}"
    ca = OUT / "sink.pem" if tls else None
    options = [*options, *(["-tls", ca] if tls else [])]
    relay = Relay(address, ca, fresh)
    with running([*before, OUT / "tlssink", "-listen", address, *options], stdout=subprocess.PIPE) as process:
        wait_for(address, process)
        yield relay
        stop(process)
        relay.count = json.loads(process.stdout.read())


def clear(_peer):
    """smtp-sink, sessions reused."""
    return smtp_sink()


def plain(_peer):
    """Our own in clear: smtp-sink looks at every octet of a mail, and would be what large ones wait for."""
    return own_sink()


def tls(_peer):
    """STARTTLS and AUTH, sessions reused."""
    return own_sink(tls=True)


def tls_new(peer):
    """STARTTLS and AUTH for each mail: the client ends the session, or, where it has no such setting, the relay."""
    return own_sink(*([] if peer.ends_sessions else ["-mails", "1"]), tls=True, fresh=True)


@contextlib.contextmanager
def far(_peer):
    """A relay 50 ms away: by netem in a network namespace, or, where that can't be, by the sink itself."""
    if netns.fault():
        with own_sink("-trip", ROUND_TRIP) as relay:
            yield relay
        return
    with netns.namespace(ROUND_TRIP) as space, \
            own_sink(before=space.before, host=space.host) as relay:
        yield relay


def check_count(relay, mails, who):
    """Whether our own sink got what the client was told is sent, over as many sessions as the scene wants."""
    got = relay.count
    if got is None:
        return
    if got["mails"] != mails:
        raise Trouble(f"{who}: {mails} mails were answered as sent, the relay got {got['mails']}")
    if relay.fresh and got["logins"] < mails:
        raise Trouble(f"{who}: {mails} mails over {got['logins']} sessions, where each should have its own")
    if not relay.fresh and got["logins"] > MANY_SESSIONS + mails / 100:
        raise Trouble(f"{who}: {mails} mails over {got['logins']} sessions, where they should be reused")
