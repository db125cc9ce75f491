"""Where a golden record went: for each outbound mapping of its model the newest delivery, and what the sink was told of a field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from treaty.compiler import ir
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.lineage import walk
from treaty.compiler.outbound import CompiledOutbound, compile_outbound
from treaty.compiler.types import Type
from treaty.engines.duckdb.outbound import outbound_sql
from treaty.lake.names import quote_name
from treaty.operations.explaining.steps import Step
from treaty.project.declarations import ClientProject
from treaty.project.overlays import running_mappings
from treaty.sessions import Session

NOT_SENT = "not sent"


def delivery_steps(
    session: Session, project: ClientProject, model: str, canonical_id: str, field: str | None, types: Mapping[str, Type], fields: Mapping[str, Any], as_of: str
) -> Iterator[Step]:
    """Yield a step for each sink that takes the model, or the field of it, with the column's value worked out again."""
    for name in running_mappings(project):
        written = project.mappings[name]
        if written.inbound or written.from_ != model:
            continue
        mapping = compile_outbound(project, name)
        columns = [each for each in mapping.columns if field is None or _uses(each.node, field)]
        if field is not None and not columns:
            continue
        row = _shaped(session, mapping, types, fields, as_of)
        step: Step = {"step": "delivery", "sink": mapping.sink, "mapping": name, **_delivered(session, project.client, mapping.sink, canonical_id)}
        if not row["_wanted"]:
            step |= {"state": NOT_SENT, "message": f"`where: {written.where}` leaves this record out"}
        elif row["_held"]:
            step |= {"message": f"held: {row['_held']}"}
        if field is not None:
            step |= {"column": columns[0].name, "cell": columns[0].text, "value": row[columns[0].name]}
        yield step


def _uses(node: ir.Node, field: str) -> bool:
    return any(isinstance(each, ir.Param) and each.name == field for each in walk(node))


def _delivered(session: Session, client: str, sink: str, canonical_id: str) -> Step:
    row = session.as_client(client).execute(
        """select state, golden_version, key, op, attempts, message, updated_at, remote_id from treaty.delivery
           where client = %s and sink = %s and canonical_id = %s order by golden_version desc, revision desc limit 1""",
        (client, sink, canonical_id),
    ).fetchone()
    if row is None:
        return {"state": NOT_SENT, "version": None, "key": None, "message": "no delivery was derived yet: `treaty run` does it"}
    names = ("state", "version", "key", "op", "attempts", "message", "at", "remote_id")
    return dict(zip(names, row, strict=True))


def _shaped(session: Session, mapping: CompiledOutbound, types: Mapping[str, Type], fields: Mapping[str, Any], as_of: str) -> Mapping[str, Any]:
    """Return the sink's row of a golden record that was worked out again."""
    columns = ", ".join(f"{quote_name(name)} {duckdb_type(kind)}" for name, kind in types.items())
    session.duck.execute(f"create or replace temp table explained_record (_canonical_id UUID, {columns})")
    marks = ", ".join("?" for _ in range(len(types) + 1))
    session.duck.execute(f"insert into explained_record values ({marks})", [None, *(fields.get(name) for name in types)])
    cursor = session.duck.execute(outbound_sql(mapping, "select * from explained_record", as_of))
    names = [each[0] for each in cursor.description or ()]
    return dict(zip(names, cursor.fetchone() or (), strict=True))
