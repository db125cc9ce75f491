"""Which accepted decision reads a field: the one that earlier mappings call there, else the one that governs it and is no part of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from treaty.compiler.cells import CallCell, CellError, parse_cell
from treaty.compiler.signatures import Signature, parse_signature
from treaty.compiler.types import STRING
from treaty.project.declarations import ClientProject, DecisionRecord, FieldMapping
from treaty.project.loading import Project


@dataclass(frozen=True, slots=True)
class Reader:
    """A decision's function that takes a text first, and how often mappings call it for the field."""

    record: DecisionRecord
    signature: Signature
    used: int


def find_readers(project: Project, view: ClientProject, model: str, field: str) -> tuple[Reader, ...]:
    """Return the functions that can read a field (``lines.unit``), the best first; none where mappings mostly read it without a decision."""
    found = [(record, signature) for record in view.decisions.values() if (signature := _signature(record, f"{model}.{field}")) is not None]
    bodies = {record.id: body_text(record) for record, _ in found}
    used = _uses(project, model, field)
    readers = []
    for record, signature in found:
        part = any(f"{signature.name}(" in body for id, body in bodies.items() if id != record.id)
        if not part or used[signature.name]:
            readers.append(Reader(record, signature, used[signature.name]))
    most = max((each.used for each in readers), default=0)
    if sum(used.values()) - sum(each.used for each in readers) > most:
        return ()
    return tuple(sorted(readers, key=lambda each: (-each.used, len(each.signature.parameters), each.record.origin != "standard", each.record.id)))


def _signature(record: DecisionRecord, governed: str) -> Signature | None:
    if not record.runs or record.kind not in ("transformation", "value-map") or not record.function or governed not in record.governs:
        return None
    try:
        signature = parse_signature(record.function)
    except ValueError:
        return None  # `check` tells
    texts = bool(signature.parameters) and all(kind == STRING for _, kind in signature.parameters)
    return signature if texts else None


def body_text(record: DecisionRecord) -> str:
    """Return what a transformation runs, as one text."""
    return " ".join((record.expression or "", record.otherwise or "", *(f"{each.when} {each.then}" for each in record.cases)))


def _uses(project: Project, model: str, field: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    mappings = [*project.mappings.values(), *(each for overlay in project.overlays.values() for each in overlay.mappings.values())]
    for mapping in mappings:
        if mapping.inbound and mapping.to == model:
            counted.update(_called(mapping.fields, field))
    return counted


def _called(fields: Mapping[str, FieldMapping], field: str) -> Iterator[str]:
    name, _, rest = field.partition(".")
    found = fields.get(name)
    if found is None:
        return
    if rest:
        yield from _called(found.fields, rest)
    elif found.cell:
        try:
            cell = parse_cell(found.cell)
        except CellError:
            return
        yield cell.name if isinstance(cell, CallCell) else ""
