"""Compares what two worlds hold: the lake, its files, the ledger and the deliveries, cell by cell.

Only what is listed here is left out, since it says when or by which process something was done, not what is so: clock columns, the
names of stored files (a batch and a process are in them), and how often and by which run a delivery was tried. Batch numbers have gaps
after a kill, so each is compared by its place among those committed. Identifiers of records are compared as they are: none may come
from a clock or from chance.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import psycopg
from tests.chaos.world import World

CLOCK_COLUMNS = {
    "landed_*": {"_received_at"},
    "contribution_*": {"_received_at"},
    "golden_*": {"_valid_from"},
    "golden_end_*": {"_valid_to"},
    "xref": {"_valid_from"},
    "xref_end": {"_valid_to"},
    "receipt": {"_received_at"},
    "quarantine": {"opened_at"},
    "batch": {"started_at", "finished_at"},
    "applied": {"applied_at"},
    "treaty.delivery": {"created_at", "updated_at"},
    "treaty.sink_progress": {"updated_at"},
    "treaty.issue": {"opened_at", "closed_at"},
}
PROCESS_COLUMNS = {"object": {"path"}, "treaty.delivery": {"attempts", "run_id"}, "treaty.issue": {"issue_id"}}
BATCH_COLUMNS = {"_batch", "golden_batch"}
BATCHES_INSIDE = {("cursor", "position"), ("batch", "versions")}  # JSON with batch numbers under "batch" and in "references"
APP_TABLES = ("treaty.delivery", "treaty.sink_progress", "treaty.issue")
KINDS = ("golden_end", "golden", "contribution", "landed")  # of tables that there are several of, the longest name first

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Holdings:
    """Every row of every table as text, how many files are in each folder, and what ``verify`` says of it all."""

    tables: Mapping[str, Counter[Row]]
    files: Mapping[str, int]
    problems: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(counted.total() for counted in self.tables.values())


@dataclass(frozen=True, slots=True)
class _Raw:
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


def compare_lakes(undisturbed: Holdings, disturbed: Holdings) -> list[str]:
    """Return what differs, a sentence each; nothing if the two hold the same."""
    found = [f"verify: {problem}" for problem in disturbed.problems]
    for folder in sorted({*undisturbed.files, *disturbed.files}):
        before, after = undisturbed.files.get(folder, 0), disturbed.files.get(folder, 0)
        if before != after:
            found.append(f"{folder} has {after} files, not {before}")
    for table in sorted({*undisturbed.tables, *disturbed.tables}):
        wanted, there = undisturbed.tables.get(table, Counter()), disturbed.tables.get(table, Counter())
        found += [f"{table} lacks {count} of {row}" for row, count in list((wanted - there).items())[:3]]
        found += [f"{table} has {count} more of {row}" for row, count in list((there - wanted).items())[:3]]
    return found


def read_holdings(world: World) -> Holdings:
    """Sweep without patience, then read all that stands in a world's lake and databases, and prove its sums."""
    from treaty.lake.scope import AllClients
    from treaty.lake.sweep import sweep
    from treaty.operations.verify import verify
    from treaty.project.declarations import Limits
    from treaty.sessions import open_session
    from treaty.settings import RuntimeSettings

    raw: dict[str, _Raw] = {}
    with open_session(world.state, None, Limits(), RuntimeSettings(threads=1, orphan_age_seconds=0)) as session:
        sweep(session, AllClients("chaos"), youngest_seconds=0)
        for (name,) in session.duck.execute("select distinct table_name from duckdb_columns() where database_name = 'lake'").fetchall():
            result = session.duck.execute(f"select * from lake.{name}")
            raw[name] = _Raw(tuple(each[0] for each in result.description), result.fetchall())
    with psycopg.connect(world.database("treaty")) as connection:
        raw |= {name: _read(connection, name) for name in APP_TABLES}
    if "ledger" in world.databases:
        with psycopg.connect(world.database("ledger")) as connection:
            tables = connection.execute("select table_schema || '.' || table_name from information_schema.tables where table_schema = 'ledger'")
            raw |= {name: _read(connection, name) for (name,) in tables.fetchall()}
    raw["treaty.delivery"] = _without_chance(raw["treaty.delivery"], world.doubling)
    committed = sorted(row[raw["batch"].columns.index("_batch")] for row in raw["batch"].rows)
    places = {0: 0, -1: -1} | {number: place for place, number in enumerate(committed, 1)}
    normal = {name: Counter(_normal(name, each, places)) for name, each in raw.items()}
    return Holdings(normal, _files(world), verify(world.root).problems)


def _read(connection: psycopg.Connection[tuple[Any, ...]], table: str) -> _Raw:
    cursor = connection.execute(f"select * from {table}".encode())
    return _Raw(tuple(each.name for each in cursor.description or ()), cursor.fetchall())


def _without_chance(deliveries: _Raw, doubling: Set[str]) -> _Raw:
    """Return deliveries without what depends on the moment of a kill: whether a record was found at the sink, and which double's id came last."""
    found = []
    for row in deliveries.rows:
        cells = dict(zip(deliveries.columns, row, strict=True))
        cells |= {"message": "", "remote_id": None} if cells["sink"] in doubling else {}
        found.append(tuple((cells | ({"message": ""} if cells["message"] == "found there" else {})).values()))
    return _Raw(deliveries.columns, found)


def _normal(table: str, raw: _Raw, places: Mapping[int, int]) -> list[Row]:
    """Return the rows as texts, less what is left out; a batch that was never committed is said to be so."""
    kind = next((f"{each}_*" for each in KINDS if table.startswith(f"{each}_")), table)
    left_out = CLOCK_COLUMNS.get(kind, set()) | PROCESS_COLUMNS.get(kind, set())
    return [
        tuple(
            f"{name}={_cell(table, name, value, places)}"
            for name, value in zip(raw.columns, row, strict=True)
            if name not in left_out and value is not None
        )
        for row in raw.rows
    ]


def _cell(table: str, name: str, value: Any, places: Mapping[int, int]) -> Any:
    if name in BATCH_COLUMNS:
        return places.get(value, f"never committed: {value}")
    if (table, name) not in BATCHES_INSIDE:
        return value
    said = json.loads(value)
    if "batch" in said:
        said["batch"] = places.get(said["batch"], f"never committed: {said['batch']}")
    if "references" in said:
        said["references"] = {stream: places.get(number, f"never committed: {number}") for stream, number in said["references"].items()}
    return json.dumps(said, sort_keys=True)


def _files(world: World) -> Mapping[str, int]:
    """Count the files of the object store by folder. How many the lake has depends on when it was compacted; the sweep has removed what nothing refers to."""
    found = [path for path in (world.state / "objects").rglob("*") if path.is_file()]
    return Counter(str(path.parent.relative_to(world.state)) for path in found)
