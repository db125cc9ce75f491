"""The one state of each (landed record, mapping): which version of a source key is canonical, which are superseded, which are set aside.

Of the good versions of one member the newest wins, by (source version, landing order); a newer version in quarantine leaves the
last good one canonical. Only states other than the default are written.

A record whose version cannot be read has no place among the others, so it is in quarantine whatever they are, until the newest good
version is one that landed after it.
"""

from __future__ import annotations

from treaty.compiler.compiled import UNREADABLE_VERSION
from treaty.lake.current import Connection, effective_dispositions
from treaty.lake.names import quote_text
from treaty.lake.quarantine import group_sql
from treaty.lake.steady import superseded_by_steady
from treaty.lake.task import ResolveTask

STATES = ("pending", "canonical", "superseded", "quarantined", "duplicate", "filtered", "erased")

# newest first: the order that ``superseded`` and `latest` go by
NEWEST_FIRST = "_source_version desc nulls last, _received_at desc, _landed_id desc"


def find_set_aside(connection: Connection, task: ResolveTask) -> None:
    """Fill ``r_quarantined`` (the records of this mapping that are in quarantine as the batch begins) and ``r_waiting``, with their order."""
    aside = f"(select _landed_id from {task.tables.table('quarantine')} where {task.of_mapping})"
    if _any(connection, aside):
        states = effective_dispositions(task.tables, f"{task.of_mapping} and _landed_id in {aside}")
        rules = f"select _landed_id, arg_max(rule, _batch) as rule from {task.tables.table('quarantine')} where {task.of_mapping} group by _landed_id"
        connection.execute(f"""create or replace temp table r_quarantined as
            select _landed_id, coalesce({_is_unplaced("rule")}, false) as unplaced from ({states}) join ({rules}) using (_landed_id) where state = 'quarantined'""")
    else:
        connection.execute("create or replace temp table r_quarantined (_landed_id uuid, unplaced boolean)")
    keys = """select null::uuid as _landed_id, null::varchar as _source_key, null::bigint as _source_version, null::timestamptz as _received_at,
        null::boolean as unplaced where false"""
    if task.landed is not None and _any(connection, "r_quarantined"):
        keys = f"""
            select l._landed_id, l._source_key, l._source_version, l._received_at, q.unplaced from {task.landed} l
            join r_quarantined q on q._landed_id = l._landed_id where l._client = {quote_text(task.client)}"""
    connection.execute(f"create or replace temp table r_waiting as {keys}")


def rank_versions(connection: Connection, task: ResolveTask) -> None:
    """Fill ``r_versions``: every good version of the members in ``r_hot``, known and fresh, with its place (1 = newest)."""
    connection.execute(f"""
        create or replace temp table r_versions as
        select _member_id, _landed_id, _source_version, _received_at, _op, _keys, false as fresh from {task.tables.contribution}
        semi join r_hot using (_member_id) where {task.of_mapping}
        union all
        select _member_id, _landed_id, _source_version, _received_at, _op, _keys, true from {task.conformed} semi join r_hot using (_member_id)""")
    states = effective_dispositions(task.tables, f"{task.of_mapping} and _landed_id in (select _landed_id from r_versions)")
    connection.execute(f"""
        create or replace temp table r_versions as
        select v.*, {quote_text(task.system)} as _system, s.state,
            row_number() over (partition by v._member_id order by {NEWEST_FIRST}) as place
        from r_versions v left join ({states}) s using (_landed_id)
        where v.fresh or s.state is null or s.state not in ('erased', 'filtered', 'duplicate')""")


def write_dispositions(connection: Connection, task: ResolveTask) -> None:
    """Fill ``w_disposition`` and ``w_quarantine`` from ``r_versions`` and what was set aside."""
    _set_aside(connection, task)
    overtaken = _overtaken(task) if _any(connection, "r_waiting") else "select null::uuid, null, null where false"
    connection.execute(f"""
        create or replace temp table w_disposition as
        select _landed_id, {quote_text(task.client)} as _client, {quote_text(task.system)} as _system, {quote_text(task.stream)} as _stream,
            {quote_text(task.mapping)} as _mapping, {task.generation}::integer as _generation, state, reason, {task.batch}::bigint as _batch
        from (
            select _landed_id, 'superseded' as state, 'newer-version' as reason from r_versions
            where place > 1 and coalesce(state, 'canonical') <> 'superseded'
            union all
            select _landed_id, 'canonical', 'replayed' from r_versions where place = 1 and fresh and state is not null and state <> 'canonical'
            union all
            {superseded_by_steady(connection, task)}
            union all
            select _landed_id, state, reason from r_aside where not stands
            union all
            {overtaken})""")
    connection.execute(f"""
        create or replace temp table w_quarantine as
        select _landed_id, {quote_text(task.client)} as _client, _system, _stream, {quote_text(task.mapping)} as _mapping,
            {task.generation}::integer as _generation, {quote_text(task.tables.model)} as model, _field as field, _rule as rule, _value as value,
            group_id, _findings, _fields as fields, _received_at as opened_at, {task.batch}::bigint as _batch
        from r_aside where state = 'quarantined' and not stands""")


