"""What landing computes of a record before it is conformed: its source key, version and whether it is a delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledStream
from treaty.engines.duckdb.conform import frame_of, select_layers, sources_of, version_number
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.paths import joined_key
from treaty.project.formats import shape_of_format


@dataclass(frozen=True, slots=True)
class Identification:
    """Three expressions over what ``over`` makes of a query for arriving rows, which adds the columns that they use.

    ``key`` is VARCHAR, null where a part is missing; ``version`` BIGINT or null; ``delete`` BOOLEAN.
    """

    key: str
    version: str
    delete: str
    over: Callable[[str], str]


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
    version = "CAST(NULL AS BIGINT)" if stream.version is None else version_number(frame.value(stream.version), stream.version.type)
    delete = "false" if stream.tombstone is None else f"coalesce({frame.value(stream.tombstone)}, false)"
    return Identification(key, version, delete, partial(select_layers, frame, reader))


def _prefixes(path: ir.SourcePath) -> list[tuple[str, ...]]:
    names = tuple(step.name for step in path.steps)
    return [names[:length] for length in range(1, len(names) + 1)]
