"""``decide --from-quarantine``: a decision on what nobody has decided, drafted with the evidence that is in quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treaty.clock import Clock, system_clock
from treaty.compiler import ir
from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.lineage import decisions_in, walk
from treaty.compiler.mapping import compile_mapping
from treaty.errors import UsageError
from treaty.operations.deciding.trials import Trial, try_treatments
from treaty.operations.deciding.writing import write_changes
from treaty.operations.workspace import Folder, Workspace, find_workspace
from treaty.project.declarations import DataContract, DecisionRecord
from treaty.project.editing import EditedFile, write_decision
from treaty.project.loading import Project
from treaty.project.overlays import client_project

if TYPE_CHECKING:
    from treaty.lake.quarantine import QuarantineGroup

SHOWN_VALUES = 10
WRONG = {"required": "absent", "unmapped-value": "a value that no code list names", "many-values": "more than one value"}
EDGE_CASES = "treaty.edgeCases"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is in one quarantine group: its mapping, how many records of which client, and the values that were refused."""

    group: QuarantineGroup
    mapping: str
    clients: Mapping[str, int]
    values: Mapping[str, int]
    landed: Mapping[str, tuple[str, ...]]  # client → landed ids


@dataclass(frozen=True, slots=True)
class DraftResult:
    """The drafted decision, what each treatment would do, and the files that were written."""

    decision: str
    group: str
    records: int
    clients: tuple[str, ...]
    code_lists: tuple[str, ...]  # decisions to which the values could be added instead
    trials: tuple[Trial, ...]
    written: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeListResult:
    """The rows that a code list has now, and how many records wait for them."""

    decision: str
    rows: Mapping[str, str]
    records: int
    client: str | None
    written: tuple[str, ...]


def draft_decision(
    group: str, *, project: Folder = None, environment: str | None = None, id: str | None = None, clock: Clock = system_clock
) -> DraftResult:
    """Draft an edge-case decision on a quarantine group: the evidence is filled in, the choice and its reason are left to a person.

    Raises:
        UsageError: there is no such group, it was set aside by a decision, its records could not be read, or the id is taken.
    """
    workspace = find_workspace(project, environment)
    workspace.ensure_sound()
    workspace.ensure_ran()
    evidence = _gather(workspace, group)
    _ensure_undecided(workspace.project, evidence)
    found = evidence.group
    field = found.field or ""
    name = id or f"{found.model}-{field.replace('.', '-').replace('_', '-')}-{found.reason}"
    if name in workspace.project.decisions:
        raise UsageError(f"There is a decision {name!r} already.", remedy="Finish that one, or name another with --id.")
    draft: dict[str, Any] = {
        "id": name, "title": f"What becomes of {found.model}.{field} where it is {_wrong(found.reason)}", "status": "draft", "date": clock().date(),
        "decision-makers": [], "kind": "edge-case", "governs": [f"{found.model}.{field}"],
        "when": f"{field.rpartition('.')[2]} is null" if found.reason == "required" else f"failed({field.rpartition('.')[2]})", "treatment": "quarantine",
    }  # fmt: skip
    listed = _listed(workspace.project, found.model, name)
    trials = try_treatments(workspace, evidence.mapping, evidence.landed, draft, listed)
    lists = _code_lists(workspace.project, evidence)
    content = write_decision(draft, _sections(evidence, trials, lists), {"treatment": "quarantine is what happens now; choose, see the options below"})
    done = write_changes(workspace, {f"decisions/{name}.md": content, **listed})
    return DraftResult(name, group, found.records, found.clients, tuple(each.id for each in lists), trials, done.written)


def add_to_code_list(
    group: str, rows: Mapping[str, str], reason: str, *, project: Folder = None, environment: str | None = None, client: str | None = None,
    who: str = "", clock: Clock = system_clock,
) -> CodeListResult:  # fmt: skip
    """Add rows to the code list that lacks the values of a quarantine group: to the standard, or for one client as its overlay.

    Raises:
        UsageError: there is no such group, no code list or more than one is concerned, or no reason is given.
    """
    if not reason.strip():
        raise UsageError("No reason is given.", remedy="Say why with --reason: it is written into the decision.")
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client)
    workspace.ensure_sound()
    workspace.ensure_ran()
    evidence = _gather(workspace, group)
    lists = _code_lists(workspace.project, evidence)
    if len(lists) != 1:
        told = f"Several code lists are concerned ({', '.join(each.id for each in lists)})" if lists else "No code list lacks these values"
        raise UsageError(f"{told}, so --map has nowhere to write.", remedy="Write the decision by hand, or draft one without --map.")
    code_list = lists[0]
    file, edited = _code_list_file(workspace.project, code_list, client, reason)
    for value, target in rows.items():
        edited.settings.setdefault("map", {})[value] = target
    told = ", ".join(f"`{value}` → `{target}` ({evidence.values.get(value, 0)} records)" for value, target in rows.items())
    edited.append_to_section("Evidence", f"{clock().date().isoformat()}{f', {who}' if who else ''}: {told}. {reason}")
    done = write_changes(workspace, {file: edited.render()})
    return CodeListResult(code_list.id, dict(rows), sum(evidence.values.get(value, 0) for value in rows), client, done.written)


