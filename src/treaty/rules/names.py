"""Rules on names: whatever a file names must be there; the nearest known name is the remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from treaty.project.declarations import DecisionRecord, EntityMapping, FieldMapping, Flow, System
from treaty.project.findings import Finding, Position, suggest
from treaty.project.overlays import clients
from treaty.rules.interface import CheckedProject, Rule, properties_of

SURVIVORSHIP_ORDERS = ("latest", "earliest", "most-complete")


@dataclass(frozen=True, slots=True)
class NamedStream:
    """A place that names ``system/stream``."""

    name: str
    position: Position


def named_streams(checked: CheckedProject) -> Iterator[NamedStream]:
    """Yield every place that names a stream."""
    for _, mapping in checked.mappings():
        yield from mapping_streams(mapping)
    for _, decision in checked.decisions():
        if decision.stream is not None:
            yield NamedStream(decision.stream, decision.at("stream"))


def mapping_streams(mapping: EntityMapping) -> Iterator[NamedStream]:
    """Yield the streams that a mapping names: its source or its sink, and those it joins."""
    if mapping.inbound:
        yield NamedStream(mapping.from_, mapping.at("from"))
    else:
        yield NamedStream(mapping.to, mapping.at("to"))
    yield from _joined(mapping, mapping.fields, "fields")


def _joined(mapping: EntityMapping, fields: Mapping[str, FieldMapping], prefix: str) -> Iterator[NamedStream]:
    for name, field in fields.items():
        if field.with_ is not None:
            yield NamedStream(field.with_, mapping.at(f"{prefix}.{name}.with"))
        yield from _joined(mapping, field.fields, f"{prefix}.{name}.fields")


class UnknownSystem(Rule):
    """A system that is named but not declared."""

    code = "unknown-system"
    title = "A system is named that is not declared"
    why = "Nothing can be read from it or sent to it."
    remedy = "Declare it in systems/, or correct the name."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        known = checked.known_systems
        for named in named_streams(checked):
            system = named.name.partition("/")[0]
            if system not in known and not checked.is_broken("systems", system):
                yield self.finding(f"there is no system {system!r}", named.position, suggest(system, known, self.remedy))
        for _, decision in checked.decisions():
            for number, field in enumerate(decision.survivorship):
                for place, name in enumerate(field.prefer):
                    if name not in known and name not in SURVIVORSHIP_ORDERS and not checked.is_broken("systems", name):
                        remedy = suggest(name, (*known, *SURVIVORSHIP_ORDERS), self.remedy)
                        yield self.finding(f"there is no system {name!r}", decision.at(f"rules.{number}.prefer.{place}"), remedy)


class UnknownStream(Rule):
    """A stream that its system does not have."""

    code = "unknown-stream"
    title = "A stream is named that its system does not have"
    why = "Nothing can be read from it or sent to it."
    remedy = "Declare it among the system's streams, or correct the name."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for named in named_streams(checked):
            system, _, stream = named.name.partition("/")
            declared = checked.known_systems.get(system)
            if declared and not any(stream in each.streams for each in declared):
                known = sorted({f"{system}/{name}" for each in declared for name in each.streams})
                remedy = suggest(named.name, known, self.remedy)
                yield self.finding(f"the system {system!r} has no stream {stream!r}", named.position, remedy)
        for _, system_declared in checked.systems():
            for name in system_declared.volumes:
                if name not in system_declared.streams:
                    remedy = suggest(name, system_declared.streams, self.remedy)
                    message = f"the system {system_declared.name!r} has no stream {name!r}"
                    yield self.finding(message, system_declared.at(f"volumes.{name}"), remedy)


class UnknownModel(Rule):
    """A canonical model that is named but not declared."""

    code = "unknown-model"
    title = "A canonical model is named that is not declared"
    why = "A mapping needs the model's contract, and a decision the model that it governs."
    remedy = "Declare it in models/, or correct the name."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, mapping in checked.mappings():
            name, place = (mapping.to, "to") if mapping.inbound else (mapping.from_, "from")
            yield from self.named(checked, name, mapping.at(place))
        for _, decision in checked.decisions():
            for path, place in named_fields(decision):
                yield from self.named(checked, path.partition(".")[0], decision.at(place))

    def named(self, checked: CheckedProject, name: str, position: Position) -> Iterator[Finding]:
        """Yield a finding where a model is not known."""
        models = checked.project.models
        if name not in models and not checked.is_broken("models", name):
            yield self.finding(f"there is no model {name!r}", position, suggest(name, models, self.remedy))


def named_fields(decision: DecisionRecord) -> Iterator[tuple[str, str]]:
    """Yield the places of a decision that name a model or a field of one (``invoice.amount_due``)."""
    for number, path in enumerate(decision.governs):
        yield path, f"governs.{number}"
    if decision.applies is not None:
        yield decision.applies.by, "applies.by"
    if decision.references is not None:
        yield decision.references, "references"


class UnknownField(Rule):
    """A field that its model does not have."""

    code = "unknown-field"
    title = "A field is named that the model does not have"
    why = "A decision that governs no field, or a cell for no field, has no effect."
    remedy = "Add it to the model's contract, or correct the name."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, decision in checked.decisions():
            for path, place in named_fields(decision):
                yield from self.named(checked, path, decision.at(place))
            for path, place in self.of_model(decision):
                yield from self.named(checked, path, decision.at(place))
        for _, mapping in checked.mappings():
            if mapping.inbound and mapping.to in checked.project.models:
                yield from self.mapped(checked, mapping, mapping.fields, mapping.to, "fields")
        for model in checked.project.models.values():
            paths = [path for path, _, _ in properties_of(model)]
            for path, declared, beside in properties_of(model):
                names = [*(each.name for each in beside), *paths]
                if declared.currency is not None and declared.currency not in names:
                    message = f"the currency of {path} is no property beside it"
                    yield self.finding(message, model.at(f"{path}.currency"), suggest(declared.currency, names, self.remedy))

    def of_model(self, decision: DecisionRecord) -> Iterator[tuple[str, str]]:
        """Yield the fields that survivorship and edge cases name without their model."""
        models = {each.partition(".")[0] for each in decision.governs}
        if len(models) != 1:
            return
        model = models.pop()
        for number, rule in enumerate(decision.survivorship):
            for place, name in enumerate(rule.fields):
                yield f"{model}.{name.removeprefix(f'{model}.')}", f"rules.{number}.fields.{place}"
        for name in decision.set:
            yield f"{model}.{name.removeprefix(f'{model}.')}", f"set.{name}"

    def mapped(
        self, checked: CheckedProject, mapping: EntityMapping, fields: Mapping[str, FieldMapping], prefix: str, place: str
    ) -> Iterator[Finding]:
        """Yield a finding for each mapped field that the contract does not have."""
        for name, field in fields.items():
            unknown = list(self.named(checked, f"{prefix}.{name}", mapping.at(f"{place}.{name}")))
            yield from unknown
            if not unknown:
                yield from self.mapped(checked, mapping, field.fields, f"{prefix}.{name}", f"{place}.{name}.fields")

    def named(self, checked: CheckedProject, path: str, position: Position) -> Iterator[Finding]:
        """Yield a finding where a known model lacks the field."""
        name, _, field = path.partition(".")
        model = checked.project.models.get(name)
        if model is None or not field or model.find(field) is not None:
            return
        known = [below for below, _, _ in properties_of(model)]
        remedy = suggest(field, known, self.remedy) if len(known) <= 200 else self.remedy
        yield self.finding(f"the model {name!r} has no field {field!r}", position, remedy)


class UnknownDecision(Rule):
    """A decision that is named but not there."""

    code = "unknown-decision"
    title = "A decision is named that is not there"
    why = "An edge case that is listed but missing does not run; a reader cannot follow to a successor that is missing."
    remedy = "Write the decision record, or correct the id."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        known = {decision.id: decision for _, decision in checked.decisions()}
        for model in checked.project.models.values():
            for number, name in enumerate(model.edge_cases):
                if checked.is_broken("decisions", name):
                    continue
                edge_cases = [each for each, decision in known.items() if decision.kind == "edge-case"]
                if name not in edge_cases:
                    what = f"{name!r} is no edge case" if name in known else f"there is no decision {name!r}"
                    yield self.finding(what, model.at(f"edge_cases.{number}"), suggest(name, edge_cases, self.remedy))
        for decision in known.values():
            successor = decision.superseded_by
            if successor is not None and successor not in known and not checked.is_broken("decisions", successor):
                yield self.finding(
                    f"there is no decision {successor!r}", decision.at("superseded-by"), suggest(successor, known, self.remedy)
                )


class UnknownMapping(Rule):
    """A mapping that a flow names but that is not there."""

    code = "unknown-mapping"
    title = "A flow runs a mapping that is not there"
    why = "The flow would silently leave it out."
    remedy = "Write it in mappings/, or correct the name."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        known = {mapping.name for _, mapping in checked.mappings()}
        for _, flow in checked.flows():
            for number, name in enumerate(flow.mappings):
                if name not in known and not checked.is_broken("mappings", name):
                    yield self.finding(f"there is no mapping {name!r}", flow.at(f"mappings.{number}"), suggest(name, known, self.remedy))


class UnknownClient(Rule):
    """A client that a flow names but that has no folder."""

    code = "unknown-client"
    title = "A flow names a client that there is not"
    why = "The flow would run for nobody."
    remedy = "Make the folder clients/NAME, or correct the name."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        known = clients(checked.project)
        for _, flow in checked.flows():
            for number, name in enumerate(flow.clients):
                if name not in known:
                    yield self.finding(f"there is no client {name!r}", flow.at(f"clients.{number}"), suggest(name, known, self.remedy))


class UnknownOwner(Rule):
    """An owner or an alert route that treaty.yaml does not name."""

    code = "unknown-owner"
    title = "An owner or an alert route is named that treaty.yaml does not have"
    why = "Nobody would be told when something breaks."
    remedy = "Add it in treaty.yaml under 'owners:' or 'alerts:', or correct the name."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        owners, alerts = checked.project.settings.owners, checked.project.settings.alerts
        owned: list[System | Flow] = [*(each for _, each in checked.systems()), *(each for _, each in checked.flows())]
        for each in owned:
            if owners and each.owner is not None and each.owner not in owners and checked.is_own(each.at("owner")):
                yield self.finding(f"there is no owner {each.owner!r}", each.at("owner"), suggest(each.owner, owners, self.remedy))
        for _, flow in checked.flows():
            if flow.alerts is not None and flow.alerts not in alerts:
                yield self.finding(f"there is no alert route {flow.alerts!r}", flow.at("alerts"), suggest(flow.alerts, alerts, self.remedy))


class UnknownQualityRule(Rule):
    """A quality rule that an edge case waives but that no contract has."""

    code = "unknown-quality-rule"
    title = "An edge case waives a quality rule that no contract has"
    why = "The records would still be marked."
    remedy = "Correct the rule's id."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        known = [rule.id for model in checked.project.models.values() for rule in model.quality]
        for _, decision in checked.decisions():
            for number, name in enumerate(decision.waives):
                if name not in known:
                    yield self.finding(
                        f"there is no quality rule {name!r}", decision.at(f"waives.{number}"), suggest(name, known, self.remedy)
                    )
