"""Hands the records of a shared stream over to their clients: which record goes to whom, as events that each client reads on from its own cursor.

A shared stream lands once, for :data:`treaty.project.overlays.SHARED`. An event of the table ``hand_over`` gives a client one landed
record (``upsert``) or takes one from it (``delete``): its *cause* (``_landed_id``) is the landed record that says so, its *content*
(``_content_id``) the landed record whose values the client gets, which of a delete are the last that it had: what a record says as
another client's never reaches it. The last event of a record tells its *holder*. Whose client is not known is quarantined instead; who
holds an older version keeps it meanwhile. So is a record whose version cannot be read, until somebody holds one that landed after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from treaty.compiler.compiled import UNREADABLE_VERSION
from treaty.lake.batches import Batch
from treaty.lake.commit import TableWrite, prepare_select
from treaty.lake.current import ModelTables, effective_dispositions
from treaty.lake.names import lake_table, landed_table, quote_text
from treaty.lake.quarantine import group_sql
from treaty.sessions import Session

UNKNOWN_CLIENT = "unknown-client"
HANDED_OVER = "handed-over-from"  # in the details of a receipt: its bytes list landed ids of this client, a line a record
LANDED = "_landed_id, _source_key, _source_version, _batch, _locator, _receipt_id"
_TABLES = ("s_placed", "s_before", "s_chain", "s_event", "s_left")


@dataclass(frozen=True, slots=True)
class SharedStream:
    """A shared stream as it lies in the lake: for whom it landed, and the mapping under which its records stand."""

    shared: str  # the client that it landed for
    system: str
    stream: str
    mapping: str

    @property
    def table(self) -> str:
        """The name of the table of its landed records, everybody's."""
        return landed_table(self.system, self.stream)

    @property
    def landed(self) -> str:
        """That table, for SQL."""
        return lake_table(self.table)

    @property
    def mine(self) -> str:
        """The condition that picks its landed records."""
        return f"_client = {quote_text(self.shared)}"

    @property
    def told(self) -> str:
        """The condition that picks what was told of it: events, dispositions, quarantine."""
        return f"{self.mine} and _system = {quote_text(self.system)} and _stream = {quote_text(self.stream)}"

    @property
    def of_mapping(self) -> str:
        """The condition that picks its dispositions and its quarantine."""
        return f"{self.told} and _mapping = {quote_text(self.mapping)}"


@contextmanager
def told_apart(session: Session, stream: SharedStream, conformed: str, clients: Collection[str], *, again: bool) -> Iterator[None]:
    """Hold, as temporary tables, whom each conformed record goes to (``s_event``) and what becomes of those that go to nobody (``s_left``).

    ``conformed`` is a relation of the landed records to place, with the client in the column ``client``. ``again`` says that some have
    been placed before, when other clients were known or the client was told otherwise.
    """
    duck = session.duck
    names = ", ".join(quote_text(each) for each in sorted(clients)) or "null"
    try:
        duck.execute(f"create or replace temp table s_placed as {_placed(stream, conformed, names)}")
        duck.execute(f"create or replace temp table s_before as {_holders(stream)}")
        duck.execute(f"create or replace temp table s_chain as {_chain(again=again)}")
        duck.execute(f"create or replace temp table s_event as {_events()}")
        duck.execute(f"create or replace temp table s_left as {_left(stream)}")
        yield
    finally:
        for table in _TABLES:
            duck.execute(f"drop table if exists {table}")


def prepare_hand_over(session: Session, batch: Batch, stream: SharedStream) -> tuple[list[TableWrite | None], dict[str, int]]:
    """Prepare for the commit what :func:`told_apart` holds; return with it how many records came to each state."""
    writes = [prepare_select(session, batch, table, sql) for table, sql in _writes(stream, batch).items()]
    handed = "select 'canonical' as state, count(distinct cause) as records from s_event"
    left = "select state, count(*) from s_left where state is distinct from stood and state <> 'canonical' group by state"
    return writes, {state: int(records) for state, records in session.duck.execute(f"{handed} union all {left}").fetchall() if records}


