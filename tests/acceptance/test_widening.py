"""A type that becomes wider is planned and applied: members of a repeating group come, a decimal gets digits; what is not wider is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from small_project import write_small_project
from test_plan import edit

import treaty

MODEL, MAPPING = "models/thing.yaml", "mappings/store.things.yaml"
GROUP = """\
      - {name: price, logicalType: number, physicalType: "decimal(6,2)"}
      - name: parts
        logicalType: array
        physicalType: list<struct>
        items:
          logicalType: object
          physicalType: struct
          properties:
            - {name: label, logicalType: string, physicalType: string}
"""
LABEL = "            - {name: label, logicalType: string, physicalType: string}\n"
COUNT = "            - {name: count, logicalType: integer, physicalType: integer}\n"
FIELDS = "  price: to_decimal(price, 6, 2)\n  parts:\n    each: parts\n    fields:\n      label: label\n"
THINGS: list[dict[str, Any]] = [
    {"id": "A-1", "name": "ball", "size": "3", "price": "1.50", "parts": [{"label": "lid", "count": "2"}, {"label": "rim"}]},
    {"id": "A-2", "name": "box", "size": "4", "price": "2.00", "parts": [{"label": "leg"}]},
    {"id": "A-3", "name": "bar", "size": "5", "price": "12345.67", "parts": []},
]


def land(folder: Path, name: str, things: list[dict[str, Any]]) -> None:
    """Put records into the inbox, and run."""
    (folder / "inbox/store").mkdir(parents=True, exist_ok=True)
    (folder / "inbox/store" / name).write_text("".join(json.dumps(each) + "\n" for each in things), encoding="utf-8")
    assert treaty.run(folder).ok


def parts(folder: Path) -> dict[str, Any]:
    """Return the parts of each thing."""
    return {row["code"]: row["parts"] for row in treaty.records("thing", folder).to_pylist()}


def test_wider_types(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A new member is additive and fills where the source has it; a member that is gone is breaking; a narrower type has no verdict. Runs go on after each."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, database="env:TREATY_DATABASE")
    edit(tmp_path, "systems/store.yaml", 'format: csv\n    key: [id]\n    read: {files: "*.csv", delimiter: ";"}', 'format: jsonl\n    key: [id]\n    read: {files: "*.jsonl"}')
    edit(tmp_path, MODEL, "      - {name: size,", GROUP + "      - {name: size,")
    edit(tmp_path, MAPPING, "  size: ", FIELDS + "  size: ")
    land(tmp_path, "1.jsonl", THINGS)
    assert {"A-1": [{"label": "lid"}, {"label": "rim"}], "A-2": [{"label": "leg"}]} == {key: value for key, value in parts(tmp_path).items() if value}

    edit(tmp_path, MODEL, LABEL, COUNT + LABEL)
    edit(tmp_path, MAPPING, "      label: label\n", "      label: label\n      count: to_integer(count)\n")
    plan = treaty.plan(tmp_path)
    assert (True, ["parts"]) == (plan.complete, [name for each in plan.changes for one in each.differences for name in one.fields][:1]), plan.undecided
    assert treaty.apply(plan.plan_id, tmp_path).changed
    assert parts(tmp_path)["A-1"] == [{"label": "lid", "count": 2}, {"label": "rim", "count": None}]
    land(tmp_path, "2.jsonl", [{**THINGS[1], "parts": [{"label": "leg", "count": "4"}]}])
    assert parts(tmp_path)["A-2"] == [{"label": "leg", "count": 4}]

    edit(tmp_path, MODEL, '"decimal(6,2)"', '"decimal(9,2)"')
    edit(tmp_path, MAPPING, "price, 6, 2", "price, 9, 2")
    wider = treaty.plan(tmp_path)
    assert ([], {"price": 1}) == ([one for each in wider.changes for one in each.differences], dict(wider.together[0].fields)), "neither does anything alone"
    assert treaty.apply(wider.plan_id, tmp_path).changed
    assert {Decimal("1.50"), Decimal("2.00"), Decimal("12345.67")} == {row["price"] for row in treaty.records("thing", tmp_path).to_pylist()}

    edit(tmp_path, MODEL, COUNT, "")
    edit(tmp_path, MAPPING, "      count: to_integer(count)\n", "")
    gone = treaty.plan(tmp_path)
    assert (True, "breaking") == (gone.complete, gone.plan_class)
    assert treaty.apply(gone.plan_id, tmp_path).changed
    land(tmp_path, "3.jsonl", [{**THINGS[0], "parts": [{"label": "hub"}]}])
    assert parts(tmp_path)["A-1"] == [{"label": "hub", "count": None}]

    edit(tmp_path, MODEL, LABEL, LABEL.replace("logicalType: string, physicalType: string", "logicalType: date, physicalType: date"))
    edit(tmp_path, MAPPING, "label: label", "label: iso_date(label)")
    narrower = treaty.plan(tmp_path)
    assert (False, "unknown") == (narrower.complete, narrower.plan_class)
    assert any("not wider" in text for text in narrower.undecided)
    assert treaty.verify(tmp_path).ok

