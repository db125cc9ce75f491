"""Results as JSON: frozen dataclasses become objects, decimals and dates become texts, nothing is rounded."""

from __future__ import annotations

import dataclasses
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID


def shape(value: Any) -> Any:
    """Return a value as JSON data; a dataclass may say its own shape with a method ``to_json``."""
    if value is None or isinstance(value, str | bool | int | float):
        return value.value if isinstance(value, Enum) else value
    if hasattr(value, "to_json"):
        return shape(value.to_json())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: shape(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): shape(each) for key, each in value.items()}
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, UUID | Path):
        return str(value)
    if isinstance(value, tuple | list | set | frozenset):
        return [shape(each) for each in value]
    raise TypeError(f"{type(value).__name__} has no JSON shape")


def dump(value: Any) -> str:
    """Return a value as one line of JSON."""
    return json.dumps(shape(value), ensure_ascii=False)
