"""Which things of a project have changed: one unit for each decision, mapping, model, overlay and flow whose files differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from treaty.compiler.lookups import read_streams
from treaty.project.declarations import DataContract, DecisionRecord, SchemaProperty, System
from treaty.project.files import SETTINGS_FILE
from treaty.project.loading import Project
from treaty.project.overlays import MAIN_CLIENT, client_project, clients, running_mappings

KINDS = {"decisions": "decision", "mappings": "mapping", "models": "model", "flows": "flow"}
_FILE = re.compile(r"(?:packs/[^/]+/)?(decisions|mappings|models|flows|systems|hooks)/(.+)\Z")
_OVERLAY = re.compile(r"clients/([^/]+)/(.+)\Z")


@dataclass(slots=True)
class ChangedThing:
    """One changed thing: the files that it is in, and what of it cannot be decided by comparing records."""

    what: str
    id: str
    paths: list[str]
    added: bool = False
    removed: bool = False
    undecided: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()  # what is breaking by itself, whatever has landed


def find_changes(before: Project, after: Project) -> list[ChangedThing]:
    """Return the changed things, in the order of their names; settings that change nothing which runs are none."""
    found: dict[tuple[str, str], ChangedThing] = {}
    for path in sorted(before.files.keys() | after.files.keys()):
        if path == SETTINGS_FILE or before.files.get(path) == after.files.get(path):
            continue
        for what, name in _things(path, before, after):
            thing = found.setdefault((what, name), ChangedThing(what, name, []))
            thing.paths.append(path)
            if path.partition("/")[0] == "hooks" or "/hooks/" in path:
                thing.undecided = (f"the hook file {path} has changed: its Python cannot be compared, only what it made of these records",)
    for thing in found.values():
        _look(thing, before, after)
    if MAIN_CLIENT in clients(before) and MAIN_CLIENT not in clients(after) and not before.overlays:
        left = f"the project has clients now, and {MAIN_CLIENT} is none of them: its records stay as they are, and nothing is read or delivered for it"
        found["client", MAIN_CLIENT] = ChangedThing("client", MAIN_CLIENT, [], removed=True, breaks=(left,))
    return sorted(found.values(), key=lambda each: (each.what, each.id))


def with_files(before: Project, after: Project, paths: list[str]) -> dict[str, bytes]:
    """Return the files of the project before with some of the project after in their place; settings are those after."""
    files = dict(before.files)
    for path in [*paths, SETTINGS_FILE]:
        if path in after.files:
            files[path] = after.files[path]
        else:
            files.pop(path, None)
    return files


def _things(path: str, before: Project, after: Project) -> list[tuple[str, str]]:
    overlay = _OVERLAY.match(path)
    if overlay:
        inside = PurePosixPath(overlay[2])
        return [("overlay", f"{overlay[1]}/{inside.with_suffix('') if inside.suffix else ''}".rstrip("/").removesuffix("/.gitkeep"))]
    file = _FILE.match(path)
    if not file:
        return []
    folder, stem = file[1], PurePosixPath(file[2]).stem
    if folder in KINDS:
        return [(KINDS[folder], _declared(folder, path, stem, before, after))]
    return _readers(path, stem, before, after) if folder == "systems" else _callers(path, before, after)


def _declared(folder: str, path: str, stem: str, before: Project, after: Project) -> str:
    """Return the name by which the project knows what a file declares."""
    for project in (after, before):
        declared: Mapping[str, object] = {"decisions": project.decisions, "mappings": project.mappings, "models": project.models, "flows": project.flows}[folder]
        for name, each in declared.items():
            if getattr(getattr(each, "position", None), "file", None) == path:
                return name
    return stem


def _readers(path: str, stem: str, before: Project, after: Project) -> list[tuple[str, str]]:
    """Return the mappings whose stream a changed system declares otherwise."""
    names = []
    for project in (before, after):
        for name, mapping in project.mappings.items():
            side = mapping.from_ if mapping.inbound else mapping.to
            system, _, stream = side.partition("/")
            if system in {stem, *(key for key, each in project.systems.items() if each.position.file == path)}:
                old, new = before.systems.get(system), after.systems.get(system)
                if old is None or new is None or old.streams.get(stream) != new.streams.get(stream) or old.connection != new.connection:
                    names.append(("mapping", name))
    return list(dict.fromkeys(names))


def _callers(path: str, before: Project, after: Project) -> list[tuple[str, str]]:
    """Return the decisions, and where there are none the mappings, whose text calls a hook of a changed file."""
    hooks = {name for project in (before, after) for name, hook in project.hooks.items() if hook.file == path}
    called = re.compile(r"\b(" + "|".join(map(re.escape, sorted(hooks))) + r")\s*\(") if hooks else None
    if called is None:
        return []
    found = []
    for folder, what in (("decisions", "decision"), ("mappings", "mapping")):
        for file, content in after.files.items():
            match = _FILE.match(file)
            if match and match[1] == folder and called.search(content.decode("utf-8", "replace")):
                found.append((what, _declared(folder, file, PurePosixPath(file).stem, before, after)))
    return found


# ---- what is known without a look at any record


def _look(thing: ChangedThing, before: Project, after: Project) -> None:
    thing.added = all(path not in before.files for path in thing.paths)
    thing.removed = all(path not in after.files for path in thing.paths)
    if thing.what == "model":
        thing.breaks = tuple(_contract_breaks(before.models.get(thing.id), after.models.get(thing.id)))
    if thing.what == "flow":
        old, new = before.flows.get(thing.id), after.flows.get(thing.id)
        if old is not None and new is not None and old.drift != new.drift:
            thing.undecided = (*thing.undecided, "the drift policy has changed: what it will do to a later change of shape, no landed record can tell")
    if thing.what == "mapping":
        _look_at_streams(thing, before, after)
    if thing.what == "overlay":
        _look_at_overlay(thing, before, after)
    if thing.what == "overlay" and thing.removed and thing.id.partition("/")[0] not in clients(after):
        thing.undecided = ("the client is in the project no more: its records stay as they are, and nothing is delivered for it",)


def _look_at_streams(thing: ChangedThing, before: Project, after: Project) -> None:
    """Tell what a stream declares otherwise that landing has done already, or that reads elsewhere from now on."""
    for side in {each.from_ if each.inbound else each.to for project in (before, after) if (each := project.mappings.get(thing.id)) is not None}:
        system, _, stream = side.partition("/")
        old, new = before.systems.get(system), after.systems.get(system)
        if old is None or new is None or system not in {PurePosixPath(path).stem for path in thing.paths}:
            continue
        _compare_streams(thing, old, new, [stream])


def _look_at_overlay(thing: ChangedThing, before: Project, after: Project) -> None:
    """Tell what a client's own system declares otherwise of the streams that the client had in use, as for one of the standard."""
    client, _, rest = thing.id.partition("/")
    folder, _, name = rest.partition("/")
    if folder != "systems" or client not in before.overlays or client not in after.overlays:
        return
    old, new = (each.overlays[client].systems.get(name) for each in (before, after))
    if old is None or new is None:
        return
    running = client_project(before, client)
    used = read_streams(running) | {running.mappings[each].to for each in running_mappings(running) if not running.mappings[each].inbound}
    streams = [each for each in sorted(old.streams.keys() & new.streams.keys()) if f"{name}/{each}" in used]
    if streams:
        _compare_streams(thing, old, new, streams)


