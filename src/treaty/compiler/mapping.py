"""Compiles one inbound mapping for one client: cells + decisions + contract → typed fields with their edge cases, rules and keys.

The order for a record is parse → scope → cells → edge cases → contract → identity (design, section 3). Every problem is
collected as a Finding; a mapping whose findings hold an error does not run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation

from treaty.compiler import ir
from treaty.compiler.building import Builder
from treaty.compiler.compiled import CompiledEdgeCase, CompiledField, CompiledKey, CompiledMapping, CompiledRule, CompiledStream
from treaty.compiler.lineage import governed_by, walk
from treaty.compiler.types import BOOLEAN, DATE, INTEGER, STRING, ListType, StructType, Type, parse_type, type_of
from treaty.project.declarations import ClientProject, DataContract, DecisionRecord, EntityMapping, FieldMapping, SchemaProperty, Stream
from treaty.project.stubs import is_stub

DURATION = re.compile(r"(\d+)\s*(s|m|h|d|w)$")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds_of(text: str | None) -> int:
    """Read a duration such as ``2h``; 0 for none. Raises ValueError."""
    if text is None:
        return 0
    found = DURATION.match(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a duration: write 30s, 15m, 2h or 3d")
    return int(found.group(1)) * SECONDS[found.group(2)]


def compile_stream(project: ClientProject, name: str) -> CompiledStream | None:
    """Compile how a stream's records are keyed, ordered and deleted; None where the stream is unknown or not well written."""
    stream = project.stream(name)
    if stream is None:
        return None
    builder = Builder(project, stream.at, looks_up=False)
    key = tuple(node for number, text in enumerate(stream.key) if (node := builder.cell(text, f"key.{number}")) is not None)
    version = None if stream.version == "landing-order" else builder.cell(stream.version, "version")
    tombstone = None
    if stream.deletes.mode == "tombstone" and stream.deletes.when:
        tombstone = builder.expression(stream.deletes.when, {}, "deletes.when", BOOLEAN, source=True)
    return CompiledStream(name, stream.format, stream.empty == "null", tuple(stream.nested), key, version, tombstone)


def compile_mapping(project: ClientProject, name: str) -> CompiledMapping:
    """Compile an inbound mapping by name; the result carries every Finding, errors included."""
    return _Compiler(project, project.mappings[name]).compile()


