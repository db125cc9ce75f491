"""What a client's overlay changes: setting by setting, row by row of a code list, field by field of a mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from treaty.project.declarations import DecisionRecord, EntityMapping, FieldMapping, Flow, System
from treaty.project.findings import Position
from treaty.project.loading import Project

Part: TypeAlias = Literal["decision", "mapping", "system", "flow"]

# What a decision says that has an effect; the rest is prose, or says when to look again.
DECISION_SETTINGS = ("status", "expression", "otherwise", "match", "null", "when", "treatment", "waives", "stream", "keys", "references", "missing", "applies")
MAPPING_SETTINGS = ("from_", "to", "where", "key", "delete", "mode", "baseline")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a client has otherwise: ``setting`` is a path such as ``map.SUSP`` or ``fields.phone``; None where a side has none."""

    client: str
    part: Part
    name: str  # of the decision, mapping, system or flow
    setting: str
    standard: str | None
    own: str | None
    reason: str
    position: Position


def overlay_differences(project: Project, client: str) -> Iterator[Difference]:
    """Yield what a client overrides of what the standard has; things that the client alone has are not overrides."""
    overlay = project.overlays.get(client)
    if overlay is None:
        return
    for decision in overlay.decisions.values():
        if decision.id in project.decisions:
            pairs = differing(decision_settings(project.decisions[decision.id]), decision_settings(decision))
            yield from (
                Difference(client, "decision", decision.id, name, was, own, decision.reason or "", decision.at(place_of(name))) for name, was, own in pairs
            )
    for mapping in overlay.mappings.values():
        if mapping.name in project.mappings:
            pairs = differing(mapping_settings(project.mappings[mapping.name]), mapping_settings(mapping))
            yield from (
                Difference(client, "mapping", mapping.name, name, was, own, mapping_reason(mapping, name), mapping.at(name)) for name, was, own in pairs
            )
    yield from _whole(client, "system", overlay.systems.values(), project.systems)
    yield from _whole(client, "flow", overlay.flows.values(), project.flows)


def differing(standard: Mapping[str, str], own: Mapping[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield (setting, the standard's, the client's) for each that is not the same."""
    for name in dict.fromkeys((*standard, *own)):
        if standard.get(name) != own.get(name):
            yield name, standard.get(name), own.get(name)


def decision_settings(decision: DecisionRecord) -> dict[str, str]:
    """Return what a decision does, by setting: tables row by row."""
    told = {name: spell(getattr(decision, name)) for name in DECISION_SETTINGS if getattr(decision, name) not in (None, ())}
    told |= {f"map.{source}": target for source, target in decision.map.items()}
    told |= {f"set.{name}": expression for name, expression in decision.set.items()}
    told |= {f"cases.{row.when}": row.then for row in decision.cases}
    told |= {f"rules.{','.join(rule.fields)}": spell(rule.prefer) + (" (null is an answer)" if rule.null_is_answer else "") for rule in decision.survivorship}
    return told


def mapping_settings(mapping: EntityMapping) -> dict[str, str]:
    """Return what a mapping does, by setting and field."""
    told = {name.rstrip("_"): spell(getattr(mapping, name)) for name in MAPPING_SETTINGS if getattr(mapping, name) not in (None, ())}
    for path, field in mapped_fields(mapping.fields):
        told[f"fields.{path}"] = spell_source(field)
    return told


def mapped_fields(fields: Mapping[str, FieldMapping], prefix: str = "") -> Iterator[tuple[str, FieldMapping]]:
    """Yield each field of a mapping with its path (``lines.quantity``), a group before its members."""
    for name, field in fields.items():
        yield f"{prefix}{name}", field
        yield from mapped_fields(field.fields, f"{prefix}{name}.")


def spell_source(field: FieldMapping) -> str:
    """Return where a field's value comes from, as one would write it."""
    if field.each is not None:
        return f"each {field.each}"
    if field.with_ is not None:
        return f"with {field.with_} on {', '.join(f'{child} = {parent}' for child, parent in field.on.items())}"
    return field.cell or ""


def mapping_reason(mapping: EntityMapping, setting: str) -> str:
    """Return why a client maps something otherwise: the field's reason, else the one of the group around it, else the mapping's."""
    fields, reasons = mapping.fields, [mapping.reason or ""]
    for name in setting.removeprefix("fields.").split(".") if setting.startswith("fields.") else ():
        if name not in fields:
            break
        reasons.append(fields[name].reason or "")
        fields = fields[name].fields
    return next((each for each in reversed(reasons) if each), "")


def place_of(setting: str) -> str:
    """Return the key path of a setting as positions know it: rows of lists are found by their table."""
    return setting.partition(".")[0] if setting.startswith(("cases.", "rules.")) else setting


def spell(value: object) -> str:
    """Return a setting's value as one line."""
    if isinstance(value, tuple):
        return ", ".join(spell(each) for each in value)
    if hasattr(value, "expressions"):
        return f"({spell(value.expressions)}) {getattr(value, 'strength', '')}".strip()
    if hasattr(value, "by"):
        return f"from {getattr(value, 'from_', None) or '…'} to {getattr(value, 'to', None) or '…'} by {value.by}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _whole(client: str, part: Part, owned: Iterable[System | Flow], standard: Mapping[str, System | Flow]) -> Iterator[Difference]:
    """Yield systems and flows that a client has otherwise: how they are reached is its own matter, so they are told as a whole."""
    for each in owned:
        if each.name in standard:
            yield Difference(client, part, each.name, "", "", "its own", each.reason or "", each.position)
