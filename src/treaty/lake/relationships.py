"""References from one golden record to another, across systems: resolved when they are read, through the cross-reference.

A reference holds what its source system wrote: the key of the record there, or the value of the field that the relationship decision
names. It points to the golden record that has such a member, one of the same system before any other. What points nowhere stays
open, is listed, and is filled when the target comes; nothing is rewritten for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from treaty.lake.current import ModelTables, client_or_none, current_contributions, current_golden, latest_xref
from treaty.lake.names import LAKE, golden_table, quote_name, quote_text
from treaty.lake.schema import table_columns
from treaty.lake.scope import ClientScope, OneClient
from treaty.project.declarations import ClientProject
from treaty.sessions import Session

if TYPE_CHECKING:
    import pyarrow as pa

_AFTER = re.compile(r"quarantine\s+after\s+(\d+)\s*([smhd])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Relationship:
    """A field that refers to another model, and what a missing target does."""

    decision: str
    model: str
    field: str
    target: str
    target_field: str
    missing: str  # keep-open | stub | null | quarantine
    wait: timedelta | None = None  # quarantine: how long a target may be missing

    @property
    def moves(self) -> bool:
        """Whether what readers see of a record depends on its target being there."""
        return self.missing in ("null", "quarantine")


def relationships(project: ClientProject, model: str) -> tuple[Relationship, ...]:
    """Return the references that a model's relationship decisions declare."""
    found = []
    for decision in sorted(project.decisions.values(), key=lambda each: each.id):
        if decision.kind != "relationship" or not decision.runs or not decision.references:
            continue
        target, _, target_field = decision.references.partition(".")
        after = _AFTER.match(decision.missing)
        wait = timedelta(**{_UNITS[after[2]]: int(after[1])}) if after else None
        for governed in decision.governs:
            of, _, field = governed.partition(".")
            if of == model and field and "." not in field:
                found.append(Relationship(decision.id, model, field, target, target_field, "quarantine" if after else decision.missing, wait))
    return tuple(found)


def references_sql(session: Session, scope: ClientScope, relationship: Relationship, catalog: str = LAKE) -> str:
    """Select (_canonical_id, _client, value, since, target_id, candidates) for every living golden record that refers to something.

    ``target_id`` is null where nothing, or more than one thing, has the value; ``candidates`` counts them.
    """
    client = client_or_none(session, scope)
    tables, targets = ModelTables(relationship.model, catalog), ModelTables(relationship.target, catalog)
    field, target_field = quote_name(relationship.field), quote_name(relationship.target_field)
    value = f"g.{field}::varchar"
    golden = current_golden(tables, client, f"g._canonical_id, g._client, {value} as value, g._valid_from as since", f"not g._deleted and {value} is not null")
    wrote = current_contributions(tables, client, f"c._member_id, c._system, c.{field}::varchar as value", f"c.{field} is not null")
    members = f"select _member_id, _canonical_id from ({latest_xref(tables, client)}) where not ended"
    if table_columns(session, golden_table(relationship.target)) is None:
        return f"select *, null::uuid as target_id, 0::bigint as candidates from ({golden})"
    known = f"select * from ({latest_xref(targets, client)}) where not ended"
    told = current_contributions(targets, client, f"c._member_id, c.{target_field}::varchar as value", f"c.{target_field} is not null")
    return f"""
        with referring as ({golden}),
        systems as (select distinct m._canonical_id, w._system, w.value from ({wrote}) w join ({members}) m on m._member_id = w._member_id),
        known as ({known}),
        targets as (
            select _client, _system, _source_key as value, _canonical_id, true as is_key from known where _source_key is not null
            union all
            select k._client, k._system, t.value, k._canonical_id, false from ({told}) t join known k on k._member_id = t._member_id),
        found as (
            select r._canonical_id, t._canonical_id as target_id,
                min(case when s._system is not null then 0 when t.is_key then null else 1 end) as distance
            from referring r join targets t on t._client = r._client and t.value = r.value
            left join systems s on s._canonical_id = r._canonical_id and s.value = r.value and s._system = t._system group by all),
        nearest as (
            select _canonical_id, count(*) as candidates, any_value(target_id) as target_id from (
                select *, rank() over (partition by _canonical_id order by distance) as place from found where distance is not null)
            where place = 1 group by all)
        select r.*, if(n.candidates = 1, n.target_id, null) as target_id, coalesce(n.candidates, 0) as candidates
        from referring r left join nearest n on n._canonical_id = r._canonical_id"""


def open_references(session: Session, scope: ClientScope, relationship: Relationship, *, older_than: datetime | None = None) -> pa.Table:
    """Return the references that point nowhere, oldest first: ``_id, _client, field, value, since, candidates``."""
    overdue = "" if older_than is None else f" and since < {quote_text(older_than.isoformat())}::timestamptz"
    table: pa.Table = session.duck.execute(f"""
        select _canonical_id::varchar as _id, _client, {quote_text(relationship.field)} as field, value, since, candidates
        from ({references_sql(session, scope, relationship)}) where target_id is null{overdue} order by since, _id""").to_arrow_table()
    return table


def as_read(session: Session, golden: str, found: Mapping[str, Sequence[Relationship]], now: datetime, catalog: str = LAKE) -> str:
    """Select the golden rows of the query ``golden`` as its readers take them, by the relationships of each client; nothing is rewritten for it.

    An open reference whose relationship says ``null`` is null. ``_missing`` says which reference has been open for longer than its
    relationship allows: such a record is in quarantine for its readers until the target comes.
    """
    query = f"select *, null::varchar as _missing from ({golden})"
    for client, relationship in ((client, each) for client, several in found.items() for each in several if each.moves):
        field = quote_name(relationship.field)
        told = f"select _canonical_id, value, since from ({references_sql(session, OneClient(client), relationship, catalog)}) where target_id is null"
        if relationship.wait is None:
            shown = f"if(r._canonical_id is null, g.{field}, null) as {field}"
        else:
            overdue = f"r.since < {quote_text((now - relationship.wait).isoformat())}::timestamptz"
            reason = f"{quote_text(f'missing-target: {relationship.field} ')} || r.value"
            shown = f"coalesce(g._missing, if({overdue}, {reason}, null)) as _missing"
        query = f"select g.* replace ({shown}) from ({query}) g left join ({told}) r on r._canonical_id = g._canonical_id"
    return query
