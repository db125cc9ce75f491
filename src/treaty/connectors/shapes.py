"""The shape of documents: every path that is there, and the kinds of value found at it.

A path is spelled as cells spell it, its steps parted by ``/``; ``[]`` follows the name of a JSON array for what is in it. XML names are
those of the stream's prefixes, ``@`` before an attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import jiter
import orjson

from treaty.connectors.folders import Copy
from treaty.connectors.interface import Refusal
from treaty.connectors.json_records import read_json_texts
from treaty.errors import SetAsideError
from treaty.project.declarations import Limits, Stream

Shape: TypeAlias = dict[str, set[str]]  # path → null, boolean, integer, number, string, object, array; element, text for XML; column

KINDS: Mapping[type, str] = {
    type(None): "null", bool: "boolean", int: "integer", float: "number", jiter.LosslessFloat: "number", str: "string", dict: "object", list: "array",
}  # fmt: skip


def shape_of_object(content: bytes, stream: Stream, limits: Limits, details: Mapping[str, str]) -> Shape | None:
    """Return the shape of an arrival's own bytes, None where they are not JSON or XML as they are kept (packed, or a form of their own)."""
    copy = Copy(content, "", len(content), "")
    refusals: list[Refusal] = []
    shape: Shape = {}
    try:
        if stream.format in ("json", "jsonl"):
            lines, encoding = stream.format == "jsonl", details.get("encoding")
            for text in read_json_texts(copy, Path(), lines=lines, record=stream.record, encoding=encoding, limits=limits):
                try:
                    value = jiter.from_json(text, allow_inf_nan=False, float_mode="lossless-float", cache_mode="keys")
                except ValueError:
                    continue  # refused when it came in
                add_value(shape, value)
            return shape
        if stream.format == "xml" and stream.record:
            from treaty.connectors.xml_records import read_xml

            rows, _ = read_xml(copy, record=stream.record, namespaces=stream.namespaces, limits=limits, refusals=refusals, others=("*",))
            add_payloads(shape, (text for batch in rows.batches for text in batch.column("payload").to_pylist()), elements=True)
            return shape
    except SetAsideError:
        return None
    return None


def add_payloads(shape: Shape, payloads: Iterable[str | None], *, elements: bool) -> None:
    """Add landed payloads to a shape. Numbers with a point landed as texts there: only the object tells them apart."""
    for payload in payloads:
        if payload is not None:
            add = add_element if elements else add_value
            add(shape, orjson.loads(payload))


def add_value(shape: Shape, value: Any, path: str = "") -> None:
    """Add a JSON value at a path to a shape."""
    if path:
        shape.setdefault(path, set()).add(KINDS.get(type(value), "string"))
    if isinstance(value, dict):
        for name, below in value.items():
            add_value(shape, below, f"{path}/{name}" if path else name)
    elif isinstance(value, list):
        for below in value:
            add_value(shape, below, f"{path}[]" if path else "[]")


def add_element(shape: Shape, element: Mapping[str, Any], path: str = "") -> None:
    """Add an XML element, as it lands, to a shape."""
    if path:
        kinds = shape.setdefault(path, set())
        kinds.add("element")
        if element.get("#"):
            kinds.add("text")
    for name, value in element.items():
        below = f"{path}/{name}" if path else name
        if isinstance(value, list):
            for child in value:
                add_element(shape, child, below)
        elif name.startswith("@") and not name.startswith("@@"):
            shape.setdefault(below, set()).add("text")

