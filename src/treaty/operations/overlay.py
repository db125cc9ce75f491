"""``overlay``: what holds for one client, each decision and field as inherited, overridden, added or excluded, with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from treaty.errors import UsageError
from treaty.operations.workspace import Folder, find_workspace
from treaty.project.declarations import ClientProject, EntityMapping
from treaty.project.differences import Difference, mapped_fields, mapping_reason, overlay_differences, spell_source
from treaty.project.findings import Position
from treaty.project.loading import Project
from treaty.project.overlays import client_project, running_mappings

State: TypeAlias = Literal["inherited", "overridden", "added", "excluded"]


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that a client has otherwise; None where a side has none."""

    setting: str
    standard: str | None
    own: str | None


@dataclass(frozen=True, slots=True)
class OverlayEntry:
    """One thing of the resultant: a decision, system, flow or mapping by name, a field as ``mapping.field``."""

    what: Literal["decision", "field", "mapping", "system", "flow"]
    id: str
    state: State
    reason: str  # why it is overridden, added or excluded
    changes: tuple[Change, ...]
    value: str  # of a field: where its value comes from
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class OverlayResult:
    """The resultant of one client."""

    client: str
    entries: tuple[OverlayEntry, ...]

    def count(self, state: State) -> int:
        """Return how many entries are in a state."""
        return sum(each.state == state for each in self.entries)


def overlay(client: str, project: Folder = None) -> OverlayResult:
    """Return what holds for a client of the project folder, and what of it is the client's own.

    Raises:
        UsageError: there is no such client, or the folder cannot be read without errors.
    """
    workspace = find_workspace(project)
    workspace.ensure_client(client)
    workspace.ensure_sound()
    whole = workspace.project
    if not whole.overlays:
        raise UsageError("The project has one client and no overlays.", remedy="An overlay is a folder: clients/NAME/, with only the differences in it.")
    resultant = client_project(whole, client)
    return OverlayResult(client, (*_decisions(whole, resultant), *_mappings(whole, resultant), *_systems(whole, resultant), *_flows(whole, resultant)))


def _entry(what: str, name: str, state: State, position: Position, reason: str = "", changes: tuple[Change, ...] = (), value: str = "") -> OverlayEntry:
    return OverlayEntry(what, name, state, reason, changes, value, position.file, position.line)  # type: ignore[arg-type]


def _differences(project: Project, client: str, part: str) -> dict[str, list[Difference]]:
    found: dict[str, list[Difference]] = {}
    for each in overlay_differences(project, client):
        if each.part == part:
            found.setdefault(each.name, []).append(each)
    return found


def _changes(differences: list[Difference]) -> tuple[Change, ...]:
    return tuple(Change(each.setting, each.standard, each.own) for each in differences)


def _decisions(project: Project, resultant: ClientProject) -> Iterator[OverlayEntry]:
    own = project.overlays[resultant.client].decisions
    differences = _differences(project, resultant.client, "decision")
    for decision in resultant.decisions.values():
        reason, changes = decision.reason or "", _changes(differences.get(decision.id, []))
        if decision.id not in own:
            state: State = "inherited" if decision.runs else "excluded"
            yield _entry("decision", decision.id, state, decision.position, "" if decision.runs else f"it is {decision.status}")
        elif decision.id not in project.decisions:
            yield _entry("decision", decision.id, "added", decision.position, reason)
        else:
            yield _entry("decision", decision.id, "overridden" if decision.runs else "excluded", decision.position, reason, changes)


def _mappings(project: Project, resultant: ClientProject) -> Iterator[OverlayEntry]:
    running = running_mappings(resultant)
    for name, mapping in resultant.mappings.items():
        standard = project.mappings.get(name)
        if name not in running:
            yield _entry("mapping", name, "excluded", mapping.position, _why_not(project, resultant, mapping))
            continue
        yield from _fields(standard, mapping, _differences(project, resultant.client, "mapping").get(name, []))


def _fields(standard: EntityMapping | None, mapping: EntityMapping, differences: list[Difference]) -> Iterator[OverlayEntry]:
    below = dict(mapped_fields(standard.fields)) if standard is not None else {}
    settings = [each for each in differences if not each.setting.startswith("fields.")]
    if standard is None:
        yield _entry("mapping", mapping.name, "added", mapping.position, mapping.reason or "")
    else:
        yield _entry("mapping", mapping.name, "overridden" if settings else "inherited", mapping.position, mapping.reason or "", _changes(settings))
    changed = {each.setting for each in differences}
    for path, field in mapped_fields(mapping.fields):
        setting = f"fields.{path}"
        own = setting in changed or standard is None
        state: State = "inherited" if not own else "overridden" if path in below else "added"
        value, change = spell_source(field), ()
        if state == "overridden":
            if value == "null":
                state = "excluded"
            change = (Change(setting, spell_source(below[path]), value),)  # type: ignore[assignment]
        yield _entry("field", f"{mapping.name}.{path}", state, field.position, mapping_reason(mapping, setting) if own else "", change, value)


def _why_not(project: Project, resultant: ClientProject, mapping: EntityMapping) -> str:
    """Return why a mapping does not run for a client."""
    flows = [flow for flow in {**project.flows, **project.overlays[resultant.client].flows}.values() if mapping.name in flow.mappings]
    if not flows:
        return "no flow names it"
    if all(flow.clients and resultant.client not in flow.clients for flow in flows):
        return f"its flow runs for {', '.join(sorted({each for flow in flows for each in flow.clients}))} only"
    if mapping.inbound:
        return f"{resultant.client} has no system {mapping.from_.partition('/')[0]!r}"
    return "its flow does not run for this client"


def _systems(project: Project, resultant: ClientProject) -> Iterator[OverlayEntry]:
    own = project.overlays[resultant.client].systems
    for name, system in own.items():
        yield _entry("system", name, "overridden" if name in project.systems else "added", system.position, system.reason or "")
    used = {resultant.mappings[each].from_.partition("/")[0] for each in running_mappings(resultant)}
    used |= {resultant.mappings[each].to.partition("/")[0] for each in running_mappings(resultant)}
    for name, system in project.systems.items():
        if name not in own:
            yield _entry("system", name, "inherited" if name in used else "excluded", system.position, "" if name in used else "nothing that runs reads or writes it")


def _flows(project: Project, resultant: ClientProject) -> Iterator[OverlayEntry]:
    own = project.overlays[resultant.client].flows
    for name, flow in {**project.flows, **own}.items():
        if name not in resultant.flows:
            yield _entry("flow", name, "excluded", flow.position, "nothing of it runs for this client")
        else:
            state: State = "inherited" if name not in own else "overridden" if name in project.flows else "added"
            yield _entry("flow", name, state, flow.position, flow.reason or "")


def group_by_state(entries: tuple[OverlayEntry, ...]) -> Mapping[str, list[OverlayEntry]]:
    """Return entries by their state, the client's own first."""
    order = ("overridden", "added", "excluded", "inherited")
    return {state: found for state in order if (found := [each for each in entries if each.state == state])}
