"""What readers, the verifier and the quarantine see of a real lake."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plain_lake import member
from real_lake import SCOPE, RealLake, Row

from treaty.lake.quarantine import discard_records, open_records, quarantine_groups, quarantine_records
from treaty.lake.reads import decision_counts, golden_lines, golden_records
from treaty.lake.scope import AllClients, OneClient
from treaty.lake.verify import MappedStream, verify
from treaty.operations.shapes import dump
from treaty.sessions import Session

STREAMS = [MappedStream("main", "crm/s", "crm.s", "thing"), MappedStream("main", "billing/s", "billing.s", "thing")]


@pytest.fixture
def lake(session: Session) -> RealLake:
    """Two systems that share one thing, and a record that could not be read."""
    lake = RealLake(session)
    lake.push([Row("crm", "1", k1="x", a=1, b="p", fired=1), Row("crm", "2", k1="y", a=2, fired=3), Row("crm", "3", bad=True)])
    lake.push([Row("billing", "9", k1="x", a=7)])
    return lake


def test_golden_records_name_their_sources(lake: RealLake, session: Session) -> None:
    """A golden record of two systems has both as sources, and one id."""
    rows = golden_records(session, SCOPE, "thing").to_pylist()
    assert {str(member("crm", "1")), str(member("crm", "2"))} == {row["_id"] for row in rows}
    shared = next(row for row in rows if row["_id"] == str(member("crm", "1")))
    assert [("billing", "9"), ("crm", "1")] == [(each["system"], each["source_key"]) for each in shared["_sources"]]
    assert (7, "p", "main", []) == (shared["a"], shared["b"], shared["_client"], shared["_findings"])
    assert 1 == golden_records(session, SCOPE, "thing", ids=[shared["_id"]]).num_rows
    assert 2 == golden_records(session, AllClients("test"), "thing").num_rows
    assert 0 == golden_records(session, OneClient("other"), "thing").num_rows


def test_records_are_read_page_by_page_in_their_order(lake: RealLake, session: Session) -> None:
    """Of several pages, too, the texts are those of the table, ordered by id, each record with its own sources and findings."""
    lake.push([Row("crm", str(number), k1=f"z{number}", a=number) for number in range(10, 15)])
    session.settings = replace(session.settings, row_group_rows=2)
    rows = golden_records(session, SCOPE, "thing").to_pylist()
    assert 7 == len(rows)
    assert rows == sorted(rows, key=lambda row: row["_id"])
    assert [dump(row) for row in rows] == list(golden_lines(session, SCOPE, "thing"))
    assert {str(number) for number in range(10, 15)} < {row["_sources"][-1]["source_key"] for row in rows}
    assert [dump(row) for row in rows[:2]] == list(golden_lines(session, SCOPE, "thing", limit=2))
    assert [] == list(golden_lines(session, SCOPE, "nothing"))


def test_decisions_are_counted_from_current_contributions(lake: RealLake, session: Session) -> None:
    """A decision passes every current contribution and changed those with its bit."""
    assert {"first": (3, 2), "second": (3, 1)} == decision_counts(session, SCOPE, "thing")


def test_verify_is_ok_at_rest(lake: RealLake, session: Session) -> None:
    """All that landed is in one state, and no key stands twice."""
    result = verify(session, SCOPE, STREAMS)
    assert () == result.problems
    assert result.ok
    assert {"canonical": 2, "quarantined": 1} == dict(result.streams[0].dispositions)


def test_verify_lists_what_is_pending(lake: RealLake, session: Session) -> None:
    """A landed record that no batch has conformed breaks the sum and is named."""
    landed = lake.land([Row("crm", "4")])
    result = verify(session, SCOPE, STREAMS)
    assert not result.ok
    assert (str(landed[0].landed_id),) == result.streams[0].offenders


def test_verify_finds_a_contribution_that_stands_twice(lake: RealLake, session: Session) -> None:
    """A row written behind the lake's back is found."""
    session.duck.execute("insert into lake.contribution_thing from lake.contribution_thing where _source_key = '2'")
    assert any("current contribution" in problem for problem in verify(session, SCOPE, STREAMS).problems)


def test_quarantine_is_grouped_and_replayed(lake: RealLake, session: Session) -> None:
    """A group lists its records; what a replay finds good leaves it and becomes canonical."""
    (group,) = quarantine_groups(session, SCOPE)
    assert ("thing", "a", "not-a-number", ("x",), 1, ("main",)) == (group.model, group.field, group.reason, group.sample_values, group.records, group.clients)
    (record,) = quarantine_records(session, SCOPE, group.group).to_pylist()
    assert ("crm", "3", "x") == (record["system"], record["source_key"], record["value"])
    (waiting,) = open_records(session, SCOPE, group.group)
    mended = [each for each in lake.landed if str(each.landed_id) == waiting.landed_id]
    for each in mended:
        each.row = Row("crm", "3", k1="z", a=3)
    lake.push([], again=mended)
    assert () == quarantine_groups(session, SCOPE)
    assert 3 == golden_records(session, SCOPE, "thing").num_rows
    assert verify(session, SCOPE, STREAMS).ok


def test_discarded_records_are_filtered(lake: RealLake, session: Session) -> None:
    """A discarded record is filtered with its reason, and the sums still hold."""
    (group,) = quarantine_groups(session, SCOPE)
    assert 0 == discard_records(session, SCOPE, group.group, "not ours", source_keys=["other"])
    assert 1 == discard_records(session, SCOPE, group.group, "not ours", source_keys=["3"])
    assert () == quarantine_groups(session, SCOPE)
    result = verify(session, SCOPE, STREAMS)
    assert result.ok
    assert 1 == result.streams[0].dispositions["filtered"]
