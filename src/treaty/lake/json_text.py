"""Values as JSON text, written by the engine: what ``operations/shapes.py`` writes of the same value, many thousand records a second."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from treaty.lake.names import quote_name, quote_text

_SECONDS = "%Y-%m-%dT%H:%M:%S.%f"


def json_object(members: Iterable[tuple[str, str, Any]]) -> str:
    """Return SQL for a JSON object; a member is its name, the SQL of its value and the engine's type of that."""
    parts = [f"{quote_text(json.dumps(name, ensure_ascii=False) + ': ')}, {json_value(value, kind)}" for name, value, kind in members]
    separated = ", ', ', ".join(parts)
    return f"concat('{{', {separated}, '}}')"


def json_value(value: str, kind: Any) -> str:
    """Return SQL for the JSON text of an SQL value of this type of the engine; ``null`` where it is null."""
    if kind.id == "struct":
        members = [(name, f"{value}.{quote_name(name)}", child) for name, child in kind.children]
        return f"if({value} is null, 'null', {json_object(members)})"
    if kind.id == "list":
        items = f"list_transform({value}, lambda each: {json_value('each', kind.child)})"
        return f"if({value} is null, 'null', concat('[', array_to_string({items}, ', '), ']'))"
    return f"coalesce({_scalar(value, kind.id)}, 'null')"


def _scalar(value: str, kind: str) -> str:
    if kind in ("boolean", "bigint"):
        return f"{value}::varchar"
    if kind in ("decimal", "date"):
        return f"""('"' || {value}::varchar || '"')"""
    if kind == "time":
        return f"""('"' || replace(strftime(date '2000-01-01' + {value}, '%H:%M:%S.%f'), '.000000', '') || '"')"""
    if kind == "timestamp":
        return f"""('"' || replace(strftime({value}, '{_SECONDS}'), '.000000', '') || '"')"""
    if kind == "timestamp with time zone":
        return f"""('"' || replace(strftime(timezone('UTC', {value}), '{_SECONDS}'), '.000000', '') || '+00:00"')"""
    if kind == "blob":
        return f"""('"' || base64({value}) || '"')"""
    return f"to_json({value}::varchar)::varchar"
