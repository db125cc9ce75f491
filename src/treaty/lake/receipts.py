"""What has arrived of a stream, one row an arrival, in the order in which it landed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treaty.lake.names import lake_table, landed_table, quote_text
from treaty.lake.schema import table_columns
from treaty.lake.scope import ClientScope, scope_condition
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class LandedArrival:
    """One arrival as its receipt says: where it came from, its bytes, its columns (None for documents), its records."""

    client: str
    system: str
    stream: str
    receipt_id: str
    origin: str
    arrival: int
    object_hash: str
    columns: tuple[str, ...] | None
    details: Mapping[str, str]
    records: int
    skipped: int
    received_at: datetime
    batch: int

    @property
    def place(self) -> str:
        """Its stream as mappings name it."""
        return f"{self.system}/{self.stream}"


def landed_arrivals(session: Session, scope: ClientScope, stream: str | None = None) -> list[LandedArrival]:
    """Return the arrivals of a stream (of all where none is named), oldest first."""
    chosen = "" if stream is None else f"and system || '/' || stream = {quote_text(stream)}"
    rows = session.duck.execute(
        f"""select _client, system, stream, _receipt_id::varchar, origin, arrival, object_hash, columns, details, records, skipped, _received_at, _batch
        from {lake_table("receipt")} where {scope_condition(session, scope)} and system <> 'steward' {chosen} order by _client, system, stream, _batch, rowid"""
    ).fetchall()
    return [_arrival(*row) for row in rows]


def _arrival(*row: Any) -> LandedArrival:
    client, system, stream, receipt, origin, arrival, sha256, columns, details, records, skipped, received_at, batch = row
    names = None if columns is None else tuple(json.loads(columns))
    told = json.loads(details or "{}")
    return LandedArrival(client, system, stream, receipt, origin, arrival, sha256, names, told, records or 0, skipped or 0, received_at, batch)


def landed_payloads(session: Session, arrival: LandedArrival) -> list[str]:
    """Return the documents that landed of an arrival: those that said something new."""
    table = landed_table(arrival.system, arrival.stream)
    if "payload" not in (table_columns(session, table) or {}):
        return []
    mine = f"_client = {quote_text(arrival.client)} and _batch = {arrival.batch} and _receipt_id = {quote_text(arrival.receipt_id)}::uuid"
    rows = session.duck.execute(f"select payload from {lake_table(table)} where {mine} and _op = 'upsert'").fetchall()
    return [payload for (payload,) in rows if payload is not None]
