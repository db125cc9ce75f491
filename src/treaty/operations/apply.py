"""``apply``: make the folder, or the project before, the one that runs, as a plan said; deliver what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from treaty.clock import Clock, system_clock
from treaty.errors import StopError, UsageError
from treaty.faults import faultpoint
from treaty.flows.applying import Application, apply_project
from treaty.flows.results import DeliveryResult, Problem
from treaty.flows.running import RunSettings, deliver_flows
from treaty.lake.applied import AppliedFiles, find_applied, list_applies, newest_applied
from treaty.lake.plans import find_plan
from treaty.lake.schema import prepare_lake
from treaty.operations.plan import Progress, begin_plan, ensure_sound, make_plan, moved_since, what_it_relies_on
from treaty.operations.planning.making import PlanMaker
from treaty.operations.shapes import shape
from treaty.operations.workspace import Folder, Workspace, find_workspace
from treaty.project.loading import Project, load_project_files
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What was applied, by which plan, and what sinks were told of it. ``changed`` is false where it was applied already.

    ``folder_differs`` tells whether the folder says something else than what is applied now: a rollback leaves it as it is.
    """

    applied_id: str
    plan_id: str | None
    plan_class: str
    changed: bool
    records: Mapping[str, int]
    deliveries: tuple[DeliveryResult, ...] = ()
    problems: tuple[Problem, ...] = ()
    folder_differs: bool = False

    @property
    def ok(self) -> bool:
        """Whether everything that differs was delivered, or nothing is to be."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The documented shape; ``problems`` only where there are some."""
        shaped = {
            "applied_id": self.applied_id, "plan_id": self.plan_id, "class": self.plan_class, "changed": self.changed, "records": self.records,
            "deliveries": self.deliveries,
        }  # fmt: skip
        return shaped | ({"problems": self.problems} if self.problems else {})


@dataclass(frozen=True, slots=True)
class AppliedListing:
    """One apply of the past, with the class of its plan; ``current`` is the one that runs."""

    applied_id: str
    applied_at: datetime
    who: str
    plan_id: str | None
    plan_class: str | None
    current: bool

    def to_json(self) -> dict[str, Any]:
        """The documented shape."""
        return {
            "applied_id": self.applied_id, "applied_at": self.applied_at, "who": self.who, "plan_id": self.plan_id, "class": self.plan_class,
            "current": self.current,
        }  # fmt: skip


def apply(
    plan_id: str | None = None,
    project: Folder = None,
    *,
    environment: str | None = None,
    former: bool = False,
    dry: bool = False,
    progress: Progress = lambda text: None,
    clock: Clock = system_clock,
) -> ApplyResult:
    """Apply the folder by a plan, or make the plan first; ``former`` applies the project that was applied before this one.

    Raises:
        UsageError: there is no such plan, or the folder has errors.
        StopError: the plan is stale or has no verdict, or most records would go into quarantine; nothing was changed.
    """
    workspace = find_workspace(project, environment)
    if plan_id is not None and former:
        raise UsageError("Both a PLAN and --former are given.", remedy="A plan says itself what it applies: give one of them.")
    if not former:
        ensure_sound(workspace.project, clock().date())
    workspace.ensure_ran()
    with workspace.open() as session:
        prepare_lake(session)
        applied = newest_applied(session)
        if applied is None:
            raise UsageError("Nothing is applied here yet.", remedy="The first `treaty run` applies the folder.")
        target = _former(session) if former else workspace.project
        maker = begin_plan(session, applied, target, clock, progress=progress)
        reviewed = plan_id is not None
        told, relies = _planned(session, maker, applied, plan_id)
        if target.content_hash == applied.content_hash and not maker.whole:
            return ApplyResult(applied.applied_id, None, told["class"], False, {})
        after = commit_plan(maker, applied, told["plan_id"], relies, guarded=not reviewed and not former)
        return _deliver(session, workspace, maker, after, told, dry=dry, clock=clock)


def apply_folder(session: Session, applied: AppliedFiles, target: Project, clock: Clock, progress: Progress) -> AppliedFiles:
    """Apply a project the short way, without comparing anything; raise StopError where most records would go into quarantine."""
    return commit_plan(begin_plan(session, applied, target, clock, progress=progress), applied, None, None, guarded=True)


