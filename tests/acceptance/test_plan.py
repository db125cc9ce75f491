"""Plan and apply over a small project: what a change would do, counted exactly, and done exactly so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_project import write_small_project

import treaty
from treaty.faults import forget_hits

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


def test_nothing_stays_of_a_plan(small: Path) -> None:
    """A plan that says no change has no entry; one that was made leaves the records and the sums as they were."""
    assert () == treaty.plan(small).changes
    before = treaty.records("thing", small).to_pylist()
    edit(small, "mappings/store.things.yaml", "name: thing_name(name)", "name: name")
    assert 3 == treaty.plan(small).changes[0].differences[0].fields.get("name", 0) + 2
    assert before == treaty.records("thing", small).to_pylist()
    assert treaty.verify(small).ok


def test_classes(small: Path) -> None:
    """Prose is cosmetic, a repaired record additive, a lost one breaking, a stream that is read otherwise unknown."""
    edit(small, "decisions/names-are-trimmed.md", "Trimmed, with slashes.", "Trimmed, and with slashes.")
    assert "cosmetic" == treaty.plan(small).plan_class
    edit(small, "decisions/things-without-size-are-small.md", "size is null and not failed(size)", "failed(size)")
    repaired = treaty.plan(small)
    (record,) = [each.differences[0].records for each in repaired.changes if each.what == "decision" and each.differences]
    assert ("additive", 1, 1) == (repaired.plan_class, record["added"], record["out_of_quarantine"])
    edit(small, "decisions/things-without-size-are-small.md", "failed(size)", "size > 20")
    edit(small, "decisions/things-without-size-are-small.md", 'treatment: normalise\nset: {size: "1"}', "treatment: quarantine")
    lost = treaty.plan(small)
    assert ("breaking", True) == (lost.plan_class, lost.fails)
    assert (1, 1) == (lost.changes[0].differences[0].records["removed"], lost.changes[0].differences[0].records["into_quarantine"])
    edit(small, "systems/store.yaml", "key: [id]", "key: [id, name]")
    unknown = treaty.plan(small)
    assert "unknown" == unknown.plan_class
    assert any("declared otherwise" in text for each in unknown.changes for text in each.undecided)


def test_stale_plans_are_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit, a new landing and another apply make a plan stale, which is named; half a comparison gives no verdict and cannot be applied."""
    edit(small, "mappings/store.things.yaml", "name: thing_name(name)", "name: name")
    first = treaty.plan(small)
    edit(small, "mappings/store.things.yaml", "name: name", "name: id")
    with pytest.raises(Exception, match="files of the project have changed"):
        treaty.apply(first.plan_id, small)
    second = treaty.plan(small)
    land(small, THINGS + "A-5;desk;7\n")
    assert treaty.run(small).ok
    with pytest.raises(Exception, match="something landed of main store/things"):
        treaty.apply(second.plan_id, small)
    third = treaty.plan(small)
    fourth = treaty.plan(small)
    assert treaty.apply(fourth.plan_id, small).changed
    with pytest.raises(Exception, match="since it was made, another project was applied. Nothing"):
        treaty.apply(third.plan_id, small)
    with pytest.raises(Exception, match="The plan was applied already, by "):
        treaty.apply(fourth.plan_id, small)
    edit(small, "mappings/store.things.yaml", "name: id", "name: name")
    forget_hits()
    monkeypatch.setenv("TREATY_FAULT", "plan.prepared:1:raise")
    half = treaty.plan(small)
    monkeypatch.delenv("TREATY_FAULT")
    assert (False, "unknown") == (half.complete, half.plan_class)
    with pytest.raises(Exception, match="no verdict"):
        treaty.apply(half.plan_id, small)
    rolled_back = treaty.apply(None, small, former=True)
    assert rolled_back.changed
    assert {"A-1": "ball", "A-2": "box", "A-3": "tower", "A-5": "desk"} == names(small)
    assert [True, False, False] == [each.current for each in treaty.applies(small)]
    assert treaty.verify(small).ok


