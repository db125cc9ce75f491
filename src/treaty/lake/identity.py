"""Which contributions are the same thing.

Members that share a strong match key are one golden record, whose canonical id is the id of its *first* member in landing order.
A member that a tombstone ended no longer joins others, but goes on lending its id to the record that has its keys (a *former* member):
so a record outlives the deletion of its first member, and one that lost all its members returns under its old id. All of it depends
only on what has landed, never on how it was cut into batches.

Most records of a batch are new and share no key: their id is their own member id, and no more is done for them. The others are *hot*;
they and whatever they touch (the *region*) are worked out anew, in SQL.
"""

from __future__ import annotations

from treaty.errors import DefectError
from treaty.lake.current import PIN, STEWARD, Connection, latest_xref
from treaty.lake.names import quote_text
from treaty.lake.steady import find_steady
from treaty.lake.task import Proposal, ResolveTask

FEW_ROWS = 100_000  # cross-references that are worth reading once for all
MOST_ROUNDS = 10_000  # of label propagation: more than any chain of members could need


def find_xref(connection: Connection, task: ResolveTask) -> int:
    """Make ``r_xref`` stand for the model's cross-references, read once where they are few; return how many there are."""
    where = f"_client = {quote_text(task.client)} and _model = {quote_text(task.tables.model)} and _member_id is not null"
    rows = f"select * from {task.tables.table('xref')} where {where}"
    number = int(connection.execute(f"select count(*) from ({rows})").fetchone()[0])
    connection.execute("drop view if exists temp.r_xref" if _is_view(connection, "r_xref") else "drop table if exists temp.r_xref")
    connection.execute(f"create temp {'table' if number <= FEW_ROWS else 'view'} r_xref as {rows}")
    return number


def find_hot(connection: Connection, task: ResolveTask, known: int) -> int:
    """Fill ``r_hot`` with the members of the batch that are not plainly alone, new or known (``r_steady``); return how many."""
    conformed = task.conformed
    hashes = _key_hashes(task)
    parts = [
        f"select _member_id from {conformed} group by _member_id having count(*) > 1",
        f"select _member_id from {conformed} where _op = 'delete' or _system = '{STEWARD}'",
        f"select _member_id from {conformed} semi join r_quarantined using (_landed_id)",
        f"select _member_id from {conformed} semi join r_waiting using (_source_key)",
    ]
    if hashes:
        pairs = f"select _member_id, unnest({hashes}) as h from {conformed}"
        if known:
            pairs += f" union all select x.* from (select _member_id, unnest({hashes}) as h from r_xref) x semi join ({pairs}) c on c.h = x.h"
        connection.execute(f"""
            create or replace temp table r_clash as
            select h from ({pairs}) where h is not null group by h having min(_member_id) <> max(_member_id)""")
        parts.append(f"select _member_id from (select _member_id, unnest({hashes}) as h from {conformed}) semi join r_clash using (h)")
    if known:
        pins = f"(select try_cast(substr(_keys[1], {len(PIN) + 1}) as uuid) as _member_id from r_xref where _system = '{STEWARD}')"
        parts.append(f"select _member_id from {conformed} semi join {pins} p using (_member_id)")
    if known and task.replaces:
        mine = f"_system = {quote_text(task.system)} and _stream = {quote_text(task.stream)}"
        parts.append(f"select _member_id from r_xref anti join (select _member_id from {conformed}) c using (_member_id) where {mine}")
    connection.execute(f"create or replace temp table r_hot as {' union '.join(parts)}")
    find_steady(connection, task, known)
    row = connection.execute("select count(*) from r_hot").fetchone()
    return int(row[0])


def find_region(connection: Connection, task: ResolveTask, known: int) -> None:
    """Fill ``r_region`` with the hot members and all that their assignment may touch, and ``r_x`` with what the lake says of these.

    A region is closed: whoever shares a key, a canonical id or a pin with a member of it is in it.
    """
    connection.execute("create or replace temp table r_region as select _member_id from r_hot")
    connection.execute("create or replace temp table r_frontier as select _member_id from r_hot")
    connection.execute("create or replace temp table r_seen_keys (k varchar)")
    connection.execute("create or replace temp table r_seen_ids (id uuid)")
    if known:
        _grow(connection, task)
    connection.execute(f"""
        create or replace temp table r_x as {latest_xref(task.tables, task.client, "_member_id in (select _member_id from r_region)", "r_xref")}""")