def _gather(workspace: Workspace, group: str) -> Evidence:
    from treaty.lake.quarantine import open_records, quarantine_groups, quarantine_records

    with workspace.open() as session:
        scope = workspace.scope(None, "decide")
        found = next((each for each in quarantine_groups(session, scope) if each.group == group), None)
        if found is None:
            raise UsageError(f"Nothing is in quarantine under {group!r}.", remedy="`treaty quarantine list` shows the groups.")
        records = open_records(session, scope, group)
        values = quarantine_records(session, scope, group).column("value").to_pylist()
    landed: dict[str, list[str]] = {}
    for each in records:
        landed.setdefault(each.client, []).append(each.landed_id)
    counted = Counter(each for each in values if each is not None)
    return Evidence(
        found, records[0].mapping, {client: len(ids) for client, ids in landed.items()}, dict(counted.most_common()), {client: tuple(ids) for client, ids in landed.items()}
    )


def _ensure_undecided(project: Project, evidence: Evidence) -> None:
    found = evidence.group
    decided = project.decisions.get(found.reason) or next((each.decisions[found.reason] for each in project.overlays.values() if found.reason in each.decisions), None)
    if decided is not None:
        raise UsageError(
            f"These records are set aside on purpose, by the decision {decided.id}.", remedy=f"Change its treatment in {decided.position}, and see `treaty plan`."
        )
    if found.field is None:
        raise UsageError(
            f"These records could not be read ({found.reason}): no decision can mend that.", remedy="Have them sent again, mended; or discard them: `treaty quarantine discard`."
        )


def _wrong(reason: str) -> str:
    return WRONG.get(reason, reason.replace("-", " "))


def _listed(project: Project, model: str, name: str) -> dict[str, bytes | None]:
    """Return the model's file with the draft at the end of its order of edge cases; nothing for a pack's model, which it follows anyway."""
    contract: DataContract = project.models[model]
    if contract.of_pack:
        return {}
    edited = EditedFile(contract.position.file, project.files[contract.position.file])
    declared = next(each for each in edited.settings["schema"] if each["name"] == model)
    properties = declared.setdefault("customProperties", [])
    order = next((each for each in properties if each["property"] == EDGE_CASES), None)
    if order is None:
        properties.append({"property": EDGE_CASES, "value": [name]})
    else:
        order["value"].append(name)
    return {contract.position.file: edited.render()}


def _code_lists(project: Project, evidence: Evidence) -> list[DecisionRecord]:
    """Return the code lists in the field's cell, as the group's clients have them."""
    if evidence.group.reason != "unmapped-value":
        return []
    found: dict[str, DecisionRecord] = {}
    for client in evidence.clients:
        resultant = client_project(project, client)
        node = _node(compile_mapping(resultant, evidence.mapping), evidence.group.field or "")
        for name in decisions_in(node) if node is not None else ():
            if resultant.decisions[name].kind == "value-map":
                found[name] = resultant.decisions[name]
    return [each for each in found.values() if not set(evidence.values) <= set(each.map)]


def _node(mapping: CompiledMapping, field: str) -> ir.Node | None:
    name, _, rest = field.partition(".")
    node = next((each.node for each in mapping.fields if each.name == name), None)
    if node is None or not rest:
        return node
    groups = (each for each in walk(node, elements=False) if isinstance(each, ir.Each))
    return next((dict(group.fields).get(rest) for group in groups), None)


def _code_list_file(project: Project, code_list: DecisionRecord, client: str | None, reason: str) -> tuple[str, EditedFile]:
    """Return the file to which rows are added: the client's overlay, the project's own decision, or an addition to a pack's."""
    own = f"decisions/{code_list.id}.md"
    if client is not None:
        overlay = project.overlays.get(client)
        own = overlay.decisions[code_list.id].position.file if overlay and code_list.id in overlay.decisions else f"clients/{client}/{own}"
    elif code_list.id not in project.decisions or not project.decisions[code_list.id].position.file.startswith("packs/"):
        own = code_list.position.file
    if own in project.files:
        return own, EditedFile(own, project.files[own])
    edited = EditedFile(own, f"---\nid: {code_list.id}\n---\n".encode())
    edited.settings["reason"] = reason
    return own, edited


def _sections(evidence: Evidence, trials: Sequence[Trial], lists: Sequence[DecisionRecord]) -> dict[str, str]:
    found = evidence.group
    clients = "\n".join(f"| {client} | {number} |" for client, number in evidence.clients.items())
    values = "\n".join(f"| `{value}` | {number} |" for value, number in list(evidence.values.items())[:SHOWN_VALUES])
    more = f"\n\n{len(evidence.values) - SHOWN_VALUES} more values are in the group." if len(evidence.values) > SHOWN_VALUES else ""
    context = (
        f"{found.records} records of the mapping {evidence.mapping} are in quarantine: `{found.model}.{found.field}` is {_wrong(found.reason)} (group {found.group}).\n\n"
        f"| client | records |\n|---|---|\n{clients}"
    )
    if values:
        context += f"\n\n| value | records |\n|---|---|\n{values}{more}"
    options = [f"- {each.treatment}: {each.told}" for each in trials]
    options += [f"- add the values to the code list {each.id} ({each.position}): the records with a value that is added leave quarantine" for each in lists]
    outcome = "To be decided: choose one of the options, write the reason here and set `status: accepted`. `treaty plan` then shows what it changes, `treaty apply` applies it."
    return {"Context": context, "Considered options": "\n".join(options), "Outcome": outcome, "Consequences": "- To be written."}
