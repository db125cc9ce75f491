"""Who calls which function: in cells, by their tree; in expressions, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from treaty.compiler.cells import CallCell, Cell, CellError, parse_cell
from treaty.project.declarations import ClientProject, DecisionRecord, EntityMapping, FieldMapping, System
from treaty.project.findings import Position
from treaty.rules.interface import function_name

TEXTS = re.compile(r"'(?:[^']|'')*'")
CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")


@dataclass(frozen=True, slots=True)
class WrittenCell:
    """A cell of a mapping or a stream, and where its text begins."""

    text: str
    position: Position


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A call in a cell, and where its name begins."""

    name: str
    position: Position


def cells_of(mapping: EntityMapping) -> Iterator[WrittenCell]:
    """Yield every cell of a mapping, keys and joins included; paths of ``each`` are not cells."""
    yield from _fields(mapping, mapping.fields, "fields")


def _fields(mapping: EntityMapping, fields: Mapping[str, FieldMapping], prefix: str) -> Iterator[WrittenCell]:
    for name, field in fields.items():
        path = f"{prefix}.{name}"
        if field.cell is not None:
            yield WrittenCell(field.cell, mapping.at(f"{path}.cell"))
        if field.key is not None:
            yield WrittenCell(field.key, mapping.at(f"{path}.key"))
        for column, text in field.on.items():
            yield WrittenCell(text, mapping.at(f"{path}.on.{column}"))
        yield from _fields(mapping, field.fields, f"{path}.fields")


def stream_cells(system: System) -> Iterator[WrittenCell]:
    """Yield the cells of a system's streams: keys, versions, times, clients."""
    for stream in system.streams.values():
        for number, text in enumerate(stream.key):
            yield WrittenCell(text, stream.at(f"key.{number}"))
        for setting in ("occurred_at", "client"):
            written = getattr(stream, setting)
            if written is not None:
                yield WrittenCell(written, stream.at(setting))
        if stream.version != "landing-order":
            yield WrittenCell(stream.version, stream.at("version"))


def calls_of(written: WrittenCell) -> Iterator[FoundCall]:
    """Yield each call in a cell, the outer before the inner; none where the cell cannot be read."""
    try:
        cell = parse_cell(written.text)
    except CellError:
        return
    yield from _calls(cell, written.position)


def _calls(cell: Cell, position: Position) -> Iterator[FoundCall]:
    if isinstance(cell, CallCell):
        yield FoundCall(cell.name, replace(position, column=position.column + cell.offset))
        for _, argument in cell.args:
            yield from _calls(argument, position)


def expressions_of(decision: DecisionRecord) -> Iterator[str]:
    """Yield every expression of a decision."""
    for text in (decision.expression, decision.when, decision.otherwise if decision.cases else None):
        if text:
            yield text
    for row in decision.cases:
        yield from (row.when, row.then)
    yield from decision.set.values()
    for key in decision.keys:
        yield from key.expressions


def called_in(expression: str) -> set[str]:
    """Return the names that an expression calls; texts in quotes do not count."""
    return set(CALL.findall(TEXTS.sub("''", expression)))


def called_functions(view: ClientProject, mappings: list[EntityMapping]) -> set[str]:
    """Return every function that a view's cells, decisions, rules and filters call."""
    called: set[str] = set()
    for mapping in mappings:
        for written in cells_of(mapping):
            called |= {each.name for each in calls_of(written)}
        if mapping.where:
            called |= called_in(mapping.where)
    for system in view.systems.values():
        for written in stream_cells(system):
            called |= {each.name for each in calls_of(written)}
        for stream in system.streams.values():
            called |= called_in(stream.deletes.when or "")
    for decision in view.decisions.values():
        for expression in expressions_of(decision):
            called |= called_in(expression)
    for model in view.models.values():
        for rule in model.quality:
            called |= called_in(rule.expression)
    return called


def decision_functions(view: ClientProject) -> dict[str, list[DecisionRecord]]:
    """Return the decisions behind each function name."""
    found: dict[str, list[DecisionRecord]] = {}
    for decision in view.decisions.values():
        if decision.function:
            found.setdefault(function_name(decision.function), []).append(decision)
    return found
