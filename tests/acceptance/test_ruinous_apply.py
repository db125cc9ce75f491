"""A mistyped path is no decision: what would send most records into quarantine is refused, and what was canonical stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_project import write_small_project

import treaty

THINGS = "id;name;size\nA-1;ball;3\nA-2;box;4\nA-3;tower;30\n"


def test_mistyped_column_leaves_golden_records_alone(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Applying a mapping that reads a column nobody sends tells what it would do and changes nothing; mended, it is applied."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, database="env:TREATY_DATABASE")
    inbox = tmp_path / "inbox" / "store"
    inbox.mkdir(parents=True)
    (inbox / "things.csv").write_text(THINGS, encoding="utf-8")
    assert treaty.run(tmp_path).ok
    mapping = tmp_path / "mappings" / "store.things.yaml"
    right = mapping.read_text(encoding="utf-8")
    mapping.write_text(right.replace("code: id", "code: idd"), encoding="utf-8")
    refused = treaty.run(tmp_path, apply=True)
    assert not refused.ok
    assert "3 of 3 canonical records" in refused.flows[0].problems[0].message
    assert len(treaty.records("thing", tmp_path)) == 3
    assert treaty.verify(tmp_path).ok
    mapping.write_text(right, encoding="utf-8")
    assert treaty.run(tmp_path, apply=True).ok
    assert len(treaty.records("thing", tmp_path)) == 3