class _Compiler:
    """State of one compilation: the canonical fields as they are known so far."""

    def __init__(self, project: ClientProject, mapping: EntityMapping) -> None:
        self.project = project
        self.mapping = mapping
        self.builder = Builder(project, mapping.at, by_field=self.dated_field)
        self.contract: DataContract | None = project.models.get(mapping.to)
        self.cells: dict[str, ir.Node] = {}
        self.open: list[str] = []
        self.governing = [each for each in project.decisions.values() if each.runs and (each.kind == "identity" or not is_stub(mapping))]

    # ---- fields

    def dated_field(self, path: str) -> ir.Node | None:
        """Return the final cell of the field by which a decision applies (``invoice.issue_date``); a cycle is a finding."""
        name = path.removeprefix(f"{self.mapping.to}.")
        if name in self.open:
            self.builder.find("effective-date-cycle", f"{name} decides when a decision applies that {name} itself needs", f"fields.{name}", "Let another date field decide.")
            return None
        return self.field(name)

    def field(self, name: str) -> ir.Node | None:
        """Return the node of a top-level field's cell, fitted to its contract type."""
        if name in self.cells:
            return self.cells[name]
        assert self.contract is not None
        declared = next((each for each in self.contract.properties if each.name == name), None)
        if declared is None:
            return None
        self.open.append(name)
        written = self.mapping.fields.get(name)
        node = ir.Literal(None, parse_type(type_of(declared))) if written is None else self._written(declared, written, f"fields.{name}")
        self.open.pop()
        self.cells[name] = node
        return node

    def _written(self, declared: SchemaProperty, written: FieldMapping, path: str) -> ir.Node:
        wanted = parse_type(type_of(declared))
        if written.each is None and written.with_ is None:
            node = self.builder.cell(written.cell or "null", f"{path}.cell" if f"{path}.cell" in self.mapping.places else path)
            fitted = None if node is None else self.builder.fit(node, wanted, path)
            return fitted or ir.Literal(None, wanted)
        if not isinstance(wanted, ListType) or not declared.properties:
            self.builder.find("type-error", f"{declared.name} is {wanted}, and each or with makes a list of structs", path, "Declare the property as a list of objects.")
            return ir.Literal(None, wanted)
        join, source = None, None
        if written.with_ is not None:
            join = self._join(written, path)
        else:
            source = self.builder.path(written.each or "", f"{path}.each")
        fields = []
        self.builder.depth += 1
        for inner in declared.properties:
            mapped = written.fields.get(inner.name)
            at = f"{path}.fields.{inner.name}"
            node = ir.Literal(None, parse_type(type_of(inner))) if mapped is None else self._written(inner, mapped, at)
            fields.append((inner.name, contract_checks(inner, node)))
        self.builder.depth -= 1
        self._unknown(written.fields, declared.properties, f"{path}.fields")
        required = tuple(each.name for each in declared.properties if each.required)
        node = ir.Each(source, join, tuple(fields), required, wanted)
        return self._element_cases(declared.name, node)

    def _join(self, written: FieldMapping, path: str) -> ir.ChildJoin:
        stream = written.with_ or ""
        declared = self.project.stream(stream)
        if declared is None:
            self.builder.unknown("stream", stream, [f"{s.name}/{n}" for s in self.project.systems.values() for n in s.streams], f"{path}.with")
        on = tuple((column, node) for column, text in written.on.items() if (node := self.builder.cell(text, f"{path}.on.{column}")) is not None)
        try:
            wait = seconds_of(written.wait)
        except ValueError as error:
            self.builder.find("type-error", str(error), f"{path}.wait", "Write a number and s, m, h or d.")
            wait = 0
        return ir.ChildJoin(stream, on, written.expect, wait, declared is None or declared.empty == "null")

    def _unknown(self, written: Mapping[str, FieldMapping], declared: tuple[SchemaProperty, ...], path: str) -> None:
        known = [each.name for each in declared]
        for name in written:
            if name not in known:
                self.builder.unknown("field", name, known, f"{path}.{name}")

    # ---- edge cases

    def _ordered_cases(self) -> list[DecisionRecord]:
        """Return the edge cases in the model's order; a project's own ones over a pack's model come after it, by their ids.

        What governs fields of another model alone is none of this one.
        """
        assert self.contract is not None
        by_id = {each.id: each for each in self.governing if each.kind == "edge-case"}
        listed = [by_id[each] for each in self.contract.edge_cases if each in by_id]
        if not self.contract.of_pack:
            return listed
        model = self.mapping.to
        governing = [each for each in by_id.values() if any(one.partition(".")[0] == model for one in each.governs)]
        own = sorted(each.id for each in governing if not each.position.file.startswith("packs/"))
        return [*listed, *(by_id[each] for each in own if each not in self.contract.edge_cases)]

    def _element_cases(self, group: str, node: ir.Each) -> ir.Each:
        """Run the edge cases that govern fields of a group's elements inside each element."""
        fields = dict(node.fields)
        prefix = f"{self.mapping.to}.{group}."
        for case in self._ordered_cases():
            if case.treatment != "normalise" or not all(each.startswith(prefix) for each in case.governs) or not case.governs:
                continue
            fields = self._normalise(case, fields, prefix)[0]
        return replace(node, fields=tuple(fields.items()))

    def _normalise(self, case: DecisionRecord, fields: dict[str, ir.Node], prefix: str) -> tuple[dict[str, ir.Node], ir.Fired | None]:
        fired = self._fired(case, fields)
        if fired is None:
            return fields, None
        made = dict(fields)
        for target, text in case.set.items():
            name = target.removeprefix(prefix)
            if name not in fields:
                self.builder.unknown("field", target, list(fields), f"set.{target}", case)
                continue
            value = self.builder.expression(text, fields, f"set.{target}", fields[name].type, source=True, decision=case)
            value = None if value is None else self.builder.fit(value, fields[name].type, f"set.{target}", case)
            if value is not None:
                before = fields[name]
                made[name] = ir.Decided(case.id, before, ir.Case(((fired, value),), before, before.type), before.type)
        return made, fired

    def _fired(self, decision: DecisionRecord, fields: Mapping[str, ir.Node]) -> ir.Fired | None:
        node = self.builder.expression(decision.when or "", fields, "when", BOOLEAN, source=True, decision=decision)
        return None if node is None else ir.Fired(node)

    def _run_cases(self, fields: dict[str, ir.Node]) -> tuple[dict[str, ir.Node], list[CompiledEdgeCase]]:
        compiled = []
        model = f"{self.mapping.to}."
        groups = tuple(f"{model}{name}." for name, node in fields.items() if isinstance(node, ir.Each))
        for case in self._ordered_cases():
            if case.treatment == "normalise" and case.governs and all(each.startswith(groups) for each in case.governs):
                continue
            if case.treatment == "normalise":
                fields, fired = self._normalise(case, fields, model)
            else:
                fired = self._fired(case, fields)
            if fired is not None:
                sets = tuple(each.removeprefix(model) for each in (case.set or case.governs) if each != self.mapping.to)
                compiled.append(CompiledEdgeCase(case.id, fired, case.treatment or "preserve", sets, case.waives))
        return fields, compiled

    # ---- rules, keys, scopes

    def _rules(self, fields: Mapping[str, ir.Node], cases: list[CompiledEdgeCase]) -> list[CompiledRule]:
        assert self.contract is not None
        rules = []
        for rule in self.contract.quality if not is_stub(self.mapping) else ():
            node = self.builder.expression(rule.expression, fields, "", BOOLEAN, at=rule.position)
            waivers = tuple(case.when for case in cases if case.treatment == "preserve" and rule.id in case.waives)
            if node is not None:
                rules.append(CompiledRule(rule.id, node, waivers))
        return rules

    def _keys(self, fields: Mapping[str, ir.Node]) -> list[CompiledKey]:
        keys = []
        for decision in self.governing:
            if decision.kind != "identity" or self.mapping.to not in decision.governs:
                continue
            for number, key in enumerate(decision.keys):
                parts = [self.builder.expression(text, fields, f"keys.{number}", None, decision=decision) for text in key.expressions]
                if all(part is not None for part in parts):
                    keys.append(CompiledKey(decision.id, key.strength, tuple(part for part in parts if part is not None)))
        return keys

    def _scopes(self) -> list[tuple[str, ir.Fired]]:
        scopes = []
        for decision in self.governing:
            if decision.kind != "scope":
                continue
            mine = decision.stream == self.mapping.from_ if decision.stream else self.mapping.to in decision.governs
            fired = self._fired(decision, {}) if mine else None
            if fired is not None:
                scopes.append((decision.id, fired))
        return scopes

    # ---- the whole

    def compile(self) -> CompiledMapping:
        mapping = self.mapping
        stream = compile_stream(self.project, mapping.from_)
        if stream is None:
            names = [f"{system.name}/{name}" for system in self.project.systems.values() for name in system.streams]
            self.builder.unknown("stream", mapping.from_, names, "from")
            stream = CompiledStream(mapping.from_, "jsonl", True, (), (), None, None)
        if self.contract is None:
            self.builder.unknown("model", mapping.to, list(self.project.models), "to")
            return self._result(stream, [], [], [], [], [])
        self._unknown(mapping.fields, self.contract.properties, "fields")
        cells = {each.name: node for each in self.contract.properties if (node := self.field(each.name)) is not None}
        fields, cases = self._run_cases(dict(cells))
        final = {each.name: contract_checks(each, fields[each.name]) for each in self.contract.properties}
        compiled = []
        for declared in self.contract.properties:
            written = mapping.fields.get(declared.name)
            text = "" if written is None else written.cell or (f"each: {written.each}" if written.each else f"with: {written.with_}")
            origin = "standard" if written is None else written.origin
            required = declared.required and not is_stub(mapping)
            compiled.append(CompiledField(declared.name, parse_type(type_of(declared)), cells[declared.name], final[declared.name], required, text, origin))
        return self._result(stream, self._scopes(), compiled, cases, self._rules(final, cases), self._keys(final))

    def _result(
        self,
        stream: CompiledStream,
        scopes: list[tuple[str, ir.Fired]],
        fields: list[CompiledField],
        cases: list[CompiledEdgeCase],
        rules: list[CompiledRule],
        keys: list[CompiledKey],
    ) -> CompiledMapping:
        governed: dict[str, tuple[str, ...]] = {}
        for each in fields:
            governed |= governed_by(each.name, each.node)
        used = {decision: None for each in scopes for decision in (each[0],)}
        used |= {decision: None for ids in governed.values() for decision in ids}
        used |= {case.decision: None for case in cases}
        everything = [node for _, node in scopes] + [each.node for each in fields]
        references = {
            name: None
            for root in everything
            for node in walk(root)
            for name in ([node.target] if isinstance(node, ir.Lookup) else [node.join.stream] if isinstance(node, ir.Each) and node.join else [])
        }
        return CompiledMapping(
            self.mapping.name, self.project.client, self.mapping.to, stream, tuple(scopes), tuple(fields), tuple(cases), tuple(rules),
            tuple(keys), tuple(used), tuple(references), governed, tuple(self.builder.findings),
        )  # fmt: skip


