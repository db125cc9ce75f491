"""Delivers golden records to a sink: intents are derived, written down before the first attempt, sent, and settled one by one.

The lake has committed before any of this begins, so an intent can always be derived again: a golden version later than what the sink
has acknowledged. A sink never gets a lower version after a higher one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from treaty.clock import Clock
from treaty.compiler.outbound import CompiledOutbound
from treaty.connectors.interface import DeliveryItem, ItemResult, Sink, WriteRequest
from treaty.engines.duckdb.outbound import outbound_sql
from treaty.engines.duckdb.paths import quote_name
from treaty.errors import RetryError, StopError
from treaty.faults import faultpoint
from treaty.flows.results import DeliveryResult, Problem
from treaty.lake.current import ModelTables, current_golden
from treaty.project.declarations import ClientProject
from treaty.sessions import Session

ITEMS_A_WRITE = 2_000
STATES = {"acknowledged": "acknowledged", "coalesced": "coalesced", "rejected": "dead-lettered", "ambiguous": "ambiguous", "retry": "waiting"}


@dataclass(frozen=True, slots=True)
class Intent:
    """One golden version that the sink is to have."""

    key: str
    version: int
    canonical_id: str
    op: str
    state: str
    message: str
    content_hash: str
    remote_id: str | None


def deliver(
    session: Session, project: ClientProject, mapping: CompiledOutbound, sink: Sink, *, as_of: str, run_id: str, clock: Clock, send: bool
) -> tuple[DeliveryResult, tuple[Problem, ...]]:
    """Derive the intents of one outbound mapping of one client and, if ``send``, carry them out."""
    faultpoint("deliver.pre_derive")
    derive(session, mapping, as_of=as_of, run_id=run_id, clock=clock)
    faultpoint("deliver.derived")
    problems: tuple[Problem, ...] = ()
    before = _count(session, mapping)
    if send and before.get("waiting"):
        try:
            _send(session, project, mapping, sink, as_of=as_of, run_id=run_id, clock=clock)
        except (RetryError, StopError) as error:
            problems = (Problem(mapping.sink, error.message, error.remedy),)
    after = _count(session, mapping)
    return _result(mapping.sink, before, after), problems


def derive(session: Session, mapping: CompiledOutbound, *, as_of: str, run_id: str, clock: Clock) -> int:
    """Write down what the sink is to get that it was not yet told of; return how many intents are new."""
    client = mapping.client
    pg = session.as_client(client)
    row = pg.execute(
        "select mapping_version, golden_batch from treaty.sink_progress where client = %s and sink = %s and mapping = %s", (client, mapping.sink, mapping.name)
    ).fetchone()
    seen = int(row[1]) if row and row[0] == mapping.version else -1
    tables = ModelTables(mapping.model)
    newest = session.duck.execute(f"select coalesce(max(_batch), 0) from {tables.golden} where _client = ?", [client]).fetchone()
    batch = int(newest[0]) if newest else 0
    if batch <= seen:
        return 0
    intents = list(_intents(session, mapping, seen, as_of))
    now = clock()
    with pg.transaction():
        for intent in intents:
            pg.execute(
                """insert into treaty.delivery (client, sink, key, golden_version, model, canonical_id, op, message_id, state, message, remote_id,
                       content_hash, run_id, created_at, updated_at)
                   values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing""",
                (client, mapping.sink, intent.key, intent.version, mapping.model, intent.canonical_id, intent.op,
                 f"{intent.canonical_id}:{intent.version}:{mapping.sink}", intent.state, intent.message, intent.remote_id, intent.content_hash,
                 run_id, now, now),
            )  # fmt: skip
        pg.execute(
            """update treaty.delivery d set state = 'coalesced', message = 'a newer version took its place', updated_at = %s
               where d.client = %s and d.sink = %s and d.state in ('waiting', 'held')
                 and exists (select from treaty.delivery n where n.client = d.client and n.sink = d.sink and n.canonical_id = d.canonical_id
                             and n.golden_version > d.golden_version)""",
            (now, client, mapping.sink),
        )
        faultpoint("deliver.deriving")
        pg.execute(
            """insert into treaty.sink_progress values (%s, %s, %s, %s, %s, %s)
               on conflict (client, sink, mapping) do update set mapping_version = excluded.mapping_version,
                   golden_batch = excluded.golden_batch, updated_at = excluded.updated_at""",
            (client, mapping.sink, mapping.name, mapping.version, batch, now),
        )
    return len(intents)


def _outbound_rows(session: Session, mapping: CompiledOutbound, where: str, as_of: str) -> Iterator[dict[str, Any]]:
    """Yield golden records as the sink's rows, with ``_hash`` of what the sink takes and ``_key``."""
    golden = current_golden(ModelTables(mapping.model), mapping.client, where=where)
    shaped = outbound_sql(mapping, golden, as_of)
    texts = ", ".join(f"CAST({quote_name(each.name)} AS VARCHAR)" for each in mapping.columns)
    marked = ", ".join(f"coalesce({text}, chr(0))" for text in texts.split(", ")) if texts else "''"
    key = " || '|' || ".join(f"CAST({quote_name(each)} AS VARCHAR)" for each in mapping.key) or "CAST(_canonical_id AS VARCHAR)"
    reader = session.duck.execute(f"select *, md5(concat_ws(chr(31), {marked})) as _hash, {key} as _key from ({shaped}) order by _canonical_id")
    for batch in reader.to_arrow_reader(ITEMS_A_WRITE):
        yield from batch.to_pylist()


