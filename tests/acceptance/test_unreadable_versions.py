"""Records whose version cannot be read have no place among the versions of their key: they wait in quarantine, and never end silently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_project import write_small_project

import treaty

SYSTEM = "systems/store.yaml"
HEAD = "id;name;size;at\n"


@pytest.fixture
def project(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose stream is ordered by a timestamp in the column ``at``."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, database="env:TREATY_DATABASE")
    declare(tmp_path, "iso_timestamp(at)")
    return tmp_path


def declare(project: Path, version: str, deletes: str = "") -> None:
    """Declare how versions, and deletes, are told."""
    write_small_project(project, database="env:TREATY_DATABASE")
    system = project / SYSTEM
    told = f"    key: [id]\n    version: {version}\n{deletes}"
    system.write_text(system.read_text(encoding="utf-8").replace("    key: [id]\n", told), encoding="utf-8")


def run(project: Path, name: str, *rows: str) -> dict[str, str]:
    """Run with one more file; return the name of each thing by its code. Everything must be accounted for."""
    inbox = project / "inbox/store"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / name).write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    assert treaty.run(project, apply=True).ok
    assert treaty.verify(project).ok
    return {each["code"]: each["name"] for each in treaty.records("thing", project).to_pylist()}


def waiting(project: Path) -> list[tuple[str, str, str, str, int]]:
    """Return the reason, source key, value, file and record of what is in quarantine."""
    found = [
        (row["rule"], row["source_key"], row["value"], row["origin"], row["record"])
        for group in treaty.quarantine_groups(project)
        for row in treaty.quarantine_records(group.group, project).to_pylist()
    ]
    return sorted(found)


def test_an_unreadable_version_waits_until_a_newer_one_lands(project: Path) -> None:
    """It is quarantined with its place, beside other versions or alone; a late older one leaves it there, one that is the newest after it takes its place."""
    assert {"A": "ball", "C": "plain"} == run(project, "1.csv", "A;ball;3;2026-01-05T00:00:00Z", "B;alone;3;soon", "C;plain;3;")
    assert {"A": "ball", "C": "plain"} == run(project, "2.csv", "A;globe;4;soon")
    both = [("unreadable-version", "A", "soon", "2.csv", 1), ("unreadable-version", "B", "soon", "1.csv", 2)]
    assert both == waiting(project)
    assert "is in quarantine (the record: unreadable-version ('soon'))" in treaty.explain("thing", "A", project=project).ends
    assert {"A": "ball", "C": "plain"} == run(project, "3.csv", "A;older;3;2026-01-03T00:00:00Z")
    assert both == waiting(project)
    assert "ball" == run(project, "4.csv", "A;ball;3;2026-01-05T00:00:00Z")["A"]
    assert both[1:] == waiting(project), "what the source says again after it stands"
    assert {"A": "ball", "B": "found", "C": "plain"} == run(project, "5.csv", "B;found;3;2026-01-01T00:00:00Z")
    assert [] == waiting(project)
    assert [0] == [stream.landed for flow in treaty.run(project).flows for stream in flow.streams]


def test_an_unreadable_version_in_the_file_of_a_good_one(project: Path) -> None:
    """Where the newest good version stands behind it in the file it took its place; where it stands before, it waits."""
    assert {"A": "good", "B": "good"} == run(project, "1.csv", "A;bad;3;soon", "A;good;3;2026-01-05T00:00:00Z", "B;good;3;2026-01-05T00:00:00Z", "B;bad;3;soon")
    assert [("unreadable-version", "B", "soon", "1.csv", 4)] == waiting(project)


def test_a_version_that_the_project_learns_to_read(project: Path) -> None:
    """Once the stream's version says how it is written, what landed before is ordered by it and leaves quarantine."""
    assert {"A": "old"} == run(project, "1.csv", "A;old;3;2026-01-05T00:00:00Z", "A;new;3;06.01.2026", "B;late;3;07.01.2026")
    assert ["A", "B"] == [each[1] for each in waiting(project)]
    declare(project, "changed_on(at)")
    (project / "decisions/how-changes-are-dated.md").write_text(DATES, encoding="utf-8")
    assert {"A": "new", "B": "late"} == run(project, "2.csv", "A;older;3;02.01.2026")
    assert [] == waiting(project)


def test_an_unreadable_version_of_a_delete(project: Path) -> None:
    """A tombstone whose version cannot be read deletes nothing, and does not end silently either."""
    declare(project, "iso_timestamp(at)", "    deletes: {mode: tombstone, when: \"source('size') = 'gone'\"}\n")
    assert {"A": "ball"} == run(project, "1.csv", "A;ball;3;2026-01-05T00:00:00Z")
    assert {"A": "ball"} == run(project, "2.csv", "A;ball;gone;soon")
    assert [("unreadable-version", "A", "soon", "2.csv", 1)] == waiting(project)
    assert {} == run(project, "3.csv", "A;ball;gone;2026-01-06T00:00:00Z")
    assert [] == waiting(project)


def test_a_record_that_leaves_the_snapshot_after_an_unreadable_version(project: Path) -> None:
    """It is deleted, though what the source said of it last has no version."""
    declare(project, "iso_timestamp(at)", "    deletes: {mode: snapshot, guard: 90%}\n")
    assert {"A": "ball", "B": "box"} == run(project, "1.csv", "A;ball;3;2026-01-05T00:00:00Z", "B;box;3;2026-01-05T00:00:00Z")
    assert {"A": "ball", "B": "box"} == run(project, "1.csv", "A;globe;3;soon", "B;box;3;2026-01-05T00:00:00Z")
    assert {"B": "box"} == run(project, "1.csv", "B;box;3;2026-01-05T00:00:00Z")
    assert [] == waiting(project)


DATES = """\
---
id: how-changes-are-dated
title: Changes are dated as ISO timestamps, or by a German day
status: accepted
date: 2026-11-21
decision-makers: [tests]
kind: transformation
governs: [thing.code]
function: "changed_on(text: string) -> date"
expression: case when contains(text, '.') then date_in(text, 'DD.MM.YYYY') else iso_date(substring(text, 1, 10)) end
examples:
  - {text: "06.01.2026", returns: 2026-01-06}
---

## Considered options

- only one of them: the system writes both

## Outcome

Both.
"""
