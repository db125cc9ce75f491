"""Delivers golden records to a sink: intents are derived, written down before the first attempt, sent, and settled one by one.

The lake has committed before any of this begins, so an intent can always be derived again: a golden version later than what the sink
has acknowledged. A sink never gets a lower version after a higher one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

from treaty.clock import Clock
from treaty.compiler.outbound import CompiledOutbound
from treaty.connectors.interface import DeliveryItem, ItemResult, Sink, WriteRequest
from treaty.errors import RetryError, StopError
from treaty.faults import faultpoint
from treaty.flows.baseline import Place, settle_baseline
from treaty.flows.intents import derive, key_parts, outbound_rows
from treaty.flows.results import DeliveryResult, Problem
from treaty.flows.sink_ahead import find_refused, tell_if_ahead
from treaty.project.declarations import ClientProject
from treaty.sessions import Session

ITEMS_A_WRITE = 2_000
STATES = {
    "acknowledged": "acknowledged",
    "coalesced": "coalesced",
    "rejected": "dead-lettered",
    "ambiguous": "ambiguous",
    "retry": "waiting",
}


def deliver(
    session: Session, project: ClientProject, mapping: CompiledOutbound, sink: Sink, *, as_of: str, run_id: str, clock: Clock, send: bool
) -> tuple[DeliveryResult, tuple[Problem, ...]]:
    """Derive the intents of one outbound mapping of one client and, if ``send``, carry them out."""
    faultpoint("deliver.pre_derive")
    before = _count(session, mapping)
    new = derive(session, project, mapping, as_of=as_of, run_id=run_id, clock=clock)
    faultpoint("deliver.derived")
    problems: tuple[Problem, ...] = ()
    settled = 0
    if send and (new or before.get("waiting")):
        try:
            settled = _send(session, project, mapping, sink, as_of=as_of, run_id=run_id, clock=clock)
        except (RetryError, StopError) as error:
            problems = (Problem(mapping.sink, error.message, error.remedy),)
    if send:
        tell_if_ahead(session, mapping)
    after = _count(session, mapping)
    return _result(mapping.sink, before, after, settled), problems


def _send(
    session: Session, project: ClientProject, mapping: CompiledOutbound, sink: Sink, *, as_of: str, run_id: str, clock: Clock
) -> int:
    """Send what is waiting; return how many records the sink had already, by its baseline."""
    system, _, name = mapping.sink.partition("/")
    stream = project.stream(mapping.sink)
    assert stream is not None, "an outbound mapping with an unknown stream does not run"
    columns = {each.name: str(each.node.type) for each in mapping.columns}
    request = WriteRequest(system, name, mapping.client, stream, mapping.key, mapping.mode, columns)
    items = sorted(_items(session, project, mapping, as_of), key=lambda each: each[1].op == "upsert")  # farewells first: they free keys
    there = 0
    for start in range(0, len(items), ITEMS_A_WRITE):
        chunk = items[start : start + ITEMS_A_WRITE]
        had = settle_baseline(session, mapping, sink, request, chunk, clock) if mapping.baseline else set()
        there += len(had)
        chunk = [each for each in chunk if each[0] not in had]
        if not chunk:
            continue
        _attempt(session, mapping, [place for place, _ in chunk], run_id, clock)
        faultpoint("deliver.pre_write")
        results = sink.write(request, [item for _, item in chunk])
        faultpoint("deliver.post_write")
        _settle(session, mapping, _matched(chunk, results), clock)
        faultpoint("deliver.settled")
    return there


def _items(session: Session, project: ClientProject, mapping: CompiledOutbound, as_of: str) -> Iterator[tuple[Place, DeliveryItem]]:
    """Yield what is waiting, each with the place of its intent. A record may have several: farewells to keys that it had, and its news."""
    rows = session.as_client(mapping.client).execute(
        """select canonical_id::text, golden_version, revision, key, op, message_id, remote_id, case when attempts > 0 then created_at end from treaty.delivery
           where client = %s and sink = %s and state = 'waiting' order by golden_version, revision""",
        (mapping.client, mapping.sink),
    )
    waiting: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows.fetchall():
        waiting.setdefault(row[0], []).append(row)
    names = [each.name for each in mapping.columns]
    session.duck.execute(
        "create or replace temp table outbound_waiting as select unnest(?::varchar[])::uuid as _canonical_id", [list(waiting)]
    )
    for found in outbound_rows(session, project, mapping, "g._canonical_id in (from outbound_waiting)", as_of):
        for canonical, version, revision, key, op, message_id, remote_id, sent_at in waiting[str(found["_canonical_id"])]:
            fields = {each: found[each] for each in names}
            if op != "upsert":
                fields |= _key_fields(mapping, key, fields)
            elif version != found["_version"]:
                continue
            yield (canonical, version, revision), DeliveryItem(key, version + revision, op, message_id, fields, remote_id, sent_at)


def _key_fields(mapping: CompiledOutbound, key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the key columns as they were when the sink was told: the record may have another key by now."""
    parts = key_parts(mapping, key)
    written = dict(zip(mapping.key, parts or (), strict=False))
    return {name: _like(text, fields[name]) for name, text in written.items() if name in fields and str(fields[name]) != text}


