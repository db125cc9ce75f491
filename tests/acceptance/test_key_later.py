"""A stream that is given its key after it has landed: half-answered onboarding, and a key that somebody adds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_project import write_small_project

import treaty

SYSTEM = "systems/store.yaml"
KEY = "    key: [id]\n"


def test_a_key_that_comes_later(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan says that it cannot be decided and what will happen; the next run reads the files again, and each record is there once and is updated by its key."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, database="env:TREATY_DATABASE")
    system = tmp_path / SYSTEM
    keyed = system.read_text(encoding="utf-8")
    assert KEY in keyed
    system.write_text(keyed.replace(KEY, ""), encoding="utf-8")
    inbox = tmp_path / "inbox/store"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "1.csv").write_text("id;name;size\nA-1;ball;3\nA-2;box;4\n;lamp;5\n", encoding="utf-8")
    assert treaty.run(tmp_path).ok
    before = treaty.records("thing", tmp_path).select(["_id", "code", "name"]).sort_by("code").to_pylist()
    assert ["A-1", "A-2"] == [each["code"] for each in before]

    system.write_text(keyed, encoding="utf-8")
    plan = treaty.plan(tmp_path)
    assert "unknown" == plan.plan_class
    assert ["the stream store/things has a key now: what has landed without one goes into quarantine until the next run has read it again"] == [
        text for change in plan.changes for text in change.undecided
    ]
    treaty.apply(plan.plan_id, project=tmp_path)
    assert 0 == len(treaty.records("thing", tmp_path))
    assert treaty.run(tmp_path).ok
    assert before == treaty.records("thing", tmp_path).select(["_id", "code", "name"]).sort_by("code").to_pylist()
    assert [("required", 1)] == [(each.reason, each.records) for each in treaty.quarantine_groups(tmp_path)], "the lamp has no key in the file either"
    (inbox / "1.csv").write_text("id;name;size\nA-1;globe;3\nA-2;box;4\n", encoding="utf-8")
    assert treaty.run(tmp_path).ok
    assert ["globe", "box"] == treaty.records("thing", tmp_path).sort_by("code").column("name").to_pylist()
    assert treaty.verify(tmp_path).ok
    again = treaty.run(tmp_path)
    assert [0] == [stream.landed for flow in again.flows for stream in flow.streams]