def _grow(connection: Connection, task: ResolveTask) -> None:
    fresh = f"""select unnest({_strong(task)}) as k from r_versions semi join r_frontier using (_member_id)"""
    for _ in range(MOST_ROUNDS):
        connection.execute(f"""
            create or replace temp table r_step as
            select _canonical_id, {_strong(task)} as keys, _system = '{STEWARD}' as pinned
            from r_xref semi join r_frontier using (_member_id)""")
        connection.execute(f"""
            create or replace temp table r_keys as select distinct k from (
                select unnest(keys) as k from r_step union all {fresh}
                union all select '{PIN}' || _member_id::varchar from r_frontier) where k is not null
            except select k from r_seen_keys""")
        connection.execute(f"""
            create or replace temp table r_ids as select distinct id from (
                select _canonical_id as id from r_step
                union all select try_cast(substr(k, {len(PIN) + 1}) as uuid) from r_keys where starts_with(k, '{PIN}')) where id is not null
            except select id from r_seen_ids""")
        connection.execute("insert into r_seen_keys from r_keys")
        connection.execute("insert into r_seen_ids from r_ids")
        found = connection.execute(f"""
            create or replace temp table r_frontier as select distinct _member_id from (
                select _member_id from r_xref semi join r_ids on r_ids.id = _canonical_id
                union all select _member_id from r_xref semi join r_ids on r_ids.id = _member_id
                union all select _member_id from (select _member_id, unnest({_strong(task)}) as k from r_xref) semi join r_keys using (k))
            anti join r_region using (_member_id)""").fetchone()
        if not found or not found[0]:
            return
        connection.execute("insert into r_region from r_frontier")
    raise DefectError("the region of a batch did not close")


def assign(connection: Connection, task: ResolveTask) -> None:
    """Fill ``r_members`` (each member of the region with its order, keys and whether it lives) and ``r_groups`` (who is in which record)."""
    _members(connection, task)
    _labels(connection)
    connection.execute(f"""
        create or replace temp table r_lent as
        select f.n, arg_min(l.label, f.place) as label from (
            select n, unnest(keys) as k, generate_subscripts(keys, 1) as place from r_members where not live and not steward) f
        join r_edges e on e.k = f.k join r_labels l on l.n = e.n where f.k is not null and not starts_with(f.k, '{PIN}') group by f.n""")
    connection.execute("""
        create or replace temp table r_first as
        select label, min(n) as n from (select n, label from r_labels union all select n, label from r_lent) group by label""")
    connection.execute(f"""
        create or replace temp table r_groups as
        with linked as (
            select l.n, l.label, i._member_id as _canonical_id from r_labels l join r_first f using (label) join r_members i on i.n = f.n),
        pinned as (
            select s.n, coalesce(t._canonical_id, p._member_id) as _canonical_id, t.n is not null as lives
            from (select n, unnest(keys) as k from r_members where steward and live) s
            join r_members p on s.k = '{PIN}' || p._member_id::varchar left join linked t on t.n = p.n)
        select m._member_id, m.n, g._canonical_id, g.lives, g.key from (
            select l.n, l._canonical_id, true as lives, k.key from linked l left join (
                select e.n, arg_min(split_part(e.k, ':', 1), e.place) as key from r_edges e
                where e.k in (select k from r_edges group by k having count(*) > 1) group by e.n) k on k.n = l.n
            union all select n, _canonical_id, lives, null from pinned) g
        join r_members m using (n)""")


