"""Looks at a batch before its query is written: which JSON steps hold arrays, and which columns hold few values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledStream
from treaty.engines.duckdb.conform import shape_of
from treaty.engines.duckdb.paths import Shape, quote_name
from treaty.project.formats import shape_of_format

SAMPLED_ROWS = 20_000
FEW_VALUES = 4_000  # in that many rows: of more the engine writes no dictionary


class Connection(Protocol):
    """What this module needs of a DuckDB connection."""

    def execute(self, query: str, parameters: Any = ...) -> Any:
        """Run one statement and return a cursor."""


def observed_lists(connection: Connection, stream: CompiledStream, nodes: Sequence[ir.Node], relation: str) -> frozenset[tuple[str, ...]]:
    """Return the mapped steps of a JSON stream that hold an array, or now this and now that, anywhere in ``relation``."""
    if shape_of_format(stream.format) != "json":
        return frozenset()
    shape = shape_of(nodes, xml=False)
    row = connection.execute(f"SELECT json_group_structure(CAST({quote_name('payload')} AS JSON)) FROM ({relation}) WHERE payload IS NOT NULL").fetchone()
    structure = json.loads(row[0]) if row and row[0] else {}
    found: set[tuple[str, ...]] = set()
    _compare(shape, structure, (), found)
    return frozenset(found)


def repeating_columns(connection: Connection, columns: Sequence[str], relation: str) -> frozenset[str]:
    """Return the columns that hold few values in a sample of ``relation``: those of which Parquet keeps a dictionary."""
    counts = ", ".join(f"approx_count_distinct({quote_name(each)})" for each in columns)
    row = connection.execute(f"SELECT {counts} FROM ({relation} LIMIT {SAMPLED_ROWS})").fetchone() if columns else None
    return frozenset(name for name, count in zip(columns, row or (), strict=True) if count <= FEW_VALUES)


def _compare(shape: Shape, structure: object, at: tuple[str, ...], found: set[tuple[str, ...]]) -> None:
    if isinstance(structure, list):
        structure = structure[0] if structure else "NULL"
    for name, child in shape.children.items():
        here = (*at, name)
        below = structure.get(name) if isinstance(structure, dict) else ("JSON" if structure == "JSON" else None)
        if isinstance(below, list) or below == "JSON":
            found.add(here)
        _compare(child, below, here, found)
