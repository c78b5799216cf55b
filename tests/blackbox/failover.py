"""PostgreSQL that fails over by itself: pg_auto_failover's monitor and two nodes, each a machine of its own.

While both nodes are well a commit of the primary waits for the standby, and a standby that was not up to date is never
promoted. While one is away the other goes on alone, and what it then commits is on one disk: hurt() one of them only
when settled() says that both are well again. The times after which a node is given up are seconds here, not half
minutes.
"""

import contextlib
import os
import subprocess
from pathlib import Path

from . import network, postgres
from .network import Machine
from .places import scratch
from .postgres import DATABASE, PASSWORD, USER
from .process import Child, wait_until

MONITOR, NODES = 1, (2, 3)  # the machines' numbers
PATIENCE = 120

_PROGRAM = Path("/usr/bin/pg_autoctl")
_MONITOR_DATABASE, _MONITOR_USER = "pg_auto_failover", "autoctl_node"
_IMPATIENT = {"health_check_period": 1000, "health_check_timeout": 1500, "health_check_max_retries": 1,
              "health_check_retry_delay": 500, "node_considered_unhealthy_timeout": 6000,
              "primary_demote_timeout": 6000, "startup_grace_period": 3000}  # milliseconds
# A mount namespace belongs to each `ip netns exec`: all servers have their socket in one and the same place.
_OWN_SOCKETS = 'mkdir -p /var/run/postgresql && mount --bind "$0" /var/run/postgresql && exec "$@"'


def fault():
    """Why it can't be run here; None: it can."""
    if not postgres.available() or not _PROGRAM.exists():
        return "there is no PostgreSQL, or no pg_auto_failover, here (tests/deps.sh test)"
    return network.fault()


class Node:
    """A machine with pg_autoctl, which starts and stops the server there."""

    def __init__(self, number, switch):
        self.switch = switch
        self.host = switch.address(number)
        self.folder = scratch(f"pg{number}")
        self.data, self.log = self.folder / "data", self.folder / "log"
        self._sockets, self._run = self.folder / "sockets", self.folder / "run"
        for path in (self._sockets, self._run):
            path.mkdir()
        for path in (self.folder, self._sockets, self._run):
            postgres.give(path)
        self._child = None
        self.machine = Machine(number, [switch])

    def create(self, what, *options):
        self._call(_PROGRAM, "create", what, "--pgdata", self.data, "--pgport", "5432", "--hostname", self.host,
                   "--auth", "trust", "--no-ssl", *options)

    def configure(self, file, *lines):
        with open(self.data / file, "a", encoding="ascii") as out:
            out.write("\n".join(lines) + "\n")

    def start(self):
        with open(self.log, "ab") as log:
            self._child = Child(self._argv(_PROGRAM, "run", "--pgdata", self.data), env=self._environment(),
                                stdout=log, stderr=log)

    def kill(self):
        """kill -9, server and keeper; start() it again."""
        self.machine.kill()
        self._child.kill()  # … and is no zombie, which pg_autoctl takes for alive
        for file in self._run.rglob("*.pid"):
            file.unlink()

    def cut(self):
        self.machine.cut(self.switch)

    def heal(self):
        self.machine.heal(self.switch)

    def sql(self, text, database=DATABASE, user="postgres"):
        """On the machine itself: what psql prints."""
        return self._call(postgres.programs() / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database,
                          "-c", text).strip()

    def _argv(self, *argv):
        return [*self.machine.inside, "sh", "-c", _OWN_SOCKETS, str(self._sockets),
                *postgres.as_user([str(a) for a in argv])]

    def _environment(self):
        return postgres.environment() | {
            "LC_ALL": "C.UTF-8",  # initdb takes the encoding from it
            "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self._run), "PGCONNECT_TIMEOUT": "5",
            "PATH": f"{postgres.programs()}:/usr/sbin:/usr/bin:/sbin:/bin"}

    def _call(self, *argv):
        done = subprocess.run(self._argv(*argv), env=self._environment(), text=True, cwd="/", stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, argv))}: {done.stderr}")
        return done.stdout