def moves(session: Session) -> dict[tuple[str, str], int]:
    """Return what :func:`told_apart` holds as numbers of records by client and op: what each would be given, and what it would lose."""
    rows = session.duck.execute("""
        select client, op, count(*) from (select to_client as client, identity, arg_max(op, seq) as op from s_event group by all) group by all""")
    return {(client, op): int(records) for client, op, records in rows.fetchall()}


def events_for(session: Session, stream: SharedStream, client: str, cursor: Mapping[str, Any]) -> int:
    """Fill ``s_handed`` with the events for a client behind its cursor, numbered from 1 in their order; return how many there are.

    Columns: ``number``, ``cause``, ``op``, ``content``, ``batch``, ``seq``, and ``columns``, the source columns of the content (JSON).
    """
    batch, seq = int(cursor.get("batch", 0)), int(cursor.get("seq", 0))
    events = f"""select * from {lake_table("hand_over")} where {stream.told} and to_client = {quote_text(client)}
        and (_batch > {batch} or _batch = {batch} and seq > {seq})"""
    if session.duck.execute(f"{events} limit 1").fetchone() is None:
        return 0
    receipts = f"select _receipt_id, columns from {lake_table('receipt')} where {stream.mine}"
    contents = f"select _landed_id, _receipt_id from {stream.landed} where {stream.mine}"
    session.duck.execute(f"""create or replace temp table s_handed as
        select row_number() over (order by h._batch, seq) as number, h._landed_id as cause, op, _content_id as content, h._batch as batch, seq, r.columns
        from ({events}) h join ({contents}) l on l._landed_id = h._content_id join ({receipts}) r using (_receipt_id)""")
    row = session.duck.execute("select count(*) from s_handed").fetchone()
    return int(row[0]) if row else 0


def handed_over_states(stream: SharedStream) -> str:
    """Select (_landed_id, state) of every landed record of a shared stream: canonical where it went to a client; a null state is pending."""
    states = effective_dispositions(ModelTables(""), stream.of_mapping)
    return f"""
        select l._landed_id, coalesce(d.state, if(h._landed_id is not null, 'canonical', null)) as state
        from (select _landed_id from {stream.landed} where {stream.mine}) l left join ({states}) d using (_landed_id)
        left join (select distinct _landed_id from {lake_table("hand_over")} where {stream.told}) h using (_landed_id)"""


def misplaced(stream: SharedStream, client: str) -> str:
    """Select (key, what): records that a client has been given up to its cursor and does not hold as given, and those that it holds ungiven."""
    whose = f"_client = {quote_text(client)}"
    position = f"""(select arg_max({{'batch': coalesce((position::json->>'batch')::bigint, 0), 'seq': coalesce((position::json->>'seq')::bigint, 0)}}, seq)
        from {lake_table("cursor")} where {whose} and system = {quote_text(stream.system)} and stream = {quote_text(stream.stream)})"""
    mine = f"select _landed_id, coalesce(_source_key, _hash::varchar) as key, _hash from {stream.landed} where {stream.mine}"
    given = f"""
        select key, arg_max({{'op': op, 'hash': l._hash}}, {{'batch': h._batch, 'seq': h.seq}}) as held
        from (select * from {lake_table("hand_over")} where {stream.told} and to_client = {quote_text(client)}
            and {{'batch': _batch, 'seq': seq}} <= {position}) h join ({mine}) l on l._landed_id = h._content_id group by key"""
    held = f"""
        select coalesce(_source_key, _hash::varchar) as key, _hash from {stream.landed} where {whose} and not _late and _op = 'upsert'
            and _landed_id not in (select _supersedes from {stream.landed} where {whose} and _supersedes is not null)"""
    return f"""
        select coalesce(g.key, h.key), if(h.key is null, 'was handed over and is not held by', 'is held otherwise than handed over by')
        from (select key, held.hash as hash from ({given}) where held.op = 'upsert') g full join ({held}) h on h.key = g.key and h._hash = g.hash
        where g.key is null or h.key is null"""


