"""Compares what a change would make of landed records with what stands, client by client; nothing of it stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.outbound import CompiledOutbound, compile_outbound
from treaty.compiler.sharing import SharedMappings
from treaty.faults import faultpoint
from treaty.flows.effects import Effects, Positions
from treaty.flows.intents import outbound_query
from treaty.flows.reconforming import Change, Prepared, ensure_settled, model_fields_of, reconform
from treaty.flows.shared_queries import SharedQueries
from treaty.lake.batches import close_batches
from treaty.lake.cursors import CursorPosition
from treaty.lake.differences import Difference, MovedMapping, Relations, find_difference
from treaty.lake.names import golden_table, landed_table
from treaty.lake.prospect import CATALOG, Prospect, open_prospect
from treaty.lake.relationships import relationships
from treaty.lake.schema import table_columns
from treaty.lake.scope import OneClient
from treaty.project.declarations import ClientProject
from treaty.project.overlays import running_mappings
from treaty.sessions import Session

ToldClient = Callable[[str], ClientProject]


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a change is compared with: the resultants of each client before and after, and how far each mapping has come."""

    session: Session
    before: ToldClient
    after: ToldClient
    positions: Positions
    as_of: str
    at: datetime
    shared: SharedQueries


def foresee(foresight: Foresight, effects: Effects) -> list[Difference]:
    """Return what differs in each model of one client. Raises StopError, or RetryError, where it could not be worked out."""
    session, client = foresight.session, effects.client
    before, after = foresight.before(client), foresight.after(client)
    known = SharedMappings()
    names = [each.name for each in (*effects.conform, *effects.withdraw) if each.name in running_mappings(before)]
    standing = {name: known.compile(before, name) for name in names}
    ensure_settled(session, before, standing, foresight.positions, foresight.as_of)
    standing = {name: each for name, each in standing.items() if _ran_as(foresight.positions.get((client, name)), each)}
    change = Change(before, after, effects, "", foresight.as_of, foresight.at, guarded=False, shared=foresight.shared, standing=standing)
    prospect = open_prospect(session, OneClient(client))
    numbered = set(session.open_batches)
    try:
        done = reconform(prospect, change, foresight.positions)
        differences = [_difference(prospect, change, model, done, foresight.positions) for model in sorted(effects.models)]
        faultpoint("plan.compared")
        return [each for each in differences if each]
    finally:
        prospect.close()
        close_batches(session, session.open_batches - numbered)


def _ran_as(position: CursorPosition | None, mapping: CompiledMapping) -> bool:
    """Tell whether a mapping last ran as it is compiled now: another version of Treaty may compile it otherwise."""
    return position is not None and position.position.get("version") == mapping.version


def _difference(prospect: Prospect, change: Change, model: str, done: Sequence[Prepared], positions: Positions) -> Difference:
    session, effects = prospect.session, change.effects
    prospect.add_model(model, model_fields_of(change.after, model))
    relations = Relations(relationships(change.before, model), relationships(change.after, model))
    for target in {each.target for each in (*relations.before, *relations.after)}:
        prospect.add_model(target, model_fields_of(change.after, target))
    moved = []
    for each in done:
        if each.model == model and each.mapping is not None:
            stands = positions.get((effects.client, each.mapping))
            source = (change.after if each.mapping in change.after.mappings else change.before).mappings[each.mapping].from_
            system, _, stream = source.partition("/")
            before = int(stands.position.get("generation", 0)) if stands is not None else 0
            moved.append(MovedMapping(each.mapping, before, each.generation, landed_table(system, stream)))
    difference = find_difference(prospect, model, moved, relations)
    if table_columns(session, golden_table(model)) is None:
        return difference
    return replace(difference, rewrites=_rewrites(prospect, change, model, relations))


def _rewrites(prospect: Prospect, change: Change, model: str, relations: Relations) -> Mapping[str, int]:
    """Return, by sink, how many delivered records would be told anew, or that they are gone."""
    changed = {each.name for each in change.effects.outbound}
    counts: dict[str, int] = {}
    for name in running_mappings(change.after):
        mapping = change.after.mappings[name]
        if not mapping.inbound and mapping.from_ == model:
            number = _rewritten(prospect, change, compile_outbound(change.after, name), whole=name in changed or relations.moved)
            if number:
                counts[mapping.to] = counts.get(mapping.to, 0) + number
    return counts


def _rewritten(prospect: Prospect, change: Change, mapping: CompiledOutbound, *, whole: bool) -> int:
    session, duck = prospect.session, prospect.session.duck
    rows = session.as_client(mapping.client).execute(
        """select canonical_id::text, content_hash from (
               select distinct on (canonical_id) canonical_id, op, content_hash from treaty.delivery
               where client = %s and sink = %s and state = 'acknowledged' order by canonical_id, golden_version desc, revision desc) d
           where op = 'upsert'""",
        (mapping.client, mapping.sink),
    ).fetchall()
    ids = prospect.rewritten(mapping.model)
    if not rows or (ids is None and not whole):
        return 0
    duck.execute(
        "create or replace temp table d_delivered as select unnest(?::varchar[])::uuid as id, unnest(?::varchar[]) as hash",
        [[row[0] for row in rows], [row[1] for row in rows]],
    )
    few = "true" if whole else f"g._canonical_id in ({ids})"
    told = outbound_query(session, change.after, mapping, f"g._canonical_id in (select id from d_delivered) and {few}", change.as_of, CATALOG)
    gone = "false" if mapping.delete == "ignore" else "true"
    row = duck.execute(f"""
        select count(*) from d_delivered d join ({told}) o on o._canonical_id = d.id
        where case when not o._wanted then {gone} when o._held is not null then false else o._hash is distinct from d.hash end""").fetchone()
    duck.execute("drop table d_delivered")
    return int(row[0]) if row else 0
