"""Source paths as DuckDB SQL: what is mapped of a document is read by one ``from_json`` with the shape of those paths.

A *place* is a SQL expression for the nodes a path has reached: one node, or a list of them. XML children are always lists
(see ``connectors.interface.Rows``); in JSON a step is a list where one was seen (:class:`Shape.listed`), since a record may hold
one object where another holds many.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from treaty.compiler.ir import SourcePath, Step

TEXT = "#"  # the step to a node's own text: an XML element's beside its attributes, a JSON value in a list of plain values
_counter = itertools.count()


def quote_name(name: str) -> str:
    """Quote an identifier for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """Quote a text literal for DuckDB."""
    return "'" + text.replace("'", "''") + "'"


def joined_key(parts: Sequence[str]) -> str:
    """Return SQL for a key of several parts, parted by ``|``; a part that holds one has it behind a backslash, so that no two keys are written alike."""
    if len(parts) == 1:
        return parts[0]
    return " || '|' || ".join(f"replace(replace({part}, '\\', '\\\\'), '|', '\\|')" for part in parts)


@dataclass(slots=True)
class Shape:
    """What of a document's node is read: its text (``leaf``), and its children."""

    xml: bool
    attribute: bool = False
    leaf: bool = False
    listed: bool = False  # JSON: an array was seen here, so it is read as a list
    children: dict[str, Shape] = field(default_factory=dict)

    def add(self, steps: Iterable[Step]) -> Shape:
        """Add a path's steps below this node, selectors' paths included; return the last step's shape."""
        at = self
        for step in steps:
            at = at.children.setdefault(step.name, Shape(self.xml, attribute=self.xml and step.name.startswith(("@", "#"))))
            if step.where is not None:
                at.add(step.where[0].steps).leaf = True
            if step.index is not None:
                at.listed = True
        return at

    def declared(self) -> object:
        """Return the type of this node as ``from_json`` wants it, as JSON data."""
        if self.xml:
            members: dict[str, object] = {"#": "VARCHAR"}
            for name, child in self.children.items():
                members[name] = "VARCHAR" if child.attribute else [child.declared()]
            return members
        if self.children and not self.leaf:
            return {name: "JSON" if child.listed else child.declared() for name, child in self.children.items()}
        return "JSON" if self.children else "VARCHAR"

    def spell(self) -> str:
        """Return :meth:`declared` as a SQL text literal."""
        return quote_text(json.dumps(self.declared(), ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path has come to: SQL for the node, or for the list of nodes, and its shape."""

    sql: str
    many: bool
    shape: Shape


def walk(place: Place, steps: Iterable[Step]) -> Place:
    """Follow steps from a place."""
    for step in steps:
        place = _step(place, step)
    return place


def _fresh(letter: str) -> str:
    return f"{letter}{next(_counter)}"


def _child(node: str, parent: Shape, step: Step) -> tuple[str, bool]:
    """Return SQL for a named child of one node, and whether it is a list."""
    shape = parent.children[step.name]
    if parent.leaf and parent.children and not parent.xml:
        node = f"from_json({node}, {quote_text(json.dumps({step.name: 'JSON' if shape.listed else shape.declared()}))})"
    child = f"{node}.{quote_name(step.name)}"
    if shape.xml:
        return child, not shape.attribute
    if not shape.listed:
        return child, False
    single = shape.declared()
    several = quote_text(json.dumps([single]))
    one = f"json_extract_string({child}, '$')" if single == "VARCHAR" else f"from_json({child}, {quote_text(json.dumps(single))})"
    array = f"starts_with(CAST({child} AS VARCHAR), '[') OR json_type({child}) = 'ARRAY'"  # the first spares parsing it once more
    return f"CASE WHEN {array} THEN from_json({child}, {several}) WHEN json_type({child}) <> 'NULL' THEN [{one}] END", True


def _step(place: Place, step: Step) -> Place:
    if step.name == TEXT and not place.shape.xml:
        return place
    shape = place.shape.children[step.name]
    if not place.many:
        sql, many = _child(place.sql, place.shape, step)
    else:
        name = _fresh("x")
        inner, inner_many = _child(name, place.shape, step)
        if step.index is not None and inner_many:
            return Place(f"list_transform({place.sql}, lambda {name}: ({inner})[{step.index}])", True, shape)
        sql = f"list_transform({place.sql}, lambda {name}: {inner})"
        sql, many = (f"flatten({sql})", True) if inner_many else (sql, True)
    if step.index is not None:
        return Place(f"({sql})[{step.index}]", False, shape) if many else Place(sql, False, shape)
    if step.where is not None:
        name = _fresh("x")
        if many:
            return Place(f"list_filter({sql}, lambda {name}: {_selects(Place(name, False, shape), step.where)})", True, shape)
        return Place(f"CASE WHEN {_selects(Place(sql, False, shape), step.where)} THEN {sql} END", False, shape)
    return Place(sql, many, shape)


def _selects(place: Place, where: tuple[SourcePath, str]) -> str:
    path, text = where
    found = walk(place, path.steps)
    values = text_of(found, empty_is_null=False)
    test = f"list_contains({values}, {quote_text(text)})" if found.many else f"{values} = {quote_text(text)}"
    return f"coalesce({test}, false)"


def text_of(place: Place, *, empty_is_null: bool) -> str:
    """Return SQL for the text at a place: a VARCHAR, or the list of the texts there are."""
    element = place.shape.xml and not place.shape.attribute

    def one(node: str) -> str:
        text = f'{node}."#"' if element else node
        return f"nullif({text}, '')" if empty_is_null else text

    if not place.many:
        return one(place.sql)
    name, value = _fresh("x"), _fresh("v")
    return f"list_filter(list_transform({place.sql}, lambda {name}: {one(name)}), lambda {value}: {value} IS NOT NULL)"


def json_path(path: SourcePath) -> str:
    """Return a path of plain steps as a JSON path text (``$."a"."b"``)."""
    parts = []
    for step in path.steps:
        escaped = step.name.replace("\\", "\\\\").replace('"', '\\"')
        parts.append(f'."{escaped}"' + (f"[{step.index - 1}]" if step.index is not None else ""))
    return "$" + "".join(parts)
