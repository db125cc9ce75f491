"""``plan``: what applying the folder would change, on the landed records of all clients, before anything changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from uuid import uuid4

from treaty.clock import Clock, system_clock
from treaty.errors import UsageError
from treaty.flows.effects import Effects
from treaty.lake.applied import AppliedFiles, newest_applied
from treaty.lake.names import lake_table
from treaty.lake.plans import contributed_through, landed_through_all, store_plan
from treaty.lake.schema import prepare_lake
from treaty.lake.scope import AllClients
from treaty.operations.planning.making import PlanMaker, class_of_all
from treaty.operations.planning.overrides import find_redundant, find_stale
from treaty.operations.planning.results import PlanResult, worst
from treaty.operations.shapes import dump
from treaty.operations.workspace import Folder, find_workspace
from treaty.project.findings import Severity
from treaty.project.loading import Project, load_project_files
from treaty.rules.checking import check_project
from treaty.sessions import Session

Progress = Callable[[str], None]


def plan(
    project: Folder = None,
    *,
    environment: str | None = None,
    client: str | None = None,
    sample: int | None = None,
    progress: Progress = lambda text: None,
    clock: Clock = system_clock,
) -> PlanResult:
    """Compare the folder with the applied project over what has landed. Nothing that a reader sees changes; the plan is kept.

    Args:
        client: compare only this client's records.
        sample: conform only so many landed records of each mapping: quick, without a verdict.

    Raises:
        UsageError: there is no such project, environment or client, or the folder has errors.
        StopError: the database or the lake cannot be used.
    """
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client)
    ensure_sound(workspace.project, clock().date())
    if not workspace.has_lake:
        return first_plan()
    with workspace.open() as session:
        prepare_lake(session)
        applied = newest_applied(session)
        if applied is None:
            return first_plan()
        maker = begin_plan(session, applied, workspace.project, clock, client=client, sample=sample, progress=progress)
        return make_plan(maker, applied)


def first_plan() -> PlanResult:
    """Return the plan where nothing is applied yet: the first run applies the folder, whatever it says."""
    return PlanResult("", True, "additive")


def ensure_sound(project: Project, day: date) -> None:
    """Raise UsageError where a project has errors, or an example of a decision does not give what it says."""
    from treaty.operations.examples import ExampleBench

    with ExampleBench(project.settings.limits) as bench:
        errors = [each for each in check_project(project, day, bench.run) if each.severity is Severity.ERROR]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise UsageError(
            f"The project is not applied: {errors[0].position}: {errors[0].message}{more}.", remedy=f"{errors[0].remedy} `treaty check` lists every problem."
        )


def begin_plan(
    session: Session, applied: AppliedFiles, target: Project, clock: Clock, *, client: str | None = None, sample: int | None = None, progress: Progress
) -> PlanMaker:
    """Return the plan in the making, from the applied project to another."""
    before = target if applied.content_hash == target.content_hash else load_project_files(applied.files)
    row = session.duck.execute(f"select as_of from {lake_table('batch')} where as_of is not null order by _batch desc limit 1").fetchone()
    day = row[0] if row else clock().date()
    return PlanMaker(session, before, target, day.isoformat(), clock(), client, sample, progress)


def make_plan(maker: PlanMaker, applied: AppliedFiles) -> PlanResult:
    """Make a plan and keep it."""
    session = maker.session
    relies = what_it_relies_on(maker, applied)
    changes = tuple(maker.changes())
    several = maker.entangled or len({(each.what, each.id) for each in changes if each.differences}) > 1
    together = tuple(maker.together.values()) if several else ()
    moved = moved_since(relies, what_it_relies_on(maker, applied))
    undecided = list(dict.fromkeys(maker.failures)) + [f"while it was compared, {each}" for each in moved]
    if maker.sample is not None and maker.whole:
        undecided.append(f"a sample of {maker.sample} landed records of each mapping: identity, survivorship and deliveries were not compared")
    complete = not undecided
    plan_class = worst([*(each.change_class for each in changes), class_of_all(together)]) if complete else "unknown"
    result = PlanResult(
        f"plan-{uuid4()}", complete, plan_class, changes, find_redundant(maker.before, maker.after), find_stale(maker.before, maker.after),
        together, tuple(undecided), maker.sample, maker.client, plan_class in maker.after.settings.plan_fails_on, relies,
    )  # fmt: skip
    store_plan(session, AllClients("plan"), result.plan_id, relies, dump(result))
    return result


def what_it_relies_on(maker: PlanMaker, applied: AppliedFiles) -> dict[str, Any]:
    """Return what a plan holds for: these files, on this applied project, over what had landed of what they change."""
    effects = maker.whole
    models = {model for each in effects for model in each.models}
    models |= {name for each in effects for mapping in each.conform for name in mapping.references if "/" not in name}
    streams = {mapping.stream.name for each in effects for mapping in (*each.conform, *each.withdraw)}
    streams |= {name for each in effects for mapping in each.conform for name in mapping.references if "/" in name}
    for project in (maker.before, maker.after):
        streams |= {each.from_ for each in project.mappings.values() if each.inbound and each.to in models}
    if models:
        streams.add("steward/corrections")
    scope = AllClients("plan")
    return {
        "folder": maker.after.content_hash, "applied": applied.applied_id, "versions": _versions(effects),
        "landed": landed_through_all(maker.session, scope, streams), "contributed": contributed_through(maker.session, scope, models),
    }  # fmt: skip


def moved_since(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what has moved on since a plan was made, for people."""
    moved = []
    if then["folder"] != now["folder"]:
        moved.append("files of the project have changed")
    if then["applied"] != now["applied"]:
        moved.append("another project was applied")
    if then["versions"] != now["versions"] and not moved:
        moved.append("what Treaty's functions do has changed")
    for kind, text in (("landed", "something landed of"), ("contributed", "something was conformed for")):
        both = then[kind].keys() & now[kind].keys() if moved else then[kind].keys() | now[kind].keys()  # what another project reads is not compared
        places = [place for place in sorted(both) if then[kind].get(place) != now[kind].get(place)]
        if places and not (kind == "contributed" and moved):
            moved.append(f"{text} {', '.join(places[:3])}{' …' if len(places) > 3 else ''}")
    return moved


def _versions(effects: list[Effects]) -> dict[str, str]:
    versions = {f"{each.client} {mapping.name}": mapping.version for each in effects for mapping in each.conform}
    return versions | {f"{each.client} {mapping.name}": mapping.version for each in effects for mapping in each.outbound}
