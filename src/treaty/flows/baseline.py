"""The first load into a sink that is not empty, where its mapping declares it a baseline: what the sink has counts as delivered.

What is derived before the sink was told anything is marked. Once there is to be sending, the sink is asked which of it it has: that is
settled as acknowledged, in the sink's own version, and never sent; the rest is sent as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from treaty.clock import Clock
from treaty.compiler.outbound import CompiledOutbound
from treaty.connectors.interface import CanLookUp, DeliveryItem, Sink, WriteRequest
from treaty.errors import StopError
from treaty.sessions import Session

UNASKED = "baseline: the sink is not asked yet whether it has this"
HAD = "baseline: the sink had it"
Place: TypeAlias = tuple[str, int, int]  # of an intent: canonical id, golden version, revision


def is_first_load(session: Session, mapping: CompiledOutbound) -> bool:
    """Tell whether a mapping declares a baseline and its sink was told nothing yet."""
    if not mapping.baseline:
        return False
    row = session.as_client(mapping.client).execute(
        "select 1 from treaty.delivery where client = %s and sink = %s and (attempts > 0 or state = 'acknowledged') limit 1", (mapping.client, mapping.sink)
    )
    return row.fetchone() is None


def settle_baseline(
    session: Session, mapping: CompiledOutbound, sink: Sink, request: WriteRequest, items: Sequence[tuple[Place, DeliveryItem]], clock: Clock
) -> set[Place]:
    """Settle those of the marked items that the sink has; return their places. Raises StopError where the sink cannot tell."""
    marked = _marked(session, mapping)
    asked = [(place, item) for place, item in items if place in marked]
    if not asked:
        return set()
    if not isinstance(sink, CanLookUp):
        raise StopError(f"{mapping.sink} cannot say what it holds, so there is no baseline of it.", remedy=f"Take `baseline` out of {mapping.name}.")
    held = sink.look_up(request, [item for _, item in asked])
    pg, now = session.as_client(mapping.client), clock()
    rows: list[tuple[Any, ...]] = []
    for place, item in asked:
        there = held.get(item.delivery_key)
        told = ("acknowledged", HAD, there.version or 0, there.remote_id) if there is not None else ("waiting", "", 0, None)
        rows.append((*told, now, mapping.client, mapping.sink, *place))
    with pg.transaction(), pg.cursor() as cursor:
        cursor.executemany(
            """update treaty.delivery set state = %s, message = %s, revision = greatest(revision, %s - golden_version)::integer,
                   remote_id = coalesce(%s, remote_id), updated_at = %s
               where client = %s and sink = %s and canonical_id = %s and golden_version = %s and revision = %s""",
            rows,
        )
    return {place for place, item in asked if item.delivery_key in held}


def _marked(session: Session, mapping: CompiledOutbound) -> set[Place]:
    rows = session.as_client(mapping.client).execute(
        "select canonical_id::text, golden_version, revision from treaty.delivery where client = %s and sink = %s and state = 'waiting' and message = %s",
        (mapping.client, mapping.sink, UNASKED),
    )
    return {(row[0], int(row[1]), int(row[2])) for row in rows.fetchall()}
