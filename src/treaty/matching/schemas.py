"""Profiles of JSON Schemas and of OpenAPI descriptions, from their parsed text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from treaty.matching.profiles import FieldProfile, StreamProfile

MOST_FIELDS = 2000
DEEPEST = 6
FORMATS = {"date": "date", "date-time": "timestamp", "time": "time", "email": "email", "uri": "url", "url": "url", "uuid": "uuid", "ipv4": "ip"}
TYPES = {"number": "decimal", "integer": "integer", "boolean": "boolean", "string": "string", "object": "object", "array": "list"}


def is_schema(content: Any) -> bool:
    """Whether a parsed document is a JSON Schema or an OpenAPI description, and not a record."""
    if not isinstance(content, Mapping):
        return False
    if "openapi" in content or "swagger" in content or str(content.get("$schema", "")).startswith("http"):
        return True
    return isinstance(content.get("properties"), Mapping) and content.get("type") == "object"


def list_parts(content: Mapping[str, Any]) -> Sequence[str]:
    """Return the pointers of the schemas that a document names."""
    found = [(place, at_pointer(content, place)) for place in ("#/components/schemas", "#/definitions", "#/$defs")]
    return [f"{place}/{name}" for place, schemas in found if isinstance(schemas, Mapping) for name in schemas]


def find_part(content: Mapping[str, Any], part: str) -> tuple[str, Any] | None:
    """Return the name and the schema at a pointer, or of that name; the whole document for an empty ``part``; None where there is none."""
    if not part:
        return str(content.get("title") or ""), content
    if part.startswith("#/"):
        found = at_pointer(content, part)
        return (part.rpartition("/")[2], found) if found is not None else None
    pointer = next((each for each in list_parts(content) if each.rpartition("/")[2].casefold() == part.casefold()), None)
    return (pointer.rpartition("/")[2], at_pointer(content, pointer)) if pointer else None


def profile_schema(content: Mapping[str, Any], name: str, schema: Any) -> StreamProfile:
    """Profile one schema of a document: nested objects by ``/`` paths, lists through their items, ``$ref`` within the document.

    Where these are more than ``MOST_FIELDS``, as where records hold each other, it is as deep as fits: a schema's own fields are never left out for those below.
    """
    resolved = resolve_schema(content, schema, ())
    fields: list[FieldProfile] = []
    for deepest in range(DEEPEST + 1):
        deeper = list(islice(_walk(content, schema, "", (), False, deepest), MOST_FIELDS + 1))
        if fields and (len(deeper) > MOST_FIELDS or deeper == fields):
            break
        fields = deeper[:MOST_FIELDS]
    return StreamProfile(name, tuple(fields), description=str(resolved[0].get("description", "")))


def at_pointer(content: Any, pointer: str) -> Any:
    """Return what stands at a JSON pointer of a document, None where there is nothing."""
    for step in pointer.removeprefix("#").strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        content = content.get(name) if isinstance(content, Mapping) else None
    return content


def resolve_schema(content: Mapping[str, Any], schema: Any, seen: tuple[str, ...] = ()) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Follow references and put the parts of ``allOf`` and the first of ``anyOf`` and ``oneOf`` together."""
    if not isinstance(schema, Mapping):
        return {}, seen
    if isinstance(reference := schema.get("$ref"), str):
        if reference in seen or not reference.startswith("#"):
            return {}, seen
        found, seen = resolve_schema(content, at_pointer(content, reference), (*seen, reference))
        return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}, seen
    together: dict[str, Any] = {}
    parts = schema.get("allOf")
    chosen = [*(parts if isinstance(parts, list) else ()), *[each for key in ("anyOf", "oneOf") for each in _first(schema.get(key, ()))]]
    for part in chosen:
        found, seen = resolve_schema(content, part, seen)
        properties = {**together.get("properties", {}), **found.get("properties", {})}
        required = [*together.get("required", ()), *found.get("required", ())]
        together = {**together, **found, "properties": properties, "required": required}
    properties = {**together.get("properties", {}), **schema.get("properties", {})}
    result = {**together, **schema}
    if properties:
        result["properties"] = properties
    if together.get("required"):
        result["required"] = [*together["required"], *(schema.get("required") or ())]
    return result, seen


def _first(options: Any) -> list[Any]:
    real = [each for each in options if isinstance(each, Mapping) and each.get("type") != "null"] if isinstance(options, list) else []
    return sorted(real, key=lambda each: "$ref" not in each and "properties" not in each)[:1]


def _walk(content: Mapping[str, Any], schema: Any, path: str, seen: tuple[str, ...], repeated: bool, deepest: int) -> Iterator[FieldProfile]:
    found, seen = resolve_schema(content, schema, seen)
    if isinstance(found.get("items"), Mapping) and "properties" not in found:
        if path:
            repeated = True
        found, seen = resolve_schema(content, found["items"], seen)
    properties = found.get("properties")
    if not isinstance(properties, Mapping) or (path and path.count("/") >= deepest):
        return
    required = found.get("required")
    for name, below in properties.items():
        place = f"{path}/{name}" if path else str(name)
        member = resolve_schema(content, below, seen)[0]
        nested = list(_walk(content, below, place, seen, repeated, deepest))
        if nested:
            yield from nested
        else:
            yield _field(place, member, isinstance(required, list) and name in required, repeated or member.get("type") == "array")


def _field(path: str, member: Mapping[str, Any], required: bool, repeated: bool) -> FieldProfile:
    kind = member.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "string")
    spelled = FORMATS.get(str(member.get("format", "")), "")
    codes = member.get("enum")
    is_time = spelled in ("date", "timestamp", "time")
    return FieldProfile(
        path, type=spelled if is_time else TYPES.get(str(kind), "object" if kind == "object" else ""), title=str(member.get("title", "")),
        description=str(member.get("description") or ""), required=required, repeated=repeated, format="" if is_time else spelled,
        codes=tuple(str(each) for each in codes if each is not None) if isinstance(codes, list) else (),
    )  # fmt: skip