def _like(text: str, value: Any) -> Any:
    """Return a text as a value of the same type as another one; as a text where it cannot be."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, date, time)):
        return text
    try:
        return type(value)(text) if isinstance(value, (int, Decimal)) else type(value).fromisoformat(text)
    except (ValueError, ArithmeticError):
        return text


def _matched(
    chunk: Sequence[tuple[Place, DeliveryItem]], results: Sequence[ItemResult]
) -> Iterator[tuple[Place, DeliveryItem, ItemResult]]:
    """Yield each intent with its result; those of one key have theirs in their order."""
    by_key: dict[str, list[ItemResult]] = {}
    for result in reversed(results):
        by_key.setdefault(result.delivery_key, []).append(result)
    for place, item in chunk:
        mine = by_key.get(item.delivery_key)
        yield place, item, mine.pop() if mine else ItemResult(item.delivery_key, "ambiguous", "the sink said nothing of this item")


_OF_PLACE = "client = %s and sink = %s and canonical_id = %s and golden_version = %s and revision = %s"


def _attempt(session: Session, mapping: CompiledOutbound, places: Iterable[Place], run_id: str, clock: Clock) -> None:
    """Write down that a batch is about to be sent."""
    pg, now = session.as_client(mapping.client), clock()
    with pg.transaction(), pg.cursor() as cursor:
        cursor.executemany(
            f"update treaty.delivery set attempts = attempts + 1, run_id = %s, updated_at = %s where {_OF_PLACE}",
            [(run_id, now, mapping.client, mapping.sink, *place) for place in places],
        )


def _settle(session: Session, mapping: CompiledOutbound, matched: Iterable[tuple[Place, DeliveryItem, ItemResult]], clock: Clock) -> None:
    """Write down what became of each item."""
    settled = list(matched)
    refused = find_refused(session, mapping, [(item, result) for _, item, result in settled])
    pg, now = session.as_client(mapping.client), clock()
    rows: list[tuple[Any, ...]] = []
    for number, (place, _, result) in enumerate(settled):
        ahead = refused.get(number)
        told = (STATES[result.state], result.message[:4096], None) if ahead is None else ("dead-lettered", ahead.message, ahead.sink_version)
        rows.append((*told, result.remote_id, now, mapping.client, mapping.sink, *place))
    with pg.transaction(), pg.cursor() as cursor:
        cursor.executemany(
            f"""update treaty.delivery set state = %s, message = %s, sink_version = %s, remote_id = coalesce(%s, remote_id), updated_at = %s
                where {_OF_PLACE}""",
            rows,
        )


def _count(session: Session, mapping: CompiledOutbound) -> dict[str, int]:
    rows = session.as_client(mapping.client).execute(
        "select state, count(*) from treaty.delivery where client = %s and sink = %s group by state", (mapping.client, mapping.sink)
    )
    return {state: int(number) for state, number in rows.fetchall()}


def _result(sink: str, before: dict[str, int], after: dict[str, int], there: int) -> DeliveryResult:
    """Return what changed in this run for the settled states, and what stands for the open ones."""

    def gained(state: str) -> int:
        return max(after.get(state, 0) - before.get(state, 0), 0)

    return DeliveryResult(
        sink,
        acknowledged=max(gained("acknowledged") - there, 0),
        dead_lettered=gained("dead-lettered"),
        ambiguous=gained("ambiguous"),
        coalesced=gained("coalesced"),
        held=after.get("held", 0),
        waiting=after.get("waiting", 0),
        baseline=there,
    )