def _compare_streams(thing: ChangedThing, old: System, new: System, streams: Sequence[str]) -> None:
    for stream in streams:
        was, will, side = old.streams.get(stream), new.streams.get(stream), f"{new.name}/{stream}"
        if was is None or will is None or was == will:
            continue
        told = f"the stream {side} is declared otherwise: what has landed was read as it was declared then"
        keyed = f"the stream {side} has a key now: what has landed without one goes into quarantine until the next run has read it again"
        again = f"the stream {side} is read otherwise: the next run reads its files again, and what they do not say when read like that goes"
        thing.undecided = (*thing.undecided, keyed if will.key and not was.key else told if was.reading == will.reading else again)
    if old.connection != new.connection or old.connector != new.connector:
        thing.undecided = (*thing.undecided, f"the connection of {new.name} has changed: what is there, nobody has seen yet")


def _contract_breaks(before: DataContract | None, after: DataContract | None) -> list[str]:
    if before is None:
        return []
    if after is None:
        return ["the model is in the project no more"]
    return list(_properties_broken(before.properties, after.properties, ""))


def _properties_broken(before: Sequence[SchemaProperty], after: Sequence[SchemaProperty], above: str) -> Iterator[str]:
    """Yield what of these fields, or of the members below them, is gone, of another type or required now."""
    new = {each.name: each for each in after}
    for each in before:
        path, other = f"{above}{each.name}", new.get(each.name)
        if other is None:
            yield f"the field {path} is gone"
            continue
        if (other.type != each.type and not (each.properties and other.properties)) or other.type.partition("<")[0] != each.type.partition("<")[0]:
            yield f"the type of {path} is {other.type}, not {each.type}"
        elif other.required and not each.required:
            yield f"{path} is required now"
        yield from _properties_broken(each.properties, other.properties, f"{path}.")


def same_meaning(one: DecisionRecord, other: DecisionRecord) -> bool:
    """Tell whether two decisions do the same, whatever their prose, dates and reasons say."""
    return _meaning(one) == _meaning(other)


def _meaning(decision: DecisionRecord) -> object:
    return (
        decision.kind, decision.runs, decision.governs, decision.applies, decision.function, decision.expression, decision.cases, decision.otherwise,
        dict(decision.map), decision.match, decision.null, decision.when, decision.treatment, dict(decision.set), decision.waives, decision.stream,
        decision.keys, decision.survivorship, decision.references, decision.missing,
    )  # fmt: skip


def only_grows(before: DecisionRecord | None, after: DecisionRecord | None) -> bool:
    """Tell whether a value map got entries and is otherwise as it was."""
    if before is None or after is None or before.kind != "value-map" or after.kind != "value-map":
        return False
    old, new = _meaning(before), _meaning(after)
    assert isinstance(old, tuple) and isinstance(new, tuple), "a meaning is a tuple"
    return old[:8] == new[:8] and old[9:] == new[9:] and dict(before.map).items() <= dict(after.map).items()
