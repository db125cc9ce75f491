"""Writes values as the texts that PostgreSQL reads into a column's type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

# Treaty's types and the columns made for them (`create: true`).
COLUMN_TYPES: Mapping[str, str] = {
    "string": "text", "boolean": "boolean", "integer": "bigint", "date": "date", "time": "time", "timestamp": "timestamptz",
    "local_timestamp": "timestamp", "bytes": "bytea",
}  # fmt: skip


def column_type(treaty_type: str) -> str:
    """Return PostgreSQL's type for a Treaty type; lists and structs are jsonb."""
    if treaty_type.startswith("decimal("):
        return f"numeric{treaty_type.removeprefix('decimal')}"
    return COLUMN_TYPES.get(treaty_type, "jsonb")


def value_text(value: Any, type: str) -> str | None:
    """Return the text of a value for a column's type, None for null. Raises ValueError for what no text can hold."""
    if value is None:
        return None
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a text holds a NUL character, which PostgreSQL does not take")
        value.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, a ValueError
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return f"\\x{value.hex()}"
    if isinstance(value, (list, tuple)) and type.endswith("[]"):
        return _array_text(value, type.removesuffix("[]"))
    if isinstance(value, (list, tuple, Mapping)):
        return json.dumps(value, default=_json_value, ensure_ascii=False)
    return str(value)


def _array_text(values: list[Any] | tuple[Any, ...], type: str) -> str:
    parts = []
    for value in values:
        text = value_text(value, type)
        parts.append("NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + ",".join(parts) + "}"


def _json_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return value_text(value, "text")
