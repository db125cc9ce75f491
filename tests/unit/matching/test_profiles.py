"""Profiles of sampled fields."""

from __future__ import annotations

import pytest

from treaty.matching.profiles import find_references, profile_columns, profile_values
from treaty.matching.shapes import find_pattern, find_shape, spell_epochs, spell_value


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("ann@example.com", "email"), ("2026-01-31", "date"), ("31.01.2026", "date"), ("2026-01-31T10:00:00Z", "timestamp"), ("1700000000", "epoch"),
        ("EUR", "currency"), ("DE", "country"), ("true", "boolean"), ("1.234,50", "comma-decimal"),
        ("1 479,18", "comma-decimal"), ("1,234.50", "comma-decimal"), ("$500.47", "comma-decimal"), ("02.10.2026 08:00", "timestamp"),
        ("+49 30 123456", "phone"),
        ("DE123456789", "tax-id"), ("https://example.com/a", "url"), ("cus_9a8b7c6d5e", "key"), ("a word or two and then some more", "text"),
    ],
)  # fmt: skip
def test_shape_of_a_value(value: str, shape: str) -> None:
    """What a value looks like is told from it alone."""
    assert shape == find_shape(value)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("1234.50", "1.234,5"), ("TRUE", "true"), ("2026-01-31 00:00:00", "31.01.2026"), ("2026-01-31T9:05:00Z", "2026-01-31 09:05:00.000"),
        ("007", "7"), ("(12,00)", "-12"), ("Ann  LEE", "ann lee"),
    ],
)  # fmt: skip
def test_equal_values_have_one_spelling(one: str, two: str) -> None:
    """Numbers, instants, booleans and texts that mean the same are spelled the same."""
    assert spell_value(one) == spell_value(two)


def test_epochs_are_instants() -> None:
    """Seconds since 1970 are found equal to the instants they mean."""
    assert {"1700000000": "2023-11-14 22:13:20"} == spell_epochs(["1700000000", "12"])


def test_pattern_of_a_value() -> None:
    """Runs of letters and digits become one sign each."""
    assert "A-9/a" == find_pattern("INV-2026/de")


def test_profile_counts_what_is_there() -> None:
    """Nulls, distinct values, type, range and shares are those of the sample."""
    found = profile_values("total", ["10.5", "10.50", None, "", "7"])
    assert (5, 2, 2, "decimal", "7", "10.5") == (found.records, found.nulls, found.distinct, found.type, found.least, found.most)


def test_empty_column_has_no_type() -> None:
    """Of a column without values nothing is said."""
    found = profile_values("note", ["", None])
    assert ("", 2, {}) == (found.type, found.nulls, dict(found.shapes))


def test_candidate_keys_and_references_are_found() -> None:
    """A field with a value of its own for each record is a candidate key; a field whose values are another's keys refers to it."""
    customers = profile_columns("customers", {"id": ["a1", "a2", "a3", "a4"], "city": ["Gent", "Gent", "Lyon", "Graz"]})
    orders = profile_columns("orders", {"no": ["1", "2", "3", "4"], "customer": ["a1", "a2", "a3", "a1"]})
    assert ("id",) == customers.candidate_keys
    found = find_references([customers, orders])
    assert [("orders", "customer", "customers", "id", 1.0)] == [(each.stream, each.field, each.to_stream, each.to_field, each.share) for each in found]


def test_language_of_texts_is_guessed() -> None:
    """Small words tell the language; too few of them tell nothing."""
    texts = ["Der Kunde ist nicht mit der Rechnung einverstanden", "Bitte die Ware auf den Hof stellen"]
    assert "de" == profile_values("note", texts).language
    assert "" == profile_values("note", ["ok", "fine"]).language