def test_identity_equals_two_full_runs(small: Path, tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Other match keys merge what a lake of its own, run with them, has as one; what is applied then equals that lake, ids included."""
    land(small, "id;name;size\nB-1;ball;5\nB-2;lid;6\nB-3;lid;8\n", "things_later.csv")
    assert treaty.run(small).ok
    edit(small, "decisions/same-thing.md", "parts: [code]", "parts: [name]")
    before = {row["_id"]: row for row in treaty.records("thing", small).to_pylist()}
    plan = treaty.plan(small)
    other = tmp_path_factory.mktemp("fresh") / "project"
    shutil.copytree(small, other, ignore=shutil.ignore_patterns(".treaty"))
    url = os.environ["TREATY_DATABASE"]
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    assert treaty.run(other).ok
    fresh = {row["_id"]: row for row in treaty.records("thing", other).to_pylist()}
    monkeypatch.setenv("TREATY_DATABASE", url)
    fields = ("code", "name", "size")
    changed = [each for each in before.keys() & fresh.keys() if any(before[each][name] != fresh[each][name] for name in fields)]
    (difference,) = plan.changes[0].differences
    assert ("breaking", len(before.keys() - fresh.keys()), len(changed), 0) == (
        plan.plan_class, difference.records["merged"], difference.records["changed"], difference.records["added"]
    )  # fmt: skip
    assert difference.records["merged"] == 2
    treaty.apply(plan.plan_id, small)
    after = {row["_id"]: row for row in treaty.records("thing", small).to_pylist()}
    assert {key: [row[name] for name in fields] for key, row in fresh.items()} == {key: [row[name] for name in fields] for key, row in after.items()}
    assert treaty.verify(small).ok


SURVIVORSHIP = """\
---
id: which-name-counts
title: The store knows what a thing is called
status: accepted
date: 2026-11-21
decision-makers: [tests]
kind: survivorship
governs: [thing]
rules:
  - {prefer: [ORDER], fields: [name]}
---

## Considered options

- the catalogue
- the store

## Outcome

The store.
"""


@pytest.mark.slow
def test_survivorship_equals_two_full_runs(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another order of two systems changes the names on which they differ, and no other; what is applied equals a lake of its own, run with it."""
    folder, other = tmp_path / "project", tmp_path_factory.mktemp("fresh") / "project"
    url = new_database()
    monkeypatch.setenv("TREATY_DATABASE", url)
    write_small_project(folder, database="env:TREATY_DATABASE")
    (folder / "systems/index.yaml").write_text((folder / "systems/store.yaml").read_text().replace("inbox/store", "inbox/index"), encoding="utf-8")
    (folder / "mappings/index.things.yaml").write_text((folder / "mappings/store.things.yaml").read_text().replace("store/", "index/"), encoding="utf-8")
    edit(folder, "flows/things.yaml", "[store.things]", "[store.things, index.things]")
    (folder / "decisions/which-name-counts.md").write_text(SURVIVORSHIP.replace("ORDER", "store, index"), encoding="utf-8")
    land(folder, "id;name;size\nA-1;ball;3\nA-2;box;4\nA-3;tower;30\n")
    (folder / "inbox/index").mkdir()
    (folder / "inbox/index/things.csv").write_text("id;name;size\nA-1;globe;3\nA-2;box;4\nA-3;spire;30\nA-9;lid;1\n", encoding="utf-8")
    assert treaty.run(folder).ok
    assert {"A-1": "ball", "A-2": "box", "A-3": "tower", "A-9": "lid"} == names(folder)
    edit(folder, "decisions/which-name-counts.md", "store, index", "index, store")
    plan = treaty.plan(folder)
    (change,) = plan.changes
    (difference,) = change.differences
    assert ("value-changing", 2, {"name": 2}) == (plan.plan_class, sum(difference.records.values()), difference.fields)
    assert treaty.apply(plan.plan_id, folder).changed
    applied = treaty.records("thing", folder).to_pylist()
    assert treaty.verify(folder).ok
    shutil.copytree(folder, other, ignore=shutil.ignore_patterns(".treaty"))
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    assert treaty.run(other).ok
    assert treaty.records("thing", other).to_pylist() == applied
    assert {"A-1": "globe", "A-2": "box", "A-3": "spire", "A-9": "lid"} == names(other)


@pytest.mark.chaos
@pytest.mark.parametrize(
    "point", [*(pytest.param(each, marks=pytest.mark.slow) for each in ("plan.prepared", "apply.prepared", "commit.pre_commit")), "apply.pre_commit", "commit.post_commit"]
)
def test_killed_applies_leave_one_whole_truth(small: Path, point: str) -> None:
    """A killed apply leaves the old records whole, or once it is committed the new ones; the next run goes on from there (A1, F4)."""
    old = names(small)
    edit(small, "mappings/store.things.yaml", "name: thing_name(name)", "name: id")
    environment = {**os.environ, "TREATY_FAULT": f"{point}:1:kill"}
    plan = treaty.plan(small)
    done = subprocess.run([sys.executable, "-m", "treaty", "apply", plan.plan_id, "--project", str(small)], env=environment, capture_output=True, check=False, timeout=120)
    assert done.returncode == -9, done.stderr
    applied = point == "commit.post_commit"
    assert ({code: code for code in old} if applied else old) == names(small)
    assert treaty.run(small).ok
    assert treaty.verify(small).ok
    assert ({code: code for code in old} if applied else old) == names(small)
