"""Every rule flags what it should, at its place, and nothing in the project that is right.

A case folder holds the files that differ from ``rules/base``.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

from treaty.project.declarations import ClientProject, DecisionRecord
from treaty.project.findings import Finding
from treaty.project.loading import Project, load_project_files
from treaty.rules.checking import RULES, check_project
from treaty.rules.interface import CheckedProject, ExampleFailure

CASES = Path(__file__).parents[2] / "cases" / "projects" / "rules"
CODES = [rule.code for rule in RULES]
AS_OF = date(2026, 11, 21)


def load_case(*folders: Path) -> Project:
    """Load the base project with the files of a case laid over it."""
    files = {}
    for folder in folders:
        files |= {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return load_project_files(files)


def run_examples(view: ClientProject, decisions: tuple[DecisionRecord, ...]) -> tuple[ExampleFailure, ...]:
    """Stand in for the engine: an amount of 1,50 is 1.50 (the engines' own tests run examples for real)."""
    return tuple(
        ExampleFailure(each.id, number, str(example["returns"]), "1.50")
        for each in decisions
        for number, example in enumerate(each.examples)
        if example.get("text") == "1,50" and str(example["returns"]) != "1.50"
    )


def check_case(*folders: Path) -> tuple[Finding, ...]:
    """Check the base project with the files of a case laid over it."""
    return check_project(load_case(*folders), AS_OF, run_examples)


def test_base_is_clean() -> None:
    """The base of all cases has no finding at all."""
    assert () == check_case(CASES / "base")


@pytest.mark.parametrize("code", CODES)
def test_flagged(code: str) -> None:
    """The flagged case has this rule's finding where the label says, with a remedy."""
    labels = yaml.safe_load((CASES / code / "expected.yaml").read_text())["findings"]
    found = [each for each in check_case(CASES / "base", CASES / code / "flagged") if each.code == code]
    expected = [(each["file"], each["line"], each["column"]) for each in labels]
    assert expected == [(each.position.file, each.position.line, each.position.column) for each in found]
    assert all(each.message and each.remedy for each in found)


@pytest.mark.parametrize("code", CODES)
def test_clean(code: str) -> None:
    """The clean case has no finding of any rule."""
    assert () == check_case(CASES / "base", CASES / code / "clean")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_rules_say_what_and_why(rule: type) -> None:
    """A rule has its title, why and remedy, and its code is its own."""
    assert rule.title  # type: ignore[attr-defined]
    assert rule.why  # type: ignore[attr-defined]
    assert rule.remedy  # type: ignore[attr-defined]
    assert 1 == CODES.count(rule.code)  # type: ignore[attr-defined]


def test_no_review_without_a_day() -> None:
    """Without a day nothing that depends on it is found."""
    project = load_case(CASES / "base", CASES / "review-overdue" / "flagged")
    assert () == check_project(project)
    assert {} != CheckedProject(project).client_views
