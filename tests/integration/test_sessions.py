"""Sessions: the embedded server, the roles, and what a weak server is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from treaty.errors import RetryError, StopError
from treaty.project.declarations import Limits
from treaty.sessions import Session, open_session
from treaty.sessions.embedded import find_embedded, stop_embedded

START = "import sys; from pathlib import Path; from treaty.sessions import open_session; from treaty.project.declarations import Limits; "


def test_the_server_outlives_its_starter_and_its_own_death(tmp_path: Path) -> None:
    """Killed with its process group right after starting, the starter leaves a server that answers; a killed server starts again (A7)."""
    state = tmp_path / "state"
    script = START + "open_session(Path(sys.argv[1]), None, Limits()); import os, signal; os.killpg(0, signal.SIGKILL)"
    starter = subprocess.run([sys.executable, "-c", script, str(state)], start_new_session=True, check=False)
    try:
        assert -signal.SIGKILL == starter.returncode
        assert find_embedded(state) is not None
        server = int((state / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGKILL)
        with open_session(state, None, Limits()) as session:
            assert ("treaty_app",) == session.pg.execute("select current_user").fetchone()
        assert stop_embedded(state)
        assert not stop_embedded(state)
        with open_session(state, None, Limits()) as session:
            assert ("treaty_lake",) == session.catalog.execute("select current_user").fetchone()
    finally:
        stop_embedded(state, at_once=True)


def test_a_stale_process_id_does_not_stop_the_start(tmp_path: Path) -> None:
    """After a crash the server's process id may belong to another program; the server starts all the same."""
    state = tmp_path / "state"
    open_session(state, None, Limits()).close()
    try:
        stop_embedded(state, at_once=True)
        (state / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{state}/postgres\n1\n5432\n{state}/postgres\n\n 1 1\nready\n")
        with open_session(state, None, Limits()) as session:
            assert (1,) == session.pg.execute("select 1").fetchone()
    finally:
        stop_embedded(state, at_once=True)


def test_a_client_sees_its_own_rows_only(session: Session) -> None:
    """Row-level security: nothing without a client, its own with one, all with ``*``; another client's row cannot be written (I8)."""
    for client in ("acme", "borealis"):
        session.as_client(client).execute("insert into treaty.audit (client, at, who, action) values (%s, now(), 'me', 'test')", (client,))
    assert [("acme",)] == session.as_client("acme").execute("select client from treaty.audit").fetchall()
    assert (2,) == session.as_client("*").execute("select count(*) from treaty.audit").fetchone()
    assert [] == session.as_client("").execute("select client from treaty.audit").fetchall()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.as_client("acme").execute("insert into treaty.audit (client, at, who, action) values ('borealis', now(), 'me', 'test')")


def test_the_app_role_cannot_touch_catalog_or_audit(session: Session) -> None:
    """``treaty_app`` has no grant on the lake's catalog, and may add to the audit log but not change it."""
    session.duck.execute("select 1")
    for statement in ("select * from treaty_lake.ducklake_snapshot", "update treaty.audit set who = 'x'", "delete from treaty.audit", "create table treaty.t (i int)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.as_client("*").execute(statement.encode())


def test_a_forgetful_server_is_refused(new_database: Callable[[], str], tmp_path: Path) -> None:
    """A2: a database that may lose what it acknowledged is not used, and the setting is named."""
    url = new_database()
    weak = make_conninfo(url, options="-c synchronous_commit=off")
    with pytest.raises(StopError, match="synchronous_commit = off"):
        open_session(tmp_path, weak, Limits())


def test_a_server_that_is_not_there_may_come_back(tmp_path: Path) -> None:
    """A refused connection is worth another try; a wrong URL is not."""
    with pytest.raises(RetryError, match="cannot be reached"):
        open_session(tmp_path, "postgresql://nobody@127.0.0.1:1/none", Limits())
    with pytest.raises(StopError, match="not a PostgreSQL URL"):
        open_session(tmp_path, "mysql://x", Limits())