def _ordered(stream: SharedStream, rows: str) -> str:
    """Add to landed rows their identity and their place among its versions (``turn``): by version, then as they landed."""
    receipts = f"""select _receipt_id, row_number() over (order by _batch, rowid) as arrived from {lake_table("receipt")}
        where {stream.mine} and system = {quote_text(stream.system)} and stream = {quote_text(stream.stream)}"""
    return f"""select r.*, coalesce(_source_key, _landed_id::varchar) as identity,
            {{'version': coalesce(_source_version, -9223372036854775808), 'batch': _batch, 'arrived': arrived, 'locator': _locator}} as turn
        from ({rows}) r join ({receipts}) using (_receipt_id)"""


def _placed(stream: SharedStream, conformed: str, clients: str) -> str:
    """Select what is to be placed: identity, order, the client where it is known, else what is wrong. What a steward left out stays out."""
    states = effective_dispositions(ModelTables(""), stream.of_mapping)
    rows = f"""
        select c._landed_id, c._source_key, c._source_version, c._received_at, c._op, c._batch, c._locator, l._receipt_id, c.client, s.state as stood,
            list_filter(c._notes, lambda n: n.fatal)[1] as note
        from {conformed} c join (select _landed_id, _receipt_id from {stream.landed} where {stream.mine}) l on l._landed_id = c._landed_id
        left join ({states}) s on s._landed_id = c._landed_id where coalesce(s.state, '') not in ('filtered', 'erased')"""
    return f"""
        select *, if(client in ({clients}) and not unplaced, client, null) as to_client,
            if(client is not null and not unplaced, {quote_text(UNKNOWN_CLIENT)}, coalesce(note.rule, 'required')) as rule,
            if(unplaced, note.value, coalesce(client, note.value)) as value
        from (select *, coalesce(note.rule = {quote_text(UNREADABLE_VERSION)}, false) as unplaced from ({_ordered(stream, rows)}))"""


def _holders(stream: SharedStream) -> str:
    """Select, for each identity to be placed, its last event: who holds it, or held it last."""
    events = lake_table("hand_over")
    landed = f"""select {LANDED} from {stream.landed} where {stream.mine}
        and coalesce(_source_key, _landed_id::varchar) in (select identity from s_placed)"""
    return f"""
        select identity, arg_max({{'to_client': to_client, 'op': op, 'content': _content_id, 'cause': _landed_id, 'turn': turn}},
            {{'batch': h._batch, 'seq': seq}}) as held
        from (select * from {events} where {stream.told}) h join ({_ordered(stream, landed)}) l using (_landed_id) group by identity"""


def _chain(*, again: bool) -> str:
    """Select the versions that go to somebody, in order behind the holder's: each with who held the record before it, and with what.

    A delete goes to the holder, whatever it says itself; to whom it names where there is none.
    """
    moved = "or (p._landed_id = held.content and held.op = 'upsert' and p.to_client <> held.to_client)" if again else ""
    return f"""
        with versions as (
            select identity, turn, false as seed, _op, to_client, _landed_id as cause, if(_op = 'delete', null, _landed_id) as content
            from s_placed p left join s_before b using (identity)
            where ((_op = 'delete' and not unplaced) or to_client is not null) and (held is null or turn > held.turn {moved})
            union all
            select identity, held.turn, true, held.op, held.to_client, held.cause, held.content from s_before),
        owned as (
            select *, row_number() over of_one as place, lag(_op) over of_one as op_before,
                last_value(if(_op = 'delete' and not seed, null, to_client) ignore nulls) over earlier as held_by,
                last_value(content ignore nulls) over earlier as held_content
            from versions
            window of_one as (partition by identity order by turn, seed desc),
                earlier as (partition by identity order by turn, seed desc rows between unbounded preceding and 1 preceding))
        select *, if(_op = 'delete', coalesce(held_by, to_client), to_client) as goes_to from owned where not seed"""


