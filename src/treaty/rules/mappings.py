"""Rules on entity mappings, flows and what they deliver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from treaty.compiler.lookups import find_cycles, find_flow_cycles
from treaty.project.declarations import EntityMapping, FieldMapping, SchemaProperty
from treaty.project.findings import Finding, Severity
from treaty.rules.calls import WrittenCell, calls_of, cells_of, decision_functions, stream_cells
from treaty.rules.interface import CheckedProject, Rule


class HiddenDecision(Rule):
    """A choice made in a cell, where nobody reads it."""

    code = "hidden-decision"
    title = "A cell chooses something that no decision record explains"
    why = "A function such as coalesce, replace or round changes what a value means; that belongs where people can read and question it."
    remedy = "Move the call into a decision record with its reason and examples, and call the decision here."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        choosing = choosing_functions()
        written: list[tuple[set[str], Iterator[WrittenCell]]] = []
        written += [(set(decision_functions(view)), cells_of(mapping)) for view, mapping in checked.mappings()]
        written += [(set(decision_functions(view)), stream_cells(system)) for view, system in checked.systems()]
        for decided, cells in written:
            for call in (call for cell in cells for call in calls_of(cell)):
                if call.name in choosing and call.name not in decided:
                    yield self.finding(f"{call.name}() chooses, and no decision says why", call.position)


def choosing_functions() -> frozenset[str]:
    """Return the standard functions that lose or choose something."""
    from treaty.compiler.functions import standard_functions

    return frozenset(each.name for each in standard_functions() if each.tag == "choosing")


class UncoveredField(Rule):
    """A required field that a mapping does not fill."""

    code = "uncovered-field"
    title = "A mapping does not fill a required field"
    why = "Every record of the mapping would be quarantined."
    remedy = "Add a cell for it, or let the contract not require it."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for view, mapping in checked.mappings():
            inherited = view is not checked.standard and mapping.name in checked.project.mappings
            model = checked.project.models.get(mapping.to)
            if not mapping.inbound or model is None or inherited:
                continue
            filled = {
                name.removeprefix(f"{model.name}.")
                for each in view.decisions.values()
                if each.kind == "edge-case" and each.runs
                for name in each.set
            }
            yield from self.missing(mapping, model.properties, mapping.fields, "", "fields", filled)

    def missing(
        self,
        mapping: EntityMapping,
        properties: tuple[SchemaProperty, ...],
        fields: Mapping[str, FieldMapping],
        prefix: str,
        place: str,
        filled: set[str],
    ) -> Iterator[Finding]:
        """Yield a finding for each required property without a cell, those of elements included."""
        for declared in properties:
            path = f"{prefix}{declared.name}"
            field = fields.get(declared.name)
            if field is None and declared.required and path not in filled:
                yield self.finding(f"{mapping.to}.{path} is required, and {mapping.name} does not fill it", mapping.at(place))
            elif field is not None and declared.properties and (field.each or field.with_):
                yield from self.missing(mapping, declared.properties, field.fields, f"{path}.", f"{place}.{declared.name}.fields", filled)


class FieldSource(Rule):
    """A field that says nothing, or two things, about where it comes from."""

    code = "field-source"
    title = "A field does not say in one way where its value comes from"
    why = "A field is filled by a cell, by each element at a path, or by the rows of a child stream."
    remedy = "Give one of 'cell:', 'each:' and 'with:'; 'each' and 'with' need 'fields:', and 'with' needs 'on:'."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, mapping in checked.mappings():
            yield from self.fields(mapping, mapping.fields, "fields")

    def fields(self, mapping: EntityMapping, fields: Mapping[str, FieldMapping], prefix: str) -> Iterator[Finding]:
        """Yield what is wrong with fields and those below them."""
        for name, field in fields.items():
            place = f"{prefix}.{name}"
            given = [key for key, value in (("cell", field.cell), ("each", field.each), ("with", field.with_)) if value is not None]
            problem = ""
            if len(given) != 1:
                problem = f"has {' and '.join(given)}" if given else "has no 'cell', 'each' or 'with'"
            elif field.cell is not None and (field.fields or field.on):
                problem = "is a cell and has fields of its own"
            elif field.cell is None and not field.fields:
                problem = "has no fields"
            elif field.with_ is not None and not field.on:
                problem = "joins a stream and has no 'on'"
            if problem:
                yield self.finding(f"{name} {problem}", mapping.at(place))
            yield from self.fields(mapping, field.fields, f"{place}.fields")


class SinkWithoutKey(Rule):
    """An outbound mapping that cannot find what it delivered before."""

    code = "sink-without-key"
    title = "An outbound mapping that updates has no key"
    why = "A record that was delivered before could not be found again and would be created twice."
    remedy = "Add 'key:' with the sink's key columns, or choose 'mode: at-least-once'."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, mapping in checked.mappings():
            if not mapping.inbound and not mapping.key and mapping.mode in ("upsert", "same-transaction", "read-back"):
                yield self.finding(f"{mapping.name} delivers by {mapping.mode} and has no key", mapping.at("to"))


class OutboundOnly(Rule):
    """A setting of outbound mappings on an inbound one."""

    code = "outbound-setting"
    title = "An inbound mapping has a setting that only outbound ones have"
    why = "It would have no effect."
    remedy = "Remove it; what an inbound mapping leaves out is a decision of kind scope."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, mapping in checked.mappings():
            for setting in ("where", "key", "delete", "mode", "baseline") if mapping.inbound else ():
                if setting in mapping.places:
                    yield self.finding(f"{mapping.name} reads a source and has {setting!r}", mapping.at(setting))


class SinkMode(Rule):
    """A delivery mode that the sink's connector cannot keep."""

    code = "sink-mode"
    title = "A sink cannot keep the delivery mode"
    why = "A mode is a promise; each connector says which ones it can keep."
    remedy = "Choose a mode that the connector keeps."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        from treaty.rules.systems import connector_of

        for _, mapping in checked.mappings():
            if mapping.inbound:
                continue
            for system in checked.known_systems.get(mapping.to.partition("/")[0], ())[:1]:
                connector = connector_of(system.connector)
                if connector is None:
                    continue
                if connector.write is None:
                    yield self.finding(
                        f"the connector {system.connector!r} writes nothing",
                        mapping.at("to"),
                        "Deliver to a system whose connector is a sink.",
                    )
                elif connector.modes and mapping.mode not in connector.modes:
                    remedy = f"Choose one of {', '.join(sorted(connector.modes))}."
                    yield self.finding(f"{system.connector!r} does not keep the mode {mapping.mode}", mapping.at("mode"), remedy)


