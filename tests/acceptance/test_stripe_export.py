"""The export of a Stripe account against the tables that a public dbt package makes of it: every cell, and the source bytes of each that differs.

The project is `stripe_export/`: 21 tables of one list each, and six that are made of several lists.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import treaty
from treaty.project.findings import Severity

PROJECT = Path(__file__).parent / "stripe_export"
MATERIAL = Path(__file__).parents[3] / "shared" / "data" / "saas" / "stripe"
KEYS = {
    "stg_stripe__fee": ("balance_transaction_id", "index"),
    "stg_stripe__payout_balance_transaction": ("payout_id", "balance_transaction_id"),
}  # else the first column
LEAST_RIGHT = Decimal("0.998")

pytestmark = pytest.mark.skipif(not MATERIAL.is_dir(), reason="the public export of ../shared/data is not here")


@dataclass(frozen=True)
class Difference:
    """A cell that is not as the public package has it, with the bytes of the source's row."""

    table: str
    key: tuple[str, ...]
    column: str
    known: str
    found: Any
    source: str

    def __str__(self) -> str:
        return f"{self.table} {'/'.join(self.key)} {self.column}: {self.found!r} is not {self.known!r}; the source has {self.source}"


def tables() -> list[str]:
    """Return the names of the tables that the project makes."""
    return sorted(path.stem for path in (PROJECT / "models").glob("*.yaml"))


def known(table: str) -> list[dict[str, str]]:
    """Return the rows that the public package makes."""
    with (MATERIAL / "golden" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def key_of(table: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what tells a row from the others of its table."""
    return tuple(str(row[name]) for name in KEYS.get(table, (next(iter(known(table)[0])),)))


def same(wanted: str, value: Any) -> bool:
    """Return whether a value is what a cell of the public table says; an empty cell is null."""
    if value is None or wanted == "":
        return value is None and wanted == ""
    if isinstance(value, bool):
        return wanted == str(value)
    if isinstance(value, int | Decimal):
        return Decimal(wanted) == value
    if isinstance(value, datetime):
        return datetime.fromisoformat(wanted) == value
    return bool(wanted == value)


def source_row(root: Path, table: str, key: tuple[str, ...], column: str) -> str:
    """Return the bytes of the row of the export that a cell was made of, as `explain` finds them."""
    landed = treaty.explain(table, "|".join(key), column, project=root).steps[0]
    content = (MATERIAL / "input" / landed["origin"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == landed["object"]
    return f"{landed['origin']} line {landed['line']}: {content[landed['byte'] :].splitlines()[0]!r}"


def compare(root: Path, table: str, wanted: list[dict[str, str]]) -> Iterator[Difference]:
    """Yield the cells of a table that differ; a row that is not there differs in all its cells."""
    found = {key_of(table, each): each for each in treaty.records(table, root).to_pylist()}
    for row in wanted:
        key = key_of(table, row)
        record = found.pop(key, None)
        for column, cell in row.items():
            if record is None:
                yield Difference(table, key, column, cell, "no record", "no row")
            elif not same(cell, record[column]):
                yield Difference(table, key, column, cell, record[column], source_row(root, table, key, column))
    for key in found:
        yield Difference(table, key, "", "no row", "a record", source_row(root, table, key, next(iter(wanted[0]))))


def make_project(folder: Path) -> Path:
    """Copy the project, and have its system read the export where it is."""
    root = folder / "stripe-export"
    shutil.copytree(PROJECT, root)
    system = root / "systems" / "export.yaml"
    system.write_text(system.read_text(encoding="utf-8").replace("FOLDER", f'"{MATERIAL / "input"}"'), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, run once over the whole export."""
    root = make_project(tmp_path_factory.mktemp("stripe"))
    assert treaty.run(root).ok
    return root


def test_project_is_right(tmp_path: Path) -> None:
    """The project has no errors, and makes at least twelve tables of one list and three of several."""
    found = treaty.check(make_project(tmp_path)).findings
    assert [] == [str(each) for each in found if each.severity is Severity.ERROR]
    assert len([name for name in tables() if name.startswith("stg_")]) >= 12
    assert len([name for name in tables() if not name.startswith("stg_")]) >= 3


@pytest.mark.slow
def test_cells_are_those_of_the_public_package(project: Path) -> None:
    """At least 99.8 % of the cells of each kind of table are right, and none is wrong without its source bytes."""
    for of_one_list in (True, False):
        chosen = {name: known(name) for name in tables() if name.startswith("stg_") == of_one_list}
        cells = sum(len(row) for rows in chosen.values() for row in rows)
        wrong = [each for name, rows in chosen.items() for each in compare(project, name, rows)]
        print(f"{len(chosen)} tables, {cells} cells, {len(wrong)} differ", *wrong, sep="\n")
        assert 1 - Decimal(len(wrong)) / cells >= LEAST_RIGHT, "\n".join(map(str, wrong))


@pytest.mark.slow
def test_a_wrong_cell_is_told_with_its_source_bytes(project: Path) -> None:
    """What differs from a known table is told with the row of the export as it was sent: here another amount is said to be right."""
    wanted = known("stg_stripe__charge")
    key, wanted[3]["amount"] = (wanted[3]["charge_id"],), "1"
    [difference] = compare(project, "stg_stripe__charge", wanted)
    assert (key, "amount", "1") == (difference.key, difference.column, difference.known)
    assert f"b'{key[0]},2021-" in difference.source
    assert f",{difference.found}," in difference.source


@pytest.mark.slow
def test_everything_is_accounted_for(project: Path) -> None:
    """Each row of the export has one state in each mapping that reads it."""
    assert treaty.verify(project).ok
