"""Accepted mappings as evidence: what fields of which name became before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from treaty.compiler.cells import CallCell, Cell, CellError, PathCell, parse_cell
from treaty.compiler.lookups import lookups_of
from treaty.matching.matcher import EarlierMapping
from treaty.project.declarations import EntityMapping, FieldMapping
from treaty.project.loading import Project


def earlier_mappings(project: Project, model: str) -> Iterator[EarlierMapping]:
    """Yield what inbound mappings to a model say, the standard's and each client's own: each path that a field reads, with the field's ``/`` path."""
    for mapping in project.mappings.values():
        if mapping.inbound and mapping.to == model:
            yield from _fields(mapping.fields, "", own=False)
    for overlay in project.overlays.values():
        for mapping in overlay.mappings.values():
            if mapping.inbound and mapping.to == model:
                yield from _fields(mapping.fields, "", own=True)


def read_paths(mapping: EntityMapping) -> frozenset[str]:
    """Return the paths that a mapping's own fields begin with, those of repeating groups left out: what its stream's records look like."""
    cells = (_parsed(each.cell) for each in mapping.fields.values() if each.cell)
    return frozenset(path for cell in cells if cell is not None and (path := next(_paths(cell), "")))


def looked_up(mapping: EntityMapping) -> frozenset[str]:
    """Return the streams and models that the cells of a mapping look up, those of its repeating groups left out."""
    cells = (_parsed(each.cell) for each in mapping.fields.values() if each.cell)
    return frozenset(name for cell in cells if cell is not None for name in lookups_of(cell))


def _fields(fields: Mapping[str, FieldMapping], above: str, *, own: bool) -> Iterator[EarlierMapping]:
    """Yield the fields of a mapping; of an overlay's only its ``own``: what it inherits is the standard's, and counted there.

    A path that is a field of its own, and only helps another (the country of a telephone number), says nothing of that other.
    """
    parsed = {name: cell for name, each in fields.items() if each.cell and (cell := _parsed(each.cell)) is not None}
    leading = {name: next(_paths(cell), "") for name, cell in parsed.items()}
    for name, each in fields.items():
        if name in parsed and not (own and each.origin == "standard"):
            others = {path for other, path in leading.items() if other != name}
            yield from (EarlierMapping(path, f"{above}{name}") for path in _paths(parsed[name]) if path == leading[name] or path not in others)
        yield from _fields(each.fields, f"{above}{name}/", own=own)


def _parsed(text: str) -> Cell | None:
    try:
        return parse_cell(text)
    except CellError:
        return None  # `check` tells


def _paths(cell: Cell) -> Iterator[str]:
    if isinstance(cell, PathCell):
        yield "/".join(step.name for step in cell.path.steps)
    elif isinstance(cell, CallCell) and cell.name != "lookup":
        for _, below in cell.args:
            yield from _paths(below)
