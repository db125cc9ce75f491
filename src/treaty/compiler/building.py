"""Builds nodes out of the texts of a project, and turns whatever is wrong in them into Findings at their place."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from treaty.compiler import ir
from treaty.compiler.cells import CallCell, Cell, CellError, LiteralCell, PathCell, parse_cell, parse_path
from treaty.compiler.decisions import Library
from treaty.compiler.expressions import ExpressionError, Scope, compile_expression
from treaty.compiler.functions import CallError, fit, resolve_call
from treaty.compiler.lookups import identifying_field
from treaty.compiler.types import DATE, TIMESTAMP, ListType, StructType, Type, parse_type, type_of
from treaty.project.declarations import ClientProject, DecisionRecord
from treaty.project.findings import Finding, Position, Severity

SPECIAL = ("lookup", "only", "present", "received_at", "as_of")


@dataclass(slots=True)
class Builder:
    """Compiles cells and expressions for one file; ``at`` gives the position of a key path in it.

    ``outbound`` fields (golden record → sink) make a path mean a canonical field instead of a source path.
    """

    project: ClientProject
    at: Callable[[str], Position]
    by_field: Callable[[str], ir.Node | None] = lambda path: None
    outbound: Mapping[str, Type] | None = None
    depth: int = 0  # how many eaches are open
    looks_up: bool = True  # whether other streams and models can be read: only where records are conformed
    findings: list[Finding] = field(default_factory=list)
    _library: Library | None = None

    @property
    def library(self) -> Library:
        """The client's decision functions, compiled when first called."""
        if self._library is None:
            self._library = Library(self.project)
        return self._library

    # ---- findings

    def find(self, code: str, message: str, path: str, remedy: str, decision: DecisionRecord | None = None, *, at: Position | None = None) -> None:
        """Add an error at a key path (of a decision's file where one is given)."""
        position = at or (decision.at(path) if decision is not None else self.at(path))
        self.findings.append(Finding(code, Severity.ERROR, message, remedy, position))

    def unknown(self, kind: str, name: str, known: Iterable[str], path: str, decision: DecisionRecord | None = None, *, at: Position | None = None) -> None:
        """Add the finding that a name is not known, with the nearest that is."""
        near = difflib.get_close_matches(name, list(known), 1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Declare the {kind} or correct its name."
        self.find(f"unknown-{kind}", f"there is no {kind} {name!r}", path, remedy, decision, at=at)

    # ---- cells

    def path(self, text: str, place: str) -> ir.SourcePath | None:
        """Compile a path alone."""
        try:
            return parse_path(text)
        except CellError as error:
            self.find("bad-cell", error.message, place, error.remedy, at=self._shift(place, error.offset))
            return None

    def cell(self, text: str, place: str) -> ir.Node | None:
        """Compile a cell; None where it has problems, which are then among the findings."""
        try:
            cell = parse_cell(text)
        except CellError as error:
            self.find("bad-cell", error.message, place, error.remedy, at=self._shift(place, error.offset))
            return None
        return self._node(cell, place)

    def _shift(self, place: str, offset: int) -> Position:
        position = self.at(place)
        return replace(position, column=position.column + offset)

    def _node(self, cell: Cell, place: str) -> ir.Node | None:
        if isinstance(cell, LiteralCell):
            return cell.literal
        if isinstance(cell, PathCell):
            return self._path_node(cell, place)
        at = self._shift(place, cell.offset)
        if cell.name in SPECIAL:
            return self._special(cell, place, at)
        args = [(name, self._node(arg, place)) for name, arg in cell.args]
        if any(arg is None for _, arg in args):
            return None
        given = [(name, arg) for name, arg in args if arg is not None]
        if self.library.knows(cell.name):
            problem = self.library.problem(cell.name, given)
            if problem:
                self.find("type-error", problem, place, "Give the arguments of the decision's signature.", at=at)
                return None
            try:
                return self.library.call(cell.name, given, self.by_field)
            except CallError as error:
                self.find(error.code, error.message, place, error.remedy, at=at)
                return None
        try:
            return resolve_call(cell.name, [arg for _, arg in given])
        except CallError as error:
            if error.code == "unknown-function":
                self.unknown("function", cell.name, [*self.library.names(), *error.known], place, at=at)
            else:
                self.find(error.code, error.message, place, error.remedy, at=at)
            return None

    def _path_node(self, cell: PathCell, place: str) -> ir.Node | None:
        path = cell.path
        if self.outbound is not None:
            kind: Type | None = self.outbound.get(path.steps[0].name)
            if kind is None:
                self.unknown("field", path.steps[0].name, self.outbound, place, at=self._shift(place, cell.offset))
                return None
            node: ir.Node = ir.Param(path.steps[0].name, kind)
            for step in path.steps[1:]:
                struct = kind.item if isinstance(kind, ListType) else kind
                member = struct.member(step.name) if isinstance(struct, StructType) else None
                if member is None:
                    self.find("unknown-field", f"{kind} has no member {step.name!r}", place, "Name a member of the group.", at=self._shift(place, cell.offset))
                    return None
                kind = ListType(member) if isinstance(kind, ListType) else member
                node = ir.Member(node, step.name, kind)
            return node
        if path.up > self.depth:
            self.find("bad-cell", "^/ leads out of an each, and there is none here", place, "Remove ^/.", at=self._shift(place, cell.offset))
            return None
        return ir.Source(path)

    def _special(self, cell: CallCell, place: str, at: Position) -> ir.Node | None:
        first = cell.args[0][1] if cell.args else None
        if cell.name in ("only", "present"):
            if not isinstance(first, PathCell) or len(cell.args) != 1:
                self.find("type-error", f"{cell.name}() takes one path", place, f"Write {cell.name}(path).", at=at)
                return None
            return ir.Source(first.path) if cell.name == "only" else ir.Present(first.path)
        if cell.name in ("received_at", "as_of"):
            return ir.ReceivedAt(TIMESTAMP) if cell.name == "received_at" else ir.AsOf(DATE)
        if not self.looks_up:
            remedy = "Look it up in a field of the model that an inbound mapping fills, and use that field."
            self.find("bad-cell", "lookup() works in the cells of inbound mappings only", place, remedy, at=at)
            return None
        named = {name: arg for name, arg in cell.args if name}
        target, wanted, key = first, named.get("field"), named.get("key")
        if not isinstance(target, LiteralCell) or not isinstance(wanted, LiteralCell) or key is None:
            self.find("type-error", "lookup() takes a stream, key= and field=", place, "Write lookup('system/stream', key=path, field='Name').", at=at)
            return None
        name, node = str(target.literal.value), self._node(key, place)
        stream = self.project.stream(name)
        if stream is None:
            return self._golden_lookup(name, node, str(wanted.literal.value), place, at)
        if not stream.reference:
            self.find("not-a-reference", f"{name} is looked up but not marked as a reference", place, "Set `reference: true` on the stream.", at=at)
            return None
        return None if node is None else ir.Lookup(name, node, str(wanted.literal.value), empty_is_null=stream.empty == "null")

    def _golden_lookup(self, target: str, key: ir.Node | None, wanted: str, place: str, at: Position) -> ir.Node | None:
        """Return the lookup of a field in a model's golden records, each found by one of its fields."""
        name, _, by = target.partition(".")
        model = self.project.models.get(name)
        if model is None:
            streams = [f"{system.name}/{each}" for system in self.project.systems.values() for each in system.streams]
            self.unknown("stream", target, [*streams, *self.project.models], place, at=at)
            return None
        by = by or identifying_field(self.project, name) or ""
        if not by:
            remedy = f"Name the field by which they are found: lookup('{name}.FIELD', key=…, field='{wanted}')."
            self.find("no-lookup-key", f"no one field identifies the golden records of {name}", place, remedy, at=at)
            return None
        types = {each.name: parse_type(type_of(each)) for each in model.properties}
        for each in (by, wanted):
            if each not in types:
                self.unknown("field", each, types, place, at=at)
                return None
        fitted = None if key is None else self.fit(key, types[by], place)
        return None if fitted is None else ir.Lookup(name, fitted, wanted, types[wanted], by)

    # ---- expressions

    def expression(
        self,
        text: str,
        fields: Mapping[str, ir.Node],
        place: str,
        wanted: Type | None,
        *,
        source: bool = False,
        decision: DecisionRecord | None = None,
        at: Position | None = None,
    ) -> ir.Node | None:
        """Compile an expression over fields; ``source`` allows source('path') and present('path')."""
        scope = Scope(fields, allow_source=source, functions=self.library.resolver(self.by_field))
        try:
            return compile_expression(text, scope, wanted)
        except ExpressionError as error:
            start = at or (decision.at(place) if decision is not None else self.at(place))
            for problem in error.problems:
                position = replace(start, column=start.column + problem.offset)
                self.findings.append(Finding(problem.code, Severity.ERROR, problem.message, problem.remedy, position))
            return None

    # ---- types

    def fit(self, node: ir.Node, wanted: Type, place: str, decision: DecisionRecord | None = None) -> ir.Node | None:
        """Return the node as the wanted type where nothing is lost or a loss fails the cell; else a finding and None."""
        if isinstance(node, ir.Decided):  # the decision's result is made to fit, so that it is what people see of it
            body = self.fit(node.body, wanted, place, decision)
            return None if body is None else replace(node, body=body, type=wanted)
        if isinstance(node, ir.Each) and node.type == wanted:
            return node
        fitted = fit(node, wanted)
        if fitted is not None:
            return fitted
        self.find(
            "type-error", f"this is {node.type}, and {wanted} is wanted", place,
            "Call a function that makes it: plain_decimal(…), iso_date(…), or a decision.", decision,
        )  # fmt: skip
        return None
