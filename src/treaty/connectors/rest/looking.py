"""What one answer of a JSON API tells: where its records stand, their key, and how pages follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from treaty.connectors.rest.guesses import Operation, find_list, guess_key, guess_pages, plain

MORE = frozenset({"hasmore"})
LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class SeenList:
    """The list in an answer: the path of its records, the settings of ``read`` that follow its pages, and whether it has one page only."""

    record: str
    key: str
    pages: Mapping[str, Any]
    note: str = ""


def look_at_answer(answer: Any, path: str) -> SeenList | None:
    """Return the list of objects in an answer to ``GET path``; None where there is none.

    ``has_more`` beside records with an ``id`` is taken for pages after the last record's id (``starting_after``), as Stripe and those after it have them.
    """
    schema = _schema(answer)
    told = {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}
    operation = Operation(f"/{path.strip('/')}", "get", told, {})
    found = find_list({}, operation)
    if found.items is None:
        return None
    key, _ = guess_key({}, found.items, path.strip("/").rpartition("/")[2])
    pages = {name: value for name, value, _ in guess_pages({}, operation, found, key).settings}
    if not pages and key and isinstance(answer, Mapping) and any(plain(each) in MORE for each in answer):
        pages = {"pages": "cursor", "next_field": f"{found.record}/-1/{key}".lstrip("/"), "parameter": "starting_after"}
    return SeenList(found.record, key, pages, found.note)


def _schema(value: Any) -> dict[str, Any]:
    """Return a JSON Schema that a value fits: of a list the properties of all its first elements."""
    if isinstance(value, Mapping):
        return {"type": "object", "properties": {str(name): _schema(each) for name, each in value.items()}}
    if isinstance(value, list):
        properties: dict[str, Any] = {}
        for each in value[:LOOKED_AT]:
            if isinstance(each, Mapping):
                properties |= {str(name): _schema(below) for name, below in each.items()}
        return {"type": "array", "items": {"type": "object", "properties": properties} if properties else {"type": "string"}}
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return {"type": kinds.get(type(value), "string")}
