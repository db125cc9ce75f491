"""Makes a sink's rows out of golden records: one query for one compiled outbound mapping."""

from __future__ import annotations

from treaty.compiler import ir
from treaty.compiler.outbound import CompiledOutbound
from treaty.engines.duckdb.frames import Frame, Inputs
from treaty.engines.duckdb.paths import Place, quote_name


def _no_source(path: ir.SourcePath) -> Place:
    raise AssertionError(f"an outbound mapping reads fields, not sources: {path}")


def outbound_sql(mapping: CompiledOutbound, relation: str, as_of: str) -> str:
    """Return a query over golden records: every column of ``relation``'s own (``_…``), ``_wanted``, ``_held`` and the sink's columns.

    ``_wanted`` is whether ``where`` lets the record through; ``_held`` is the reason why a column could not be made, or null.
    """
    roots = [each.node for each in mapping.columns] + ([mapping.where] if mapping.where is not None else [])
    frame = Frame(_no_source, lambda path: "false", lambda path: None, Inputs(as_of), True)
    frame.count(roots)
    for node in roots:
        frame.prepare(node)
    sql = f"SELECT * FROM ({relation})"
    for pairs in frame.layers:
        if pairs:
            sql = f"SELECT t.*, {', '.join(f'{text} AS {name}' for name, text in pairs)} FROM ({sql}) t"
    reasons = [f"({reason})" for each in mapping.columns if (reason := frame.reason(each.node)) is not None]
    held = f"coalesce({', '.join(reasons)}, NULL)" if reasons else "CAST(NULL AS VARCHAR)"
    wanted = "true" if mapping.where is None else f"coalesce({frame.value(mapping.where)}, false)"
    columns = ", ".join(f"{frame.value(each.node)} AS {quote_name(each.name)}" for each in mapping.columns)
    return f"SELECT COLUMNS(c -> starts_with(c, '_')), {wanted} AS _wanted, {held} AS _held, {columns} FROM ({sql})"
