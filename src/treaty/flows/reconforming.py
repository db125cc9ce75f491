"""Works out what a changed project makes of a client's records, from the landing, beside what stands: nothing of it can be read yet.

A plan compares it and throws it away; an apply commits it. So an apply does what its plan said, and only mappings whose meaning has
changed are run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.lookups import mappings_in_order
from treaty.compiler.types import Type, parse_type, type_of
from treaty.engines.duckdb.hooks import register_hooks
from treaty.engines.duckdb.paths import quote_text
from treaty.errors import StopError
from treaty.faults import faultpoint
from treaty.flows.conforming import (
    LEFT_OUT,
    Chunk,
    Work,
    begin_batch,
    chunk_task,
    ensure_not_ruinous,
    find_left_out,
    pending_chunks,
    run_query,
    take_conformed,
)
from treaty.flows.echoes import returning
from treaty.flows.effects import Effects, Positions
from treaty.flows.moved import references_moved
from treaty.flows.references import come_through
from treaty.flows.shared_queries import SharedQueries
from treaty.flows.unaffected import AFFECTED, contributions_kept, find_affected, forget_affected
from treaty.lake.batches import Batch, open_batch
from treaty.lake.cursors import CursorPosition, Fence
from treaty.lake.names import contribution_table
from treaty.lake.prospect import CATALOG, Prospect
from treaty.lake.resolve import release, resolve
from treaty.lake.resurviving import resurvive
from treaty.lake.schema import table_columns
from treaty.lake.scope import OneClient
from treaty.lake.task import PreparedWrite, ResolveTask, match_keys, survivorship_rules
from treaty.project.declarations import ClientProject
from treaty.project.overlays import running_mappings
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class Prepared:
    """One batch that is worked out: the cursor that it moves, and how many records came to each state."""

    batch: Batch
    fence: Fence | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    mapping: str | None = None
    model: str = ""
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One client's part of a change: its resultants, what differs, and as whose work it is done."""

    before: ClientProject
    after: ClientProject
    effects: Effects
    applied_id: str
    as_of: str
    at: datetime
    guarded: bool  # refuse what would send most records into quarantine
    shared: SharedQueries
    standing: Mapping[str, CompiledMapping] | None = None  # of a plan: the mappings by which all that has landed is conformed


def reconform(prospect: Prospect, change: Change, positions: Positions) -> list[Prepared]:
    """Fill a prospect with what the change makes of the client's records; return the batches in their order."""
    session = prospect.session
    register_hooks(session.duck, change.after.hooks.values(), change.after.settings.limits.hook_seconds)
    done: list[Prepared] = []
    for model in _models_in_order(change):
        mine = _reconform_model(prospect, change, model, positions)
        if mine:
            prospect.net_golden(model, mine[-1].batch)
        done += mine
    return done


def _models_in_order(change: Change) -> list[str]:
    """Return the models that are resolved anew, those that others look up first."""
    inbound = [name for name in running_mappings(change.after) if change.after.mappings[name].inbound]
    order = dict.fromkeys(change.after.mappings[name].to for name in mappings_in_order(change.after, inbound))
    return [*sorted(change.effects.resolves - order.keys()), *(each for each in order if each in change.effects.resolves)]


def _reconform_model(prospect: Prospect, change: Change, model: str, positions: Positions) -> list[Prepared]:
    """Do all that the change does to the records of one model."""
    effects = change.effects
    done: list[Prepared | None] = []
    for mapping in (each for each in effects.conform if each.model == model):
        done.append(_conform(prospect, change, mapping, positions.get((effects.client, mapping.name), CursorPosition(0, {}))))
    for mapping in (each for each in effects.withdraw if each.model == model):
        stands = positions.get((effects.client, mapping.name))
        done.append(_withdraw(prospect, change, mapping, stands) if stands is not None else None)
    if model in effects.survivorship:
        done.append(_resurvive(prospect, change, model))
    return [each for each in done if each is not None]


def ensure_settled(session: Session, before: ClientProject, mappings: Mapping[str, CompiledMapping], positions: Positions, as_of: str) -> None:
    """Raise StopError where something has landed that the applied project has not conformed: it would be taken for a change."""
    for name, mapping in mappings.items():
        position = positions.get((before.client, name))
        work = Work(session, before, mapping, "", 0, as_of)
        if position is None or table_columns(session, work.table) is None:
            continue
        if pending_chunks(work, position.position) or references_moved(session, mapping, position.position, as_of):
            raise StopError(
                f"Of {mapping.stream.name} of {before.client}, or of what it looks up, something has landed that is not conformed yet.",
                remedy="Type `treaty run` first: what it makes of that would be taken for a change of the project.",
            )


def _conform(prospect: Prospect, change: Change, mapping: CompiledMapping, stands: CursorPosition) -> Prepared | None:
    """Conform a mapping's whole stream in a new generation."""
    session = prospect.session
    for model in (name for name in mapping.references if "/" not in name):
        prospect.add_model(model, model_fields_of(change.after, model))
    references = {name: come_through(session, mapping.client, name, CATALOG) for name in mapping.references}
    generation = int(stands.position.get("generation", 0)) + 1
    work = Work(session, change.after, mapping, change.applied_id, generation, change.as_of, references, CATALOG)
    if table_columns(session, work.table) is None:
        return None
    chunks = pending_chunks(work, {})
    if not chunks and not stands.position:
        return None
    chunks = chunks or [Chunk("false", 0, int(stands.position.get("batch", 0)), None)]
    fields = {each.name: each.type for each in mapping.fields}
    return _prepare(prospect, change, work, chunks, stands.seq, fields)


