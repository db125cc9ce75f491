"""Planted problems are found, all of them and nothing else; the labels were written before the checker was run."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from treaty.project.files import catalog_folder, shipped_packs
from treaty.project.loading import load_project, load_project_files
from treaty.rules.checking import check_project
from treaty.rules.interface import CheckedProject
from treaty.rules.mappings import HiddenDecision

CASES = Path(__file__).parents[2] / "cases" / "projects"
AS_OF = date(2026, 11, 21)
CELLS: list[dict[str, Any]] = yaml.safe_load((CASES / "hidden-decisions.yaml").read_text())
DECISIONS = ("legacy_amount", "upper_code", "segment")
DECISION = """---
id: {name}
title: How it is
status: accepted
date: 2026-01-01
kind: transformation
function: "{name}(text: string) -> string"
expression: upper(text)
---
"""
HOOK = 'import treaty\n\n\n@treaty.hook("vat_check(vat: string) -> boolean", pure=True)\ndef vat_check(vat):\n    return vat\n'


def test_exactly_the_planted_problems() -> None:
    """All 40 planted problems of 25 codes and more are found at their line and column, and nothing else."""
    labels = yaml.safe_load((CASES / "planted-labels.yaml").read_text())
    expected = {(each["file"], each["line"], each["column"], each["code"]) for each in labels}
    found = check_project(load_project(CASES / "planted"), AS_OF)
    places = [(each.position.file, each.position.line, each.position.column, each.code) for each in found]
    assert expected == set(places)
    assert 40 == len(labels) == len(places)
    assert len({code for *_, code in expected}) >= 25
    assert all(each.remedy for each in found)


def test_forty_labelled_cells() -> None:
    """There are at least forty labelled cells, some of them hidden decisions and some not."""
    assert len(CELLS) >= 40
    assert 15 < sum(1 for each in CELLS if each["hidden"]) < 30


@pytest.mark.parametrize("labelled", CELLS, ids=lambda labelled: labelled["cell"])
def test_hidden_decisions(labelled: dict[str, Any]) -> None:
    """A choosing function in a cell is a hidden decision; a path, a text or a decision's function is none."""
    files = {"treaty.yaml": b"name: case\n", "hooks/h.py": HOOK.encode()}
    files |= {f"decisions/{name}.md": DECISION.format(name=name).encode() for name in DECISIONS}
    cell = labelled["cell"]
    files["mappings/m.yaml"] = ("from: a/b\nto: c\nfields:\n  f: " + '"' + cell.replace("\\", "\\\\") + '"\n').encode()
    project = load_project_files(files)
    assert cell == project.mappings["m"].fields["f"].cell
    found = list(HiddenDecision().check(CheckedProject(project, AS_OF)))
    assert sorted(labelled["hidden"]) == sorted(each.message.partition("(")[0] for each in found)
    for each in found:
        name = each.message.partition("(")[0]
        assert cell[each.position.column - 7 :].startswith(f"{name}(")


@pytest.mark.parametrize("pack", shipped_packs())
def test_nothing_on_the_packs(pack: str) -> None:
    """A shipped pack has no finding."""
    assert () == check_project(load_project(catalog_folder() / pack), AS_OF)


def test_exactly_the_planted_problems_with_examples() -> None:
    """The whole check, which runs the decisions' examples on the engine, finds the same 40."""
    from treaty.operations.check import check

    labels = yaml.safe_load((CASES / "planted-labels.yaml").read_text())
    found = check(CASES / "planted", as_of=AS_OF).findings
    assert [(each["file"], each["line"], each["column"], each["code"]) for each in labels] == [
        (each.position.file, each.position.line, each.position.column, each.code) for each in found
    ]