def _events() -> str:
    """Select the events of the chain in the order in which clients are to read them."""
    gives = "select identity, turn, place, 1 as part, goes_to as to_client, _op as op, cause, coalesce(if(_op = 'delete', held_content, content), cause) as content"
    takes = "select identity, turn, place, 0, held_by, 'delete', cause, held_content"
    return f"""
        select *, row_number() over (order by place, turn.arrived, turn.locator, part) as seq from (
            {gives} from s_chain where goes_to is not null
            union all
            {takes} from s_chain where _op <> 'delete' and op_before = 'upsert' and held_by <> goes_to)"""


def _left(stream: SharedStream) -> str:
    """Select what goes to nobody: superseded where somebody has, or gets, a newer version, else quarantined; and what leaves quarantine."""
    events = lake_table("hand_over")
    waiting = f"""
        select {LANDED} from {stream.landed} where {stream.mine} and _op <> 'refused' and _landed_id not in (select _landed_id from s_placed)
            and _landed_id in (select _landed_id from ({effective_dispositions(ModelTables(""), stream.of_mapping)}) where state = 'quarantined')
            and coalesce(_source_key, _landed_id::varchar) in (select identity from s_placed)"""
    unplaced = f"""coalesce(w._landed_id in (select _landed_id from {lake_table("quarantine")} where {stream.of_mapping} and rule = {quote_text(UNREADABLE_VERSION)}), false)"""
    before = "{'version': if(o.unplaced, n.turn.version, o.turn.version), 'batch': o.turn.batch, 'arrived': o.turn.arrived, 'locator': o.turn.locator} < n.turn"
    return f"""
        with newest as (
            select identity, max(turn) as turn from (select identity, turn from s_event union all select identity, held.turn from s_before) group by identity),
        going as (select distinct cause as _landed_id from s_event),
        open as (
            select _landed_id, identity, turn, unplaced, stood, rule, value, _received_at from s_placed p anti join going using (_landed_id)
                anti join (select _landed_id from {events} where {stream.told}) using (_landed_id)
            union all by name
            select _landed_id, w.identity, w.turn, {unplaced} as unplaced, 'quarantined' as stood from ({_ordered(stream, waiting)}) w)
        select o._landed_id, o.stood, o.rule, o.value, o._received_at, if(coalesce({before}, false), 'superseded', 'quarantined') as state,
            'newer-version' as reason
        from open o left join newest n using (identity) where o.rule is not null or {before}
        union all
        select _landed_id, stood, null, null, null, 'canonical', 'replayed' from s_placed semi join going using (_landed_id) where stood is not null"""


def _writes(stream: SharedStream, batch: Batch) -> dict[str, str]:
    """Return what to write, by table; what stands already is not written again."""
    whose = f"{quote_text(stream.shared)} as _client, {quote_text(stream.system)} as _system, {quote_text(stream.stream)} as _stream"
    mapping, number = quote_text(stream.mapping), f"{batch.number}::bigint as _batch"
    known = f"""select _landed_id, arg_max({{'rule': rule, 'value': value}}, _batch) as told from {lake_table("quarantine")}
        where {stream.of_mapping} group by _landed_id"""
    asked = f"select *, if(rule = {quote_text(UNREADABLE_VERSION)}, '', 'client') as _field, rule as _rule from s_left where state = 'quarantined'"
    return {
        "hand_over": f"select cause as _landed_id, {whose}, to_client, op, content as _content_id, seq, {number} from s_event",
        "disposition": f"""select _landed_id, {whose}, {mapping} as _mapping, 1 as _generation, state, if(state = 'quarantined', rule, reason) as reason, {number}
            from s_left where state is distinct from stood""",
        "quarantine": f"""select _landed_id, {whose}, {mapping} as _mapping, 1 as _generation, {mapping} as model, _field as field, _rule as rule, value,
            {group_sql(stream.mapping, stream.mapping)} as group_id, []::varchar[] as _findings, null as fields, _received_at as opened_at, {number}
            from ({asked}) left join ({known}) using (_landed_id)
            where stood is distinct from 'quarantined' or told.rule is distinct from rule or told.value is distinct from value""",
    }
