"""Field paths: which field of which element is explained."""

from __future__ import annotations

import pytest

import treaty
from treaty.operations.explaining.walking import FieldPath, parse_field
from treaty.project.declarations import DataContract, SchemaProperty

CONTRACT = DataContract(
    name="invoice", version="1",
    properties=(SchemaProperty(name="number", type="string"), SchemaProperty(name="lines", type="list<struct>", properties=(SchemaProperty(name="unit", type="string"),))),
)  # fmt: skip
LINES = [{"unit": "C62"}, {"unit": "HUR"}]


@pytest.mark.parametrize(
    ("text", "value", "picked"),
    [("number", "F-1", "F-1"), ("lines", LINES, LINES), ("lines.unit", LINES, ["C62", "HUR"]), ("lines[2].unit", LINES, "HUR"), ("lines[9].unit", LINES, None)],
)
def test_a_path_picks_its_part_of_a_value(text: str, value: object, picked: object) -> None:
    """A group, a member of all its elements, or of one."""
    assert picked == parse_field(CONTRACT, text).pick(value)


def test_an_empty_group_has_nothing_to_pick() -> None:
    """Null stays null."""
    assert FieldPath("lines", 1, "unit").pick(None) is None


@pytest.mark.parametrize(("text", "meant"), [("numbr", "number"), ("lines.unti", "lines.unit"), ("lines[1].unt", "lines.unit")])
def test_an_unknown_field_names_the_nearest(text: str, meant: str) -> None:
    """The remedy is the field that was meant."""
    with pytest.raises(treaty.UsageError, match=f"Did you mean '{meant}'"):
        parse_field(CONTRACT, text)