def commit_plan(maker: PlanMaker, applied: AppliedFiles, plan_id: str | None, relies: Mapping[str, Any] | None, *, guarded: bool) -> AppliedFiles:
    """Conform what the plan changes and commit it with the project; raise StopError where anything has moved since ``relies``."""

    def ensure_still_fresh() -> None:
        if relies is not None:
            ensure_fresh(maker, newest_applied(maker.session) or applied, relies)

    maker.progress("applying the project")
    application = Application(
        maker.after.files, maker.after.content_hash, lambda client: maker.resultant(maker.before, client), lambda client: maker.resultant(maker.after, client),
        maker.as_of, plan_id, guarded, ensure_still_fresh,
    )  # fmt: skip
    return apply_project(maker.session, application, [each for each in maker.whole if each.resolves])


def ensure_fresh(maker: PlanMaker, applied: AppliedFiles, relies: Mapping[str, Any]) -> None:
    """Raise StopError where something that a plan relied on has moved on, naming it."""
    moved = moved_since(relies, what_it_relies_on(maker, applied))
    if moved:
        raise StopError(f"The plan is stale: since it was made, {'; '.join(moved)}.", remedy="Nothing was changed. Type `treaty plan` again, and apply the new plan.")


def applies(project: Folder = None, *, environment: str | None = None) -> tuple[AppliedListing, ...]:
    """Return every apply of an environment, the newest first: who applied which plan, when."""
    workspace = find_workspace(project, environment)
    workspace.ensure_ran()
    with workspace.open() as session:
        listed = []
        for place, each in enumerate(list_applies(session)):
            plan = find_plan(session, each.plan_id) if each.plan_id else None
            listed.append(AppliedListing(each.applied_id, each.applied_at, each.who, each.plan_id, plan.content["class"] if plan else None, place == 0))
        return tuple(listed)


def _planned(session: Session, maker: PlanMaker, applied: AppliedFiles, plan_id: str | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what the plan says and what it relies on: the one that is named, as long as it is fresh, or one made now."""
    if plan_id is None:
        made = make_plan(maker, applied)
        content: Mapping[str, Any] = shape(made)
        relies = made.relies
    else:
        stored = find_plan(session, plan_id)
        if stored is None:
            raise UsageError(f"There is no plan {plan_id!r}.", remedy="`treaty plan` makes one and shows its id.")
        content, relies = stored.content, stored.relies
    if content.get("client") or content.get("sample"):
        of = f"only {content['client']}" if content.get("client") else f"a sample of {content['sample']} records"
        raise StopError(f"The plan compared {of}: it cannot be applied.", remedy="Make one of everything: `treaty plan`.")
    if not content["complete"]:
        raise StopError(f"The plan has no verdict: {'; '.join(content['undecided'][:3])}.", remedy="Mend that, and plan again. Nothing was changed.")
    if plan_id is not None:
        done = next((each for each in list_applies(session) if each.plan_id == content["plan_id"]), None)
        if done is not None:
            remedy = "Nothing was changed. `treaty apply --list` shows what was applied since; `treaty plan` compares anew."
            raise StopError(f"The plan was applied already, by {done.who} on {done.applied_at:%Y-%m-%d at %H:%M} UTC.", remedy=remedy)
        ensure_fresh(maker, applied, relies)
    return content, relies


def _former(session: Session) -> Project:
    listed = list_applies(session)
    current = listed[0].content_hash
    for each in listed[1:]:
        found = find_applied(session, each.applied_id)
        if found is not None and each.content_hash != current:
            return load_project_files(found.files)
    raise UsageError("No other project was applied before this one.", remedy="`treaty apply --list` shows what was.")


def _deliver(
    session: Session, workspace: Workspace, maker: PlanMaker, after: AppliedFiles, told: Mapping[str, Any], *, dry: bool, clock: Clock
) -> ApplyResult:
    """Deliver what differs, where the environment delivers and ``dry`` does not forbid it."""
    settings = RunSettings(
        run_id=f"apply-{uuid4()}", applied_id=after.applied_id, as_of=maker.as_of, site=workspace.site(session), clock=clock,
        send=workspace.environment.deliver and not dry, progress=maker.progress,
    )  # fmt: skip
    faultpoint("apply.pre_deliver")
    deliveries, problems = deliver_flows(session, maker.after, settings, {each.client for each in maker.whole})
    counts: dict[str, int] = {}
    parts = told.get("together") or [each for change in told["changes"] for each in change["clients"]]
    for part in parts:
        for name, number in part["records"].items():
            counts[name] = counts.get(name, 0) + number
    differs = workspace.project.content_hash != after.content_hash
    return ApplyResult(after.applied_id, told["plan_id"], told["class"], True, counts, deliveries, problems, differs)
