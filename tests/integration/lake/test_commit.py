"""The commit: all or nothing, fenced, and honest about nulls and hostile text."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.integration.lake.landings import MAIN, csv_arrival, csv_request, land_all, landed

from treaty.errors import DefectError, RetryError, UsageError
from treaty.lake.batches import open_batch
from treaty.lake.commit import commit, keep_files, prepare_rows, prepare_select, prepared_path, write_parquet
from treaty.lake.cursors import Fence, FenceError, read_cursor
from treaty.lake.health import read_lake_facts
from treaty.lake.names import uuid8
from treaty.lake.objects import find_object, read_object
from treaty.lake.schema import ensure_tables
from treaty.lake.scope import AllClients, OneClient, scope_condition
from treaty.lake.sweep import sweep
from treaty.lake.transaction import lake_lock
from treaty.project.declarations import Limits
from treaty.sessions import Session, open_session

HOSTILE = ["", "null", "NULL", "{a, b}", "[x]", "it's", 'say "so"', "back\\slash", "nul\0byte", "line\nend", " space ", "é💥", "$$", None]


def test_small_and_nested_values_read_back_as_written(session: Session) -> None:
    """Few rows and many, flat and nested, with every odd text: what is committed is what is read."""
    batch = open_batch(session, MAIN, "test")
    flat = [{"_client": "main", "system": text, "stream": "s", "seq": place} for place, text in enumerate(HOSTILE)]
    nested = [{"_client": "main", "_keys": [text, "k"], "_source_key": str(place)} for place, text in enumerate(HOSTILE)]
    commit(session, MAIN, [prepare_rows(session, batch, "cursor", flat), prepare_rows(session, batch, "xref", nested)], batch=batch)
    assert HOSTILE == [row[0] for row in session.duck.execute("select system from lake.cursor order by seq").fetchall()]
    assert [[text, "k"] for text in HOSTILE] == [row[0] for row in session.duck.execute("select _keys from lake.xref order by _source_key::int").fetchall()]


def test_a_broken_fence_commits_nothing(session: Session) -> None:
    """I7: of two that began at the same cursor the second changes nothing, and its files are gone."""
    batches = [open_batch(session, MAIN, "test") for _ in range(2)]
    writes = [prepare_select(session, batch, "xref", f"select 'main' as _client, {batch.number}::bigint as _batch from range(5)") for batch in batches]
    fence = Fence("main", "erp", "invoices", 0, {"n": 1})
    commit(session, MAIN, [writes[0]], batch=batches[0], fences=[fence])
    with pytest.raises(FenceError, match="from 0 to 1"):
        commit(session, MAIN, [writes[1]], batch=batches[1], fences=[fence])
    assert writes[1] is not None
    assert not any(path.exists() for path in writes[1].files)
    assert (5, 1) == (len(session.duck.execute("select 1 from lake.xref").fetchall()), read_cursor(session, MAIN, "erp", "invoices").seq)


def test_columns_that_a_file_lacks_are_null(session: Session) -> None:
    """A file with fewer columns than its table reads as null there, beside one that has them, in the same commit."""
    ensure_tables(session, {"t": {"a": "BIGINT", "b": "VARCHAR[]", "_batch": "BIGINT"}})
    batch = open_batch(session, MAIN, "test")
    path = prepared_path(session, batch, "t")
    write_parquet(session, path, "select 1::bigint as a, 'more' as not_in_the_table")
    writes = [keep_files(session, "t", [path], 1), prepare_select(session, batch, "t", "select 2 as a, ['x'] as b")]
    commit(session, MAIN, writes, batch=batch)
    assert [(1, None), (2, ["x"])] == session.duck.execute("select a, b from lake.t order by a").fetchall()
    assert [(2, 1)] == session.duck.execute("select count(*), count(b) from lake.t").fetchall()
    assert [(1,)] == session.duck.execute("select a from lake.t where b is null").fetchall()


def test_a_column_added_meanwhile_is_null_in_prepared_files(session: Session, lake_url: str) -> None:
    """Another process widens the table between preparing and committing: the files get the column, the commit goes through."""
    ensure_tables(session, {"t": {"a": "BIGINT", "b": "VARCHAR[]"}})
    batch = open_batch(session, MAIN, "test")
    write = prepare_select(session, batch, "t", "select 1 as a, ['x'] as b")
    with open_session(session.state, lake_url, Limits()) as other:
        ensure_tables(other, {"t": {"a": "BIGINT", "b": "VARCHAR[]", "c": "VARCHAR"}})
        theirs = open_batch(other, MAIN, "test")
        commit(other, MAIN, [prepare_select(other, theirs, "t", "select 2 as a, ['y'] as b, 'z' as c")], batch=theirs)
    commit(session, MAIN, [write], batch=batch)
    assert [(1, None), (2, "z")] == session.duck.execute("select a, c from lake.t order by a").fetchall()
    assert [(1,)] == session.duck.execute("select a from lake.t where c is null").fetchall()


def test_an_unknown_column_is_a_defect(session: Session) -> None:
    """Work for a column that the table does not have is refused when it is prepared."""
    with pytest.raises(DefectError, match="no column nope"):
        prepare_select(session, open_batch(session, MAIN, "test"), "xref", "select 1 as nope")


def test_a_query_for_one_client_opens_its_files_alone(session: Session, tmp_path: Path) -> None:
    """Files of other clients are pruned by their statistics."""
    for client in ("acme", "borealis", "corva"):
        text = "id,amount\n" + "".join(f"{n},{n}\n" for n in range(500))
        land_all(session, csv_request(), csv_arrival(tmp_path, text), scope=OneClient(client))
    plan = session.duck.execute("explain analyze select count(c_amount) from lake.landed_erp__invoices where _client = 'borealis'").fetchall()
    assert "Total Files Read: 1" in plan[0][1]


def test_sweeping_spares_what_lives(session: Session, tmp_path: Path) -> None:
    """Files of an open batch, young files and committed ones stay; a dead batch's are removed."""
    land_all(session, csv_request(), csv_arrival(tmp_path, "id,amount\n" + "".join(f"{n},{n}\n" for n in range(500))))
    batch = open_batch(session, MAIN, "test")
    living = prepared_path(session, batch, "xref")
    write_parquet(session, living, "select 1 as a")
    dead = living.with_name("999999-1-1.parquet")
    dead.write_bytes(living.read_bytes())
    everything = AllClients("test")
    assert 0 == sweep(session, everything).files
    old = time.time() - 120
    os.utime(dead, (old, old))
    os.utime(living, (old, old))
    assert (1, True, False) == (sweep(session, everything).files, living.exists(), dead.exists())
    assert 500 == len(landed(session, "c_id"))


