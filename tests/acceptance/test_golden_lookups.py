"""A mapping that looks up golden records of another model, which is conformed first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import treaty
from small_project import IDENTITY, MODEL, write_small_project

ORDER = (
    MODEL.partition("    customProperties:")[0].replace("thing", "order")
    + """\
    properties:
      - {name: number, logicalType: string, physicalType: string, required: true}
      - {name: thing, logicalType: string, physicalType: string}
      - {name: size, logicalType: integer, physicalType: integer}
      - {name: called, logicalType: string, physicalType: string}
"""
)
ORDERS = """\
  orders:
    format: csv
    key: [nr]
    read: {files: "orders/*.csv", delimiter: ";"}
"""
MAPPING = """\
from: store/orders
to: order
fields:
  number: nr
  thing: lookup('thing.code', key=code, field='name')
  size: lookup('thing', key=code, field='size')
  called: lookup('thing.name', key=code, field='code')
"""


@pytest.fixture
def orders(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small project with orders that look up things; their flow and their mapping come before those of the things."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    folder = tmp_path / "small"
    write_small_project(folder, database="env:TREATY_DATABASE")
    system = folder / "systems/store.yaml"
    system.write_text(system.read_text(encoding="utf-8") + ORDERS, encoding="utf-8")
    (folder / "models/order.yaml").write_text(ORDER, encoding="utf-8")
    same = IDENTITY.replace("same-thing", "same-order").replace("[thing]", "[order]").replace("[code]", "[number]")
    (folder / "decisions/same-order.md").write_text(same, encoding="utf-8")
    (folder / "mappings/store.orders.yaml").write_text(MAPPING, encoding="utf-8")
    (folder / "flows/things.yaml").rename(folder / "flows/z-things.yaml")
    (folder / "flows/a-orders.yaml").write_text("mappings: [store.orders]\nowner: tests\n", encoding="utf-8")
    land(folder, "things.csv", "id;name;size\nA-1;ball;3\nA-2;box;4\n")
    land(folder, "orders/1.csv", "nr;code\n1;A-1\n2;A-2\n3;A-9\n4;\n5;ball\n")
    run(folder)
    return folder


def land(folder: Path, name: str, text: str) -> None:
    """Put a file into the inbox."""
    path = folder / "inbox/store" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def run(folder: Path, *arguments: str) -> None:
    """Run the project, and prove its sums."""
    answer = treaty("run", "--json", *arguments, "--project", folder)
    assert answer.status == 0, answer.errors + answer.output
    assert treaty("verify", "--project", folder).status == 0, treaty("verify", "--project", folder).output


def found(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return what each order has looked up, where it has."""
    rows = treaty("records", "order", "--json", "--project", folder).lines
    looked_up = {row["number"]: (row["thing"], row["size"], row["called"]) for row in rows}
    return {number: values for number, values in looked_up.items() if any(each is not None for each in values)}


def test_golden_records_are_looked_up_and_followed(orders: Path) -> None:
    """What is looked up is made first; when it changes, comes, goes, is corrected or is no longer one, its readers follow in the same run."""
    first = {"1": ("ball", 3, None), "2": ("box", 4, None), "5": (None, None, "A-1")}
    assert first == found(orders)
    land(orders, "more.csv", "id;name;size\nA-1;globe;5\nA-9;axe;\n")
    run(orders)
    assert {"1": ("globe", 5, None), "2": ("box", 4, None), "3": ("axe", 1, None)} == found(orders)
    step = next(each for each in treaty("explain", "order", "1", "size", "--json", "--project", orders).json["steps"] if each["step"] == "function")
    assert ("lookup", ["thing", "A-1", "size"], 5) == (step["function"], step["input"], step["output"])
    corrected = treaty("correct", "thing", "A-2", "name", "crate", "--reason", "seen", "--project", orders)
    assert corrected.status == 0, corrected.errors
    land(orders, "again.csv", "id;name;size\nA-1;ball;3\nA-4;ball;5\n")  # two are called ball: neither is taken by chance
    run(orders)
    assert {"1": ("ball", 3, None), "2": ("crate", 4, None), "3": ("axe", 1, None)} == found(orders)


def test_a_change_of_what_is_looked_up_is_planned_and_applied_with_its_readers(orders: Path) -> None:
    """A decision on things changes orders that look them up: the plan counts it, and the apply does it in one commit."""
    path = orders / "decisions/names-are-trimmed.md"
    text = path.read_text(encoding="utf-8").replace("replace(trim(text), '|', '/')", "upper(trim(text))").replace('"a/b"', '"A|B"')
    path.write_text(text, encoding="utf-8")
    (change,) = [each for each in treaty("plan", "--json", "--project", orders).json["changes"] if each["id"] == "names-are-trimmed"]
    assert {("thing", 2), ("order", 3)} == {(each["model"], each["records"]["changed"]) for each in change["clients"]}
    assert treaty("apply", "--project", orders).status == 0
    assert {"1": ("BALL", 3, None), "2": ("BOX", 4, None)} == found(orders)
    before = treaty("plan", "--json", "--project", orders).json
    assert ([], True) == (before["changes"], before["complete"])
    run(orders)
    assert {"1": ("BALL", 3, None), "2": ("BOX", 4, None)} == found(orders)
