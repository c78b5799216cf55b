"""PostgreSQL clusters of the tests' own: started, stopped, killed, followed by a synchronous standby, promoted.

A cluster lies in the given folder and listens on a loopback port; its one user is `postern`, with a password. fsync
is on, as it is where a queue is kept. The server refuses to be root: root starts it as the user `postgres` of
Debian's package, whose own cluster is left alone.

    python3 -m tests.blackbox.postgres COMMAND…    runs it with POSTERN_TEST_POSTGRESQL as a fresh cluster's URL
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from .process import Child, free_port, wait_until

USER = "postern"
PASSWORD = "geheim-7x"
DATABASE = "postern"

_CONFIG = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
shared_buffers = 64MB
max_connections = 200
max_wal_size = 2GB
wal_level = replica
max_wal_senders = 5
hot_standby = on
synchronous_commit = on
log_min_messages = warning
"""


def programs():
    """The folder of initdb and postgres: Debian's, the newest; else where PATH finds them. None: there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


def available():
    return programs() is not None and (os.getuid() != 0 or _unprivileged() is not None)


def _unprivileged():
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    return None


def as_user(argv):
    """The command, run by the user that the server runs as."""
    if os.getuid() != 0:
        return argv
    who = _unprivileged()
    return ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups", "--", *argv]


def give(path):
    """Gives it to that user."""
    if os.getuid() == 0:
        shutil.chown(path, _unprivileged().pw_uid, _unprivileged().pw_gid)


def environment():
    """Neither what the caller has set for libpq, nor his language."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))} | {"LC_ALL": "C"}


def _run(argv, **more):
    done = subprocess.run(as_user([str(a) for a in argv]), env=environment(), text=True, cwd="/",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]}: {done.stdout}")
    return done.stdout


class Cluster:
    def __init__(self, folder, port=None):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.port = port or free_port()
        self._child = None

    # ---- making ----

    @classmethod
    def create(cls, folder):
        """A new cluster with the user and the database, started."""
        cluster = cls(folder)
        cluster._make_folder()
        secret = cluster.folder / "password"
        secret.write_text(PASSWORD)
        give(secret)
        _run([programs() / "initdb", "--pgdata", cluster.data, "--username", USER, "--pwfile", secret,
              "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"])
        cluster._configure(_CONFIG.format(port=cluster.port))
        cluster.start()
        cluster.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
        return cluster

    def _make_folder(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        give(self.folder)

    def _configure(self, text):
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as file:
            file.write(text)

    def standby(self, folder, name="standby"):
        """A standby of this one, started; from now on this one's commits wait for it."""
        other = Cluster(folder)
        other._make_folder()
        _run([programs() / "pg_basebackup", "--pgdata", other.data, "--checkpoint", "fast", "--no-sync",
              "--wal-method", "stream", "--write-recovery-conf", "--dbname",
              f"{self.url(database='postgres')}?application_name={name}"])
        other._configure(f"port = {other.port}\n")
        other.start()
        self.set(synchronous_standby_names=f"'{name}'")
        wait_until(lambda: self.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1",
                   timeout=30)
        return other

    # ---- running ----

    def start(self):
        with open(self.log, "ab") as log:
            self._child = Child(as_user([str(programs() / "postgres"), "-D", str(self.data)]), env=environment(),
                                stdout=log, stderr=log)
        wait_until(self.ready, timeout=60)

    def ready(self):
        if not self._child.running():
            raise RuntimeError(f"the server ended: {self.log.read_text(errors='replace')[-2000:]}")
        argv = [programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(argv, env=environment(), check=False).returncode == 0

    def stop(self):
        """At once, but in order: what is connected is told 57P01."""
        self._child.signal(signal.SIGINT)
        return self._child.wait(60)

    def kill(self):
        """kill -9, all of its processes: what a power failure leaves."""
        self._child.kill()

    def freeze(self, frozen=True):
        """It answers nothing, and its connections stay."""
        os.killpg(self._child.pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def promote(self):
        _run([programs() / "pg_ctl", "promote", "--pgdata", self.data, "--wait"])

    def running(self):
        return self._child is not None and self._child.running()

    def remove(self):
        if self.running():
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- using ----

    @property
    def place(self):
        return f"127.0.0.1:{self.port}"

    def url(self, database=DATABASE):
        return f"postgresql://{USER}:{PASSWORD}@{self.place}/{database}"

    def sql(self, text, database=DATABASE):
        """What psql prints: rows as lines, columns parted by |."""
        done = subprocess.run([programs() / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text, self.url(database)],
                              env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=120, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def set(self, **settings):
        for name, value in settings.items():
            self.sql(f"ALTER SYSTEM SET {name} = {value}", database="postgres")
        self.sql("SELECT pg_reload_conf()", database="postgres")


def both_url(first, second):
    """Whichever of them can be written."""
    return (f"postgresql://{USER}:{PASSWORD}@{first.place},{second.place}/{DATABASE}"
            "?target_session_attrs=read-write")


def main(argv):
    if not available():
        print("there is no PostgreSQL here (tests/deps.sh test)", file=sys.stderr)
        return 77
    with tempfile.TemporaryDirectory(prefix="postern-pg-") as folder:
        os.chmod(folder, 0o755)
        cluster = Cluster.create(Path(folder) / "cluster")
        try:
            return subprocess.run(argv, env={**os.environ, "POSTERN_TEST_POSTGRESQL": cluster.url()},
                                  check=False).returncode
        finally:
            cluster.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
