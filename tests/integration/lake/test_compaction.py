"""Compaction: fewer files, the same rows, and safe to be killed anywhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.integration.lake.landings import csv_arrival, csv_request, land_all

from treaty.faults import FAULT_POINTS, InjectedFault, forget_hits
from treaty.lake.compaction import compact, compact_if_due
from treaty.lake.schema import FIXED_TABLES
from treaty.lake.scope import AllClients
from treaty.lake.sweep import sweep
from treaty.sessions import Session

ALL = AllClients("compaction")
POINTS = [name for name in FAULT_POINTS if name.startswith("compact.")]


def rows(session: Session) -> dict[str, list[str]]:
    """Return every row of every table as text, in an order that depends on nothing else."""
    tables = [name for (name,) in session.duck.execute("select table_name from duckdb_tables() where database_name = 'lake'").fetchall()]
    assert tables and {*FIXED_TABLES} <= {*tables}
    return {name: [row[0] for row in session.duck.execute(f'select r::varchar from lake."{name}" r order by 1').fetchall()] for name in tables}


def files(session: Session) -> int:
    """Return how many Parquet files stand below the lake's folder."""
    return sum(1 for _ in session.data_path.rglob("*.parquet"))


def land_some(session: Session, number: int, begin: int = 0) -> None:
    """Land small arrivals of one stream, one a commit."""
    for place in range(begin, begin + number):
        text = "id,name\n" + "".join(f"{place * 200 + row},{place}\n" for row in range(200))
        land_all(session, csv_request(), csv_arrival(session.temp_folder, text, f"{place}.csv"))


@pytest.mark.parametrize("point", [POINTS[0], *(pytest.param(each, marks=pytest.mark.slow) for each in POINTS[1:])])
def test_killed_and_done_again(session: Session, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step it stops after, every row is there; done again, few files are left and nothing lies about."""
    land_some(session, 12)
    before, many = rows(session), files(session)
    forget_hits()
    monkeypatch.setenv("TREATY_FAULT", f"{point}:1:raise")
    with pytest.raises(InjectedFault):
        compact(session, ALL, keep=timedelta(0))
    monkeypatch.delenv("TREATY_FAULT")
    assert before == rows(session)
    land_some(session, 2, 12)
    before = rows(session)
    for _ in range(2):  # the files that one replaces are removed by the next
        compact(session, ALL, keep=timedelta(0))
        assert before == rows(session)
    assert files(session) < many
    assert 0 == sweep(session, ALL, youngest_seconds=0).files
    land_some(session, 1, 14)


def test_due_once_in_a_while(session: Session) -> None:
    """It is done once so many files have come since the last time, and not before; 0 is never."""
    land_some(session, 4)
    assert compact_if_due(session, after_files=0, keep=timedelta(0)) is None
    first = compact_if_due(session, after_files=4, keep=timedelta(0))
    assert first is not None and first.files_after < first.files_before + len(FIXED_TABLES)
    assert compact_if_due(session, after_files=4, keep=timedelta(0)) is None
    land_some(session, 4, 4)
    assert compact_if_due(session, after_files=4, keep=timedelta(0)) is not None


def test_a_reader_that_began_before(session: Session) -> None:
    """Files that compaction replaced are kept for as long as the project says: a reader of an older snapshot reads on."""
    land_some(session, 6)
    (table,) = session.duck.execute("select table_name from duckdb_tables() where table_name like 'landed%'").fetchone() or ("",)
    version = session.duck.execute("select max(snapshot_id) from ducklake_snapshots('lake')").fetchone()
    assert version is not None
    now = session.duck.execute(f'select count(*) from lake."{table}"').fetchone()
    assert 0 == compact(session, ALL, keep=timedelta(hours=1)).removed
    assert now == session.duck.execute(f'select count(*) from lake."{table}" at (version => {version[0]})').fetchone()