class Failover:
    """The three of them. Use it in a `with`."""

    def __init__(self, switch):
        self._switch = switch
        self._cleanup = contextlib.ExitStack()
        self.nodes = []

    def __enter__(self):
        with contextlib.ExitStack() as failed:
            failed.push(self._cleanup)
            self._monitor = self._node(MONITOR)
            self._start_monitor()
            self.nodes = [self._start_node(number) for number in NODES]
            self.settled()
            failed.pop_all()
        return self

    def __exit__(self, *_):
        self._cleanup.close()

    def _node(self, number):
        node = Node(number, self._switch)
        self._cleanup.callback(node.machine.remove)
        return node

    def _start_monitor(self):
        monitor = self._monitor
        monitor.create("monitor")
        monitor.configure("postgresql.conf", *(f"pgautofailover.{k} = {v}" for k, v in _IMPATIENT.items()))
        monitor.configure("pg_hba.conf", f"host all all {self._switch.address(0)}/24 trust")
        monitor.start()
        wait_until(lambda: _quiet(self._states) is not None, PATIENCE, "the monitor", 0.2)

    def _start_node(self, number):
        node = self._node(number)
        node.create("postgres", "--name", f"n{number}", "--dbname", DATABASE, "--monitor",
                    f"postgresql://{_MONITOR_USER}@{self._monitor.host}:5432/{_MONITOR_DATABASE}")
        if number == NODES[0]:
            node.configure("postgresql.conf", "shared_buffers = 64MB", "max_connections = 200")
            node.configure("pg_hba.conf", f"host {DATABASE} {USER} {self._switch.address(0)}/24 scram-sha-256",
                           f"host all all {self._switch.address(0)}/24 trust")
        node.start()
        if number == NODES[0]:
            wait_until(lambda: _quiet(lambda: node.sql("SELECT NOT pg_is_in_recovery()") == "t"), PATIENCE,
                       "the first node", 0.2)
            node.sql(f"CREATE USER {USER} PASSWORD '{PASSWORD}'; ALTER DATABASE {DATABASE} OWNER TO {USER}")
        return node

    # ---- using ----

    @property
    def url(self):
        """Whichever of them can be written, and a machine that is gone is noticed within seconds."""
        hosts = ",".join(node.host for node in self.nodes)
        return (f"postgresql://{USER}:{PASSWORD}@{hosts}/{DATABASE}?target_session_attrs=read-write&connect_timeout=3"
                "&tcp_user_timeout=5000&keepalives_idle=5&keepalives_interval=2&keepalives_count=3")

    def _states(self):
        """{host: (what it said it is, whether it answers)}"""
        rows = self._monitor.sql("SELECT nodehost, reportedstate, health FROM pgautofailover.node", _MONITOR_DATABASE)
        return {host: (state, health == "1") for host, state, health in (row.split("|") for row in rows.splitlines())}

    def _node_that_is(self, *wanted):
        states = _quiet(self._states) or {}
        return next((node for node in self.nodes if states.get(node.host) in [(w, True) for w in wanted]), None)

    def primary(self):
        """The node that takes writes, when there is one."""
        return wait_until(lambda: self._node_that_is("primary", "wait_primary", "single"), PATIENCE, "a primary", 0.2)

    def settled(self):
        """Waits until both are well and the standby confirms each commit; the primary."""
        def found():
            primary = self._node_that_is("primary")
            return primary if primary and self._node_that_is("secondary") and _quiet(lambda: _confirmed(primary)) \
                else None
        return wait_until(found, PATIENCE, "a primary with a standby that is up to date", 0.2)

    def failed_over(self, old):
        """Waits until another node than this one is the primary; that one."""
        def found():
            primary = self._node_that_is("primary", "wait_primary")
            return primary if primary is not old else None
        return wait_until(found, PATIENCE, "a failover", 0.2)

    def said(self):
        return "\n".join(f"{node.host}:\n{node.log.read_text(errors='replace')[-3000:]}"
                         for node in [self._monitor, *self.nodes] if node.log.exists())


def _confirmed(primary):
    """Its commits wait for a standby, and that has all there is."""
    return (primary.sql("SHOW synchronous_standby_names") != ""
            and primary.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')") == "1")


def _quiet(call):
    """None where it can't be asked now."""
    try:
        return call()
    except (RuntimeError, subprocess.TimeoutExpired):
        return None
