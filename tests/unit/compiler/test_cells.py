"""The cell language."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from treaty.compiler.cells import CallCell, CellError, LiteralCell, PathCell, parse_cell, parse_path
from treaty.compiler.ir import SourcePath, Step


def test_path_with_prefixes_attributes_and_selectors() -> None:
    """A path keeps prefixes and attributes, and reads [n] and [path='text']."""
    cell = parse_cell("cac:Party/cac:Scheme[cac:Tax/cbc:ID='VAT']/cbc:Name[2]/@lang")
    where = (SourcePath((Step("cac:Tax"), Step("cbc:ID"))), "VAT")
    assert cell == PathCell(SourcePath((Step("cac:Party"), Step("cac:Scheme", where=where), Step("cbc:Name", index=2), Step("@lang"))))


def test_quoted_name_needs_a_dot() -> None:
    """A quoted text is a literal; with ./ before it, it is a name."""
    assert isinstance(parse_cell("'Invoice No.'"), LiteralCell)
    assert parse_cell("./'Invoice No.'") == PathCell(SourcePath((Step("Invoice No."),)))


def test_path_out_of_each() -> None:
    """^/ leads out of an each, once for each ^."""
    assert parse_path("^/^/cbc:ID") == SourcePath((Step("cbc:ID"),), up=2)


def test_call_with_named_arguments() -> None:
    """Arguments may be named, nested and of every kind."""
    cell = parse_cell("f(lookup('erp/customers', key=Cust, field='Segment'), 12, 12.50, true, null, date '2026-01-31')")
    assert isinstance(cell, CallCell)
    inner = cell.args[0][1]
    assert isinstance(inner, CallCell)
    assert [name for name, _ in inner.args] == [None, "key", "field"]
    values = [each.literal.value for _, each in cell.args[1:] if isinstance(each, LiteralCell)]
    assert values == [12, Decimal("12.50"), True, None, date(2026, 1, 31)]


@pytest.mark.parametrize(
    ("text", "offset"),
    [("a + b", 2), ("f(a", 3), ("a/", 2), ("'open", 0), ("f(a * 2)", 4), ("", 0), ("a[0]", 0), ("date 'x'", 0), ("a b", 2)],
)
def test_what_is_not_a_cell_is_refused_with_its_place(text: str, offset: int) -> None:
    """A text that is no cell names the character where it stops being one, and a remedy."""
    with pytest.raises(CellError) as caught:
        parse_cell(text)
    assert (caught.value.offset, bool(caught.value.remedy)) == (offset, True)
