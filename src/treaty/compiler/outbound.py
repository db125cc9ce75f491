"""Compiles an outbound mapping: golden records of a model → the columns of a sink's stream."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from treaty.compiler import ir
from treaty.compiler.building import Builder
from treaty.compiler.decisions import FUNCTIONS_VERSION, definitions_used
from treaty.compiler.types import BOOLEAN, parse_type, type_of
from treaty.project.declarations import ClientProject
from treaty.project.findings import Finding


@dataclass(frozen=True, slots=True)
class SinkColumn:
    """One column of the sink, and the expression over the golden record that fills it."""

    name: str
    node: ir.Node
    text: str


@dataclass(frozen=True, slots=True)
class CompiledOutbound:
    """One outbound mapping of one client. ``where`` is over the golden record's fields."""

    name: str
    client: str
    model: str
    sink: str  # system/stream
    columns: tuple[SinkColumn, ...]
    where: ir.Node | None
    key: tuple[str, ...]
    delete: str
    mode: str
    baseline: bool
    version: str
    findings: tuple[Finding, ...]


def compile_outbound(project: ClientProject, name: str) -> CompiledOutbound:
    """Compile an outbound mapping by name; the result carries every Finding, errors included."""
    mapping = project.mappings[name]
    contract = project.models.get(mapping.from_)
    properties = contract.properties if contract else ()
    types = {each.name: parse_type(type_of(each)) for each in properties}
    builder = Builder(project, mapping.at, outbound=types, looks_up=False)
    if contract is None:
        builder.unknown("model", mapping.from_, project.models, "from")
    if project.stream(mapping.to) is None:
        builder.unknown("stream", mapping.to, [f"{s.name}/{n}" for s in project.systems.values() for n in s.streams], "to")
    columns = []
    for column, written in mapping.fields.items():
        if written.each is not None or written.with_ is not None:
            builder.find("type-error", "a sink's column is one value", f"fields.{column}", "Name the group itself to send it whole.")
            continue
        node = builder.cell(written.cell or "null", f"fields.{column}")
        if node is not None:
            columns.append(SinkColumn(column, node, written.cell or "null"))
    for column in mapping.key:
        if column not in mapping.fields:
            builder.unknown("field", column, mapping.fields, "key")
    fields: dict[str, ir.Node] = {each: ir.Param(each, kind) for each, kind in types.items()}
    where = builder.expression(mapping.where, fields, "where", BOOLEAN) if mapping.where else None
    used = definitions_used(*(each.node for each in columns), *([where] if where is not None else []))
    what = (FUNCTIONS_VERSION, [(each.name, each.node) for each in columns], where, mapping.key, mapping.delete, mapping.mode, used)
    version = hashlib.sha256(repr(what).encode()).hexdigest()
    return CompiledOutbound(
        name, project.client, mapping.from_, mapping.to, tuple(columns), where, mapping.key, mapping.delete, mapping.mode,
        mapping.baseline, version, tuple(builder.findings),
    )  # fmt: skip