def _intents(session: Session, mapping: CompiledOutbound, seen: int, as_of: str) -> Iterator[Intent]:
    told = _told(session, mapping)
    holders = {row["key"]: canonical for canonical, row in told.items() if row["op"] == "upsert"}
    for row in _outbound_rows(session, mapping, f"g._batch > {seen}", as_of):
        canonical = str(row["_canonical_id"])
        last = told.get(canonical)
        if row["_deleted"] or not row["_wanted"]:
            if last is None or last["op"] != "upsert" or mapping.delete == "ignore":
                continue
            op = "delete" if mapping.delete == "send" else "archive"
            yield Intent(last["key"], row["_version"], canonical, op, "waiting", "", row["_hash"], last["remote_id"])
            continue
        key = row["_key"]
        reason = row["_held"] or ("missing-key" if key is None else None)
        if reason is None and holders.setdefault(key, canonical) != canonical:
            reason = f"the key is taken by {holders[key]}"
        if last is not None and last["op"] == "upsert" and last["content_hash"] == row["_hash"] and last["golden_version"] != row["_version"]:
            yield Intent(last["key"], row["_version"], canonical, "upsert", "coalesced", "nothing that the sink takes has changed", row["_hash"], None)
            continue
        if last is not None and last["golden_version"] == row["_version"]:
            if last["content_hash"] == row["_hash"]:
                continue
            reason = reason or "the outbound mapping changed: the next version of the record is sent"
        if reason is not None:
            yield Intent(f"{key or ''} ({canonical})", row["_version"], canonical, "upsert", "held", str(reason), row["_hash"], None)
            continue
        yield Intent(key, row["_version"], canonical, "upsert", "waiting", "", row["_hash"], last["remote_id"] if last else None)


def _told(session: Session, mapping: CompiledOutbound) -> dict[str, dict[str, Any]]:
    """Return, by canonical id, the highest version that the sink has or will have."""
    rows = session.as_client(mapping.client).execute(
        """select distinct on (canonical_id) canonical_id::text, key, golden_version, op, content_hash, remote_id from treaty.delivery
           where client = %s and sink = %s and state in ('acknowledged', 'waiting', 'ambiguous', 'coalesced') order by canonical_id, golden_version desc""",
        (mapping.client, mapping.sink),
    ).fetchall()
    names = ("key", "golden_version", "op", "content_hash", "remote_id")
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}


