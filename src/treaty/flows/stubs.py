"""Lands the stubs that are wanted: one for each value that a living record refers to and no record of any system has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping

from treaty.compiler.mapping import compile_stream
from treaty.connectors.batches import document_batches
from treaty.connectors.interface import Arrival, Cursor, Rows
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.identify import Identification, identify
from treaty.flows.landing import Extracted
from treaty.lake.arrivals import LastArrival
from treaty.lake.current import ModelTables, latest_xref
from treaty.lake.landing import LandingRequest, land
from treaty.lake.names import column_name, golden_table, landed_table
from treaty.lake.refusals import ReadingMapping
from treaty.lake.relationships import references_sql, relationships
from treaty.lake.schema import table_columns
from treaty.lake.scope import OneClient
from treaty.project.declarations import ClientProject, EntityMapping
from treaty.project.stubs import STUB
from treaty.sessions import Session


def land_stubs(session: Session, project: ClientProject, mapping: EntityMapping, reading: ReadingMapping) -> Extracted:
    """Land all stubs of one target that are wanted now; those that are not any more are deleted."""
    stream, compiled = mapping.from_.partition("/")[2], compile_stream(project, mapping.from_)
    assert compiled is not None, "the stream of stubs is built in"
    wanted = _wanted(session, project, mapping)
    if not wanted and table_columns(session, landed_table(STUB, stream)) is None:
        return Extracted(mapping.from_)
    documents = [json.dumps({"value": each}, ensure_ascii=False).encode() for each in wanted]

    def identity(columns: tuple[str, ...] | None) -> Identification:
        return identify(compiled, Inputs("1970-01-01", column_name, frozenset()))

    def read(cursor: Cursor, last: Mapping[str, LastArrival]) -> Iterator[Arrival]:
        content = b"\n".join(documents)
        digest = hashlib.sha256(content).hexdigest()
        if last.get("wanted") is None or last["wanted"].sha256 != digest:
            yield Arrival(
                origin="wanted", content=content, sha256=digest, size_bytes=len(content),
                records=Rows(document_batches(enumerate(documents, 1)), None), cursor={}, complete_snapshot=True,
            )  # fmt: skip

    request = LandingRequest(STUB, stream, identity, snapshot_deletes=True, accept_deletes=True, mappings=(reading,))
    result = land(session, OneClient(project.client), request, read)
    return Extracted(mapping.from_, result.landed, result.unchanged, result.arrivals, result.refused, batches=tuple(result.batches))


def _wanted(session: Session, project: ClientProject, mapping: EntityMapping) -> list[str]:
    """Return the values that records refer to by one field of a model and that no golden record has, but for stubs."""
    (field,) = mapping.fields
    found: set[str] = set()
    scope, targets = OneClient(project.client), ModelTables(mapping.to)
    members = f"select _canonical_id from ({latest_xref(targets, project.client)}) where not ended group by 1 having bool_and(_system = '{STUB}')"
    stubs = "select null::uuid where false" if table_columns(session, golden_table(mapping.to)) is None else members
    for model in project.models:
        for each in relationships(project, model):
            if each.missing != STUB or (each.target, each.target_field) != (mapping.to, field) or table_columns(session, golden_table(model)) is None:
                continue
            rows = session.duck.execute(f"""
                select distinct value from ({references_sql(session, scope, each)})
                where candidates = 0 or target_id in ({stubs})""").fetchall()
            found |= {row[0] for row in rows}
    return sorted(found)
