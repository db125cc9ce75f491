"""What each treatment of a drafted edge case would do to the records that wait for it: tried on them, nothing is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.mapping import compile_mapping
from treaty.engines.duckdb.hooks import register_hooks
from treaty.lake.names import lake_table, landed_table, quote_text
from treaty.operations.applied import open_applied
from treaty.operations.deciding.writing import preview
from treaty.operations.explaining.evaluating import Conformed, conform_again
from treaty.operations.workspace import Workspace
from treaty.project.editing import write_decision
from treaty.project.findings import Severity
from treaty.project.overlays import client_project
from treaty.sessions import Session

STATES = {"good": "canonical"}
STAND_INS = {"string": "'?'", "integer": "0", "decimal": "0", "boolean": "false", "date": "date '2000-01-01'"}


@dataclass(frozen=True, slots=True)
class Trial:
    """A treatment, the states that the waiting records would come to, and the same in words."""

    treatment: str
    states: Mapping[str, int]
    told: str


def try_treatments(
    workspace: Workspace, mapping: str, landed: Mapping[str, tuple[str, ...]], draft: Mapping[str, Any], beside: Mapping[str, bytes | None]
) -> tuple[Trial, ...]:
    """Conform the waiting records with each treatment that fits the draft's field; ``beside`` are files that go with the draft."""
    model, _, field = draft["governs"][0].partition(".")
    trials = []
    with workspace.open() as session:
        as_of = open_applied(session).as_of
        for treatment, changes in _treatments(workspace, model, field):
            chosen = {**draft, "status": "accepted", "treatment": treatment, **({"set": changes} if changes else {})}
            content = write_decision(chosen, {"Outcome": "Tried."})
            project = preview(workspace.project, {f"decisions/{draft['id']}.md": content, **beside})
            states: Counter[str] = Counter()
            broken = ""
            for client, ids in landed.items():
                resultant = client_project(project, client)
                compiled = compile_mapping(resultant, mapping)
                broken = next((each.message for each in compiled.findings if each.severity is Severity.ERROR), broken)
                if broken:
                    break
                register_hooks(session.duck, resultant.hooks.values(), resultant.settings.limits.hook_seconds)
                states.update(STATES.get(each.state, each.state) for each in _conform(session, compiled, client, ids, as_of))
            told = f"it does not fit here ({broken})" if broken else _tell(treatment, states, sum(map(len, landed.values())))
            trials.append(Trial(treatment, dict(states), told))
    return tuple(trials)


def _treatments(workspace: Workspace, model: str, field: str) -> Iterator[tuple[str, dict[str, str]]]:
    declared = workspace.project.models[model].find(field)
    stand_in = STAND_INS.get(declared.type.partition("(")[0]) if declared is not None else None
    if stand_in is not None:
        yield "normalise", {field: stand_in}
    if "." not in field:
        yield "preserve", {}
        yield "reject", {}
        yield "quarantine", {}


def _conform(session: Session, compiled: CompiledMapping, client: str, ids: tuple[str, ...], as_of: str) -> tuple[Conformed, ...]:
    system, _, stream = compiled.stream.name.partition("/")
    wanted = ", ".join(f"{quote_text(each)}::uuid" for each in ids)
    relation = f"select * from {lake_table(landed_table(system, stream))} where _client = {quote_text(client)} and _op <> 'refused' and _landed_id in ({wanted})"
    return conform_again(session, compiled, relation, as_of)


def _tell(treatment: str, states: Mapping[str, int], records: int) -> str:
    out, filtered, stay = states.get("canonical", 0), states.get("filtered", 0), states.get("quarantined", 0)
    if treatment == "normalise":
        more = f"; {stay} stay for another reason" if stay else ""
        return f"with a value of your choice in `set`, {out} of {records} records leave quarantine{more}"
    if treatment == "preserve":
        return f"{out} of {records} records leave quarantine with the field empty" if out else f"all {stay} stay in quarantine: the field is required, or part of a key"
    if treatment == "reject":
        return f"{filtered} of {records} records are left out for good, and counted as filtered"
    return f"as now: {stay} of {records} records stay in quarantine"
