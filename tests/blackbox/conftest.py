"""Fixtures: one of each real server for the whole run; the certificates; a Postern without a relay."""

import signal

import pytest

from . import places
from .aio import AioServer
from .certs import Authority
from .opensmtpd import OpenSmtpd
from .postern import BINARY, Postern
from .postfix import Postfix

# Goes last, because it looks back on what the others have seen.
LAST = "test_contract.py"


def pytest_sessionstart(session):
    # Ended from outside, too, the fixtures are to be taken down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not BINARY.exists():
        pytest.exit(f"there is no {BINARY}: build it first (make)", returncode=4)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name == LAST)


@pytest.fixture(scope="session")
def authority():
    return Authority(places.scratch("ca"))


@pytest.fixture(scope="session")
def stranger():
    """A CA that nobody trusts."""
    return Authority(places.scratch("stranger"), name="Unknown CA")


def _running(server, authority):
    reason = server.unavailable()
    if reason:
        pytest.skip(reason)
    running = server(places.scratch(server.name), authority).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def postfix(authority):
    yield from _running(Postfix, authority)


@pytest.fixture(scope="session")
def opensmtpd(authority):
    yield from _running(OpenSmtpd, authority)


@pytest.fixture(scope="session")
def aiosmtpd(authority):
    yield from _running(AioServer, authority)


@pytest.fixture(scope="session")
def bare():
    """A Postern without a relay: it composes and validates, and can't send."""
    with Postern() as postern:
        yield postern


@pytest.fixture(scope="module")
def gateway(postfix):
    """A Postern on Postfix through STARTTLS with AUTH."""
    with Postern(relay=postfix.starttls_url()) as postern:
        yield postern
