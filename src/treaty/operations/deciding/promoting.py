"""``decide --promote``: what several clients' overlays say becomes the standard, and the overlays are retired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from treaty.clock import Clock, system_clock
from treaty.errors import UsageError
from treaty.operations.deciding.writing import preview, write_changes
from treaty.operations.workspace import Folder, Workspace, find_workspace
from treaty.playbook.signals import Signal, find_signal, redundant_overrides, shared_overrides
from treaty.project.declarations import DecisionRecord, EntityMapping
from treaty.project.differences import mapping_reason, overlay_differences
from treaty.project.editing import EditedFile, copy_setting, remove_setting
from treaty.project.findings import nearest
from treaty.project.loading import Project

ROW_KEYS = {"cases": "when", "rules": "fields"}
FOLDERS = {"decision": "decisions", "mapping": "mappings"}


@dataclass(frozen=True, slots=True)
class PromoteResult:
    """What became the standard, whose overlays gave way, and the files that were written and removed."""

    signal: Signal
    written: tuple[str, ...]
    removed: tuple[str, ...]


def promote(signal: str, project: Folder = None, *, who: str = "", clock: Clock = system_clock) -> PromoteResult:
    """Adopt a signal (its id, or the name of what it is about where there is one): the files are changed, nothing is applied.

    Raises:
        UsageError: there is no such signal, or it cannot be adopted by itself.
    """
    workspace = find_workspace(project)
    workspace.ensure_sound()
    found = find_signal(workspace.project, signal)
    if found is None:
        _refuse(workspace.project, signal)
    assert found is not None
    changes = _retire(workspace, found) if found.kind == "redundant-override" else _adopt(workspace, found, who, clock().date())
    done = write_changes(workspace, changes)
    return PromoteResult(found, done.written, done.removed)


def _refuse(project: Project, wanted: str) -> None:
    known = [*shared_overrides(project), *redundant_overrides(project)]
    about = [each.id for each in known if each.name == wanted]
    if about:
        raise UsageError(f"There are {len(about)} signals about {wanted}.", remedy=f"Name one by its id: {', '.join(about)}.")
    near = nearest(wanted, [*(each.id for each in known), *(each.name for each in known)])
    remedy = f"Did you mean {near!r}?" if near else "`treaty signals` lists them." if known else "No client's override is shared by another."
    raise UsageError(f"There is no signal {wanted!r}.", remedy=remedy)


def _adopt(workspace: Workspace, signal: Signal, who: str, day: date) -> dict[str, bytes | None]:
    project = workspace.project
    path, row_key = _path(signal.setting)
    overlays = {client: _overlay_file(project, signal, client) for client in signal.clients}
    file, standard = _standard_file(project, signal, day)
    if signal.value is None:
        if file not in project.files:
            raise UsageError(f"{signal.name} is a pack's: what it says cannot be taken away by adding to it.", remedy=f"Write {file} yourself, with `replace: true`.")
        remove_setting(standard.settings, path, row_key=row_key)
    else:
        first = EditedFile(overlays[signal.clients[0]], project.files[overlays[signal.clients[0]]])
        copy_setting(first.settings, standard.settings, path, row_key=row_key)
        _drop_reason(standard.settings, path)
    if standard.body is not None:
        standard.append_to_section("Evidence", _evidence(project, signal, who, day))
    changes: dict[str, bytes | None] = {file: standard.render()}
    for overlay in overlays.values():
        edited = EditedFile(overlay, project.files[overlay])
        remove_setting(edited.settings, path, row_key=row_key)
        changes[overlay] = edited.render()
    return changes | _emptied(project, signal, changes, overlays)


def _emptied(project: Project, signal: Signal, changes: dict[str, bytes | None], overlays: dict[str, str]) -> dict[str, bytes | None]:
    """Return the overlay files that change nothing any more, to be removed."""
    after = preview(project, changes)
    return {
        file: None
        for client, file in overlays.items()
        if not any((each.part, each.name) == (signal.what, signal.name) for each in overlay_differences(after, client))
    }


def _retire(workspace: Workspace, signal: Signal) -> dict[str, bytes | None]:
    return {_overlay_file(workspace.project, signal, signal.clients[0]): None}


def _overlay_file(project: Project, signal: Signal, client: str) -> str:
    overlay = project.overlays[client]
    return (overlay.decisions if signal.what == "decision" else overlay.mappings)[signal.name].position.file


def _standard_file(project: Project, signal: Signal, day: date) -> tuple[str, EditedFile]:
    """Return the file of the standard; where it is a pack's, a new one of the project's that says only what differs."""
    declared = (project.decisions if signal.what == "decision" else project.mappings)[signal.name]
    file = declared.position.file
    if not file.startswith("packs/"):
        return file, EditedFile(file, project.files[file])
    own = f"{FOLDERS[signal.what]}/{signal.name}.{'md' if signal.what == 'decision' else 'yaml'}"
    reason = f"adopted on {day.isoformat()} from {', '.join(signal.clients)}"
    if isinstance(declared, DecisionRecord):
        return own, EditedFile(own, f"---\nid: {declared.id}\nreason: {reason}\n---\n".encode())
    return own, EditedFile(own, f"reason: {reason}\n".encode())


def _path(setting: str) -> tuple[tuple[str, ...], str]:
    """Return where a setting stands in its file, and what tells rows apart where it is a row of a list."""
    table, _, rest = setting.partition(".")
    if table == "fields":
        path: list[str] = []
        for name in rest.split("."):
            path += ["fields", name]
        return tuple(path), ""
    return ((table, rest), ROW_KEYS.get(table, "")) if rest else ((table,), "")


def _drop_reason(settings: object, path: tuple[str, ...]) -> None:
    """Take a client's reason off what is the standard's now; what is only a cell then is written as one."""
    *above, last = path
    for name in above:
        settings = settings[name]  # type: ignore[index]
    value = settings[last] if not isinstance(settings, list) else None  # type: ignore[index]
    if isinstance(value, dict) and "reason" in value:
        del value["reason"]
        if list(value) == ["cell"]:
            settings[last] = value["cell"]  # type: ignore[index]


def _evidence(project: Project, signal: Signal, who: str, day: date) -> str:
    told = signal.text.removesuffix(": adopt it?")
    reasons = dict.fromkeys(each for each in _reasons(project, signal) if each)
    said = f" Their reasons: {'; '.join(reasons)}." if reasons else ""
    return f"{day.isoformat()}{f', {who}' if who else ''}: {told}; adopted from {', '.join(signal.clients)}, whose overrides gave way.{said}"


def _reasons(project: Project, signal: Signal) -> Sequence[str]:
    found = []
    for client in signal.clients:
        overlay = project.overlays[client]
        declared: DecisionRecord | EntityMapping = (overlay.decisions if signal.what == "decision" else overlay.mappings)[signal.name]
        found.append(mapping_reason(declared, signal.setting) if isinstance(declared, EntityMapping) else declared.reason or "")
    return found
