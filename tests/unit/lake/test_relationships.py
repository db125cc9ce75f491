"""References across systems: resolved when read, open until their target comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from plain_lake import START, member
from real_lake import SCOPE, RealLake, Row

from treaty.lake.current import current_golden
from treaty.lake.relationships import Relationship, as_read, open_references, references_sql
from treaty.sessions import Session

BY_A = Relationship("who-is-meant", "thing", "b", "thing", "a", "null")


def test_a_reference_finds_its_target_when_it_comes(session: Session) -> None:
    """A key of the same system or the named field's value points to a golden record; others are open, and filled without a rewrite."""
    lake = RealLake(session)
    lake.push([Row("crm", "1", k1="x", a=5), Row("crm", "2", k1="y", b="1"), Row("crm", "4", k1="u", b="77")])
    lake.push([Row("billing", "9", k1="z", b="5")])
    found = dict(session.duck.execute(f"select _canonical_id, target_id from ({references_sql(session, SCOPE, BY_A)})").fetchall())
    assert {member("crm", "2"): member("crm", "1"), member("billing", "9"): member("crm", "1"), member("crm", "4"): None} == found
    assert [("77", 0)] == [(row["value"], row["candidates"]) for row in open_references(session, SCOPE, BY_A).to_pylist()]
    assert 0 == open_references(session, SCOPE, BY_A, older_than=START - timedelta(days=1)).num_rows
    assert [None, None, "1", "5"] == seen(session, lake, BY_A)
    lake.push([Row("billing", "8", k1="w", a=77)])
    assert 0 == open_references(session, SCOPE, BY_A).num_rows
    assert [None, None, "1", "5", "77"] == seen(session, lake, BY_A)


def test_a_reference_that_is_open_too_long_is_told(session: Session) -> None:
    """With ``quarantine after``, a record whose reference has been open for longer says so; its value stays as it is."""
    lake = RealLake(session)
    lake.push([Row("crm", "1", k1="x", a=5), Row("crm", "2", k1="y", b="5"), Row("crm", "4", k1="u", b="77")])
    patient = replace(BY_A, missing="quarantine", wait=timedelta(days=2))
    for days, missing in ((1, []), (3, ["missing-target: b 77"])):
        rows = as_read(session, current_golden(lake.tables, "main"), {"main": [patient]}, START + timedelta(days=days))
        assert missing == [row[0] for row in session.duck.execute(f"select _missing from ({rows}) where _missing is not null").fetchall()]
    assert [None, "5", "77"] == seen(session, lake, patient)


def seen(session: Session, lake: RealLake, relationship: Relationship) -> list[str | None]:
    """Return what readers see in the field ``b``."""
    rows = as_read(session, current_golden(lake.tables, "main"), {"main": [relationship]}, START)
    return [row[0] for row in session.duck.execute(f"select b from ({rows}) order by b nulls first").fetchall()]


def test_two_targets_leave_a_reference_open(session: Session) -> None:
    """A value that names two golden records points to neither."""
    lake = RealLake(session)
    lake.push([Row("crm", "1", k1="x", a=5), Row("crm", "2", k1="y", a=5), Row("crm", "3", k1="z", b="5")])
    assert [2] == [row["candidates"] for row in open_references(session, SCOPE, BY_A).to_pylist()]
