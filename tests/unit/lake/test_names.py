"""Names and ids in the lake."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from treaty.lake.names import column_name, landed_id, landed_prefix, landed_table, receipt_id, slug, uuid8


def test_plain_names_stay_readable() -> None:
    """A lower-case name is kept as it is."""
    assert ("c_amount", "landed_erp__invoice_lines") == (column_name("amount"), landed_table("erp", "invoice_lines"))


def test_names_that_differ_in_case_or_punctuation_do_not_meet() -> None:
    """What differs in the source differs in the lake, whatever the case-insensitive engine makes of it."""
    names = ["Invoice No.", "invoice no", "INVOICE_NO", "invoice_no", "invoice-no", "Rechnung №", "№", "", "a" * 80, "a" * 81]
    assert len(names) == len({column_name(name).lower() for name in names})


@given(st.text(max_size=90))
def test_a_column_name_is_a_short_identifier(name: str) -> None:
    """Any text gives a lower-case identifier that PostgreSQL would not cut."""
    found = column_name(name)
    assert found.replace("_", "a").isascii() and found.replace("_", "a").isalnum() and found == found.lower()
    assert len(found) <= 63
    assert not slug(name).endswith("_") or slug(name) == name


def test_system_and_stream_do_not_run_together() -> None:
    """``a_b``/``c`` and ``a``/``b_c`` have tables of their own."""
    assert landed_table("a_b", "c") != landed_table("a", "b_c")


@given(st.lists(st.text(max_size=5), min_size=1, max_size=3))
def test_ids_are_version_8(parts: list[str]) -> None:
    """Ids say what they are (RFC 9562) and follow from their parts."""
    found = uuid8(*parts)
    assert (8, uuid.RFC_4122, uuid8(*parts)) == (found.version, found.variant, found)


def test_landed_ids_sort_in_file_order() -> None:
    """Of one arrival, a higher locator has a higher id; another arrival's ids lie elsewhere."""
    prefix = landed_prefix("c", "s", "t", receipt_id("c", "s", "t", "a.csv", 1, "ab"))
    ids = [landed_id(prefix, locator) for locator in (0, 1, 2, 1000, (1 << 42) - 1)]
    assert ids == sorted(ids)
    assert {8} == {each.version for each in ids}
    assert prefix != landed_prefix("c", "s", "t", receipt_id("c", "s", "t", "a.csv", 2, "ab"))
