"""What a decision record says of itself in an explanation."""

from __future__ import annotations

import pytest

from treaty.operations.explaining.decisions import describe_decision, rejected_options
from treaty.project.declarations import DecisionRecord


def record(outcome: str, *options: str) -> DecisionRecord:
    """Make a decision record with an outcome and options."""
    return DecisionRecord(
        id="d", title="t", status="accepted", date="2026-11-21", kind="transformation", sections={"outcome": outcome}, options=options, origin="overlay"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "options", "rejected"),
    [
        ("As written. The rest is for others.", ("codes alone: too few", "as written"), ("codes alone: too few",)),
        ("Work, else mobile.", ("mobile first: private calls", "work first"), ("mobile first: private calls",)),
        ("decimal(38,18): twenty digits.", ("decimal(18,4): too small", "decimal(38,18): room for all"), ("decimal(18,4): too small",)),
        ("It is so.", (), ()),
    ],
)
def test_the_rejected_options_are_all_but_the_one_that_was_taken(outcome: str, options: tuple[str, ...], rejected: tuple[str, ...]) -> None:
    """The option that begins like the outcome was taken, else one that nothing is said against."""
    assert rejected == rejected_options(record(outcome, *options))


def test_a_decision_says_who_decided_when_and_for_whom() -> None:
    """Each decision step has id, title, reason, rejected options, who, when and scope."""
    said = describe_decision(record("Because."))
    assert {"id", "title", "kind", "reason", "rejected", "who", "when", "scope"} == set(said)
    assert ("Because.", "overlay", "2026-11-21") == (said["reason"], said["scope"], said["when"])
