"""Records as of a time and as of an apply: what readers saw then, over three applies of which one is a rollback."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import treaty as command
from small_project import write_small_project

import treaty
from treaty.lake.compaction import compact
from treaty.lake.scope import AllClients
from treaty.operations.workspace import find_workspace

DECISION = "decisions/names-are-trimmed.md"
UPPER = ("replace(trim(text), '|', '/')", "upper(replace(trim(text), '|', '/'))")


def land(folder: Path, name: str, text: str) -> None:
    """Put a file into the inbox, and run."""
    (folder / "inbox/store").mkdir(parents=True, exist_ok=True)
    (folder / "inbox/store" / name).write_text(text, encoding="utf-8")
    assert treaty.run(folder).ok


def edit(folder: Path, file: str, *changes: tuple[str, str]) -> None:
    """Change texts in a file of the project, and apply it."""
    path = folder / file
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    applied = treaty.apply(project=folder)
    assert (True, False) == (applied.changed, applied.folder_differs)


def test_records_of_the_past_are_what_readers_saw(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """After each landing, apply and rollback the records are read and the time noted; asked later, and after a compaction, each time gives the same."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, database="env:TREATY_DATABASE")
    begun = datetime.now(UTC)
    seen: list[tuple[datetime, list[dict[str, Any]]]] = []

    def look() -> None:
        rows = treaty.records("thing", tmp_path).to_pylist()
        seen.append((datetime.now(UTC), rows))

    land(tmp_path, "1.csv", "id;name;size\nA-1; ball;3\nA-2;box;4\nA-3;tower;many\n")
    look()
    edit(tmp_path, DECISION, UPPER, ('"a/b"', '"A/B"'))
    look()
    land(tmp_path, "2.csv", "id;name;size\nA-2;crate;4\nB-1;ball;5\n")
    look()
    edit(tmp_path, "decisions/same-thing.md", ("parts: [code]", "parts: [name]"))
    look()
    rolled_back = treaty.apply(project=tmp_path, former=True)
    assert (True, True) == (rolled_back.changed, rolled_back.folder_differs)
    look()
    land(tmp_path, "3.csv", "id;name;size\nA-4;lamp;1\n")
    assert 5 == len({str(rows) for _, rows in seen}) + 1, "the rollback alone brings back what was"
    applies = [each.applied_id for each in reversed(treaty.applies(tmp_path))]
    with find_workspace(tmp_path).open() as session:
        compact(session, AllClients("compaction"), keep=timedelta(0))
    property = "      - {name: size, logicalType: integer"
    edit(tmp_path, "models/thing.yaml", (property, f'      - {{name: label, logicalType: string, physicalType: string}}\n{property}'))
    assert "label" in treaty.records("thing", tmp_path).column_names
    for at, rows in (seen[0], seen[2], seen[4]):
        assert rows == treaty.records("thing", tmp_path, as_of=at).to_pylist()
    assert [] == treaty.records("thing", tmp_path, as_of_apply=applies[0]).to_pylist(), "the first apply is before the first landing"
    for place, seen_after in ((1, 1), (2, 3), (3, 4)):
        assert seen[seen_after][1] == treaty.records("thing", tmp_path, as_of_apply=applies[place]).to_pylist()
    told = command("records", "thing", "--json", "--limit", "1", "--as-of-apply", applies[1][:-1], "--project", tmp_path)
    assert [seen[1][1][0]["name"]] == [row["name"] for row in told.lines]
    assert "The first 1 golden records of thing; --limit N shows more." in command("records", "thing", "--limit", "1", "--project", tmp_path).output
    for wrong, problem in (
        ({"as_of": begun}, "Nothing had run here yet"), ({"as_of": datetime.now(UTC) + timedelta(days=1)}, "yet to come"),
        ({"as_of": datetime(2026, 1, 1)}, "no zone"), ({"as_of_apply": "nothing"}, "There is no apply 'nothing'"),
        ({"as_of": begun, "as_of_apply": applies[0]}, "Both a time and an apply"),
    ):  # fmt: skip
        with pytest.raises(treaty.UsageError, match=problem):
            treaty.records("thing", tmp_path, **wrong)
