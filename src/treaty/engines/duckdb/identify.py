"""What landing computes of a record before it is conformed: its source key, version and whether it is a delete.

Each is one expression over the physical columns of the arriving rows, since landing runs them where it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledStream
from treaty.engines.duckdb.conform import RecordReader, sources_of
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.paths import joined_key, text_of
from treaty.engines.duckdb.scalars import render_value
from treaty.project.formats import shape_of_format


@dataclass(frozen=True, slots=True)
class Identification:
    """SQL over arriving rows: ``key`` (VARCHAR; null where a part is missing), ``version`` (BIGINT or NULL), ``delete`` (BOOLEAN)."""

    key: str
    version: str
    delete: str


def identify(stream: CompiledStream, inputs: Inputs) -> Identification:
    """Return the expressions for one stream; ``inputs.columns`` are the columns of the arriving rows."""
    nodes = [*stream.key, *([stream.version] if stream.version else []), *([stream.tombstone] if stream.tombstone else [])]
    if shape_of_format(stream.format) == "json":  # what is an array is not known yet, so every step may be one
        inputs = replace(inputs, lists=frozenset(steps for path in sources_of(nodes)[0] for steps in _prefixes(path)))
    reader = RecordReader(stream, nodes, inputs, inline=True)

    def columns(node: ir.Node) -> str | None:
        if isinstance(node, ir.Source):
            place = reader.source(node.path)
            text = text_of(place, empty_is_null=stream.empty_is_null)
            return f"CASE WHEN len({text}) = 1 THEN ({text})[1] END" if place.many else text
        if isinstance(node, ir.Present):
            return reader.present(node.path)
        if isinstance(node, ir.ReceivedAt):
            return "_received_at"
        return None

    parts = [f"CAST({render_value(node, columns)} AS VARCHAR)" for node in stream.key]
    key = joined_key(parts) if parts else "CAST(NULL AS VARCHAR)"
    version = "CAST(NULL AS BIGINT)" if stream.version is None else _as_number(render_value(stream.version, columns), str(stream.version.type))
    delete = "false" if stream.tombstone is None else f"coalesce({render_value(stream.tombstone, columns)}, false)"
    return Identification(key, version, delete)


def _prefixes(path: ir.SourcePath) -> list[tuple[str, ...]]:
    names = tuple(step.name for step in path.steps)
    return [names[:length] for length in range(1, len(names) + 1)]


def _as_number(value: str, kind: str) -> str:
    if kind in ("timestamp", "local_timestamp", "date"):
        return f"epoch_us({value})"
    return f"try_cast({value} AS BIGINT)"
