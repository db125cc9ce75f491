"""The steps of one field of one landed record, be it a field of the record or of the elements of a repeating group."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledField, CompiledMapping
from treaty.compiler.lineage import walk
from treaty.errors import UsageError
from treaty.operations.explaining.evaluating import evaluate
from treaty.operations.explaining.steps import FieldSteps, Outcome, Step, element_nodes, nodes_of
from treaty.project.declarations import DataContract, DecisionRecord, EntityMapping, FieldMapping
from treaty.project.findings import nearest
from treaty.sessions import Session

_PATH = re.compile(r"(?P<name>\w+)(?:\[(?P<element>[1-9]\d*)\])?(?:\.(?P<inner>\w+))?$")


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A field of a model: ``phone``, the group ``lines``, ``lines.quantity`` of all elements, or ``lines[2].quantity`` of the second."""

    name: str
    element: int | None = None
    inner: str | None = None

    def pick(self, value: Any) -> Any:
        """Return what this path means within the value of its top-level field."""
        if value is None or (self.element is None and self.inner is None):
            return value
        elements = value if self.element is None else value[self.element - 1 : self.element]
        found = [each[self.inner] for each in elements] if self.inner is not None else list(elements)
        if self.element is None:
            return found
        return found[0] if found else None


def parse_field(contract: DataContract, text: str) -> FieldPath:
    """Read a field path and make sure that the model has it; raise UsageError with the nearest name where it has not."""
    found = _PATH.match(text)
    path = FieldPath(found["name"], int(found["element"]) if found["element"] else None, found["inner"]) if found else FieldPath(text)
    known = [each.name for each in contract.properties]
    declared = next((each for each in contract.properties if each.name == path.name), None)
    if declared is not None and path.inner is not None:
        known = [f"{path.name}.{each.name}" for each in declared.properties]
    wanted = path.name if path.inner is None else f"{path.name}.{path.inner}"
    if wanted in known:
        return path
    near = nearest(wanted, known)
    remedy = f"Did you mean {near!r}?" if near else f"Fields: {', '.join(known)}."
    raise UsageError(f"The model {contract.name} has no field {wanted!r}.", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Walked:
    """The steps of a field, and what each of its top-level nodes came to (for saying why it is empty)."""

    steps: tuple[Step, ...]
    cell: Outcome
    final: Outcome
    sources: tuple[tuple[str, Outcome], ...]


def walk_field(
    session: Session, mapping: CompiledMapping, written: EntityMapping, decisions: Mapping[str, DecisionRecord], landed: Step, path: FieldPath, relation: str, as_of: str
) -> Walked:
    """Evaluate a field over the one landed row of ``relation`` and tell its steps."""
    field = next(each for each in mapping.fields if each.name == path.name)
    outcomes = evaluate(session, mapping, nodes_of(field, mapping), relation, as_of)
    teller = FieldSteps(mapping, decisions, outcomes, landed)
    steps = list(teller.of_field(field))
    group = next((each for each in walk(field.cell, elements=False) if isinstance(each, ir.Each)), None)
    if group is not None:
        steps[-1:-1] = _element_steps(session, mapping, written, decisions, landed, path, group, relation, as_of)
    sources = tuple((str(each.path), outcomes[each]) for each in outcomes if isinstance(each, ir.Source))
    return Walked(tuple(steps), _outcome(outcomes, field.cell), _outcome(outcomes, field.node), sources)


def _outcome(outcomes: Mapping[ir.Node, Outcome], node: ir.Node) -> Outcome:
    return Outcome(node.value) if isinstance(node, ir.Literal) else outcomes[node]


def _element_steps(
    session: Session, mapping: CompiledMapping, written: EntityMapping, decisions: Mapping[str, DecisionRecord], landed: Step, path: FieldPath,
    group: ir.Each, relation: str, as_of: str,
) -> Iterator[Step]:  # fmt: skip
    """Yield the steps inside the elements that a path means: all fields of the group, or one, of all elements or one."""
    declared = written.fields.get(path.name)
    names = [path.inner] if path.inner is not None else [name for name, node in group.fields if not isinstance(node, ir.Literal)]
    rewritten = {name: element_nodes(group, name) for name in names}
    values = evaluate(session, mapping, [each.node for each in rewritten.values()], relation, as_of)
    for name, elements in rewritten.items():
        inner = dict(group.fields)[name]
        mapped = declared.fields.get(name) if declared else None
        text, origin = (written_as(mapped), mapped.origin) if mapped else ("", "standard")
        for number, element in enumerate(values[elements.node].value or (), 1):
            if path.element not in (None, number):
                continue
            teller = FieldSteps(mapping, decisions, elements.outcomes(element), {**landed, "element": number})
            if path.inner is None and teller.is_empty(inner):
                continue  # of a whole group, what is empty is not told
            at = f"{path.name}[{number}].{name}"
            yield from teller.of_element(at, text, origin, inner.type, name in group.required, inner)


def written_as(mapped: FieldMapping) -> str:
    """Return a field's cell as it is written, or the path or stream of its repeating group."""
    return mapped.cell or (f"each: {mapped.each}" if mapped.each else f"with: {mapped.with_}")


def field_named(mapping: CompiledMapping, name: str) -> CompiledField:
    """Return a mapping's field by name."""
    return next(each for each in mapping.fields if each.name == name)
