"""Overrides of clients that a change makes redundant (the standard says the same now) or stale (what they override has changed)."""

from __future__ import annotations

from collections.abc import Iterator

from treaty.operations.planning.changes import same_meaning
from treaty.operations.planning.results import OverrideNote
from treaty.project.declarations import FieldMapping
from treaty.project.loading import Project


def find_redundant(before: Project, after: Project) -> tuple[OverrideNote, ...]:
    """Return the overrides that say what the standard says now, and did not before."""
    known = {_place(each) for each in _redundant(before)}
    return tuple(each for each in _redundant(after) if _place(each) not in known)


def find_stale(before: Project, after: Project) -> tuple[OverrideNote, ...]:
    """Return the overrides whose standard means something else now, while they were left as they are."""
    redundant = {_place(each) for each in _redundant(after)}
    return tuple(each for each in _stale(before, after) if _place(each) not in redundant)


def _place(note: OverrideNote) -> tuple[str, str, str, str | None]:
    return note.client, note.what, note.id, note.field


def _redundant(project: Project) -> Iterator[OverrideNote]:
    for client, overlay in sorted(project.overlays.items()):
        for name, decision in overlay.decisions.items():
            standard = project.decisions.get(name)
            if standard is not None and same_meaning(standard, decision):
                yield OverrideNote(client, "decision", name, None, "the standard says the same now: the override can go")
        for name, mapping in overlay.mappings.items():
            base = project.mappings.get(name)
            for field, written in mapping.fields.items():
                if base is not None and written.origin != "standard" and field in base.fields and _cell(base.fields[field]) == _cell(written):
                    yield OverrideNote(client, "mapping", name, field, "the standard says the same now: the override can go")


def _stale(before: Project, after: Project) -> Iterator[OverrideNote]:
    for client, overlay in sorted(after.overlays.items()):
        if client not in before.overlays:
            continue
        was = before.overlays[client]
        for name in overlay.decisions:
            old, new = before.decisions.get(name), after.decisions.get(name)
            if name not in was.decisions or _changed(before, after, f"clients/{client}/decisions/{name}.md"):
                continue
            if old is not None and (new is None or not same_meaning(old, new)):
                yield OverrideNote(client, "decision", name, None, "what it overrides has changed: look whether it still differs on purpose")
        for name, mapping in overlay.mappings.items():
            base, standard = before.mappings.get(name), after.mappings.get(name)
            if base is None or standard is None or name not in was.mappings:
                continue
            for field, written in mapping.fields.items():
                mine = was.mappings[name].fields.get(field)
                if written.origin == "standard" or mine is None or _cell(mine) != _cell(written) or field not in base.fields:
                    continue
                if field not in standard.fields or _cell(base.fields[field]) != _cell(standard.fields[field]):
                    yield OverrideNote(client, "mapping", name, field, "what it overrides has changed: look whether it still differs on purpose")


def _changed(before: Project, after: Project, path: str) -> bool:
    return before.files.get(path) != after.files.get(path)


def _cell(written: FieldMapping) -> object:
    inner = {name: _cell(each) for name, each in written.fields.items()}
    return written.cell, written.each, written.with_, dict(written.on), written.key, written.expect, written.wait, inner