def _withdraw(prospect: Prospect, change: Change, mapping: CompiledMapping, stands: CursorPosition) -> Prepared:
    """Take back what a mapping contributed that runs no more: a new generation of nothing. It is read anew if it comes back."""
    generation = int(stands.position.get("generation", 1)) + 1
    work = Work(prospect.session, change.before, mapping, change.applied_id, generation, change.as_of)
    fields = {each.name: each.type for each in mapping.fields}
    prepared = _prepare(prospect, change, work, [Chunk("false", 0, 0, None)], stands.seq, fields)
    assert prepared.fence is not None, "a mapping's batch moves its cursor"
    position = {**prepared.fence.position, "version": "withdrawn"}
    return replace(prepared, fence=replace(prepared.fence, position=position))


def _prepare(prospect: Prospect, change: Change, work: Work, chunks: list[Chunk], seq: int, fields: Mapping[str, Type]) -> Prepared:
    session, mapping = prospect.session, work.mapping
    replaces = work.generation > 1
    prospect.add_model(mapping.model, fields)
    work = replace(work, kinds=prospect.columns[contribution_table(mapping.model)])
    rows = change.shared.rows_of(work, chunks)
    if replaces:
        find_left_out(work)
        kept = f"_landed_id not in (select _landed_id from {LEFT_OUT})"
        chunks = [replace(each, condition=f"{each.condition} and {kept}") for each in chunks]
        rows = f"{rows} and {kept}" if rows else None
    batch, fence = begin_batch(work, chunks[-1], seq)
    prepared = Prepared(batch, fence, {}, mapping.name, mapping.model, work.generation)
    faultpoint("plan.pre_query")
    files: tuple[Path, ...] = ()
    if rows is not None:
        take_conformed(work, chunks, rows)
    elif replaces and _keeps_most(change, work, chunks):
        few = [replace(each, condition=f"{each.condition} and _landed_id in (select _landed_id from {AFFECTED})") for each in chunks]
        run_query(work, few, batch, anew=True, kept=contributions_kept(work))
    else:
        files = run_query(work, chunks, batch, anew=replaces)
    try:
        if change.guarded and replaces:
            ensure_not_ruinous(work)
        task = replace(
            chunk_task(work, batch, files, replaces=replaces), tables=prospect.tables(mapping.model), caused_at=change.at if replaces else None,
            keys=match_keys(change.after, mapping.model), rules=survivorship_rules(change.after, mapping.model),
        )  # fmt: skip
        resolved = resolve(session.duck, task)
        told = {"_client": task.client, "_mapping": task.mapping, "applied_id": work.applied_id}
        row = ", ".join(f"{quote_text(value)} as {name}" for name, value in told.items())
        writes = [*resolved.writes, PreparedWrite("generation", f"select {row}, {work.generation}::integer as _generation, {batch.number}::bigint as _batch")]
        if replaces:
            writes.append(PreparedWrite("disposition", f"select *, {batch.number}::bigint as _batch from {LEFT_OUT}"))
        prospect.add(batch, [each for each in writes if each.table != contribution_table(mapping.model) or _read_again(change, mapping)])
    finally:
        release(session.duck)
        forget_affected(session)
        for path in files:
            path.unlink(missing_ok=True)
    faultpoint("plan.prepared")
    return replace(prepared, counts=dict(resolved.dispositions))


def _read_again(change: Change, mapping: CompiledMapping) -> bool:
    """Tell whether the contributions of a mapping are read again: all of an apply's are, those that a plan works out last only to follow references."""
    effects = change.effects
    last = [each.name for each in (*effects.conform, *effects.withdraw) if each.model == mapping.model][-1]
    related = any(each.kind == "relationship" for project in (change.before, change.after) for each in project.decisions.values())
    return change.standing is None or mapping.name != last or mapping.model in effects.survivorship or related


def _keeps_most(change: Change, work: Work, chunks: Sequence[Chunk]) -> bool:
    """Tell whether a plan has to conform but some of the records, which are found then; the others' contributions would be what they are.

    An apply conforms all: what it commits rests on what landed alone.
    """
    before = None if change.standing is None else change.standing.get(work.mapping.name)
    return before is not None and not returning(change.after, work.mapping) and find_affected(work, before, chunks)


def _resurvive(prospect: Prospect, change: Change, model: str) -> Prepared | None:
    """Join anew what has several members, by the rules of now."""
    session = prospect.session
    prospect.add_model(model, model_fields_of(change.after, model))
    tables = prospect.tables(model)
    batch = open_batch(session, OneClient(prospect.client), "resolve", applied_id=change.applied_id)
    task = ResolveTask(
        client=prospect.client, tables=tables, mapping="", generation=0, system="", stream="", batch=batch.number, conformed="r_unknown",
        keys=match_keys(change.after, model), rules=survivorship_rules(change.after, model), siblings=True, caused_at=change.at,
    )  # fmt: skip
    try:
        prospect.add(batch, resurvive(session.duck, task))
    finally:
        release(session.duck)
    return Prepared(batch, model=model)


def model_fields_of(project: ClientProject, model: str) -> dict[str, Type]:
    """Return the fields of a model as its contract declares them."""
    contract = project.models.get(model)
    return {each.name: parse_type(type_of(each)) for each in contract.properties} if contract else {}
