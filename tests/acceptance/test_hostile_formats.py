"""Hostile files of every format through land, conform and disposition: each record ends in the state that its case says, and the sums hold (D1 to D17; I2)."""

from __future__ import annotations

import functools
import importlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small_project import IDENTITY
from tests.cases.hostile import Case, Format, Outcome

import treaty
from treaty.lake.names import contribution_table, lake_table, landed_table
from treaty.operations.workspace import find_workspace

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
FIELDS = {"code": "string", "text": "string", "amount": "decimal(18,2)", "day": "date", "at": "timestamp"}
MODEL = """\
apiVersion: v3.1.0
kind: DataContract
id: thing
version: 1.0.0
status: active
schema:
  - name: thing
    logicalType: object
    physicalType: table
    properties:
"""
TREATY = """\
name: hostile
owners: {tests: tests@example.com}
limits: {record_bytes: 65536, parser_megabytes: 256}
environments:
  local: {deliver: false, database: env:TREATY_DATABASE}
"""


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


def write_project(root: Path, formats: Sequence[Format]) -> None:
    """Write a stream and a mapping for each stream of each format, and a file for each case."""
    properties = "".join(
        f'      - {{name: {name}, logicalType: {"string" if kind == "string" else "number" if kind[0] == "d" and kind != "date" else "date"}, physicalType: "{kind}"}}\n'
        for name, kind in FIELDS.items()
    )
    streams, mappings = "", []
    for each in formats:
        for name, told in each.streams.items():
            streams += f'  {name}: {{format: {each.name}, {told}files: "{name}/*"}}}}\n'
            fields = "".join(f"  {field}: {cell}\n" for field, cell in each.fields.items())
            write(root / f"mappings/store.{name}.yaml", f"from: store/{name}\nto: thing\nfields:\n{fields}")
            mappings.append(f"store.{name}")
        for case in each.cases:
            write(root / "inbox" / each.file_of(case), case.content)
    write(root / "treaty.yaml", TREATY)
    write(root / "models/thing.yaml", MODEL + properties)
    write(root / "systems/store.yaml", f"connector: files\nconnection: {{folder: inbox}}\nowner: tests\nstreams:\n{streams}")
    write(root / "flows/things.yaml", f"mappings: [{', '.join(mappings)}]\nowner: tests\n")
    write(root / "decisions/same-thing.md", IDENTITY.replace("[code]", "[fold(code)]"))


def write(path: Path, content: bytes | str) -> None:
    """Write a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def read_outcomes(root: Path, formats: Sequence[Format]) -> Mapping[str, list[dict[str, Any]]]:
    """Return what became of each file's records."""
    outcomes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    values = ", ".join(f"c.{name}::varchar as {name}" for name in FIELDS)
    with find_workspace(root).open() as session:
        for stream in (name for each in formats for name in each.streams):
            rows = session.duck.execute(f"""
                select r.origin, l._locator, coalesce(d.state, if(c._landed_id is null, 'pending', 'canonical')) as state, coalesce(q.rule, d.reason, c._notes[1].rule) as reason,
                    x._canonical_id::varchar as golden, {values}
                from {lake_table(landed_table("store", stream))} l join {lake_table("receipt")} r using (_receipt_id)
                left join (from {lake_table("disposition")} qualify row_number() over (partition by _landed_id order by _batch desc) = 1) d using (_landed_id)
                left join {lake_table("quarantine")} q using (_landed_id)
                left join {lake_table(contribution_table("thing"))} c using (_landed_id)
                left join (from {lake_table("xref")} qualify row_number() over (partition by _member_id order by _batch desc) = 1) x using (_member_id)
                order by r.origin, l._locator""")
            names = [each[0] for each in rows.description]
            for row in rows.fetchall():
                outcomes[row[0].partition("!")[0]].append(dict(zip(names, row, strict=True)))
    return outcomes


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
