"""A database that fails over, two Posterns on it, and what breaks in between: nothing that was accepted is lost.

Each is a machine of its own (network.py): the monitor, two nodes of PostgreSQL, two Posterns. The clients and the sink
are here. All machines are on the switch of the database; the Posterns are on that of the web, too.
"""

import contextlib
import time

import pytest

from . import failover
from .failover import Failover
from .ledger import Account, Posters, Sink, drained
from .network import Machine, Switch
from .postern import Postern
from .process import wait_until
from .queue_file import SENDING

pytestmark = [pytest.mark.skipif(failover.fault() is not None, reason=str(failover.fault())), pytest.mark.timeout(900)]

DATABASE, WEB = 1, 2  # the switches' numbers
POSTERNS = (11, 12)  # the machines'
PATIENCE = 120
LEASE = 65  # seconds from its claim after which a message that nobody settled is sent by another
MARGIN = 5  # of them pass from the claim to the relay's answer, at most
SESSIONS = 32  # of a Postern with the relay: no more is under way
PORT = 8025


class Gateway:
    """A machine with a Postern."""

    def __init__(self, number, site):
        self.site = site
        self.host = site.web.address(number)
        self.machine = Machine(number, [site.database, site.web])
        self.postern = None

    def start(self):
        self.postern = Postern(before=self.machine.inside, host=self.host, port=PORT, listen=f"0.0.0.0:{PORT}",
                               auth="off", queue=self.site.cluster.url,
                               relay=self.site.sink.relay + f"&sessions={SESSIONS}", timeout="5s", retry_first="1s",
                               retry_most="5s")

    def kill(self):
        """How many messages it had under way."""
        self.machine.kill()
        self.postern.kill()
        return self.site.rows(f"state = {SENDING} AND owner LIKE '%:{self.postern.pid}:%'")


class Site:
    """All of it, under load. `accepted` only ever grows."""

    def __init__(self, cleanup):
        self.database, self.web = self._switch(cleanup, DATABASE), self._switch(cleanup, WEB)
        self.cluster = cleanup.enter_context(Failover(self.database))
        self.sink = cleanup.enter_context(Sink(self.web.host, delay_ms=200))
        self.gateways = []
        for number in POSTERNS:
            gateway = Gateway(number, self)
            cleanup.callback(gateway.machine.remove)
            self.gateways.append(gateway)
            gateway.start()
            cleanup.callback(lambda g=gateway: g.postern.kill())
        self.posters = cleanup.enter_context(
            Posters([(gateway.host, PORT) for gateway in self.gateways], clients=8, pause=0.02))
        self.told = []

    @staticmethod
    def _switch(cleanup, number):
        switch = Switch(number)
        cleanup.callback(switch.remove)
        return switch

    def goes_on(self):
        """Waits until more is accepted, and delivered, than at its start."""
        accepted, arrived = len(self.posters.accepted), len(self.sink.messages())
        wait_until(lambda: len(self.posters.accepted) > accepted + 100, PATIENCE, "more to be accepted", 0.1)
        wait_until(lambda: len(self.sink.messages()) > arrived + 100, PATIENCE, "more to be delivered", 0.1)

    def rows(self, where):
        return int(self.cluster.primary().sql(f"SELECT count(*) FROM postern_message WHERE {where}"))

    def tell(self, what, began):
        self.told.append(f"{what}: {time.monotonic() - began:.0f} s, {len(self.posters.accepted)} accepted so far")


@pytest.fixture(scope="module")
def site():
    with contextlib.ExitStack() as cleanup:
        yield Site(cleanup)


def kill_a_postern(site):
    under_way = site.gateways[0].kill()
    site.goes_on()
    site.gateways[0].start()
    return under_way


def kill_the_primary(site):
    """The standby hears nothing of its last second: what the primary kept for itself then is gone, and must not have
    been told to anybody."""
    old = site.cluster.primary()
    standby = next(node for node in site.cluster.nodes if node is not old)
    standby.cut()
    time.sleep(1)
    old.kill()
    standby.heal()
    site.cluster.failed_over(old)
    site.goes_on()
    old.start()


def cut_the_primary(site):
    old = site.cluster.primary()
    old.cut()
    site.cluster.failed_over(old)
    site.goes_on()
    old.heal()


def cut_a_postern_from_the_database(site):
    gateway = site.gateways[1]
    gateway.machine.cut(site.database)
    site.goes_on()
    time.sleep(3)
    gateway.machine.heal(site.database)


FAULTS = [kill_a_postern, kill_the_primary, cut_the_primary, cut_a_postern_from_the_database]


def test_nothing_accepted_is_lost_whatever_breaks(site, capsys):
    """Twice comes only what was under way at the Postern that was killed. What a failover interrupts is settled later,
    unless the machines here are so slow that it takes as long as a lease."""
    under_way = 0
    site.goes_on()
    for fault in FAULTS:
        began = time.monotonic()
        under_way += fault(site) or 0
        site.cluster.settled()
        site.goes_on()
        if time.monotonic() - began > LEASE - MARGIN:
            under_way += len(site.gateways) * SESSIONS
        site.tell(fault.__name__, began)
    site.posters.stop()
    account = drained(site.posters, site.sink, LEASE + PATIENCE)
    if not account.lost:
        wait_until(lambda: site.rows("true") == 0, LEASE + PATIENCE, "the queue to be empty", 0.5)
        account = Account(site.posters, site.sink.messages())
    with capsys.disabled():
        print("", *site.told, f"{account}; {under_way} were under way at what broke. "
              f"Answers: {dict(site.posters.statuses)}, {site.posters.repeated} repeated with their key", sep="\n")
    assert not site.posters.faults, site.posters.faults[:10]
    account.check(under_way)
    assert all(after > LEASE - MARGIN for after, _ in account.again), account.again
    for gateway in site.gateways:
        gateway.postern.stop()
