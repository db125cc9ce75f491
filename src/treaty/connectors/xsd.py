"""Reads XML Schemas as profiles: the paths below a root element, with types, documentation and code lists.

Nothing is fetched: an ``include`` or ``import`` is followed where it names a file at or below the schema's own folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from treaty.errors import UsageError
from treaty.matching.profiles import FieldProfile, StreamProfile

XS = "{http://www.w3.org/2001/XMLSchema}"
MOST_FIELDS = 2000
MOST_FILES = 200
MOST_BYTES = 20_000_000
DEEPEST = 6
TYPES = {
    "decimal": "decimal", "float": "decimal", "double": "decimal", "boolean": "boolean", "date": "date", "dateTime": "timestamp", "time": "time",
    "anyURI": "string", **dict.fromkeys(["int", "integer", "long", "short", "byte", "nonNegativeInteger", "positiveInteger", "unsignedInt", "unsignedLong"], "integer"),
}  # fmt: skip


@dataclass
class _Schemas:
    """What the files declare, by local name. Names of several namespaces rarely meet within one family of schemas: the first wins."""

    elements: dict[str, etree._Element] = field(default_factory=dict)
    types: dict[str, etree._Element] = field(default_factory=dict)
    attributes: dict[str, etree._Element] = field(default_factory=dict)


def read_xsd(path: Path, part: str = "") -> StreamProfile:
    """Profile the root element ``part`` of a schema; without one, its only root element, or the one no other uses.

    Raises:
        UsageError: it is no XML Schema, or has no such root element.
    """
    schemas = _Schemas()
    own = _load(path, path.resolve().parent, schemas, set())
    roots = [each.get("name") for each in own.findall(f"{XS}element")]
    if not part and len(roots) > 1:
        used = {_local(each.get("ref", "")) for each in own.iter(f"{XS}element")}
        free = [each for each in roots if each not in used]
        roots = free if len(free) == 1 else roots
    if part and part in schemas.elements:
        roots = [part]
    elif part or len(roots) != 1:
        known = ", ".join(list(schemas.elements)[:20]) or "none"
        raise UsageError(f"{path} does not say which of its elements is meant{f': there is no {part!r}' if part else ''}.", remedy=f"Write {path.name}#NAME with one of: {known}.")
    found = []
    for each in _walk(schemas, schemas.elements[roots[0]], "", (), False):
        found.append(each)
        if len(found) >= MOST_FIELDS:
            break
    return StreamProfile(roots[0], tuple(found), description=_documentation(schemas.elements[roots[0]]))


def _load(path: Path, folder: Path, schemas: _Schemas, seen: set[Path]) -> etree._Element:
    seen.add(path.resolve())
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} has more than {MOST_BYTES} bytes.", remedy="Name a smaller schema.")
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        root = etree.fromstring(path.read_bytes(), parser)
    except (OSError, etree.XMLSyntaxError) as error:
        raise UsageError(f"{path} cannot be read as XML: {error}.", remedy="Name an XML Schema.") from error
    if root.tag != f"{XS}schema" or root.getroottree().docinfo.doctype:
        raise UsageError(f"{path} is no XML Schema.", remedy="Its root element is xs:schema, and it has no DOCTYPE.")
    for kind, found in (("element", schemas.elements), ("complexType", schemas.types), ("simpleType", schemas.types), ("attribute", schemas.attributes)):
        for each in root.findall(f"{XS}{kind}"):
            found.setdefault(each.get("name", ""), each)
    for each in (*root.findall(f"{XS}include"), *root.findall(f"{XS}import")):
        place = (path.parent / each.get("schemaLocation", "")).resolve()
        if place.is_file() and place.is_relative_to(folder) and place not in seen and len(seen) < MOST_FILES:
            _load(place, folder, schemas, seen)
    return root


def _walk(schemas: _Schemas, element: etree._Element, path: str, seen: tuple[str, ...], repeated: bool) -> Iterator[FieldProfile]:
    kind = _type_of(schemas, element)
    name = kind.get("name", "") if kind is not None else ""
    if kind is None or path.count("/") >= DEEPEST or (name and name in seen):
        return
    for part, definition in _members(schemas, kind, ()):
        below = _resolve(schemas, part, definition)
        place = f"{path}/{'@' if part.tag == f'{XS}attribute' else ''}{below.get('name')}".lstrip("/")
        many = repeated or part.get("maxOccurs", "1") not in ("0", "1")
        nested = list(_walk(schemas, below, place, (*seen, name), many)) if part.tag == f"{XS}element" else []
        if not any("/@" not in each.path.removeprefix(place) for each in nested):
            yield _field(schemas, below, part, place, many)
        yield from nested


def _members(schemas: _Schemas, kind: etree._Element, seen: tuple[str, ...]) -> Iterator[tuple[etree._Element, str]]:
    for extension in kind.iter(f"{XS}extension", f"{XS}restriction"):
        base = schemas.types.get(_local(extension.get("base", "")))
        if base is not None and base is not kind and base.get("name", "") not in seen:
            yield from _members(schemas, base, (*seen, base.get("name", "")))
    stack = list(kind)
    while stack:
        part = stack.pop(0)
        if part.tag in (f"{XS}element", f"{XS}attribute"):
            yield part, _local(part.get("ref", ""))
        elif part.tag in {f"{XS}{each}" for each in ("sequence", "choice", "all", "complexContent", "simpleContent", "extension", "restriction")}:
            stack = [*part, *stack]


def _resolve(schemas: _Schemas, part: etree._Element, reference: str) -> etree._Element:
    known = schemas.elements if part.tag == f"{XS}element" else schemas.attributes
    if reference:
        found = known.get(reference)
        if found is None:
            found = etree.Element(part.tag, {"name": reference})
        return found
    return part


def _type_of(schemas: _Schemas, element: etree._Element) -> etree._Element | None:
    inner = element.find(f"{XS}complexType")
    if inner is not None:
        return inner
    found = schemas.types.get(_local(element.get("type", "")))
    return found if found is not None and found.tag == f"{XS}complexType" else None


def _field(schemas: _Schemas, element: etree._Element, part: etree._Element, path: str, repeated: bool) -> FieldProfile:
    kind, codes = _simple(schemas, element, 0)
    required = part.get("minOccurs", "1") != "0" if part.tag == f"{XS}element" else part.get("use") == "required"
    described = _documentation(part) or _documentation(element)
    return FieldProfile(path, type=kind, description=described, required=required, repeated=repeated, codes=codes)


def _simple(schemas: _Schemas, element: etree._Element, depth: int) -> tuple[str, tuple[str, ...]]:
    """Return the type and the code list of an element, attribute or type, followed down to what XML Schema itself defines."""
    codes = tuple(each.get("value", "") for each in element.iter(f"{XS}enumeration"))
    name = element.get("type", "")
    if not name:
        base = next(element.iter(f"{XS}restriction", f"{XS}extension"), None)
        name = base.get("base", "") if base is not None else ""
    local = _local(name)
    known = schemas.types.get(local)
    if known is not None and depth < DEEPEST:
        kind, below = _simple(schemas, known, depth + 1)
        return kind, codes or below
    return TYPES.get(local, "string"), codes


def _documentation(element: etree._Element) -> str:
    found = element.find(f"{XS}annotation/{XS}documentation")
    return " ".join("".join(found.itertext()).split())[:500] if found is not None else ""


def _local(name: str) -> str:
    return name.rpartition(":")[2]
