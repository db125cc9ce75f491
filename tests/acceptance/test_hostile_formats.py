"""Hostile files of every format through land, conform and disposition: each record ends in the state that its case says, and the sums hold (D1 to D17; I2)."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hostile_project import read_outcomes, write_project
from tests.cases.hostile import Case, Format, Outcome

import treaty

GROUPS = {  # the formats of one project: one for each shape of records by default, the others in `make test-all`
    "shapes": ("csv", "jsonl", "xml"),
    "others": ("json", "parquet", "excel", "edifact", "x12"),
}
FORMATS: dict[str, list[Format]] = {
    group: [importlib.import_module(f"tests.cases.hostile.{name}").FORMAT for name in names] for group, names in GROUPS.items()
}
MARKS = {"others": (pytest.mark.slow,)}
PROJECTS = [pytest.param(group, id=group, marks=MARKS.get(group, ())) for group in GROUPS]
CASES = [
    pytest.param(group, each, case, id=f"{each.name}-{case.name}", marks=MARKS.get(group, ()))
    for group, formats in FORMATS.items()
    for each in formats
    for case in each.cases
]


@dataclass(frozen=True, slots=True)
class Found:
    """What became of all records: for each file its outcomes in their order, and the golden records they came to; what `verify` says."""

    outcomes: Mapping[str, list[dict[str, Any]]]
    problems: tuple[str, ...]


@pytest.fixture(scope="module")
def run_of(tmp_path_factory: pytest.TempPathFactory, make_new_database: Callable[[], str]) -> Callable[[str], Found]:
    """Run all cases of a group of formats, once."""

    @functools.cache
    def run(group: str) -> Found:
        root = tmp_path_factory.mktemp("hostile")
        write_project(root, FORMATS[group])
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("TREATY_DATABASE", make_new_database())
            assert treaty.run(root).ok
            return Found(read_outcomes(root, FORMATS[group]), treaty.verify(root).problems)

    return run


@pytest.mark.parametrize(("group", "kind", "case"), CASES)
def test_hostile_input_ends_as_its_case_says(run_of: Callable[[str], Found], group: str, kind: Format, case: Case) -> None:
    """Each record is canonical with its values, superseded, a duplicate, or in quarantine for its reason; nothing is lost and nothing raises."""
    rows = run_of(group).outcomes.get(kind.file_of(case), [])
    assert list(case.expected) == [seen(row, wanted) for row, wanted in zip(rows, [*case.expected, *[""] * len(rows)], strict=False)]
    if case.golden is not None:
        assert case.golden == len({row["golden"] for row in rows if row["golden"]})


def seen(row: Mapping[str, Any], wanted: Outcome) -> Outcome:
    """Return what became of a record, as an expectation says it."""
    if isinstance(wanted, dict) and row["state"] == "canonical":
        return {name: row[name] for name in wanted}
    if row["state"] == "canonical" and row["reason"]:
        return f"null: {row['reason']}"
    return str(row["reason"] if row["state"] == "quarantined" else row["state"])


@pytest.mark.parametrize("group", PROJECTS)
def test_everything_is_accounted_for(run_of: Callable[[str], Found], group: str) -> None:
    """Over all of it the sums hold (I2)."""
    assert () == run_of(group).problems


def test_each_danger_has_a_case() -> None:
    """D1 to D17 each stand in some format; D12 is of YAML, which is configuration and no format of records."""
    letters = {letter for formats in FORMATS.values() for each in formats for case in each.cases for letter in case.tests.split()}
    assert {f"D{number}" for number in range(1, 18) if number != 12} == letters
