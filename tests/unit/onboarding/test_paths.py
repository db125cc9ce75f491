"""Paths of a profile are written as the cell language reads them."""

from __future__ import annotations

import pytest

from treaty.compiler.cells import PathCell, parse_cell
from treaty.onboarding.paths import spell_path

NAMES = ("E-Mail", "Invoice No.", "null", "date", "Straße", "it's", "a/b c", "@id", "cbc:ID", "1st", "plz")


@pytest.mark.parametrize("path", NAMES)
def test_spelled_path_is_read_back(path: str) -> None:
    """Whatever a column is called, its cell is a path of the same names."""
    cell = parse_cell(spell_path(path))
    assert isinstance(cell, PathCell)
    assert path.split("/") == [step.name for step in cell.path.steps]


def test_path_below_an_element() -> None:
    """A path within a list is written from the element on."""
    assert "unit/price" == spell_path("lines/unit/price", below="lines")
