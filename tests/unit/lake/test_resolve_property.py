"""Resolving in SQL comes to what the plain reference says, whatever lands in whatever order."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from plain_lake import PlainLake, Row, plain_lake

from reference import Expected
from treaty.lake.current import current_contributions, current_golden, effective_dispositions, latest_xref
from treaty.project.declarations import FieldSurvivorship

RULES = (
    (),
    (FieldSurvivorship(fields=("a",), prefer=("crm", "latest")), FieldSurvivorship(fields=("b",), prefer=("earliest",), null_is_answer=True)),
    (FieldSurvivorship(fields=("a", "b"), prefer=("most-complete", "billing")),),
)


def rows_of(system: str) -> st.SearchStrategy[list[Row]]:
    """Return a strategy for a batch of one system."""
    if system == "steward":
        row = st.builds(
            Row, system=st.just(system), key=st.sampled_from("12"), op=st.sampled_from(["upsert", "upsert", "delete"]),
            pin=st.sampled_from(["crm:1", "crm:2", "billing:1"]), a=st.none() | st.integers(7, 8), b=st.none() | st.just("right"),
        )  # fmt: skip
    else:
        row = st.builds(
            Row, system=st.just(system), key=st.sampled_from("123"), version=st.none() | st.integers(0, 2),
            op=st.sampled_from(["upsert", "upsert", "upsert", "delete"]), k1=st.none() | st.sampled_from("xyz"), k2=st.none() | st.sampled_from("uv"),
            a=st.none() | st.integers(0, 1), b=st.none() | st.sampled_from("pq"), bad=st.sampled_from([False, False, False, False, True]),
        )  # fmt: skip
    return st.lists(row, min_size=1, max_size=4)


BATCHES = st.lists(st.sampled_from(["crm", "crm", "billing", "billing", "steward"]).flatmap(rows_of), min_size=1, max_size=6)


def check(lake: PlainLake, history: dict[UUID, tuple[int, bool, dict[str, Any]]]) -> None:
    """Compare the lake's states, cross-references, golden records and their versions with the reference."""
    expected = Expected(lake.landed, lake.rules)
    query = lambda sql: lake.connection.execute(sql).fetchall()
    states = dict(query(f"select _landed_id, state from ({effective_dispositions(lake.tables, 'true')})"))
    contributed = query("select _landed_id from lake.contribution_thing")
    assert len(contributed) == len(set(contributed))
    assert expected.states == {**{each: "canonical" for (each,) in contributed}, **states}
    xref = dict(query(f"select _member_id, _canonical_id from ({latest_xref(lake.tables, 'main')}) where not ended"))
    assert expected.groups == {who: what for who, what in xref.items() if who in expected.groups}
    assert set(expected.newest) == set(xref)
    current = {row[0]: row[1:] for row in query(current_golden(lake.tables, "main", "g._canonical_id, g._version, g._deleted, g.a, g.b"))}
    assert expected.golden == {each: {"a": row[2], "b": row[3]} for each, row in current.items() if not row[1]}
    for each in expected.golden.keys() | history.keys():
        version, deleted, content = history.get(each, (0, True, None))
        now = expected.golden.get(each)
        if now is None and not deleted:
            history[each] = (version + 1, True, content)
        elif now is not None and (deleted or now != content):
            history[each] = (version + 1, False, now)
    assert {each: (version, deleted) for each, (version, deleted, _) in history.items()} == {each: row[:2] for each, row in current.items()}
    live = query(current_contributions(lake.tables, "main", "c._member_id, c._landed_id"))
    assert {who: each.landed_id for who, each in expected.newest.items()} == dict(live)


def follow(batches: list[list[Row]], rules: tuple[FieldSurvivorship, ...]) -> None:
    """Push the batches one by one, checking after each, and each a second time."""
    for lake in plain_lake(rules=rules):
        history: dict[UUID, tuple[int, bool, dict[str, Any]]] = {}
        for rows in batches:
            lake.push(rows)
            check(lake, history)
            last = [each for each in lake.landed if each.batch == lake.batch]
            assert lake.push([], again=last).changes_nothing


NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
UNHURRIED = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=NO_SHRINKING, database=None)


@settings(UNHURRIED, max_examples=25)
@given(BATCHES, st.sampled_from(RULES))
def test_resolve_is_what_the_reference_says(batches: list[list[Row]], rules: tuple[FieldSurvivorship, ...]) -> None:
    """After every batch the lake equals the reference over all that has landed, and the same batch again changes nothing."""
    follow(batches, rules)


@pytest.mark.slow
@settings(UNHURRIED, max_examples=500)
@given(BATCHES, st.sampled_from(RULES))
def test_resolve_is_what_the_reference_says_at_length(batches: list[list[Row]], rules: tuple[FieldSurvivorship, ...]) -> None:
    """The same over many more histories."""
    follow(batches, rules)
