"""Decisions that hold for a time, by a date of the record itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import treaty
from small_project import MAPPING, MODEL, NAME, write_small_project


def test_a_decision_holds_from_its_day_by_the_records_date(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two decisions share a slot: a record is judged by its own date, whenever it comes, and again when that date is corrected."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, database="env:TREATY_DATABASE")
    made = "      - {name: made, logicalType: date, physicalType: date, required: true}\n"
    (tmp_path / "models/thing.yaml").write_text(MODEL + made, encoding="utf-8")
    (tmp_path / "mappings/store.things.yaml").write_text(MAPPING + "  made: iso_date(made)\n", encoding="utf-8")
    until = NAME.replace("examples:", "applies: {to: 2026-06-01, by: thing.made}\nexamples:")
    since = NAME.replace("names-are-trimmed", "names-are-shouted").replace("examples:", "applies: {from: 2026-06-01, by: thing.made}\nexamples:")
    since = since.replace("replace(trim(text), '|', '/')", "upper(trim(text))").replace('"a/b"', '"A|B"')
    (tmp_path / "decisions/names-are-trimmed.md").write_text(until, encoding="utf-8")
    (tmp_path / "decisions/names-are-shouted.md").write_text(since, encoding="utf-8")
    inbox = tmp_path / "inbox/store"
    inbox.mkdir(parents=True)

    def names_after(text: str, name: str) -> dict[str, str]:
        (inbox / name).write_text(text, encoding="utf-8")
        answer = treaty("run", "--project", tmp_path)
        assert answer.status == 0, answer.errors + answer.output
        return {row["code"]: row["name"] for row in treaty("records", "thing", "--json", "--project", tmp_path).lines}

    first = names_after("id;name;size;made\nA-1;a|b;1;2026-05-31\nA-2;a|b;1;2026-06-01\nA-3;a|b;1;\n", "1.csv")
    assert {"A-1": "a/b", "A-2": "A|B"} == first  # the third has no date: its name could not be judged, and the date is required
    second = names_after("id;name;size;made\nA-3;a|b;1;2020-01-01\nA-2;a|b;1;2026-01-01\n", "2.csv")
    assert {"A-1": "a/b", "A-2": "a/b", "A-3": "a/b"} == second
    steps = treaty("explain", "thing", "A-1", "name", "--json", "--project", tmp_path).json["steps"]
    assert ["names-are-trimmed"] == [each["id"] for each in steps if each["step"] == "decision"]
    assert treaty("verify", "--project", tmp_path).status == 0