def _members(connection: Connection, task: ResolveTask) -> None:
    """Fill ``r_members``, numbered in landing order by each member's first good version."""
    first = "min({'at': _received_at, 'id': _landed_id})"
    connection.execute(f"""
        create or replace temp table r_members as
        with first as (
            select _member_id, min(first) as first from (
                select _member_id, {first} as first from r_versions where _op <> 'delete' group by all
                union all
                select _member_id, {first} as first from {task.tables.contribution} semi join r_region using (_member_id)
                where _client = {quote_text(task.client)} and _op <> 'delete' group by all) group by all),
        newest as (
            select _member_id, arg_min(_op, place) as _op, arg_min(_landed_id, place) as _landed_id,
                arg_min(_keys, place) filter (where _op <> 'delete') as _keys,
                max(_received_at) filter (where fresh) as caused_at from r_versions group by all),
        joined as (
            select r._member_id, n._landed_id, coalesce(n._op <> 'delete', not x.ended and not {_gone(task)}, false) as live,
                coalesce(n._keys, x._keys) as all_keys, x._keys as last_keys, x._canonical_id as last_id, {_caused(task)} as caused_at,
                coalesce(f.first.at, x._valid_from) as first_at, f.first.id as first_id,
                if(x.ended, null, x._canonical_id) as old_id, if(x.ended, null, x._keys) as old_keys,
                coalesce(x._system, {quote_text(task.system)}) as _system, coalesce(x._stream, {quote_text(task.stream)}) as _stream, x._source_key
            from r_region r left join newest n on n._member_id = r._member_id left join r_x x on x._member_id = r._member_id
            left join first f on f._member_id = r._member_id)
        select *, {_strong(task, "all_keys")} as keys, _system = '{STEWARD}' as steward,
            row_number() over (order by first_at nulls last, first_id nulls last, _member_id) as n
        from joined""")
    connection.execute(f"""
        create or replace temp table r_edges as
        select * from (select n, unnest(keys) as k, generate_subscripts(keys, 1) as place from r_members where live and not steward)
        where k is not null and not starts_with(k, '{PIN}')""")


def _labels(connection: Connection) -> None:
    """Fill ``r_labels``: for each living member the lowest number of its component, by passing labels along shared keys."""
    connection.execute("create or replace temp table r_labels as select n, n as label from r_members where live and not steward")
    for _ in range(MOST_ROUNDS):
        connection.execute("""
            create or replace temp table r_next as
            with by_key as (select e.k, min(l.label) as label from r_edges e join r_labels l using (n) group by e.k),
            by_member as (select e.n, min(b.label) as label from r_edges e join by_key b using (k) group by e.n)
            select l.n, least(l.label, coalesce(b.label, l.label)) as label from r_labels l left join by_member b using (n)""")
        moved = connection.execute("select count(*) from r_next join r_labels using (n) where r_next.label < r_labels.label").fetchone()
        connection.execute("create or replace temp table r_labels as from r_next")
        if not moved[0]:
            return
    raise DefectError("the groups of a batch did not settle")


def write_xref(connection: Connection, task: ResolveTask) -> None:
    """Fill ``w_xref`` and ``w_xref_end`` with what of the region differs from the lake."""
    matched = f"{quote_text(task.keys.decision or '')} || '#' || g.key"
    lives_as = "if(m.live, coalesce(g._canonical_id, m._member_id), coalesce(m.last_id, m._member_id))"
    ended_as = "coalesce(m.old_id, m.last_id, m._member_id)"
    connection.execute(f"""
        create or replace temp table r_keyed as
        select m._member_id, any_value(c._source_key) as _source_key, any_value(c._system) as _system, any_value(c._stream) as _stream
        from r_members m join {task.conformed} c using (_member_id) group by m._member_id""")
    connection.execute(f"""
        create or replace temp table w_xref as
        select {quote_text(task.client)} as _client, {quote_text(task.tables.model)} as _model, coalesce(s._system, m._system) as _system,
            coalesce(s._stream, m._stream) as _stream, coalesce(s._source_key, m._source_key) as _source_key, m._member_id,
            {lives_as} as _canonical_id, m.all_keys as _keys,
            if(m.steward, 'correction', {matched}) as _matched_by, coalesce(c.at, m.first_at, m.caused_at) as _valid_from, {task.batch}::bigint as _batch
        from r_members m left join r_groups g on g._member_id = m._member_id left join r_keyed s on s._member_id = m._member_id
        left join r_causes c on c._canonical_id = {lives_as}
        where case when m.live then m.old_id is distinct from {lives_as} or m.old_keys is distinct from m.all_keys
                   else m.last_id is null or m.last_keys is distinct from m.all_keys end""")
    connection.execute(f"""
        create or replace temp table w_xref_end as
        select {quote_text(task.client)} as _client, m._member_id, {ended_as} as _canonical_id, {quote_text(task.tables.model)} as _model,
            coalesce(c.at, m.caused_at, m.first_at) as _valid_to, {task.batch}::bigint as _batch
        from r_members m left join r_groups g on g._member_id = m._member_id
        left join r_causes c on c._canonical_id = {ended_as}
        where case when m.live then m.old_id is not null and m.old_id is distinct from {lives_as}
                   else m.old_id is not null or m.last_id is null or m.last_keys is distinct from m.all_keys end""")