def _set_aside(connection: Connection, task: ResolveTask) -> None:
    """Fill ``r_aside``: what was set aside in this batch, quarantined records older than a good version as superseded.

    ``stands`` marks what the lake already says, so that a batch run twice changes nothing.
    """
    if task.set_aside is None:
        connection.execute("""
            create or replace temp table r_aside (_landed_id uuid, _system varchar, _stream varchar, _received_at timestamptz, _field varchar,
                _rule varchar, _value varchar, _findings varchar[], _fields varchar, group_id varchar, state varchar, reason varchar, stands boolean)""")
        return
    connection.execute(f"""
        create or replace temp table r_newest as
        select _member_id, _source_version, _received_at, _landed_id from r_versions where place = 1
        union all
        select _member_id, _source_version, _received_at, _landed_id from {task.conformed} semi join
            (select distinct _member_id from {task.set_aside}) using (_member_id) anti join r_hot using (_member_id)""")
    known = f"select _member_id, {_order('')} as newest from {task.tables.contribution} where {task.of_mapping}"
    states = effective_dispositions(task.tables, f"{task.of_mapping} and _landed_id in (select _landed_id from {task.set_aside})")
    connection.execute(f"""
        create or replace temp table r_aside as
        with newest as (
            select _member_id, max(newest) as newest from (
                select _member_id, {_order("")} as newest from r_newest
                union all select _member_id, newest from ({known}) semi join (select _member_id from {task.set_aside}) using (_member_id))
            group by all),
        placed as (
            select a.*, a._state = 'quarantined' and n.newest is not null
                and coalesce(if({_is_unplaced("a._rule")}, {_landing("a.")} < {{'at': n.newest.at, 'id': n.newest.id}}, {_order("a.")} < n.newest), false) as overtaken
            from {task.set_aside} a left join newest n on n._member_id = a._member_id)
        select p.* exclude (_state, _reason, overtaken), {group_sql(task.tables.model, task.mapping)} as group_id,
            if(overtaken, 'superseded', _state) as state, if(overtaken, 'newer-version', _reason) as reason,
            coalesce(s.state = if(overtaken, 'superseded', _state) or s.state in ('superseded', 'filtered') and _state = 'quarantined', false) as stands
        from placed p left join ({states}) s on s._landed_id = p._landed_id""")


def _overtaken(task: ResolveTask) -> str:
    """Select records quarantined in earlier batches that a good version has now overtaken."""
    return f"""
        select w._landed_id, 'superseded', 'newer-version' from r_waiting w join {task.conformed} c on c._source_key = w._source_key
        left join r_versions v on v._member_id = c._member_id and v.place = 1
        where w._landed_id not in (select _landed_id from r_aside) and w._landed_id not in (select _landed_id from {task.conformed})
        group by w._landed_id, w.unplaced
        having if(w.unplaced, max({_landing("v.")}) > any_value({_landing("w.")}), max({_order("c.")}) > any_value({_order("w.")}))"""


def _order(alias: str) -> str:
    """Return the order of versions as one comparable struct, null versions first."""
    return f"{{'v': coalesce({alias}_source_version, -9223372036854775808), 'at': {alias}_received_at, 'id': {alias}_landed_id}}"



def _landing(alias: str) -> str:
    """Return the order of landing as one comparable struct."""
    return f"{{'at': {alias}_received_at, 'id': {alias}_landed_id}}"


def _is_unplaced(rule: str) -> str:
    """Return the condition that a record stands in quarantine because its version cannot be read."""
    return f"{rule} = {quote_text(UNREADABLE_VERSION)}"


def _any(connection: Connection, relation: str) -> bool:
    return connection.execute(f"select 1 from {relation} limit 1").fetchone() is not None
