"""Golden versions: a new one only where the content differs from the current one, the old one ended, the deleted ones marked.

A deleted version keeps the last content, so that a sink can still be told which record is gone.
"""

from __future__ import annotations

from treaty.lake.current import STEWARD, Connection, current_contributions, current_golden
from treaty.lake.names import quote_name, quote_text
from treaty.lake.survivorship import survivor_sql
from treaty.lake.task import ResolveTask

# What a wide Parquet file of conformed rows holds beside the contribution's columns and ``_batch``, so that, hard-linked, it can be
# registered as contribution, golden and cross-reference: the value each has for a record that is new and alone. ``_model`` is the model's name.
WIDE_COLUMNS = {
    "_canonical_id": "_member_id",
    "_version": "1::integer",
    "_valid_from": "_received_at",
    "_deleted": "false",
    "_winners": "null::varchar",
    "_model": "''",
    "_matched_by": "null::varchar",
}


def find_causes(connection: Connection) -> None:
    """Fill ``r_causes``: when the landing was received that changed each canonical id of the region."""
    connection.execute("""
        create or replace temp table r_causes as
        with placed as (
            select m._member_id, m.old_id, coalesce(g._canonical_id, m.old_id, m._member_id) as new_id, m.caused_at
            from r_members m left join r_groups g on g._member_id = m._member_id),
        both_ids as (select _member_id, old_id as id, caused_at from placed union all select _member_id, new_id, caused_at from placed),
        touched as (select id, max(caused_at) as at from both_ids where caused_at is not null group by id),
        by_member as (select b._member_id, max(t.at) as at from both_ids b join touched t on t.id = b.id group by all)
        select b.id as _canonical_id, max(m.at) as at from both_ids b join by_member m on m._member_id = b._member_id
        where b.id is not null group by b.id""")


def write_golden(connection: Connection, task: ResolveTask, fields: list[str]) -> int:
    """Fill ``w_golden`` and ``w_golden_end`` for the region; return how many versions are new."""
    _content(connection, task, fields)
    mine = ", ".join(f"c.{quote_name(name)}" for name in fields)
    theirs = ", ".join(f"g.{quote_name(name)}" for name in fields)
    differs = " or ".join(f"c.{quote_name(name)} is distinct from g.{quote_name(name)}" for name in fields) or "false"
    connection.execute(f"""
        create or replace temp table r_golden as {current_golden(task.tables, task.client,
            where="g._canonical_id in (select _member_id from r_members)")}""")
    since = "greatest(coalesce(k.at, c.first_at), coalesce(g._valid_from, '-infinity'::timestamptz))"
    head = f"""{quote_text(task.client)} as _client, coalesce(g._version, 0) + 1 as _version"""
    connection.execute(f"""
        create or replace temp table w_golden as
        select c._canonical_id, {head}, {since} as _valid_from, false as _deleted, {task.generation}::integer as _generation,
            c._winners, c._landed_id, {mine}, {task.batch}::bigint as _batch
        from r_content c left join r_golden g on g._canonical_id = c._canonical_id left join r_causes k on k._canonical_id = c._canonical_id
        where g._version is null or g._deleted or {differs}
        union all
        select g._canonical_id, {head}, greatest(coalesce(k.at, g._valid_from), g._valid_from), true, {task.generation}::integer,
            g._winners, g._landed_id, {theirs}, {task.batch}::bigint
        from r_golden g anti join r_content c on c._canonical_id = g._canonical_id left join r_causes k on k._canonical_id = g._canonical_id
        where not g._deleted""")
    connection.execute(f"""
        create or replace temp table w_golden_end as
        select g._client, g._canonical_id, g._version, w._valid_from as _valid_to, {task.batch}::bigint as _batch
        from r_golden g join w_golden w on w._canonical_id = g._canonical_id""")
    row = connection.execute("select count(*) from w_golden").fetchone()
    return int(row[0])


def _content(connection: Connection, task: ResolveTask, fields: list[str]) -> None:
    """Fill ``r_content`` with what each living canonical id of the region should show now."""
    names = ", ".join(quote_name(name) for name in fields)
    ours = ", ".join(["_member_id, _landed_id, _system, _stream, _source_version, _received_at", *([names] if names else [])])
    connection.execute(f"""
        create or replace temp table r_others as select m._member_id from r_members m
        where m.live and ({"true" if task.siblings else "not exists (from r_versions v where v._member_id = m._member_id)"})""")
    parts = [f"select {ours} from {task.conformed} semi join (select _landed_id from newest where fresh) n using (_landed_id)"]
    if _any(connection, "r_versions where place = 1 and not fresh"):
        stale = "(select _landed_id from newest where not fresh)"
        parts.append(f"select {ours} from {task.tables.contribution} semi join {stale} n using (_landed_id) where {task.of_mapping}")
    if _any(connection, "r_others"):
        select = ", ".join(f"c.{each.strip()}" for each in ours.split(", "))
        join = "semi join r_others o on o._member_id = c._member_id"
        other = f"(c._mapping <> {quote_text(task.mapping)} or c._member_id not in (select _member_id from r_versions))"
        parts.append(current_contributions(task.tables, task.client, select, other if task.siblings else "true", join))
    connection.execute(f"""
        create or replace temp table r_rows as
        with newest as (select _landed_id, fresh from r_versions where place = 1 and _op <> 'delete'), rows as ({" union all ".join(parts)})
        select g._canonical_id, m.first_at, count(*) over (partition by g._canonical_id) as together, r.*
        from rows r join r_groups g on g._member_id = r._member_id join r_members m on m._member_id = r._member_id where g.lives""")
    alone = f"select _canonical_id, first_at, null::varchar as _winners, _landed_id, {names} from r_rows where together = 1"
    if not _any(connection, "r_rows where together > 1"):
        connection.execute(f"create or replace temp table r_content as {alone}")
        return
    several = "(select * exclude (together, first_at) from r_rows where together > 1)"
    corrected = _any(connection, f"r_rows where together > 1 and _system = '{STEWARD}'")
    connection.execute(f"""
        create or replace temp table r_content as
        {alone}
        union all
        select s._canonical_id, f.first_at, s._winners, null::uuid, {", ".join(f"s.{quote_name(name)}" for name in fields)}
        from ({survivor_sql(several, fields, task.rules, corrected=corrected)}) s
        join (select _canonical_id, min(first_at) as first_at from r_rows group by all) f on f._canonical_id = s._canonical_id""")


def _any(connection: Connection, relation: str) -> bool:
    return connection.execute(f"select 1 from {relation} limit 1").fetchone() is not None
