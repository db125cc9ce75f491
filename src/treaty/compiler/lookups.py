"""Which models a mapping looks up in its cells, by which of their fields, and what must be conformed before what.

``lookup('party', …)`` finds golden records by the field that is the one strong key of the model's identity, and
``lookup('party.vat_id', …)`` by the field that it names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from treaty.compiler.cells import CallCell, Cell, CellError, LiteralCell, parse_cell
from treaty.project.declarations import ClientProject, EntityMapping, FieldMapping, Flow


def looked_up_models(mapping: EntityMapping) -> frozenset[str]:
    """Return the models that an inbound mapping's cells look up; cells that cannot be read look up none."""
    return frozenset(name.partition(".")[0] for name in _targets(mapping.fields) if "/" not in name) if mapping.inbound else frozenset()


def _targets(fields: Mapping[str, FieldMapping]) -> Iterator[str]:
    """Yield the streams that fields join, and what they look up, as written: streams, models and fields of models."""
    for field in fields.values():
        if field.with_ is not None:
            yield field.with_
        for text in (field.cell, field.key, *field.on.values()):
            if text is not None and "lookup" in text:
                try:
                    cell = parse_cell(text)
                except CellError:
                    continue
                yield from lookups_of(cell)
        yield from _targets(field.fields)


def lookups_of(cell: Cell) -> Iterator[str]:
    """Yield the streams and models that a cell looks up."""
    if isinstance(cell, CallCell):
        if cell.name == "lookup" and cell.args and isinstance(cell.args[0][1], LiteralCell):
            yield str(cell.args[0][1].literal.value)
        for _, argument in cell.args:
            yield from lookups_of(argument)


def read_streams(project: ClientProject) -> frozenset[str]:
    """Return the streams, as ``system/stream``, that the running mappings of a client read: their sources, and those that they join or look up."""
    running = [project.mappings[name] for flow in project.flows.values() for name in flow.mappings if name in project.mappings]
    inbound = [each for each in running if each.inbound]
    return frozenset(name for each in inbound for name in (each.from_, *_targets(each.fields)) if "/" in name)


def identifying_field(project: ClientProject, model: str) -> str | None:
    """Return the field that is the one strong key of a model's identity by itself, None where there is none or several."""
    keys = [
        key
        for decision in project.decisions.values()
        if decision.kind == "identity" and decision.runs and any(each.partition(".")[0] == model for each in decision.governs)
        for key in decision.keys
        if key.strength == "strong"
    ]
    if len(keys) != 1 or len(keys[0].expressions) != 1:
        return None
    declared, (written,) = project.models.get(model), keys[0].expressions
    return written if declared is not None and any(each.name == written for each in declared.properties) else None


def mappings_in_order(project: ClientProject, names: Sequence[str]) -> list[str]:
    """Return mappings so that those which make a model come before those which look it up, else in the order given."""
    return _in_order(names, lambda name: [each for each in names if project.mappings[each].to in looked_up_models(project.mappings[name])])


def flows_in_order(project: ClientProject) -> list[Flow]:
    """Return the flows of a client so that those which make a model come before those which look it up, else in their order."""
    makes = _made(project)
    wants = {name: looked_up_in(project, flow.mappings) - makes[name] for name, flow in project.flows.items()}
    return [project.flows[name] for name in _in_order(tuple(makes), lambda name: [each for each in makes if makes[each] & wants[name]])]


def _made(project: ClientProject) -> dict[str, set[str]]:
    return {name: {project.mappings[each].to for each in flow.mappings if each in project.mappings} for name, flow in project.flows.items()}


def looked_up_in(project: ClientProject, names: Iterable[str]) -> set[str]:
    """Return the models that any of some mappings looks up."""
    return {model for name in names if name in project.mappings for model in looked_up_models(project.mappings[name])}


def dependents(project: ClientProject, names: Iterable[str], models: Collection[str]) -> list[str]:
    """Return the mappings among ``names`` that look up one of the models, or what is made by a mapping that does, and so on."""
    found: list[str] = []
    changed, candidates = set(models), list(names)
    while several := [each for each in candidates if each not in found and looked_up_models(project.mappings[each]) & changed]:
        found += several
        changed |= {project.mappings[each].to for each in several}
    return found


def find_cycles(mappings: Iterable[EntityMapping]) -> Iterator[tuple[EntityMapping, tuple[str, ...]]]:
    """Yield each mapping that looks up a model made, directly or by further lookups, of the model that it makes, with the way there."""
    wants: dict[str, dict[str, None]] = {}
    several = list(mappings)
    for mapping in several:
        wants.setdefault(mapping.to, {}).update(dict.fromkeys(sorted(looked_up_models(mapping))))
    for mapping in several:
        for model in sorted(looked_up_models(mapping)):
            way = _way(wants, model, mapping.to, (model,))
            if way is not None:
                yield mapping, (mapping.to, *way)
                break


@dataclass(frozen=True, slots=True)
class FlowCycle:
    """A flow that waits for itself: which of its mappings looks up which model, and the flows on the way, itself first and last."""

    flow: Flow
    mapping: str
    model: str
    way: tuple[str, ...]


def find_flow_cycles(project: ClientProject) -> Iterator[FlowCycle]:
    """Yield each flow of a client that looks up a model made by a flow which waits for it, though no model waits for itself."""
    makes = _made(project)
    circular = {mapping.name for mapping, _ in find_cycles(project.mappings.values())}
    waits: dict[str, dict[str, tuple[str, str]]] = {name: {} for name in makes}
    for name, flow in project.flows.items():
        for each in (each for each in flow.mappings if each in project.mappings and each not in circular):
            for model in sorted(looked_up_models(project.mappings[each]) - makes[name]):
                for other in (other for other in makes if model in makes[other]):
                    waits[name].setdefault(other, (each, model))
    before = {name: dict.fromkeys(others) for name, others in waits.items()}
    for name, others in waits.items():
        for other, (mapping, model) in others.items():
            way = _way(before, other, name, (other,))
            if way is not None:
                yield FlowCycle(project.flows[name], mapping, model, (name, *way))
                break


def _way(wants: Mapping[str, Mapping[str, None]], start: str, goal: str, gone: tuple[str, ...]) -> tuple[str, ...] | None:
    if start == goal:
        return gone
    for each in wants.get(start, ()):
        if each not in gone:
            found = _way(wants, each, goal, (*gone, each))
            if found is not None:
                return found
    return None


def _in_order(names: Sequence[str], before: Callable[[str], Iterable[str]]) -> list[str]:
    """Return names, each after those that ``before`` gives for it; where these go in a circle, the first one met comes last."""
    seen: set[str] = set()
    done: list[str] = []

    def visit(name: str) -> None:
        if name not in seen:
            seen.add(name)
            for each in before(name):
                visit(each)
            done.append(name)

    for name in names:
        visit(name)
    return done
