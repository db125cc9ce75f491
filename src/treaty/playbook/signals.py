"""Signals: what the project's own use says about its decisions. Pure: declarations in, signals out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from treaty.project.differences import Difference, overlay_differences
from treaty.project.loading import Project
from treaty.project.overlays import client_project, clients, running_mappings

Kind: TypeAlias = Literal["shared-override", "redundant-override"]
LEAST_CLIENTS = 2  # fewer share nothing


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that several clients' overlays say together, and that could be the standard.

    ``id`` names it to ``treaty decide --promote``; it stays the same as long as what is overridden, and with what, does.
    """

    id: str
    kind: Kind
    what: Literal["decision", "mapping"]
    name: str
    setting: str
    standard: str | None
    value: str | None
    clients: tuple[str, ...]
    of: int  # how many clients run it
    text: str


def shared_overrides(project: Project) -> Iterator[Signal]:
    """Yield overrides that clients share, those of most clients first."""
    found: dict[tuple[str, str, str, str | None], list[Difference]] = {}
    for client in clients(project):
        for each in overlay_differences(project, client):
            if each.part in ("decision", "mapping"):
                found.setdefault((each.part, each.name, each.setting, each.own), []).append(each)
    audience = _audience(project)
    shared = [_shared(same, audience) for same in found.values() if len(same) >= LEAST_CLIENTS]
    yield from sorted(shared, key=lambda each: (-len(each.clients) / each.of, -len(each.clients), each.name, each.setting))


def redundant_overrides(project: Project) -> Iterator[Signal]:
    """Yield overlay files that change nothing any more: the standard says the same by now."""
    for client, overlay in project.overlays.items():
        differs = {(each.part, each.name) for each in overlay_differences(project, client)}
        named = [("decision", name, project.decisions) for name in overlay.decisions] + [("mapping", name, project.mappings) for name in overlay.mappings]
        for what, name, standard in named:
            if name in standard and (what, name) not in differs:
                text = f"{client} overrides {name} with what the standard says"
                yield Signal(_id(what, name, client, None), "redundant-override", what, name, "", None, None, (client,), 1, text)  # type: ignore[arg-type]


def find_signal(project: Project, wanted: str) -> Signal | None:
    """Return the signal of an id; a decision's or mapping's name stands for its only signal."""
    known = [*shared_overrides(project), *redundant_overrides(project)]
    named = [each for each in known if each.name == wanted]
    return next((each for each in known if each.id == wanted), named[0] if len(named) == 1 else None)


def _shared(same: Sequence[Difference], audience: Mapping[str, frozenset[str]]) -> Signal:
    first = same[0]
    who = tuple(sorted(each.client for each in same))
    of = len(audience.get(f"{first.part}/{first.name}", frozenset()) | set(who))
    what: Literal["decision", "mapping"] = "decision" if first.part == "decision" else "mapping"
    text = f"{len(who)} of {of} clients {_does(first)}: adopt it?"
    identity = _id(what, first.name, first.setting, first.own)
    return Signal(identity, "shared-override", what, first.name, first.setting, first.standard, first.own, who, of, text)


def _does(difference: Difference) -> str:
    """Say what clients do, as one would of them."""
    setting, own = difference.setting, difference.own
    if setting.startswith("map."):
        source = setting.removeprefix("map.")
        return f"leave `{source}` out of {difference.name}" if own is None else f"map `{source}` to `{own}` in {difference.name}"
    if setting.startswith("fields."):
        field = setting.removeprefix("fields.")
        return f"do not fill {field} in {difference.name}" if own is None else f"fill {field} by `{own}` in {difference.name}"
    return f"take {setting} away from {difference.name}" if own is None else f"say `{own}` for {setting} in {difference.name}"


def _audience(project: Project) -> dict[str, frozenset[str]]:
    """Return who runs what: the clients of each mapping, and of each decision by the models that it governs."""
    running: dict[str, set[str]] = {}
    for client in clients(project):
        resultant = client_project(project, client)
        names = running_mappings(resultant)
        models = {resultant.mappings[each].to for each in names if resultant.mappings[each].inbound}
        for name in names:
            running.setdefault(f"mapping/{name}", set()).add(client)
        for decision in project.decisions.values():
            if models & {each.partition(".")[0] for each in decision.governs}:
                running.setdefault(f"decision/{decision.id}", set()).add(client)
    return {name: frozenset(who) for name, who in running.items()}


def _id(*parts: str | None) -> str:
    return hashlib.sha256("\x1f".join(part if part is not None else "\x1e" for part in parts).encode()).hexdigest()[:12]
