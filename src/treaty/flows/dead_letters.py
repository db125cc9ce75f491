"""Deliveries that a person must see to: those that a sink refused, and those of which nobody knows whether it took them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from treaty.flows.intents import coalesce
from treaty.lake.scope import ClientScope, OneClient, audit_wide_scope, client_of
from treaty.sessions import Session

REPLAYED = ("dead-lettered", "ambiguous")
UNSETTLED = (*REPLAYED, "held", "waiting")
STATES = (*UNSETTLED, "acknowledged", "coalesced")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One golden version on its way to a sink, or there. ``message`` is what the sink said, or why it is held."""

    client: str
    sink: str
    key: str
    state: str
    op: str
    model: str
    canonical_id: str
    golden_version: int
    revision: int
    message_id: str
    attempts: int
    message: str
    remote_id: str | None
    updated_at: datetime


_COLUMNS = """client, sink, key, state, op, model, canonical_id::text, golden_version, revision, message_id, attempts, message, remote_id, updated_at"""


def find_deliveries(
    session: Session, scope: ClientScope, *, sink: str | None = None, states: Collection[str] = UNSETTLED, keys: Sequence[str] | None = None
) -> tuple[Delivery, ...]:
    """Return deliveries in these states; ``keys`` are keys of the sink, message ids or canonical ids."""
    if not isinstance(scope, OneClient):
        audit_wide_scope(session, scope)
    client = client_of(scope)
    conditions, values = ["state = any(%s)"], [list(states)]
    for condition, value in (("client = %s", None if client == "*" else client), ("sink = %s", sink)):
        if value is not None:
            conditions.append(condition)
            values.append(value)  # type: ignore[arg-type]
    if keys is not None:
        conditions.append("(key = any(%s) or message_id = any(%s) or canonical_id::text = any(%s))")
        values += [list(keys)] * 3
    rows = session.as_client(client).execute(
        f"select {_COLUMNS} from treaty.delivery where {' and '.join(conditions)} order by client, sink, key, golden_version, revision".encode(), values
    )
    return tuple(Delivery(*row) for row in rows.fetchall())


def first_delivery(session: Session, scope: OneClient) -> datetime | None:
    """Return when a sink first acknowledged a record of a client; None where none has."""
    rows = session.as_client(scope.client).execute(
        "select min(updated_at) from treaty.delivery where client = %s and state = 'acknowledged'", (scope.client,)
    )
    found = rows.fetchone()
    return found[0].astimezone(UTC) if found and found[0] is not None else None


def send_again(session: Session, deliveries: Sequence[Delivery]) -> int:
    """Let refused and ambiguous deliveries wait for the next run under their old message ids; return how many do.

    One of which the sink has a later version than was ever sent to it goes above that version.
    Those that a newer delivery of the same record has overtaken are closed as coalesced instead. It is written to the audit log.
    """
    overtaken = 0
    for client, sink in dict.fromkeys((each.client, each.sink) for each in deliveries):
        mine = [each for each in deliveries if (each.client, each.sink) == (client, sink)]
        pg, now = session.as_client(client), session.clock()
        with pg.transaction(), pg.cursor() as cursor:
            places: list[tuple[Any, ...]] = [(now, client, sink, each.canonical_id, each.golden_version, each.revision, list(REPLAYED)) for each in mine]
            cursor.executemany(
                """update treaty.delivery set state = 'waiting', message = '', updated_at = %s, sink_version = null,
                       revision = greatest(revision, coalesce(sink_version + 1 - golden_version, 0))::integer
                   where client = %s and sink = %s and canonical_id = %s and golden_version = %s and revision = %s and state = any(%s)""",
                places,
            )
            overtaken += coalesce(cursor, client, sink, now)
            cursor.execute(
                """insert into treaty.audit (client, at, who, action, subject, details)
                   values (%s, %s, %s, 'deliveries-replay', %s, jsonb_build_object('messages', %s::text[]))""",
                (client, now, session.who, sink, [each.message_id for each in mine]),
            )
    return len(deliveries) - overtaken
