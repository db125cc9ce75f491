"""Several processes, killed processes, lost connections: nothing is lost, nothing is there twice."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.integration.lake.landings import MAIN, csv_arrival, csv_request, land_all, landed
from tests.integration.lake.worker import finish, start

from treaty.faults import InjectedFault, forget_hits
from treaty.lake.cursors import read_cursor
from treaty.lake.objects import read_object
from treaty.lake.scope import AllClients
from treaty.lake.sweep import sweep
from treaty.project.declarations import Limits
from treaty.sessions import open_session
from treaty.sessions.embedded import find_embedded, stop_embedded

KILLED_AT = ("schema.post_create:1", "object.synced:2", "commit.pre_commit:5", "commit.post_commit:5")
KILLED_AT_TOO = (
    "session.opened:1",
    "schema.pre_create:1",
    "commit.locked:1",
    "commit.pre_commit:1",
    "commit.pre_commit:3",
    "land.pre_prepare:2",
    "object.pre_write:2",
    "object.pre_sync:1",
    "land.pre_commit:2",
    "commit.pre_lock:2",
    "commit.locked:5",
    "commit.pre_write:2",
    "commit.unlocked:5",
    "land.post_commit:1",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four files: A, B, A of one name, with repeats, and one of another name, larger."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "a-1.csv").write_text("id,amount\n1,10\n2,20\n3,30\n3,31\n")
    (files / "a-2.csv").write_text("id,amount\n1,11\n2,20\n3,30\n3,31\n")
    (files / "a-3.csv").write_text("id,amount\n1,10\n2,20\n3,30\n3,31\n")
    (files / "b-4.csv").write_text("id,amount\n" + "".join(f"{n},{n}\n" for n in range(200)))
    return files


@pytest.fixture
def no_faults() -> Iterator[None]:
    """Count fault points from zero, before and after."""
    forget_hits()
    yield
    forget_hits()


def contents(state: Path, url: str) -> dict[str, list[Any]]:
    """Everything that landing wrote, but for batches and clocks."""
    with open_session(state, url, Limits()) as session:
        found = {
            "landed": landed(session, "_client, _landed_id, _receipt_id, _locator, _source_key, _op, _hash, _supersedes, _late, c_id, c_amount"),
            "receipt": session.duck.execute(
                "select _receipt_id, _client, origin, arrival, object_hash, records, skipped from lake.receipt order by all"
            ).fetchall(),
            "cursor": session.duck.execute("select _client, system, stream, seq, position from lake.cursor order by all").fetchall(),
            "object": session.duck.execute("select distinct _client, _hash, size_bytes from lake.object order by all").fetchall(),
        }
        for _, sha256, _ in found["object"]:
            read_object(session, AllClients("test"), sha256)
        batches = session.duck.execute("select count(*), count(distinct _batch) from lake.batch").fetchone()
        assert batches is not None and batches[0] == batches[1]
    return found


@pytest.mark.chaos
@pytest.mark.parametrize("faults", [KILLED_AT, pytest.param(KILLED_AT_TOO, marks=pytest.mark.slow)], ids=["some", "others"])
def test_a_killed_process_leaves_nothing_behind(faults: tuple[str, ...], folder: Path, tmp_path: Path, new_database: Callable[[], str]) -> None:
    """A1: killed at each boundary and run again, the lake is that of an undisturbed run, and what is left of files is swept."""
    undisturbed = new_database()
    assert (0, "landed 210\n") == finish(start(tmp_path / "plain", undisturbed, "main", folder))
    expected = contents(tmp_path / "plain", undisturbed)
    assert 210 == len(expected["landed"])
    for place, fault in enumerate(faults):
        state, url = tmp_path / f"killed{place}", new_database()
        status, said = finish(start(state, url, "main", folder, TREATY_FAULT=f"{fault}:kill"))
        assert (fault, -9) == (fault, status), said
        status, said = finish(start(state, url, "main", folder))
        assert (fault, 0) == (fault, status), said
        with open_session(state, url, Limits()) as session:
            sweep(session, AllClients("test"), youngest_seconds=0)
            assert [session.temp_folder.name] == [path.name for path in (state / "tmp").iterdir()], fault
            kept = {path for path in (state / "objects").rglob("*") if path.is_file()}
            named = {state / row[0] for row in session.duck.execute("select distinct path from lake.object").fetchall()}
            assert named == kept, fault
        assert expected == contents(state, url), fault


@pytest.mark.chaos
def test_eight_processes_on_a_first_run(folder: Path, tmp_path: Path) -> None:
    """Eight processes at once, four clients, two of them for each stream, the database not even started: all of it once."""
    state = tmp_path / ("a-rather-long-name-for-a-state-folder-" * 4)
    try:
        workers = [start(state, "embedded", client, folder) for client in ("c1", "c2", "c3", "c4") for _ in range(2)]
        answers = [finish(worker) for worker in workers]
        assert [0] * 8 == [status for status, _ in answers], answers
        assert 4 * 210 == sum(int(said.split()[1]) for _, said in answers)
        assert find_embedded(state) is not None, "the server outlives the processes that started it"
        with open_session(state, None, Limits()) as session:
            counted = session.duck.execute(
                "select _client, count(*), count(distinct _landed_id), count(distinct _receipt_id) from lake.landed_erp__invoices group by 1 order by 1"
            ).fetchall()
            assert [(client, 210, 210, 4) for client in ("c1", "c2", "c3", "c4")] == counted
            assert [(16, 16)] == session.duck.execute("select count(*), count(distinct (_client, seq)) from lake.cursor").fetchall()
    finally:
        assert stop_embedded(state, at_once=True)


def test_a_lost_connection_before_commit_is_tried_again(
    lake_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_faults: None
) -> None:
    """A7: every connection is cut while the transaction is open; the commit is made again, the landing is not."""
    with open_session(tmp_path / "state", lake_url, Limits()) as session:
        land_all(session, csv_request(), csv_arrival(tmp_path, "id,amount\n1,10\n"))
        monkeypatch.setenv("TREATY_FAULT", "commit.pre_commit:1:sleep:3")
        cutter = threading.Thread(target=cut_connections, args=(lake_url,))
        forget_hits()
        cutter.start()
        result = land_all(session, csv_request(), csv_arrival(tmp_path, "id,amount\n1,11\n"))
        cutter.join()
        assert 1 == result.landed
        assert ["10", "11"] == [row[0] for row in landed(session, "c_amount")]


def test_an_error_after_the_commit_does_not_remove_what_was_committed(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_faults: None
) -> None:
    """Where the caller does not learn that its commit went through, the lake has all of it and the next run goes on from there."""
    text = "id,amount\n" + "".join(f"{n},{n}\n" for n in range(500))
    land_all(session, csv_request(), csv_arrival(tmp_path, text))
    monkeypatch.setenv("TREATY_FAULT", "commit.unlocked:1:raise")
    forget_hits()
    rewritten = "id,amount\n" + "".join(f"{n},1{n}\n" for n in range(500))
    changed = csv_arrival(tmp_path, rewritten)
    with pytest.raises(InjectedFault):
        land_all(session, csv_request(), changed)
    monkeypatch.delenv("TREATY_FAULT")
    assert (1000, 2) == (len(landed(session, "c_id")), read_cursor(session, MAIN, "erp", "invoices").seq)
    assert changed.sha256 == hashlib.sha256(read_object(session, MAIN, changed.sha256)).hexdigest()
    assert 1 == land_all(session, csv_request(), csv_arrival(tmp_path, rewritten)).skipped_arrivals


def cut_connections(url: str) -> None:
    """End every other connection to a database while a commit holds the lake's lock, as a restart of the server would."""
    with psycopg.connect(url, autocommit=True) as connection:
        locked = "select 1 from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())"
        while connection.execute(locked).fetchone() is None:
            time.sleep(0.02)
        time.sleep(0.5)
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
