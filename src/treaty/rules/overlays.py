"""Rules on what clients change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from treaty.project.declarations import EntityMapping, Flow, System
from treaty.project.findings import Finding, Severity
from treaty.project.overlays import running_mappings
from treaty.rules.calls import called_functions
from treaty.rules.interface import CheckedProject, Rule, function_name


class OverlayWithoutReason(Rule):
    """An override that does not say why."""

    code = "overlay-without-reason"
    title = "A client's override does not say why it differs"
    why = "Nobody could tell later whether it is still needed."
    remedy = "Add 'reason:'."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        project = checked.project
        for client, overlay in project.overlays.items():
            for name, mapping in overlay.mappings.items():
                if name in project.mappings and not mapping.reason:
                    yield from self.mapping(client, mapping)
            whole: list[tuple[System | Flow, Mapping[str, object]]] = [
                *((each, project.systems) for each in overlay.systems.values()),
                *((each, project.flows) for each in overlay.flows.values()),
            ]
            for each, standard in whole:
                if each.name in standard and not each.reason:
                    yield self.finding(f"{client} overrides {each.name} and does not say why", each.position)
            for decision in overlay.decisions.values():
                if decision.id in project.decisions and not decision.reason:
                    yield self.finding(f"{client} overrides {decision.id} and does not say why", decision.position)

    def mapping(self, client: str, mapping: EntityMapping) -> Iterator[Finding]:
        """Yield the overridden fields that give no reason; the mapping itself where it overrides no field."""
        fields = {name: field for name, field in mapping.fields.items() if field.origin == "overlay"}
        if not fields:
            yield self.finding(f"{client} overrides {mapping.name} and does not say why", mapping.position)
        for name, field in fields.items():
            if not field.reason:
                yield self.finding(f"{client} overrides {mapping.name}.{name} and does not say why", mapping.at(f"fields.{name}"))


class OverlaySignature(Rule):
    """An override that changes what callers rely on."""

    code = "overlay-signature"
    title = "A client's override changes a decision's signature or kind"
    why = "Every cell that calls it, and every other client's reader, relies on them."
    remedy = "Keep the standard's signature and kind; write a new decision where another is needed."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for client, overlay in checked.project.overlays.items():
            for decision in overlay.decisions.values():
                standard = checked.project.decisions.get(decision.id)
                if standard is None:
                    continue
                if decision.kind != standard.kind:
                    yield self.finding(f"{client}: {decision.id} was of kind {standard.kind}", decision.at("kind"))
                elif "".join((decision.function or "").split()) != "".join((standard.function or "").split()):
                    yield self.finding(f"{client}: {decision.id} was {standard.function}", decision.at("function"))


class UnusedOverride(Rule):
    """An overridden decision that nothing of the client calls."""

    code = "unused-override"
    title = "A client overrides a decision that nothing of it calls"
    why = "An overridden field beats the decision that it would call, so the override has no effect."
    remedy = "Remove the override, or call the decision in the client's mapping."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for client, overlay in checked.project.overlays.items():
            view = checked.client_views[client]
            running = [view.mappings[name] for name in running_mappings(view)]
            called = called_functions(view, running) if running else set()
            for decision in overlay.decisions.values() if running else ():
                if decision.id in checked.project.decisions and decision.function and function_name(decision.function) not in called:
                    yield self.finding(f"{client}: nothing calls {function_name(decision.function)}", decision.position)


class ClientWithoutFlow(Rule):
    """A client for which nothing runs."""

    code = "client-without-flow"
    title = "No flow runs for a client"
    why = "A client's folder promises an integration that does not happen."
    remedy = "Declare one of its systems in clients/NAME/systems, or use {client} in a system's connection."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        has_flows = any(True for _ in checked.flows())
        for client, overlay in checked.project.overlays.items():
            if has_flows and not checked.client_views[client].flows:
                yield self.finding(f"nothing runs for {client}", overlay.position)


class ClientsShareSinkRows(Rule):
    """Clients that write the same sink stream under keys that do not tell them apart."""

    code = "clients-share-sink-rows"
    title = "Two clients write one sink stream, and its key does not tell them apart"
    why = "Records never cross clients, but rows with one key would: one client overwrites another, or is never delivered."
    remedy = "Use {client} in the sink's connection or table, or add a key column whose cell is another literal in each overlay."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        seen: dict[tuple[str, ...], str] = {}
        told: set[str] = set()
        for client, view in checked.client_views.items():
            for name in running_mappings(view):
                mapping = view.mappings[name]
                system = view.systems.get(mapping.to.partition("/")[0])
                stream = system.streams.get(mapping.to.partition("/")[2]) if system and not mapping.inbound else None
                if system is None or stream is None or mapping.mode != "upsert":
                    continue
                fields = {column: mapping.fields[column].cell for column in mapping.key if column in mapping.fields}
                literals = [f"{column}={cell}" for column, cell in fields.items() if cell and cell.startswith("'")]
                place = (mapping.to, mapping.name, repr(system.connection), repr(stream.write), *literals)
                other = seen.setdefault(place, client)
                if other != client and name not in told:
                    told.add(name)
                    message = f"{other} and {client} both write {mapping.to}, and the key ({', '.join(mapping.key)}) does not tell them apart"
                    yield self.finding(message, checked.project.mappings.get(name, mapping).at("key"))
