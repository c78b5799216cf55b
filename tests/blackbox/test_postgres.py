"""The helper that other tests rely on: a cluster, its standby, and what is left when one of them is gone."""

import subprocess

import pytest

from . import postgres

pytestmark = pytest.mark.skipif(not postgres.available(), reason="there is no PostgreSQL here")


@pytest.fixture
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pg")
    for part in (path, *path.parents[:2]):
        part.chmod(part.stat().st_mode | 0o011)  # the server is not root
    return path


def test_a_promoted_standby_has_what_was_committed(folder):
    primary = postgres.Cluster.create(folder / "a")
    standby = None
    try:
        primary.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        standby = primary.standby(folder / "b")
        primary.sql("INSERT INTO t VALUES (2)")
        assert standby.sql("SELECT pg_is_in_recovery()") == "t"
        primary.kill()
        assert not primary.running()
        standby.promote()
        assert standby.sql("SELECT n FROM t ORDER BY n") == "1\n2"
        done = subprocess.run([postgres.programs() / "psql", "-XAtc", "SELECT count(*) FROM t",
                               postgres.both_url(primary, standby)], text=True, stdout=subprocess.PIPE, check=False)
        assert done.stdout == "2\n"
    finally:
        for cluster in (primary, standby):
            if cluster:
                cluster.remove()


def test_a_cluster_comes_back_after_a_kill(folder):
    cluster = postgres.Cluster.create(folder / "a")
    try:
        cluster.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        cluster.kill()
        cluster.start()
        assert cluster.sql("SELECT n FROM t") == "1"
        assert cluster.stop() == 0
        cluster.start()
        assert cluster.sql("SELECT n FROM t") == "1"
    finally:
        cluster.remove()