def _send(session: Session, project: ClientProject, mapping: CompiledOutbound, sink: Sink, *, as_of: str, run_id: str, clock: Clock) -> None:
    system, _, name = mapping.sink.partition("/")
    stream = project.stream(mapping.sink)
    assert stream is not None, "an outbound mapping with an unknown stream does not run"
    columns = {each.name: str(each.node.type) for each in mapping.columns}
    request = WriteRequest(system, name, mapping.client, stream, mapping.key, mapping.mode, columns)
    pg = session.as_client(mapping.client)
    waiting = {
        (str(row[0]), row[1]): row
        for row in pg.execute(
            """select canonical_id, golden_version, key, op, message_id, remote_id from treaty.delivery
               where client = %s and sink = %s and state = 'waiting'""",
            (mapping.client, mapping.sink),
        ).fetchall()
    }
    items: list[DeliveryItem] = []
    names = [each.name for each in mapping.columns]
    for row in _outbound_rows(session, mapping, "true", as_of):
        intent = waiting.get((str(row["_canonical_id"]), row["_version"]))
        if intent is None:
            continue
        items.append(DeliveryItem(intent[2], intent[1], intent[3], intent[4], {each: row[each] for each in names}, intent[5]))
    for chunk in _chunks(items):
        keys = [(mapping.client, mapping.sink, each.delivery_key, each.version) for each in chunk]
        _settle(session, mapping, [(key, None, "") for key in keys], run_id, clock, attempt=True)
        faultpoint("deliver.pre_write")
        results = {each.delivery_key: each for each in sink.write(request, chunk)}
        faultpoint("deliver.post_write")
        settled = [(key, results.get(each.delivery_key), each.remote_id or "") for key, each in zip(keys, chunk, strict=True)]
        _settle(session, mapping, settled, run_id, clock, attempt=False)
        faultpoint("deliver.settled")


def _chunks(items: Sequence[DeliveryItem]) -> Iterator[Sequence[DeliveryItem]]:
    for start in range(0, len(items), ITEMS_A_WRITE):
        yield items[start : start + ITEMS_A_WRITE]


def _settle(
    session: Session,
    mapping: CompiledOutbound,
    rows: Iterable[tuple[tuple[str, str, str, int], ItemResult | None, str]],
    run_id: str,
    clock: Clock,
    *,
    attempt: bool,
) -> None:
    pg = session.as_client(mapping.client)
    now = clock()
    with pg.transaction(), pg.cursor() as cursor:
        if attempt:
            cursor.executemany(
                """update treaty.delivery set attempts = attempts + 1, run_id = %s, updated_at = %s
                   where client = %s and sink = %s and key = %s and golden_version = %s""",
                [(run_id, now, *key) for key, _, _ in rows],
            )
            return
        cursor.executemany(
            """update treaty.delivery set state = %s, message = %s, remote_id = coalesce(%s, remote_id), updated_at = %s
               where client = %s and sink = %s and key = %s and golden_version = %s""",
            [
                (
                    "ambiguous" if result is None else STATES[result.state],
                    "the sink said nothing of this item" if result is None else result.message[:4096],
                    None if result is None else result.remote_id,
                    now,
                    *key,
                )
                for key, result, _ in rows
            ],
        )


def _count(session: Session, mapping: CompiledOutbound) -> dict[str, int]:
    rows = session.as_client(mapping.client).execute(
        "select state, count(*) from treaty.delivery where client = %s and sink = %s group by state", (mapping.client, mapping.sink)
    )
    return {state: int(number) for state, number in rows.fetchall()}


def _result(sink: str, before: dict[str, int], after: dict[str, int]) -> DeliveryResult:
    """Return what changed in this run for the settled states, and what stands for the open ones."""

    def gained(state: str) -> int:
        return max(after.get(state, 0) - before.get(state, 0), 0)

    return DeliveryResult(
        sink,
        acknowledged=gained("acknowledged"),
        dead_lettered=gained("dead-lettered"),
        ambiguous=gained("ambiguous"),
        coalesced=gained("coalesced"),
        held=after.get("held", 0),
        waiting=after.get("waiting", 0),
    )
