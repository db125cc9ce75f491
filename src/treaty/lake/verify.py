"""Prove that everything that landed is accounted for, that every delivery is, and that no key stands twice.

For (client, stream, mapping): landed = canonical + superseded + quarantined + duplicate + filtered + erased, nothing pending at rest.
For a sink: desired = acknowledged + dead-lettered + ambiguous + coalesced + held + waiting. Offenders are listed, a few of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from treaty.lake.current import (
    ModelTables,
    client_or_none,
    current_contributions,
    current_golden,
    effective_dispositions,
    latest_xref,
    of_client,
)
from treaty.lake.dispositions import STATES
from treaty.lake.handing_over import SharedStream, handed_over_states, misplaced
from treaty.lake.names import contribution_table, lake_table, landed_table, quote_text
from treaty.lake.schema import table_columns
from treaty.lake.scope import ClientScope
from treaty.sessions import Session

LOOKUP = "lookup"  # the mapping of streams that are looked up or joined: their newest versions count as canonical
UNMAPPED = "unmapped-stream"  # the mapping of streams that nothing reads: all of theirs is filtered
OUTCOMES = ("acknowledged", "dead-lettered", "ambiguous", "coalesced", "held", "waiting")
MOST_OFFENDERS = 5


@dataclass(frozen=True, slots=True)
class MappedStream:
    """One sum to make: a stream of a client, and the mapping that reads it (or :data:`LOOKUP`, :data:`UNMAPPED`, without a model).

    Of a shared stream, which is ``handed_over``, what went to a client counts as canonical; ``clients`` are those that it is read for.
    """

    client: str
    stream: str  # system/stream
    mapping: str
    model: str | None = None
    handed_over: bool = False
    clients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamSum:
    """What landed of a stream against what its mapping made of it; ``offenders`` are landed ids that are pending."""

    client: str
    stream: str
    mapping: str
    landed: int
    dispositions: Mapping[str, int] = field(default_factory=dict)
    offenders: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The documented shape: every state of the sum by its name."""
        states = {state: self.dispositions.get(state, 0) for state in STATES}
        return {"client": self.client, "stream": self.stream, "mapping": self.mapping, "landed": self.landed, **states, "ok": self.ok}

    @property
    def ok(self) -> bool:
        """Whether the sum holds and nothing is pending."""
        settled = sum(rows for state, rows in self.dispositions.items() if state in STATES and state != "pending")
        return self.landed == settled and not self.offenders


