"""``run``: extract, land, conform, resolve, commit and deliver, by the applied project."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeAlias
from uuid import uuid4

from treaty.clock import Clock, system_clock
from treaty.compiler.mapping import seconds_of
from treaty.errors import StopError, UsageError
from treaty.faults import faultpoint
from treaty.flows.correcting import expire_corrections
from treaty.flows.orphans import find_orphans
from treaty.flows.results import FlowResult, Problem, RunResult
from treaty.flows.running import RunSettings, run_flows
from treaty.lake.applied import AppliedFiles, newest_applied, store_applied
from treaty.lake.compaction import compact_if_due
from treaty.lake.schema import prepare_lake
from treaty.lake.sweep import sweep_if_due
from treaty.operations.apply import apply_folder
from treaty.operations.plan import ensure_sound
from treaty.operations.shapes import dump
from treaty.operations.workspace import Folder, Workspace, find_workspace
from treaty.project.findings import nearest
from treaty.project.loading import Project, load_project_files
from treaty.project.overlays import client_project, clients
from treaty.sessions import Session

Progress: TypeAlias = Callable[[str], None]


def run(
    project: Folder = None,
    *,
    environment: str | None = None,
    client: str | None = None,
    flow: str | None = None,
    apply: bool = False,
    as_of: date | None = None,
    dry: bool = False,
    progress: Progress = lambda text: None,
    clock: Clock = system_clock,
) -> RunResult:
    """Run the flows of the applied project. The first run of an empty lake applies the folder.

    Args:
        client, flow: only these; all where not given.
        apply: apply the folder first, where it differs from the applied project.
        as_of: the day of ``as_of()``; today where not given.
        dry: send nothing to any sink.
        progress: told what is being done.

    Raises:
        UsageError: there is no such project, environment, client or flow, or the folder has errors and would be applied.
        StopError: the database or the lake cannot be used.
    """
    workspace = find_workspace(project, environment)
    day = as_of or clock().date()
    with workspace.open() as session:
        prepare_lake(session)
        refused: tuple[FlowResult, ...] = ()
        try:
            applied, running, differs = _applied(session, workspace, day, apply=apply, progress=progress, clock=clock)
        except StopError as error:  # of the change; what is applied runs on
            refused = (FlowResult("apply", "*", problems=(Problem("the folder is not applied", error.message, error.remedy),)),)
            applied, running, differs = _applied(session, workspace, day, apply=False, progress=progress, clock=clock)
        _ensure_named(running, client, flow)
        settings = RunSettings(
            run_id=f"run-{uuid4()}", applied_id=applied.applied_id, as_of=day.isoformat(), site=workspace.site(session), clock=clock,
            send=workspace.environment.deliver and not dry, progress=progress, client=client, flow=flow,
        )  # fmt: skip
        _begin(session, running, settings, day)
        state = "stopped"
        result = RunResult(settings.run_id, (), applied.applied_id, differs)
        try:
            faultpoint("run.begun")
            _expire(session, running, settings)
            orphans = find_orphans(session, clients(running))
            result = RunResult(settings.run_id, (*refused, *run_flows(session, running, settings), *orphans), applied.applied_id, differs)
            state = "ok" if result.ok else "failed"
            sweep_if_due(session)
            upkeep = running.settings.upkeep
            compact_if_due(session, after_files=upkeep.compact_after_files, keep=timedelta(seconds=seconds_of(upkeep.keep_snapshots)))
            faultpoint("run.done")
        finally:
            _end(session, settings, state, result)
    return result


def _expire(session: Session, project: Project, settings: RunSettings) -> None:
    """Withdraw corrections whose last day has passed, before anything else runs."""
    for name in clients(project):
        if settings.client in (None, name):
            expire_corrections(session, client_project(project, name), settings.as_of)


def _applied(
    session: Session, workspace: Workspace, day: date, *, apply: bool, progress: Progress, clock: Clock
) -> tuple[AppliedFiles, Project, bool]:
    """Return the applied project, its content read, and whether the folder differs from it."""
    folder = workspace.project
    applied = newest_applied(session)
    same = applied is not None and applied.content_hash == folder.content_hash
    if applied is not None and (same or not apply):
        return applied, folder if same else load_project_files(applied.files), not same
    progress("checking the project")
    ensure_sound(folder, day)
    if applied is None:
        progress("applying the project")
        return store_applied(session, folder.files, folder.content_hash), folder, False
    return apply_folder(session, applied, folder, clock, progress), folder, False


def _ensure_named(project: Project, client: str | None, flow: str | None) -> None:
    """Raise UsageError where a client or a flow is named that the applied project has not."""
    flows = {*project.flows, *(name for overlay in project.overlays.values() for name in overlay.flows)}
    for kind, name, known in (("client", client, set(clients(project))), ("flow", flow, flows)):
        if name is not None and name not in known:
            found = nearest(name, known)
            remedy = f"Did you mean {found!r}?" if found else f"Known: {', '.join(sorted(known)) or 'none'}. If it is new, apply the folder: `treaty run --apply`."
            raise UsageError(f"The applied project has no {kind} {name!r}.", remedy=remedy)


def _begin(session: Session, project: Project, settings: RunSettings, day: date) -> None:
    who = [settings.client] if settings.client else list(clients(project))
    session.as_client("*").execute(
        "insert into treaty.run (run_id, clients, applied_id, as_of, started_at, state, who) values (%s, %s, %s, %s, %s, 'running', %s)",
        (settings.run_id, who, settings.applied_id, day, settings.clock(), session.who),
    )


def _end(session: Session, settings: RunSettings, state: str, result: RunResult) -> None:
    session.as_client("*").execute(
        "update treaty.run set state = %s, finished_at = %s, summary = %s::jsonb where run_id = %s", (state, settings.clock(), dump(result), settings.run_id)
    )
