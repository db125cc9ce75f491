"""Conforms documents by a shipped pack on the engine alone: connector, compiled mapping, one query; no lake."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from treaty.compiler.mapping import compile_mapping
from treaty.connectors.files import FilesConnection, FilesSource
from treaty.connectors.interface import Refusal, Site, StreamRequest
from treaty.engines.duckdb.conform import conform_sql
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.structures import observed_lists
from treaty.project.declarations import ClientProject, Limits
from treaty.sessions.duckdb import open_engine
from treaty.settings import RuntimeSettings

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "einvoice"
MEMORY_MEGABYTES = 2_000  # DuckDB sets memory aside for each expression of this wide model, whatever the number of rows
LANDED = """
    SELECT uuid() AS _landed_id, 'main' AS _client, origin AS _source_key, 1::BIGINT AS _source_version, now() AS _received_at,
           'upsert' AS _op, 1::BIGINT AS _locator, 1::BIGINT AS _batch, payload
    FROM read_documents
"""


@dataclasses.dataclass(frozen=True)
class Conformed:
    """What became of the files of a folder: a row for each record by its file's name, and what was refused."""

    rows: Mapping[str, dict[str, Any]]
    refusals: tuple[Refusal, ...]


def conform_folder(project: ClientProject, mapping: str, folder: Path) -> Conformed:
    """Read all files of a folder as the mapping's stream does, and conform them in one query."""
    compiled = compile_mapping(project, mapping)
    assert [] == [str(each) for each in compiled.findings]
    system, stream = project.mappings[mapping].from_.split("/")
    streams = project.systems[system].streams
    source = FilesSource(FilesConnection(folder="."), Site(root=folder), streams.values())
    documents: list[tuple[str, str]] = []
    refusals: list[Refusal] = []
    for arrival in source.read(StreamRequest(system, stream, "main", streams[stream], {}, {}, Limits())):
        if arrival.records is not None:
            documents += [(arrival.origin, row["payload"]) for batch in arrival.records.batches for row in batch.to_pylist()]  # type: ignore[union-attr]
        refusals += arrival.refusals
    engine = open_engine(Limits(memory_megabytes=MEMORY_MEGABYTES), None, RuntimeSettings.from_environment())
    try:
        engine.register("read_documents", pa.table({"origin": [name for name, _ in documents], "payload": [text for _, text in documents]}))
        lists = observed_lists(engine, compiled.stream, compiled.roots, "SELECT payload FROM read_documents")
        found = engine.execute(conform_sql(compiled, LANDED, Inputs(as_of="2026-11-21", lists=lists)))
        names = [each[0] for each in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    finally:
        engine.close()
    return Conformed({row["_source_key"]: row for row in rows}, tuple(refusals))
