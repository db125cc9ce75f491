"""Hooks, through the whole path: they run in `run`, `try`, `test` and `explain`, from the applied project, and stop nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import treaty
from small_project import write_small_project

HOOK = """\
import pyarrow.compute as pc
import treaty


@treaty.hook("folded(text: string) -> string", pure=True)
def folded(text):
    if "bad" in text.to_pylist():
        raise ValueError("bad")
    return pc.utf8_lower(text)
"""
DECISION = """\
---
id: names-are-trimmed
title: Names have no blanks around them and no capitals
status: accepted
date: 2026-11-21
decision-makers: [tests]
kind: transformation
governs: [thing.name]
function: "thing_name(text: string) -> string"
expression: folded(trim(text))
examples:
  - {text: " Ab ", returns: "ab"}
  - {text: "bad", fails: hook-failed}
---

## Considered options

- as written: two spellings of one name
- folded

## Outcome

Folded.
"""
CSV = "id;name;size\nA-1; Red ;3\nA-2;bad;4\nA-3;;5\n"


@pytest.fixture
def hooked(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project whose names go through a hook."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    folder = tmp_path / "hooked"
    write_small_project(folder, database="env:TREATY_DATABASE")
    (folder / "hooks").mkdir()
    (folder / "hooks/names.py").write_text(HOOK, encoding="utf-8")
    (folder / "decisions/names-are-trimmed.md").write_text(DECISION, encoding="utf-8")
    (folder / "inbox/store").mkdir(parents=True)
    (folder / "inbox/store/things.csv").write_text(CSV, encoding="utf-8")
    return folder


def names(folder: Path) -> dict[str, Any]:
    """Return the name of each record by its code."""
    return {row["code"]: row["name"] for row in treaty("records", "thing", "--json", "--project", folder).lines}


def test_a_hook_runs_everywhere(hooked: Path) -> None:
    """`test`, `run`, `try` and `explain` give the same; a row for which the hook raises has a failed cell, and the run goes on."""
    assert treaty("test", "--project", hooked).status == 0
    answer = treaty("run", "--json", "--project", hooked)
    assert (0, True) == (answer.status, answer.json["ok"]), answer.errors
    assert {"A-1": "red", "A-2": None, "A-3": None} == names(hooked)
    tried = treaty("try", "store.things", hooked / "inbox/store/things.csv", "--json", "--project", hooked)
    assert ["red", None, None] == [each["fields"]["name"] for each in tried.json["records"]]
    explained = treaty("explain", "thing", "A-1", "name", "--json", "--project", hooked).json
    assert (True, "red") == (explained["agrees"], explained["value"])
    decision = next(each for each in explained["steps"] if each["step"] == "decision")
    assert ["trim", "folded"] == [each["function"] for each in decision["steps"]]
    failed = treaty("explain", "thing", "A-2", "name", "--json", "--project", hooked).json
    assert (True, None) == (failed["agrees"], failed["value"])
    assert "hook-failed" in str(failed["steps"])
    assert treaty("verify", "--project", hooked).status == 0


def test_the_applied_code_runs(hooked: Path) -> None:
    """A hook that was changed in the folder runs when it is applied, not before; then every record is conformed again."""
    treaty("run", "--project", hooked)
    (hooked / "hooks/names.py").write_text(HOOK.replace("utf8_lower(text)", "utf8_upper(text)"), encoding="utf-8")
    (hooked / "decisions/names-are-trimmed.md").write_text(DECISION.replace('returns: "ab"', 'returns: "AB"'), encoding="utf-8")
    (hooked / "inbox/store/more.csv").write_text("id;name;size\nA-4;Blue;1\n", encoding="utf-8")
    treaty("run", "--project", hooked)
    assert {"A-1": "red", "A-2": None, "A-3": None, "A-4": "blue"} == names(hooked)
    assert treaty("explain", "thing", "A-1", "name", "--json", "--project", hooked).json["agrees"] is True
    answer = treaty("run", "--apply", "--project", hooked)
    assert answer.status == 0, answer.errors
    assert {"A-1": "RED", "A-2": None, "A-3": None, "A-4": "BLUE"} == names(hooked)
