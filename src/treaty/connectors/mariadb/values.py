"""Gives values as the parameters that MariaDB reads into a column's type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

# Treaty's types and the columns made for them (`create: true`). Keys are indexed, so they are bounded; both tell letters and cases apart.
COLUMN_TYPES: Mapping[str, str] = {
    "string": "longtext character set utf8mb4 collate utf8mb4_bin", "boolean": "boolean", "integer": "bigint", "date": "date", "time": "time(6)",
    "timestamp": "datetime(6)", "local_timestamp": "datetime(6)", "bytes": "longblob",
}  # fmt: skip
KEY_TYPES: Mapping[str, str] = {"string": "varchar(512) character set utf8mb4 collate utf8mb4_bin", "bytes": "varbinary(512)"}


def column_type(treaty_type: str, *, in_key: bool) -> str:
    """Return the column type for a Treaty type; lists and structs are JSON."""
    if treaty_type.startswith("decimal("):
        return treaty_type
    if in_key and treaty_type in KEY_TYPES:
        return KEY_TYPES[treaty_type]
    return COLUMN_TYPES.get(treaty_type, "json")


def parameter_of(value: Any) -> Any:
    """Return the parameter for a value, None for null. Raises ValueError for what would not come back as it went.

    An instant is written in UTC, which is the session's zone; a bytes value stays bytes, everything else is text or a number.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a text holds a NUL character, which many readers of the table would take for its end")
        value.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, a ValueError
        return value
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, (int, bytes)):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return json.dumps(value, default=_json_value, ensure_ascii=False)


def _json_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return value.hex() if isinstance(value, bytes) else parameter_of(value)
