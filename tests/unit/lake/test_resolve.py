"""What becomes of records that merge, part, go and come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from plain_lake import START, PlainLake, Row, member, plain_lake

from treaty.errors import RetryError
from treaty.lake.current import current_golden, latest_xref
from treaty.lake.golden import WIDE_COLUMNS
from treaty.lake.resolve import resolve
from treaty.lake.task import MatchKeys, ResolveTask


@pytest.fixture
def lake() -> Iterator[PlainLake]:
    """An empty lake in memory."""
    yield from plain_lake()


def golden(lake: PlainLake) -> dict[Any, tuple[Any, ...]]:
    """Return (version, deleted, a) of each current golden record."""
    rows = lake.connection.execute(current_golden(lake.tables, "main", "g._canonical_id, g._version, g._deleted, g.a")).fetchall()
    return {row[0]: tuple(row[1:]) for row in rows}


def groups(lake: PlainLake) -> dict[Any, Any]:
    """Return the canonical id of each living member."""
    return dict(lake.connection.execute(f"select _member_id, _canonical_id from ({latest_xref(lake.tables, 'main')}) where not ended").fetchall())


CRM, BILLING = member("crm", "1"), member("billing", "1")


def test_a_merge_keeps_the_older_id_and_an_unmerge_restores_the_other(lake: PlainLake) -> None:
    """Two records that come to share a key become the older one; when they part, the other returns under its own id."""
    lake.push([Row("crm", "1", k1="x", a=1)])
    lake.push([Row("billing", "1", k1="y", a=2)])
    lake.push([Row("billing", "1", k1="x", a=2)])
    assert {CRM: CRM, BILLING: CRM} == groups(lake)
    assert {CRM: (2, False, 2), BILLING: (2, True, 2)} == golden(lake)
    lake.push([Row("billing", "1", k1="y", a=3)])
    assert {CRM: CRM, BILLING: BILLING} == groups(lake)
    assert {CRM: (3, False, 1), BILLING: (3, False, 3)} == golden(lake)


def test_a_record_outlives_its_first_member(lake: PlainLake) -> None:
    """When the first member is deleted the record keeps its id, and when all are, it is deleted and returns under it."""
    lake.push([Row("crm", "1", k1="x", a=1)])
    lake.push([Row("billing", "1", k1="x", a=2)])
    lake.push([Row("crm", "1", op="delete")])
    assert {BILLING: CRM} == groups(lake)
    lake.push([Row("billing", "1", op="delete")])
    assert {CRM: (3, True, 2)} == golden(lake)
    lake.push([Row("billing", "1", k1="x", a=5)])
    assert {CRM: (4, False, 5)} == golden(lake)


def test_a_b_a_ends_at_a(lake: PlainLake) -> None:
    """The same content again after another one is a new version."""
    for value in (1, 2, 1):
        lake.push([Row("crm", "1", k1="x", a=value)])
    assert {CRM: (3, False, 1)} == golden(lake)


def test_golden_history_has_no_gaps(lake: PlainLake) -> None:
    """Each version ends when the next one begins."""
    lake.push([Row("crm", "1", k1="x", a=1)])
    lake.push([Row("crm", "1", k1="x", a=2)])
    rows = lake.connection.execute(
        "select g._version, g._valid_from, e._valid_to from lake.golden_thing g left join lake.golden_end_thing e using (_canonical_id, _version) order by 1"
    ).fetchall()
    assert rows[0][2] == rows[1][1] > START
    assert rows[1][2] is None


def test_weak_keys_only_propose() -> None:
    """Records that share no more than a weak key stay two, and are proposed once."""
    for lake in plain_lake(keys=MatchKeys("same-thing", (0,), (1,))):
        lake.push([Row("crm", "1", k1="x", k2="w")])
        resolved = lake.push([Row("billing", "1", k1="y", k2="w")])
        assert {CRM: CRM, BILLING: BILLING} == groups(lake)
        assert [(str(min(CRM, BILLING)), str(max(CRM, BILLING)), "1:w")] == [(each.first, each.second, each.key) for each in resolved.proposals]


def test_a_new_generation_replaces_the_mapping(lake: PlainLake) -> None:
    """A batch that replaces its mapping ends the members that it does not name and rewrites only what differs."""
    lake.push([Row("crm", "1", k1="x", a=1), Row("crm", "2", k1="y", a=2), Row("crm", "3", k1="z", a=3)])
    lake.push([Row("billing", "1", k1="x", b="q")])
    first, second, _ = (each for each in lake.landed if each.row.system == "crm")
    second.row = Row("crm", "2", k1="y", a=9)
    resolved = lake.push([], again=[first, second], generation=2, replaces=True, caused_at=START)
    assert {member("crm", "1"): (2, False, 1), member("crm", "2"): (2, False, 9), member("crm", "3"): (2, True, 3)} == golden(lake)
    assert 2 == resolved.golden_written
    assert {"canonical": 2} == resolved.dispositions


def test_a_batch_that_was_overtaken_is_refused(lake: PlainLake) -> None:
    """A batch that took its number before another one committed must take a new one."""
    lake.push([Row("crm", "1", k1="x")])
    lake.batch -= 1
    with pytest.raises(RetryError):
        lake.push([Row("billing", "1", k1="y")])


def test_wide_files_are_linked_where_all_is_new_and_copied_where_not(lake: PlainLake, tmp_path: Path) -> None:
    """A wide file serves three tables as it is; one with a record that shares a key serves the contributions alone."""
    lake.push([Row("crm", "1", k1="x", a=1)])
    new = [Row("billing", "1", k1="y", a=2), Row("billing", "2", k1="u", a=3)]
    shared = [Row("billing", "3", k1="x", a=4), Row("billing", "4", k1="v", a=5)]
    lake.batch += 1
    files = []
    for number, rows in enumerate([new, shared]):
        lake.fill(lake.land(rows), 1)
        wide = ", ".join(f"{sql} as {name}" for name, sql in WIDE_COLUMNS.items()).replace("'' as _model", "'thing' as _model")
        files.append(tmp_path / f"{number}.parquet")
        lake.connection.execute(f"copy (select *, {wide}, {lake.batch}::bigint as _batch from conformed) to '{files[-1]}' (format parquet)")
        lake.batch += 1
    lake.fill(lake.land([Row("billing", "5", k1="t", a=6)]), 1)
    lake.connection.execute("create or replace temp table beside as from conformed")
    names = [row[0] for row in lake.connection.execute("describe conformed").fetchall()]
    lake.connection.execute(
        f"create or replace temp view everything as select {', '.join(names)} from read_parquet({[str(each) for each in files]}) union all by name from beside"
    )
    task = ResolveTask(
        client="main", tables=lake.tables, mapping="billing.s", generation=1, system="billing", stream="s", batch=lake.batch, keys=lake.keys,
        conformed="everything", beside="beside", files=tuple(files),
    )  # fmt: skip
    resolved = resolve(lake.connection, task)
    assert [("contribution_thing", tuple(files)), ("golden_thing", (files[0],)), ("xref", (files[0],))] == [
        (each.table, each.files) for each in resolved.writes if each.files
    ]
    for write in resolved.writes:
        known = {row[0] for row in lake.connection.execute(f"describe lake.{write.table}").fetchall()}
        relation = f"(from read_parquet({[str(each) for each in write.files]}))" if write.files else f"({write.relation})"
        mine = [row[0] for row in lake.connection.execute(f"describe from {relation}").fetchall() if row[0] in known]
        lake.connection.execute(f"insert into lake.{write.table} by name select {', '.join(mine)} from {relation}")
    assert [2, 3, 4, 5, 6] == sorted(row[2] for row in golden(lake).values())
    assert CRM == groups(lake)[member("billing", "3")]
    assert 6 == lake.connection.execute("select count(*) from lake.contribution_thing").fetchone()[0]