def contract_checks(declared: SchemaProperty, node: ir.Node) -> ir.Node:
    """Wrap a field in what its contract demands beyond its type: lengths, pattern, bounds."""
    def call(name: str, bound: ir.Node) -> ir.Call:
        return ir.Call(name, (node, bound), node.type)

    integer: Type = parse_type("integer")
    if declared.max_length is not None:
        node = call("within_max_length", ir.Literal(declared.max_length, integer))
    if declared.min_length is not None:
        node = call("within_min_length", ir.Literal(declared.min_length, integer))
    if declared.pattern is not None:
        node = call("matches_pattern", ir.Literal(declared.pattern, STRING))
    for name, bound in (("within_minimum", declared.minimum), ("within_maximum", declared.maximum)):
        literal = None if bound is None else literal_bound(bound, node.type)
        if literal is not None:
            node = call(name, literal)
    return node


def literal_bound(text: str, kind: Type) -> ir.Literal | None:
    """Return a contract's bound as a literal of the field's type, or None where it is not one."""
    try:
        value = date.fromisoformat(text) if kind == DATE else int(text) if kind == INTEGER else Decimal(text)
    except (ValueError, InvalidOperation):
        return None
    return ir.Literal(value, kind)


__all__ = ["StructType", "Stream", "compile_mapping", "compile_stream", "contract_checks", "seconds_of"]
