"""A chunk too large for memory is written as it is computed: its wide files serve contributions, golden records and cross-references."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_project import write_small_project

import treaty
from treaty.flows import conforming

FIRST = "id;name;size\nA-1;ball;3\nA-2;box;many\nA-3;tower;30\nA-3;tower;31\nA-4;pin;\n"
SECOND = "id;name;size\nA-1;ball;4\nA-2;box;2\nA-3;tower;31\nA-5;peg;5\n"


def golden(root: Path) -> list[dict[str, Any]]:
    """Return the golden things, by their first fields, without their ids."""
    rows = treaty.records("thing", root).to_pylist()
    return sorted(({key: row[key] for key in row if not key.startswith("_")} for row in rows), key=repr)


def run_both(root: Path) -> list[list[dict[str, Any]]]:
    """Land two files one after the other under one name; return the golden records after each."""
    inbox = root / "inbox" / "store"
    inbox.mkdir(parents=True, exist_ok=True)
    after = []
    for text in (FIRST, SECOND):
        (inbox / "things.csv").write_text(text, encoding="utf-8")
        assert treaty.run(root).ok
        assert treaty.verify(root).ok
        after.append(golden(root))
    return after


def test_large_chunks_come_to_what_small_ones_do(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """First load, repeated keys, a quarantined row, changes and a new row: the same golden records by either way, and verify is ok."""
    found = []
    for name, most in (("small", 1_000), ("large", 0)):
        monkeypatch.setenv("TREATY_DATABASE", new_database())
        monkeypatch.setattr(conforming, "ROWS_IN_MEMORY", most)
        write_small_project(tmp_path / name, database="env:TREATY_DATABASE")
        found.append(run_both(tmp_path / name))
    assert found[0] == found[1]
    assert len(found[0][0]) == 3