def proposals(connection: Connection, task: ResolveTask, known: int, most: int = 1000) -> tuple[Proposal, ...]:
    """Return the pairs of golden records that share only a weak key with a record of this batch, at most ``most``."""
    if not task.keys.weak:
        return ()
    places = ", ".join(str(place + 1) for place in task.keys.weak)
    weak = f"unnest(list_select(_keys, [{places}])) as k"
    rows = connection.execute(f"""
        with mine as (
            select coalesce(g._canonical_id, c._member_id) as id, k from (select _member_id, {weak} from {task.conformed} where _op <> 'delete') c
            left join r_groups g on g._member_id = c._member_id where k is not null),
        others as (
            select id, k from mine union
            select coalesce(g._canonical_id, x._canonical_id) as id, k from (
                select _member_id, _canonical_id, {weak} from ({latest_xref(task.tables, task.client)}) where not ended) x
            left join r_groups g on g._member_id = x._member_id where k is not null)
        select distinct least(m.id, o.id)::varchar, greatest(m.id, o.id)::varchar, k from mine m join others o using (k)
        where m.id <> o.id order by all limit {most}""").fetchall()
    return tuple(Proposal(task.tables.model, first, second, key) for first, second, key in rows)


def _gone(task: ResolveTask) -> str:
    """Return whether a known member ``x`` belongs to the mapping that this batch replaces and is not named by it."""
    if not task.replaces:
        return "false"
    return f"(x._system = {quote_text(task.system)} and x._stream = {quote_text(task.stream)})"


def _caused(task: ResolveTask) -> str:
    """Return when the change of member ``r`` was caused: an apply's time, or its own landing, or (left out of a replacement) the batch's."""
    if task.caused_at is not None:
        return f"{quote_text(task.caused_at.isoformat())}::timestamptz"
    left_out = f"if({_gone(task)}, (select max(_received_at) from {task.conformed}), null)" if task.replaces else "null"
    return f"coalesce(n.caused_at, {left_out})"


def _is_view(connection: Connection, name: str) -> bool:
    return connection.execute(f"select 1 from duckdb_views() where temporary and view_name = {quote_text(name)}").fetchone() is not None


def _strong(task: ResolveTask, keys: str = "_keys") -> str:
    """Return the strong keys of a row as a list in their order; a correction's pin is its only one."""
    places = ", ".join(str(place + 1) for place in task.keys.strong)
    return f"if(_system = '{STEWARD}', {keys}, list_select({keys}, [{places}]))" if places else f"if(_system = '{STEWARD}', {keys}, []::varchar[])"


def _key_hashes(task: ResolveTask) -> str:
    """Return the hashes of a row's strong keys as a list: they find what may clash, cheaply; the region decides."""
    if not task.keys.strong:
        return ""
    return "[" + ", ".join(f"if(_keys[{place + 1}] is null, null, hash(_keys[{place + 1}]))" for place in task.keys.strong) + "]"