def test_a_damaged_object_is_not_given_out(session: Session, tmp_path: Path) -> None:
    """A5: one flipped bit in a stored object is found when it is read; another client's object is not found at all."""
    arrival = csv_arrival(tmp_path, "id,amount\n1,10\n")
    land_all(session, csv_request(), arrival)
    place = find_object(session, MAIN, arrival.sha256)
    data = bytearray(place.path.read_bytes())
    data[place.start_byte + 3] ^= 1
    place.path.write_bytes(data)
    with pytest.raises(DefectError, match="damaged"):
        read_object(session, MAIN, arrival.sha256)
    with pytest.raises(UsageError, match="no object"):
        read_object(session, OneClient("other"), arrival.sha256)


def test_the_holder_of_the_lock_is_named_and_waiting_ends(lake_url: str, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that waits too long for the lake says so; doctor's facts name who holds it."""
    monkeypatch.setenv("TREATY_LOCK_WAIT_SECONDS", "1")
    with open_session(session.state, lake_url, Limits()) as other, lake_lock(session):
        holder = read_lake_facts(other, AllClients("test")).holder
        assert holder is not None
        assert f"treaty {os.getpid()}" == holder.application
        with pytest.raises(RetryError, match="held the lake"), lake_lock(other):
            pass


def test_a_wide_scope_is_audited_once(session: Session) -> None:
    """Looking over all clients leaves a line with its reason."""
    assert ("true", "true") == (scope_condition(session, AllClients("test")), scope_condition(session, AllClients("test")))
    rows = session.as_client("*").execute("select action, details ->> 'reason' from treaty.audit").fetchall()
    assert [("all-clients", "test")] == rows
    assert "_client = 'it''s'" == scope_condition(session, OneClient("it's"))


def test_ids_in_sql_equal_ids_in_python(session: Session) -> None:
    """The engine and Python give the same ids."""
    from treaty.lake.names import landed_id, landed_id_sql, landed_prefix, quote_text, receipt_id, uuid8_sql

    for text in ("", "a|b|c", "é💥", "x" * 200):
        assert (uuid8(text),) == session.duck.execute(f"select {uuid8_sql(quote_text(text))}").fetchone()
    prefix = landed_prefix("c", "s", "t", receipt_id("c", "s", "t", "o", 1, "h"))
    for locator in (0, 1, (1 << 42) - 1):
        assert (landed_id(prefix, locator),) == session.duck.execute(f"select {landed_id_sql(prefix, str(locator))}").fetchone()
