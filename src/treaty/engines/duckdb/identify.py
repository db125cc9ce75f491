"""What landing computes of a record before it is conformed: its source key, version and whether it is a delete."""

from __future__ import annotations

from dataclasses import dataclass, replace

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledStream
from treaty.engines.duckdb.conform import frame_of, select_layers, sources_of
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.paths import joined_key
from treaty.project.formats import shape_of_format

ROWS = "@arriving rows@"


@dataclass(frozen=True, slots=True)
class Identification:
    """SQL over :meth:`over` of arriving rows: ``key`` (VARCHAR; null where a part is missing), ``version`` (BIGINT or NULL), ``delete`` (BOOLEAN)."""

    key: str
    version: str
    delete: str
    _rows: str  # with ROWS where the arriving rows stand

    def over(self, rows: str) -> str:
        """Return arriving rows with the columns that the three expressions use."""
        return self._rows.replace(ROWS, rows)


def identify(stream: CompiledStream, inputs: Inputs) -> Identification:
    """Return the expressions for one stream; ``inputs.columns`` are the columns of the arriving rows."""
    nodes = [*stream.key, *([stream.version] if stream.version else []), *([stream.tombstone] if stream.tombstone else [])]
    if shape_of_format(stream.format) == "json":  # what is an array is not known yet, so every step may be one
        inputs = replace(inputs, lists=frozenset(steps for path in sources_of(nodes)[0] for steps in _prefixes(path)))
    frame, reader = frame_of(stream, nodes, inputs)
    for node in nodes:
        frame.prepare(node)
    parts = [f"CAST({frame.value(node)} AS VARCHAR)" for node in stream.key]
    key = joined_key(parts) if parts else "CAST(NULL AS VARCHAR)"
    version = "CAST(NULL AS BIGINT)" if stream.version is None else _as_number(frame.value(stream.version), str(stream.version.type))
    delete = "false" if stream.tombstone is None else f"coalesce({frame.value(stream.tombstone)}, false)"
    return Identification(key, version, delete, select_layers(frame, reader, ROWS))


def _prefixes(path: ir.SourcePath) -> list[tuple[str, ...]]:
    names = tuple(step.name for step in path.steps)
    return [names[:length] for length in range(1, len(names) + 1)]


def _as_number(value: str, kind: str) -> str:
    if kind in ("timestamp", "local_timestamp", "date"):
        return f"epoch_us({value})"
    return f"try_cast({value} AS BIGINT)"