@dataclass(frozen=True, slots=True)
class SinkSum:
    """What a sink is to hold against what became of it."""

    client: str
    sink: str
    mapping: str
    desired: int
    acknowledged: int = 0
    dead_lettered: int = 0
    ambiguous: int = 0
    coalesced: int = 0
    held: int = 0
    waiting: int = 0

    def to_json(self) -> dict[str, Any]:
        """The documented shape: every outcome of the sum by its name."""
        outcomes = {name.replace("-", "_"): getattr(self, name.replace("-", "_")) for name in OUTCOMES}
        return {"client": self.client, "sink": self.sink, "mapping": self.mapping, "desired": self.desired, **outcomes, "ok": self.ok}

    @property
    def ok(self) -> bool:
        """Whether the sum holds."""
        return self.desired == self.acknowledged + self.dead_lettered + self.ambiguous + self.coalesced + self.held + self.waiting


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The sums, and every problem in a sentence."""

    ok: bool
    streams: tuple[StreamSum, ...]
    sinks: tuple[SinkSum, ...]
    problems: tuple[str, ...]


def verify(session: Session, scope: ClientScope, streams: Sequence[MappedStream], sinks: Mapping[str, str] | None = None) -> VerifyResult:
    """Make the sums of these streams and of all sinks (``sinks``: sink → outbound mapping), and look for keys that stand twice."""
    client = client_or_none(session, scope)
    mine = [each for each in streams if client is None or each.client == client]
    session.duck.execute("begin")
    try:
        sums = tuple(_stream_sum(session, each) for each in mine)
        problems = [f"{each.client}: {each.stream} by {each.mapping}: {_broken(each)}" for each in sums if not each.ok]
        for each in mine:
            if each.handed_over and table_columns(session, landed_table(*each.stream.split("/", 1))) is not None:
                problems.extend(_handed_over_problems(session, each))
        for name in dict.fromkeys(each.stream for each in mine):
            problems.extend(_landed_twice(session, client, name))
        for model in dict.fromkeys(each.model for each in mine if each.model is not None):
            problems.extend(_model_problems(session, client, model))
    finally:
        session.duck.execute("commit")
    delivered = _sink_sums(session, client, sinks or {})
    problems += [f"{each.client}: {each.sink}: of {each.desired} deliveries some are in no known state" for each in delivered if not each.ok]
    return VerifyResult(not problems, sums, delivered, tuple(problems))


def _stream_sum(session: Session, told: MappedStream) -> StreamSum:
    system, _, stream = told.stream.partition("/")
    table = landed_table(system, stream)
    if table_columns(session, table) is None:
        return StreamSum(told.client, told.stream, told.mapping, 0)
    states = _states(session, told, lake_table(table))
    rows = session.duck.execute(f"select coalesce(state, 'pending'), count(*) from ({states}) group by all").fetchall()
    counts = {state: int(number) for state, number in rows}
    offenders: tuple[str, ...] = ()
    if counts.get("pending"):
        found = session.duck.execute(f"select _landed_id::varchar from ({states}) where state is null order by 1 limit {MOST_OFFENDERS}").fetchall()
        offenders = tuple(row[0] for row in found)
    return StreamSum(told.client, told.stream, told.mapping, sum(counts.values()), counts, offenders)


def _states(session: Session, told: MappedStream, landed: str) -> str:
    """Select (_landed_id, state) of every landed row of a stream through a mapping; a null state is pending."""
    mine = f"_client = {quote_text(told.client)}"
    if told.handed_over:
        return handed_over_states(_shared(told))
    if told.model is None:
        if told.mapping == UNMAPPED:
            return f"select _landed_id, 'filtered' as state from {landed} where {mine}"
        return f"""
            select l._landed_id, case when l._op = 'refused' then 'quarantined' when coalesce(l._late, false) or s._supersedes is not null
                then 'superseded' else 'canonical' end as state
            from (select * from {landed} where {mine}) l
            left join (select distinct _supersedes from {landed} where {mine} and _supersedes is not null) s on s._supersedes = l._landed_id"""
    tables = ModelTables(told.model)
    number = session.duck.execute(
        f"select max(_generation) from {tables.table('generation')} where {mine} and _mapping = {quote_text(told.mapping)}"
    ).fetchone()
    generation = f" and _generation = {number[0]}" if number and number[0] is not None else ""
    of_mapping = f"{mine} and _mapping = {quote_text(told.mapping)}"
    contributed = f"select distinct _landed_id from {tables.contribution} where {of_mapping}{generation}"
    if table_columns(session, contribution_table(told.model)) is None:
        contributed = "select null::uuid as _landed_id where false"
    return f"""
        select l._landed_id, coalesce(d.state, if(l._op = 'refused', r.state, null), if(c._landed_id is not null, 'canonical', null)) as state
        from (select _landed_id, _op from {landed} where {mine}) l
        left join ({contributed}) c on c._landed_id = l._landed_id
        left join ({effective_dispositions(tables, f"{of_mapping}{generation}")}) d on d._landed_id = l._landed_id
        left join (select _landed_id, arg_max(state, _batch) as state from {tables.table("disposition")} where {of_mapping} group by all) r
            on r._landed_id = l._landed_id"""


def _shared(told: MappedStream) -> SharedStream:
    system, _, stream = told.stream.partition("/")
    return SharedStream(told.client, system, stream, told.mapping)


def _handed_over_problems(session: Session, told: MappedStream) -> Iterable[str]:
    """Yield what a client holds of a shared stream otherwise than the stream says: by whom each record is held, with which content."""
    for client in told.clients:
        rows = session.duck.execute(f"{misplaced(_shared(told), client)} limit {MOST_OFFENDERS}").fetchall()
        yield from (f"{told.stream}: record {key} {what} {client}" for key, what in rows)


def _broken(told: StreamSum) -> str:
    waiting = told.dispositions.get("pending", 0)
    if waiting:
        return f"{waiting} of {told.landed} landed records are pending, such as {', '.join(told.offenders)}"
    return f"{told.landed} landed, {dict(told.dispositions)}"


def _landed_twice(session: Session, client: str | None, stream: str) -> Iterable[str]:
    system, _, name = stream.partition("/")
    table = landed_table(system, name)
    if table_columns(session, table) is None:
        return
    relation = f"(select * from {lake_table(table)} where {of_client(client)})"
    yield from _twice(session, f"{stream}: landed id", "_landed_id", relation)


def _model_problems(session: Session, client: str | None, model: str) -> Iterable[str]:
    """Yield the keys of a model's tables that stand twice, and members and golden records that miss each other."""
    if table_columns(session, contribution_table(model)) is None:
        return
    tables, duck = ModelTables(model), session.duck
    mine = of_client(client)
    duck.execute(f"create or replace temp table v_contribution as {current_contributions(tables, client, 'c._landed_id, c._mapping, c._member_id')}")
    select = "g._canonical_id, g._version, g._deleted"
    duck.execute(f"create or replace temp table v_golden as {current_golden(tables, client, select)}")
    duck.execute(f"""
        create or replace temp table v_xref as select _member_id, _canonical_id, _system from ({latest_xref(tables, client)}) where not ended""")
    yield from _twice(session, f"{model}: current contribution", "_landed_id, _mapping", "v_contribution")
    yield from _twice(session, f"{model}: current golden record", "_canonical_id", "v_golden")
    yield from _twice(session, f"{model}: golden version", "_canonical_id, _version", f"(select * from {tables.golden} where {mine})")
    rows = f"(select * from {tables.table('xref')} where {mine} and _model = {quote_text(model)} and _member_id is not null)"
    yield from _twice(session, f"{model}: cross-reference", "_member_id, _batch", rows)
    yield from _missing(session, f"{model}: a contribution of no golden record, member", "select _member_id from v_contribution", "v_xref", "_member_id")
    yield from _missing(session, f"{model}: a cross-reference without a contribution, member", "select _member_id from v_xref", "v_contribution", "_member_id")
    living = "(select _canonical_id from v_golden where not _deleted)"
    members = "select _canonical_id from v_xref where _system <> 'steward'"
    yield from _missing(session, f"{model}: members of no golden record, id", members, living, "_canonical_id")
    yield from _missing(session, f"{model}: a golden record without members, id", f"select * from {living}", f"({members})", "_canonical_id")
    for name in ("v_contribution", "v_golden", "v_xref"):
        duck.execute(f"drop table {name}")


