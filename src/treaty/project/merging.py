"""Lays one declaration over another: a client's over the standard's, a project's over its pack's.

Works on YAML nodes, before they are read, so every part of the resultant keeps the file and line where it was written.
A table merges by key; ``replace: true`` replaces it; a list and a single value replace. A system that names another connector keeps its
streams, and nothing of how the one before reached them. Packs that do not build on each other may both add streams to one system; what else they
say of one thing must be the same (:func:`find_disagreements`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal, TypeAlias

from treaty.project.declarations import EntityMapping, FieldMapping
from treaty.project.findings import Position
from treaty.project.markdown import DecisionFile
from treaty.project.reading import expand
from treaty.project.yaml import ListNode, MapNode, Node, ScalarNode

FileKind: TypeAlias = Literal["systems", "models", "decisions", "mappings", "flows"]
ATOMIC = frozenset({"applies", "deletes"})  # settings that only make sense as a whole
ROW_KEYS = {"cases": "when", "rules": "fields"}  # tables written as lists, and what tells their rows apart
FIELD_SOURCES = ("cell", "each", "with")
ADDABLE = ("streams", "volumes")  # of a system: a further one changes nothing for those that are there
UNSAID = ("name", "reason")  # the name is the same already


def merge_file(kind: FileKind, base: Node | DecisionFile, over: Node | DecisionFile) -> Node | DecisionFile:
    """Return the resultant of one file laid over another; models are replaced as a whole."""
    if isinstance(base, DecisionFile) and isinstance(over, DecisionFile):
        return DecisionFile(_decision(base.settings, over.settings), {**base.sections, **over.sections}, over.options or base.options)
    if kind == "models" or not (isinstance(base, MapNode) and isinstance(over, MapNode)):
        return over
    base = _without(base, ("reason",))
    return _maps(_unreached(base) if kind == "systems" and _changes_connector(base, over) else base, over)


@dataclasses.dataclass(frozen=True, slots=True)
class Disagreement:
    """What one declaration says otherwise than another: the setting, empty where it is the whole, and where each says it."""

    setting: str
    position: Position
    other: Position


def find_disagreements(kind: FileKind, base: Node | DecisionFile, over: Node | DecisionFile) -> Iterator[Disagreement]:
    """Yield what ``over`` says otherwise than ``base``, which it would replace; a system may have further streams without that."""
    if kind == "systems" and isinstance(base, MapNode) and isinstance(over, MapNode):
        yield from _disagreements(base, over, "")
    elif _content(base) != _content(over):
        yield Disagreement("", _place(over), _place(base))


def _disagreements(base: MapNode, over: MapNode, above: str) -> Iterator[Disagreement]:
    for key, item in over.items.items():
        below, path = base.items.get(key), f"{above}{key}"
        if isinstance(below, MapNode) and isinstance(item, MapNode):
            yield from _disagreements(below, item, f"{path}.")
        elif below is None and above.rstrip(".") not in ADDABLE and path not in (*ADDABLE, *UNSAID):
            yield Disagreement(path, over.keys[key], base.position)
        elif below is not None and below.value != item.value and path not in UNSAID:
            yield Disagreement(path, over.keys[key], base.keys[key])


def _content(declared: Node | DecisionFile) -> object:
    return (declared.settings.value, declared.sections, declared.options) if isinstance(declared, DecisionFile) else declared.value


def _place(declared: Node | DecisionFile) -> Position:
    return declared.settings.position if isinstance(declared, DecisionFile) else declared.position


def _changes_connector(base: MapNode, over: MapNode) -> bool:
    before, after = base.items.get("connector"), over.items.get("connector")
    return isinstance(before, ScalarNode) and isinstance(after, ScalarNode) and before.text != after.text


def _unreached(system: MapNode) -> MapNode:
    """Return a system without what only its connector knows: how it is reached, and how each stream is read and written."""
    system = _without(system, ("connection",))
    streams = system.items.get("streams")
    if isinstance(streams, MapNode):
        without = {name: _without(each, ("read", "write")) if isinstance(each, MapNode) else each for name, each in streams.items.items()}
        system.items["streams"] = MapNode(streams.position, streams.keys, without)
    return system


def _decision(base: MapNode, over: MapNode) -> MapNode:
    replace = over.items.get("replace")
    base = _without(base, ("reason", "replace"))
    if "expression" in over.items:
        base = _without(base, ("cases", "otherwise", "examples"))
    elif "cases" in over.items:
        base = _without(base, ("expression", "examples"))
    if isinstance(replace, ScalarNode) and replace.value is True:
        base = _without(base, tuple(over.items))
    return _maps(base, over)


def _maps(base: MapNode, over: MapNode) -> MapNode:
    merged = MapNode(over.position, {**base.keys, **over.keys}, dict(base.items))
    for key, item in over.items.items():
        below = base.items.get(key)
        if below is None or key in ATOMIC:
            merged.items[key] = item
        elif key == "fields" and isinstance(below, MapNode) and isinstance(item, MapNode):
            merged.items[key] = _fields(below, item)
        elif key in ROW_KEYS and isinstance(below, ListNode) and isinstance(item, ListNode):
            merged.items[key] = _rows(below, item, ROW_KEYS[key])
        elif isinstance(below, MapNode) and isinstance(item, MapNode):
            merged.items[key] = _maps(below, item)
        else:
            merged.items[key] = item
    return merged


def _fields(base: MapNode, over: MapNode) -> MapNode:
    """Merge by field: one that says where its value comes from replaces the other's; else its settings are merged."""
    merged = MapNode(over.position, {**base.keys, **over.keys}, dict(base.items))
    for name, item in over.items.items():
        item = expand(FieldMapping, item)
        below = expand(FieldMapping, base.items[name]) if name in base.items else None
        source = isinstance(item, MapNode) and any(key in item.items for key in FIELD_SOURCES)
        both = isinstance(item, MapNode) and isinstance(below, MapNode)
        merged.items[name] = _maps(_without(below, ("reason",)), item) if both and not source else over.items[name]  # type: ignore[arg-type]
    return merged


def _rows(base: ListNode, over: ListNode, key: str) -> ListNode:
    """Rows of the overlay come first; the standard's row of the same key gives way."""
    taken = [_row_key(row, key) for row in over.items]
    return ListNode(over.position, [*over.items, *(row for row in base.items if _row_key(row, key) not in taken)])


def _row_key(row: Node, key: str) -> object:
    item = row.items.get(key) if isinstance(row, MapNode) else None
    return item.value if item is not None else None


def _without(node: MapNode, keys: tuple[str, ...]) -> MapNode:
    kept = {key: item for key, item in node.items.items() if key not in keys}
    return MapNode(node.position, {key: node.keys[key] for key in kept}, kept)


def mark_origin(mapping: EntityMapping, folder: str) -> EntityMapping:
    """Return a client's mapping with the fields that its overlay gives marked as such."""
    return dataclasses.replace(mapping, origin="overlay", fields={name: _mark(each, folder) for name, each in mapping.fields.items()})


def _mark(mapped: FieldMapping, folder: str) -> FieldMapping:
    origin = "overlay" if mapped.position.file.startswith(folder) else "standard"
    return dataclasses.replace(mapped, origin=origin, fields={name: _mark(each, folder) for name, each in mapped.fields.items()})
