"""The steps of one field of one landed record: source paths, cell, functions, decisions, edge cases, contract.

First :func:`nodes_of` says which nodes must be evaluated; the engine evaluates them over the landed record; then :class:`FieldSteps`
walks the same tree and tells each step with what went in and what came out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledField, CompiledMapping
from treaty.compiler.decisions import HOOK_FAILED, is_hook, spoken_name
from treaty.compiler.functions import FUNCTIONS
from treaty.compiler.lineage import walk
from treaty.compiler.types import BOOLEAN, ListType, StructType, Type
from treaty.operations.explaining.decisions import describe_decision
from treaty.project.declarations import DecisionRecord

Step: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a node came to: a value, or the reason of its failure."""

    value: Any
    fails: str | None = None


Outcomes: TypeAlias = Mapping[ir.Node, Outcome]


def nodes_of(field: CompiledField, mapping: CompiledMapping) -> tuple[ir.Node, ...]:
    """Return every node that the field's steps need evaluated, elements of repeating groups left out."""
    found: dict[ir.Node, None] = {}
    cases = (case.when for case in mapping.edge_cases if field.name in case.sets)
    for node in (field.cell, field.node, *cases):
        found.update(dict.fromkeys(each for each in walk(node, elements=False) if not isinstance(each, ir.Literal | ir.Param)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class ElementNodes:
    """A repeating group rewritten so that each of its elements shows every node of one inner field."""

    node: ir.Each
    nodes: tuple[ir.Node, ...]

    def outcomes(self, element: Mapping[str, Any]) -> dict[ir.Node, Outcome]:
        """Return what each node came to in one element of the rewritten group's value."""
        found: dict[ir.Node, Outcome] = {}
        for number, node in enumerate(self.nodes):
            found[node] = Outcome(element[f"v{number}"], _reason(node) if element[f"f{number}"] else None)
        return found


def element_nodes(group: ir.Each, name: str) -> ElementNodes:
    """Rewrite a group for the inner field ``name``: the same elements, with one member for each node and for its failure."""
    inner = dict(group.fields)[name]
    nodes = tuple(dict.fromkeys(each for each in walk(inner, elements=False) if not isinstance(each, ir.Literal | ir.Param)))
    members: list[tuple[str, ir.Node]] = [(f"v{number}", node) for number, node in enumerate(nodes)]
    members += [(f"f{number}", ir.Failed(node)) for number, node in enumerate(nodes)]
    kinds: list[tuple[str, Type]] = [(key, BOOLEAN if key.startswith("f") else node.type) for key, node in members]
    return ElementNodes(replace(group, fields=tuple(members), required=(), type=ListType(StructType(tuple(kinds)))), nodes)


def _reason(node: ir.Node) -> str:
    for each in walk(node, elements=False):
        if isinstance(each, ir.Call) and is_hook(each):
            return HOOK_FAILED
        if isinstance(each, ir.ValueMap):
            return "unmapped-value"
        if isinstance(each, ir.Call) and each.function in FUNCTIONS and FUNCTIONS[each.function].can_fail(each):
            return FUNCTIONS[each.function].reasons[0]
    return "many-values"


class FieldSteps:
    """Tells the steps of a node tree whose nodes have been evaluated."""

    def __init__(self, mapping: CompiledMapping, decisions: Mapping[str, DecisionRecord], outcomes: Outcomes, landed: Step) -> None:
        self.mapping = mapping
        self.decisions = decisions
        self.outcomes = outcomes
        self.landed = landed
        self.told: set[ir.Node] = set()

    def of_field(self, field: CompiledField) -> Iterator[Step]:
        """Yield the steps of a top-level field, from its source paths to its contract."""
        yield from self.sources(field.cell)
        yield self.cell(field.name, field.text, field.origin, field.cell)
        yield from self.below(field.cell)
        yield from self.edge_cases(field)
        yield self.contract(field.name, field.type, field.required, field.node)

    def of_element(self, name: str, text: str, origin: str, kind: Type, required: bool, node: ir.Node) -> Iterator[Step]:
        """Yield the steps of a field inside one element; edge cases of elements stand in the tree itself."""
        yield from self.sources(node)
        yield self.cell(name, text, origin, node)
        yield from self.below(node)
        yield self.contract(name, kind, required, node)

    def sources(self, node: ir.Node) -> Iterator[Step]:
        """Yield a landed step for each path that a node reads, or one for the record where it reads none."""
        paths = [each for each in dict.fromkeys(walk(node, elements=False)) if isinstance(each, ir.Source)]
        for each in paths:
            outcome = self.outcomes[each]
            yield {**self.landed, "path": str(each.path), "value": outcome.value, **_fails(outcome)}
        for group in walk(node, elements=False):
            if isinstance(group, ir.Each):
                elements = self.outcomes[group].value
                where = {"path": str(group.path)} if group.path is not None else {"path": f"rows of {group.join.stream}" if group.join else ""}
                yield {**self.landed, **where, "value": None if elements is None else f"{len(elements)} elements"}
        if not paths and not any(isinstance(each, ir.Each) for each in walk(node, elements=False)):
            yield dict(self.landed)

    def cell(self, name: str, text: str, origin: str, node: ir.Node) -> Step:
        """Return the cell's step: as written, and what it came to."""
        return {"step": "cell", "mapping": self.mapping.name, "field": name, "cell": text, "scope": origin, **self._came_to(node)}

    def below(self, node: ir.Node) -> Iterator[Step]:
        """Yield the functions and decisions of a node, arguments before what uses them, each once."""
        if node in self.told or isinstance(node, ir.Literal | ir.Source | ir.Present | ir.Param):
            return
        self.told.add(node)
        if isinstance(node, ir.Decided):
            if node.input is not None:
                yield from self.below(node.input)
            yield self.decision(node)
        elif isinstance(node, ir.Call):
            for each in node.args:
                yield from self.below(each)
            if not _silent(node):
                yield {"step": "function", "function": spoken_name(node.function), "input": [self.value(each) for each in node.args], **self._came_to(node)}
        elif isinstance(node, ir.Lookup):
            yield from self.below(node.key)
            yield {"step": "function", "function": "lookup", "input": [node.target, self.value(node.key), node.field], **self._came_to(node)}
        elif isinstance(node, ir.Case):
            yield from self._taken(node)
        elif isinstance(node, ir.ValueMap):
            yield from self.below(node.input)
        elif isinstance(node, ir.Failed | ir.Fired | ir.Member):
            yield from self.below(node.operand)

    def _taken(self, case: ir.Case) -> Iterator[Step]:
        for condition, then in case.whens:
            yield from self.below(condition)
            if self.value(condition) is True:
                yield from self.below(then)
                return
        yield from self.below(case.otherwise)

    def decision(self, node: ir.Decided) -> Step:
        """Return a decision's step, with the functions inside it as its own steps."""
        record = self.decisions.get(node.decision)
        about = describe_decision(record) if record else {"id": node.decision, "title": "", "reason": "", "rejected": [], "scope": "standard"}
        given = None if node.input is None else self.value(node.input)
        kind = "edge-case" if record is not None and record.kind == "edge-case" else "decision"
        step: Step = {"step": kind, **about, "input": given, **self._came_to(node)}
        if kind == "edge-case" and record is not None:
            step |= {"treatment": record.treatment, "fired": self._fired_in(node)}
        step |= self._what_ran(record, node)
        inner = list(self.below(node.body))
        return step | ({"steps": inner} if inner else {})

    def _fired_in(self, node: ir.Decided) -> bool:
        body = node.body
        return isinstance(body, ir.Case) and bool(body.whens) and self.value(body.whens[0][0]) is True

    def _what_ran(self, record: DecisionRecord | None, node: ir.Decided) -> Step:
        if record is None:
            return {}
        if record.expression:
            return {"expression": record.expression}
        if record.cases and isinstance(node.body, ir.Case):
            for row, (condition, _) in zip(record.cases, node.body.whens, strict=False):
                if self.value(condition) is True:
                    return {"expression": f"when {row.when} then {row.then}"}
            return {"expression": f"otherwise {record.otherwise}"}
        if record.kind == "value-map" and node.input is not None:
            return {"expression": _entry(record, self.value(node.input))}
        return {}

    def edge_cases(self, field: CompiledField) -> Iterator[Step]:
        """Yield the model's edge cases that concern a field, in their order, whether they applied or not."""
        marks = {each.decision: each for each in walk(field.node, elements=False) if isinstance(each, ir.Decided) and each not in self.told}
        for case in self.mapping.edge_cases:
            if field.name not in case.sets:
                continue
            mark = marks.get(case.decision)
            if mark is not None:
                self.told.add(mark)
                yield {**self.decision(mark), "treatment": case.treatment, "fired": self.value(case.when) is True}
                continue
            record = self.decisions.get(case.decision)
            about = describe_decision(record) if record else {"id": case.decision, "title": "", "reason": "", "rejected": [], "scope": "standard"}
            given = self._came_to(field.cell)
            yield {
                "step": "edge-case", **about, "treatment": case.treatment, "fired": self.value(case.when) is True, "input": given["output"], **given,
            }  # fmt: skip

    def contract(self, name: str, kind: Type, required: bool, node: ir.Node) -> Step:
        """Return the contract's step: the type that is demanded, and the value that it lets through."""
        return {"step": "contract", "model": self.mapping.model, "field": name, "type": str(kind), "required": required, **self._came_to(node)}

    def value(self, node: ir.Node) -> Any:
        """Return what a node came to, null where it failed."""
        if isinstance(node, ir.Literal):
            return node.value
        outcome = self.outcomes.get(node)
        return None if outcome is None or outcome.fails else outcome.value

    def is_empty(self, node: ir.Node) -> bool:
        """Whether a node came to nothing, and did not fail."""
        outcome = self.outcomes.get(node)
        return (outcome is None or not outcome.fails) and self.value(node) in (None, [])

    def _came_to(self, node: ir.Node) -> Step:
        if isinstance(node, ir.Literal):
            return {"output": node.value}
        outcome = self.outcomes[node]
        return {"output": None if outcome.fails else outcome.value, **_fails(outcome)}


def _fails(outcome: Outcome) -> Step:
    return {"fails": outcome.fails} if outcome.fails else {}


def _silent(call: ir.Call) -> bool:
    """Whether a call is the compiler's own: contract checks and widenings are told by the contract's step."""
    function = FUNCTIONS.get(call.function)
    return function is not None and function.internal


def _entry(record: DecisionRecord, given: Any) -> str:
    if given is None:
        return f"null: {record.null}"
    folded = str(given).strip().casefold() if record.match == "trim_casefold" else str(given)
    for source, target in record.map.items():
        if folded == (source.strip().casefold() if record.match == "trim_casefold" else source):
            return f"{source}: {target}"
    return f"otherwise: {record.otherwise or 'quarantine'}"