def _twice(session: Session, what: str, key: str, relation: str) -> Iterable[str]:
    rows = session.duck.execute(f"select concat_ws(' ', {key}), count(*) from {relation} group by {key} having count(*) > 1 limit {MOST_OFFENDERS}")
    for found, number in rows.fetchall():
        yield f"{what} {found} stands {number} times"


def _missing(session: Session, what: str, rows: str, there: str, key: str) -> Iterable[str]:
    found = session.duck.execute(f"select distinct {key}::varchar from ({rows}) anti join {there} t using ({key}) limit {MOST_OFFENDERS}").fetchall()
    return [f"{what} {row[0]}" for row in found]


def _sink_sums(session: Session, client: str | None, mappings: Mapping[str, str]) -> tuple[SinkSum, ...]:
    rows = session.as_client(client or "*").execute(
        "select client, sink, state, count(*) from treaty.delivery where %s::text is null or client = %s group by 1, 2, 3 order by 1, 2, 3", (client, client)
    )
    sums: dict[tuple[str, str], dict[str, int]] = {}
    for who, sink, state, number in rows.fetchall():
        sums.setdefault((who, sink), {})[state] = int(number)
    return tuple(
        SinkSum(who, sink, mappings.get(sink, ""), sum(states.values()), **{each.replace("-", "_"): states.get(each, 0) for each in OUTCOMES})
        for (who, sink), states in sums.items()
    )
