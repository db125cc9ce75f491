"""A project with a stream and a mapping for each hostile format, and what became of each record of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from small_project import IDENTITY
from tests.cases.hostile import Format

from treaty.lake.names import contribution_table, lake_table, landed_table
from treaty.operations.workspace import find_workspace

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