class SinkBaseline(Rule):
    """A baseline of a sink that cannot say what it holds."""

    code = "sink-baseline"
    title = "A baseline is declared of a sink that cannot say what it holds"
    why = "At the first load each record would be looked up there; without that all of them would be sent."
    remedy = "Take 'baseline' out, or deliver by 'mode: upsert' to a connector whose sinks can be looked up."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        from treaty.rules.systems import connector_of

        for _, mapping in checked.mappings():
            if mapping.inbound or not mapping.baseline:
                continue
            for system in checked.known_systems.get(mapping.to.partition("/")[0], ())[:1]:
                connector = connector_of(system.connector)
                if connector is not None and connector.write is not None and not (connector.looks_up and mapping.mode == "upsert"):
                    yield self.finding(f"{mapping.to} cannot be asked what it holds, by {mapping.mode} to {system.connector!r}", mapping.at("baseline"))


class IdleMapping(Rule):
    """A mapping that no flow runs."""

    code = "idle-mapping"
    title = "No flow runs a mapping"
    why = "It looks as if its records arrived, and they do not."
    remedy = "Name it in a flow, or remove it."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        flows = [flow for _, flow in checked.flows()]
        run = {name for flow in flows for name in flow.mappings}
        for _, mapping in checked.mappings():
            if flows and mapping.name not in run and checked.is_own(mapping.position):
                yield self.finding(f"no flow runs {mapping.name}", mapping.at("from"))


class LookupCycle(Rule):
    """Mappings that wait for each other: each looks up the model that the other makes."""

    code = "lookup-cycle"
    title = "A mapping looks up a model that is made with what the mapping makes"
    why = "A model that is looked up is conformed first; in a circle none could be."
    remedy = "Take the value from the record itself, or say with a decision of kind relationship which record is referred to."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        found: dict[str, Finding] = {}
        for view in (checked.standard, *checked.client_views.values()):
            for mapping, way in find_cycles(view.mappings.values()):
                message = f"{mapping.name} looks up {way[1]}, and in the end itself: {' → '.join(way)}"
                found.setdefault(mapping.name, self.finding(message, mapping.at("to")))
        yield from found.values()


class FlowCycle(Rule):
    """Flows that wait for each other: each looks up a model that the other makes."""

    code = "flow-cycle"
    title = "A flow looks up a model that is made by a flow which waits for it"
    why = "A flow runs after those that make what it looks up; in a circle, one of them reads what is not there yet, and only the next run puts it right."
    remedy = "Put the mappings of these flows into one flow, which conforms each model before what looks it up, or give the model that is looked up a flow of its own."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        found: dict[str, Finding] = {}
        for view in checked.client_views.values():
            for each in find_flow_cycles(view):
                message = f"{each.mapping} looks up {each.model}, for which the flow in the end waits for itself: {' → '.join(each.way)}"
                found.setdefault(each.flow.name, self.finding(message, each.flow.at("mappings")))
        yield from found.values()
