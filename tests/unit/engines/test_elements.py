"""The elements of an ``each``: paths of the element, of its repeated parts and of the record around it in one cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import treaty

MODEL = """\
apiVersion: v3.1.0
kind: DataContract
id: order
version: 1.0.0
status: active
schema:
  - name: order
    logicalType: object
    physicalType: table
    properties:
      - {name: number, logicalType: string, physicalType: string, required: true}
      - name: lines
        logicalType: array
        physicalType: list<struct>
        items:
          logicalType: object
          properties:
            - {name: label, logicalType: string, physicalType: string}
            - {name: name, logicalType: string, physicalType: string, required: true}
            - {name: size, logicalType: integer, physicalType: integer}
"""
FILES = {
    "treaty.yaml": "name: elements\nowners: {tests: tests@example.com}\n",
    "models/order.yaml": MODEL,
    "systems/shop.yaml": "connector: files\nconnection: {folder: inbox}\nowner: tests\nstreams:\n  orders: {format: xml, key: [number], record: order, read: {files: '*.xml'}}\n",
    "flows/orders.yaml": "mappings: [shop.orders]\nowner: tests\n",
}
MAPPING = "from: shop/orders\nto: order\nfields:\n  number: number\n  lines:\n    each: line\n    fields:\n"


def lines(folder: Path, fields: str, xml: str) -> tuple[str, list[dict[str, Any]], list[tuple[str, str]]]:
    """Return the state of an order with these lines, the lines, and what failed in them."""
    for name, text in {**FILES, "mappings/shop.orders.yaml": MAPPING + fields}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (record,) = treaty.try_mapping(
        "shop.orders", f"<orders><order><number>7</number>{xml}</order></orders>".encode(), project=folder
    ).records
    return record.state, record.fields["lines"], [(each.field, each.rule) for each in record.notes]


@pytest.mark.parametrize(
    "label",
    [
        "concat(note, ':', name)",
        "concat(name, ':', note)",
        "concat(trim(note), ':', trim(name))",
        "coalesce(concat(note, ':', name), trim(name))",
    ],
)
def test_a_repeated_part_beside_a_plain_one(tmp_path: Path, label: str) -> None:
    """A cell may read what can stand several times and what cannot, whatever else reads them."""
    fields = f"      label: {label}\n      name: trim(name)\n      size: to_integer(size)\n"
    state, found, notes = lines(
        tmp_path, fields, "<line><name>a</name><note>n</note><size>1</size></line><line><name>b</name><note>m</note><size>x</size></line>"
    )
    assert ("canonical", [("lines.size", "not-an-integer")]) == (state, notes)
    assert [("a", 1), ("b", None)] == [(each["name"], each["size"]) for each in found]
    assert [{"n", "a"}, {"m", "b"}] == [{*each["label"].split(":")} for each in found]


def test_what_is_required_of_an_element_is_told(tmp_path: Path) -> None:
    """A line without what is required sends the record into quarantine, and says which field of it."""
    state, _, notes = lines(
        tmp_path,
        "      label: note\n      name: name\n      size: to_integer(size)\n",
        "<line><name>a</name></line><line><size>2</size></line>",
    )
    assert ("quarantined", [("lines.name", "required")]) == (state, notes)


def test_a_part_that_stands_twice_fails_alone(tmp_path: Path) -> None:
    """Two values where one is wanted are a failure of their field; the rest of the element stands."""
    fields = "      label: concat(note, name)\n      name: name\n      size: to_integer(size)\n"
    state, found, notes = lines(tmp_path, fields, "<line><name>a</name><note>n</note><note>m</note></line>")
    assert ("canonical", [("lines.label", "many-values")]) == (state, notes)
    assert [{"label": None, "name": "a", "size": None}] == found


def test_a_failing_cell_over_both_kinds_of_parts(tmp_path: Path) -> None:
    """What can fail is worked out once, from what can stand several times and from what cannot, such as an attribute."""
    fields = "      label: note\n      name: name\n      size: to_integer(concat(@size, note))\n"
    state, found, notes = lines(
        tmp_path, fields, '<line size="1"><name>a</name><note>2</note></line><line size="1"><name>b</name><note>x</note></line>'
    )
    assert ("canonical", [("lines.size", "not-an-integer")]) == (state, notes)
    assert [12, None] == [each["size"] for each in found]
