"""Plan and apply over a small project: what a change would do, counted exactly, and done exactly so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_project import write_small_project

import treaty

THINGS = "id;name;size\nA-1; ball;3\nA-2;box;4\nA-3;tower;30\nA-4;lamp;many\n"


@pytest.fixture
def small(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project with three canonical records and one in quarantine."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, database="env:TREATY_DATABASE")
    land(tmp_path, THINGS)
    assert treaty.run(tmp_path).ok
    return tmp_path


def land(folder: Path, text: str, name: str = "things.csv") -> None:
    """Put a file into the inbox."""
    (folder / "inbox/store").mkdir(parents=True, exist_ok=True)
    (folder / "inbox/store" / name).write_text(text, encoding="utf-8")


def edit(folder: Path, file: str, old: str, new: str) -> None:
    """Change a text in a file of the project."""
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def names(folder: Path) -> dict[str, Any]:
    """Return the name of each record by its code."""
    return {row["code"]: row["name"] for row in treaty.records("thing", folder).to_pylist()}


def test_changed_decision(small: Path) -> None:
    """Upper case changes the names of all three, is value-changing, and the apply does what the plan said."""
    edit(small, "decisions/names-are-trimmed.md", "replace(trim(text), '|', '/')", "upper(replace(trim(text), '|', '/'))")
    edit(small, "decisions/names-are-trimmed.md", '"a/b"', '"A/B"')
    plan = treaty.plan(small)
    assert (True, "value-changing") == (plan.complete, plan.plan_class), plan
    (change,) = plan.changes
    (difference,) = change.differences
    assert 3 == difference.records["changed"]
    assert {"name": 3} == difference.fields
    assert {"A-1": "ball", "A-2": "box", "A-3": "tower"} == names(small)
    done = treaty.apply(plan.plan_id, small)
    assert done.changed
    assert {"A-1": "BALL", "A-2": "BOX", "A-3": "TOWER"} == names(small)
    assert treaty.verify(small).ok
