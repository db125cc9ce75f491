"""Applies a changed project: everything that it changes becomes true in one commit, or nothing does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from treaty.faults import faultpoint
from treaty.flows.conforming import MAPPING, exclusively, resolving
from treaty.flows.effects import Effects
from treaty.flows.reconforming import Change, Prepared, model_fields_of, reconform
from treaty.flows.shared_queries import shared_queries
from treaty.lake.applied import AppliedFiles, next_applied_id, prepare_applied
from treaty.lake.batches import close_batches
from treaty.lake.commit import Part, commit_together
from treaty.lake.cursors import read_cursors
from treaty.lake.prospect import Prospect, open_prospect
from treaty.lake.schema import ensure_model
from treaty.lake.scope import AllClients, OneClient
from treaty.project.declarations import ClientProject
from treaty.sessions import Session

APPLY = "apply"


@dataclass(frozen=True, slots=True)
class Application:
    """What is applied: the files, the resultants of each client before and after, and as whose work."""

    files: Mapping[str, bytes]
    content_hash: str
    before: Callable[[str], ClientProject]
    after: Callable[[str], ClientProject]
    as_of: str
    plan_id: str | None = None
    guarded: bool = True  # refuse what would send most records into quarantine
    ensure_fresh: Callable[[], None] = lambda: None  # raises StopError where what was planned has moved on


def apply_project(session: Session, application: Application, effects: Sequence[Effects]) -> AppliedFiles:
    """Conform what has changed anew, beside what stands, and commit all of it with the project.

    Until then readers see the old truth whole; a killed apply leaves it. Raises StopError where the change is refused.
    """
    scope = AllClients(APPLY)
    with ExitStack() as locks:
        for name in sorted({f"conform|{each.client}|{mapping.name}" for each in effects for mapping in (*each.conform, *each.withdraw)}):
            locks.enter_context(exclusively(session, name))
        for client, model in sorted({(each.client, model) for each in effects for model in each.resolves}):
            locks.enter_context(resolving(session, client, model))
        application.ensure_fresh()
        shared = locks.enter_context(shared_queries(session, effects))
        numbered, prospects = set(session.open_batches), list[tuple[Prospect, list[Prepared]]]()
        try:
            applied_id, at = next_applied_id(session, application.content_hash), session.clock()
            positions = read_cursors(session, scope, MAPPING)
            for each in effects:
                prospect = open_prospect(session, OneClient(each.client))
                prospects.append((prospect, []))
                change = Change(
                    application.before(each.client), application.after(each.client), each, applied_id, application.as_of, at, application.guarded, shared
                )
                prospects[-1][1].extend(reconform(prospect, change, positions))
            faultpoint("apply.prepared")
            application.ensure_fresh()
            parts = [part for prospect, done in prospects for part in _parts(session, application, prospect, done)]
            applied, part = prepare_applied(session, application.files, application.content_hash, application.plan_id)
            faultpoint("apply.pre_commit")
            commit_together(session, scope, [*parts, part], f"apply {applied_id}")
        finally:
            for prospect, _ in prospects:
                prospect.close()
            close_batches(session, session.open_batches - numbered)
    faultpoint("apply.post_commit")
    return applied


def _parts(session: Session, application: Application, prospect: Prospect, done: Sequence[Prepared]) -> list[Part]:
    """Return what one client's prospect holds as parts of the commit, in the order in which it was worked out."""
    for model in dict.fromkeys(each.model for each in done):
        for project in (application.before(prospect.client), application.after(prospect.client)):
            if model in project.models:
                ensure_model(session, model, model_fields_of(project, model))
    return [Part(each.batch, prospect.take(each.batch), [each.fence] if each.fence else [], each.counts) for each in done]
