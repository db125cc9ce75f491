"""Which value of several contributions survives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from plain_lake import PlainLake, Row, member, plain_lake

from treaty.lake.current import current_golden
from treaty.project.declarations import FieldSurvivorship


def survivors(rules: tuple[FieldSurvivorship, ...], rows: list[Row]) -> tuple[object, ...]:
    """Return (a, b, winners) of the one golden record of rows that share a key."""
    for lake in plain_lake(rules=rules):
        for row in rows:
            lake.push([row])
        found = lake.connection.execute(current_golden(lake.tables, "main", "g.a, g.b, g._winners", "not g._deleted")).fetchall()
        assert 1 == len(found)
        return tuple(found[0])
    raise AssertionError("there is one lake")


CRM = Row("crm", "1", k1="x", a=1)
BILLING = Row("billing", "1", k1="x", a=2, b="p")


def test_the_latest_answer_survives_by_default() -> None:
    """Without a decision the latest contribution that has a value wins, field by field."""
    later = Row("crm", "1", k1="x", a=3)
    values = survivors((), [BILLING, later])
    assert (3, "p", f'{{"a":"{member("crm", "1")}","b":"{member("billing", "1")}"}}') == values


def test_an_ordered_system_wins_over_the_latest() -> None:
    """The system that the decision names first wins though another one came later."""
    assert 1 == survivors((FieldSurvivorship(fields=("thing.a",), prefer=("crm", "latest")),), [CRM, BILLING])[0]


def test_a_null_wins_where_it_is_an_answer() -> None:
    """The preferred system's null counts where the decision says that a null is an answer."""
    rule = FieldSurvivorship(fields=("b",), prefer=("crm",), null_is_answer=True)
    assert (2, None) == survivors((rule,), [CRM, BILLING])[:2]


def test_fields_of_a_group_travel_together() -> None:
    """A group is taken from one contribution, nulls included."""
    rule = FieldSurvivorship(fields=("a", "b"), prefer=("crm", "latest"))
    assert (1, None) == survivors((rule,), [CRM, BILLING])[:2]


def test_a_correction_wins_for_the_fields_it_gives() -> None:
    """A steward's correction beats an ordered system, and leaves the other fields alone."""
    rule = FieldSurvivorship(fields=("a", "b"), prefer=("billing",))
    assert (9, "p") == survivors((rule,), [CRM, BILLING, Row("steward", "7", pin="crm:1", a=9)])[:2]


def test_a_correction_loses_where_the_decision_places_it_last() -> None:
    """A decision that names the steward decides where it stands."""
    rule = FieldSurvivorship(fields=("a",), prefer=("billing", "steward"))
    assert 2 == survivors((rule,), [CRM, BILLING, Row("steward", "7", pin="crm:1", a=9)])[0]


@pytest.fixture
def lake() -> Iterator[PlainLake]:
    """An empty lake in memory."""
    yield from plain_lake()


def test_a_withdrawn_correction_gives_the_value_back(lake: PlainLake) -> None:
    """When the correction is deleted the systems decide again."""
    lake.push([CRM])
    lake.push([Row("steward", "7", pin="crm:1", a=9)])
    lake.push([Row("steward", "7", op="delete", pin="crm:1")])
    assert [(1, 3)] == lake.connection.execute(current_golden(lake.tables, "main", "g.a, g._version")).fetchall()
