"""Records that were known before and are still alone: the same id, the same keys, nobody who shares one.

Most updates are of this kind. They need no identity and no survivorship: the older version of each is superseded, and its golden record
is written anew only where the content differs, found by two hashes of the fields so that nothing wide is joined.
"""

from __future__ import annotations

from treaty.lake.current import Connection, columns, current_golden, effective_dispositions, of_client
from treaty.lake.names import quote_name, quote_text
from treaty.lake.task import ResolveTask


def find_steady(connection: Connection, task: ResolveTask, known: int) -> int:
    """Part the known members of the batch that ``r_hot`` lacks: into ``r_steady``, or else into ``r_hot``; return how many are steady.

    ``r_old`` gets the versions of the steady ones that the lake has.
    """
    connection.execute("create or replace temp table r_steady (_member_id uuid)")
    connection.execute("create or replace temp table r_old (_member_id uuid, _landed_id uuid)")
    if not known:
        return 0
    if not task.siblings:
        ended = f"(select _member_id from {task.tables.table('xref_end')} where {of_client(task.client)} and _model = {quote_text(task.tables.model)})"
        connection.execute(f"""
            create or replace temp table r_steady as
            with once as (
                select _member_id, any_value(_canonical_id) as _canonical_id, any_value(_keys) as _keys from r_xref
                semi join (select _member_id from {task.conformed}) c using (_member_id) group by _member_id having count(*) = 1)
            select x._member_id from once x join {task.conformed} c on c._member_id = x._member_id
            anti join r_hot h on h._member_id = x._member_id anti join {ended} e on e._member_id = x._member_id
            anti join (select _canonical_id from r_xref where _canonical_id <> _member_id) o on o._canonical_id = x._member_id
            where x._canonical_id = x._member_id and x._keys is not distinct from c._keys""")
        _leave_late_ones(connection, task)
    connection.execute(f"""
        insert into r_hot select distinct c._member_id from {task.conformed} c semi join r_xref x on x._member_id = c._member_id
        anti join r_steady s on s._member_id = c._member_id anti join r_hot h on h._member_id = c._member_id""")
    row = connection.execute("select count(*) from r_steady").fetchone()
    return int(row[0])


def _leave_late_ones(connection: Connection, task: ResolveTask) -> None:
    """Fill ``r_old``; members whose version in the batch is not the newest are not steady."""
    newer = """(o._source_version, o._received_at, o._landed_id) > (c._source_version, c._received_at, c._landed_id)"""
    connection.execute(f"""
        create or replace temp table r_old as
        select _member_id, _landed_id, coalesce(_source_version, -9223372036854775808) as _source_version, _received_at
        from {task.tables.contribution} semi join r_steady using (_member_id) where {task.of_mapping}""")
    connection.execute(f"""
        create or replace temp table r_late as select distinct o._member_id from r_old o join (
            select _member_id, _landed_id, coalesce(_source_version, -9223372036854775808) as _source_version, _received_at
            from {task.conformed}) c on c._member_id = o._member_id and {newer}""")
    for table in ("r_old", "r_steady"):
        connection.execute(f"delete from {table} where _member_id in (select _member_id from r_late)")


def superseded_by_steady(connection: Connection, task: ResolveTask) -> str:
    """Select (_landed_id, state, reason) of the older versions of the steady members."""
    if connection.execute("select 1 from r_old limit 1").fetchone() is None:
        return "select null::uuid, null, null where false"
    states = effective_dispositions(task.tables, f"{task.of_mapping} and _landed_id in (select _landed_id from r_old)")
    return f"""
        select o._landed_id, 'superseded', 'newer-version' from r_old o left join ({states}) s on s._landed_id = o._landed_id
        where coalesce(s.state, 'canonical') = 'canonical'"""


def write_steady(connection: Connection, task: ResolveTask, fields: list[str]) -> None:
    """Fill ``r_changed``, and with it ``w_steady`` and ``w_steady_end``: the golden versions of steady members whose content differs."""
    if connection.execute("select 1 from r_steady limit 1").fetchone() is None:
        connection.execute("create or replace temp table w_steady (_batch bigint)")
        connection.execute("create or replace temp table w_steady_end (_batch bigint)")
        return
    types = dict(columns(connection, task.tables.golden))
    mine = _hashes([f"{quote_name(name)}::{types[name]}" for name in fields])
    theirs = _hashes([f"g.{quote_name(name)}" for name in fields])
    before = current_golden(task.tables, task.client, f"g._canonical_id, g._version, g._valid_from, g._deleted, {theirs}", "g._canonical_id in (from r_steady)")
    since = "c._received_at" if task.caused_at is None else f"{quote_text(task.caused_at.isoformat())}::timestamptz"
    connection.execute(f"""
        create or replace temp table r_changed as
        select c._member_id, coalesce(g._version, 0) as _version, greatest({since}, coalesce(g._valid_from, {since})) as since
        from (select _member_id, _received_at, {mine} from {task.conformed} semi join r_steady using (_member_id)) c
        left join ({before}) g on g._canonical_id = c._member_id
        where g._version is null or g._deleted or g.h1 <> c.h1 or g.h2 <> c.h2""")
    names = "".join(f", c.{quote_name(name)}" for name in fields)
    connection.execute(f"""
        create or replace temp table w_steady as
        select c._member_id as _canonical_id, c._client, (r._version + 1)::integer as _version, r.since as _valid_from, false as _deleted,
            c._generation, null::varchar as _winners, c._landed_id{names}, {task.batch}::bigint as _batch
        from {task.conformed} c join r_changed r on r._member_id = c._member_id""")
    connection.execute(f"""
        create or replace temp table w_steady_end as
        select {quote_text(task.client)} as _client, _member_id as _canonical_id, _version, since as _valid_to, {task.batch}::bigint as _batch
        from r_changed where _version > 0""")


def _hashes(values: list[str]) -> str:
    """Return two hashes of the fields, 128 bits together."""
    return f"hash({', '.join(values or ['0'])}) as h1, hash({', '.join([*reversed(values), '1'])}) as h2"
