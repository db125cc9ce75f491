"""A project whose decisions do not do what their examples say is not run, wherever the example stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import treaty
from small_project import write_small_project

OVERRIDE = '---\nid: names-are-trimmed\nreason: Shouted here.\nexpression: upper(text)\nexamples:\n  - {text: a, returns: "%s"}\n---\n'


def test_a_failed_example_stops_the_first_run_a_plan_and_an_apply(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the standard, in one client's overlay, in a second client's: nothing is applied, and the finding says which."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, ("ada", "bob"), database="env:TREATY_DATABASE")
    standard = tmp_path / "decisions/names-are-trimmed.md"
    sound = standard.read_text(encoding="utf-8")
    standard.write_text(sound.replace('"a/b"', '"a-b"'), encoding="utf-8")
    for verb in (("run",), ("run", "--apply")):
        refused = treaty(*verb, "--project", tmp_path)
        assert (2, True) == (refused.status, "names-are-trimmed: expected 'a-b', found a/b" in refused.errors)
    standard.write_text(sound, encoding="utf-8")
    for client, returns in (("ada", "A"), ("bob", "B")):
        (tmp_path / "inbox" / client).mkdir(parents=True)
        path = tmp_path / f"clients/{client}/decisions/names-are-trimmed.md"
        path.parent.mkdir(parents=True)
        path.write_text(OVERRIDE % returns, encoding="utf-8")
    refused = treaty("run", "--project", tmp_path)
    assert (2, True) == (refused.status, "clients/bob/decisions/names-are-trimmed.md" in refused.errors)
    path.write_text(OVERRIDE % "A", encoding="utf-8")
    assert treaty("run", "--project", tmp_path).status == 0
    path.write_text(OVERRIDE % "B", encoding="utf-8")
    for verb in (("plan",), ("apply",), ("run", "--apply")):
        refused = treaty(*verb, "--project", tmp_path)
        assert (2, True) == (refused.status, "clients/bob/decisions/names-are-trimmed.md" in refused.errors), verb
