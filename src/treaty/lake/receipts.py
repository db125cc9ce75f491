"""What has arrived of a stream, one row an arrival, in the order in which it landed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treaty.lake.names import lake_table, landed_table, quote_text
from treaty.lake.schema import table_columns
from treaty.lake.scope import ClientScope, OneClient, scope_condition
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


def known_columns(session: Session, scope: OneClient, stream: str) -> set[str]:
    """Return every column that a stream of tables has landed."""
    rows = session.duck.execute(f"select distinct columns from {lake_table('receipt')} where {_of(session, scope, stream)} and columns is not null").fetchall()
    return {name for (columns,) in rows for name in json.loads(columns)}


def newest_columns(session: Session, scope: OneClient, stream: str, *, before: int | None = None) -> tuple[str, ...] | None:
    """Return the columns of the last arrival of a table (``before`` a batch), None where there is none."""
    earlier = "" if before is None else f"and _batch < {before}"
    row = session.duck.execute(
        f"select columns from {lake_table('receipt')} where {_of(session, scope, stream)} and columns is not null {earlier} order by _batch desc, rowid desc limit 1"
    ).fetchone()
    return tuple(json.loads(row[0])) if row else None


def known_shape(session: Session, scope: OneClient, stream: str) -> Mapping[str, Sequence[str]] | None:
    """Return the shape that the last receipt which has one says is known of a stream of documents, None where none has."""
    row = session.duck.execute(
        f"""select json_extract_string(details, '$.shape') from {lake_table("receipt")}
        where {_of(session, scope, stream)} and contains(details, '"shape"') order by _batch desc, rowid desc limit 1"""
    ).fetchone()
    return json.loads(row[0]) if row and row[0] else None


def drifted_origins(session: Session, scope: OneClient, stream: str) -> set[str]:
    """Return the origins whose last arrival landed without values, or records, that a drift policy held back."""
    rows = session.duck.execute(
        f"""select origin from {lake_table("receipt")} where {_of(session, scope, stream)}
        group by origin having contains(arg_max(details, arrival), '"drift"')"""
    ).fetchall()
    return {origin for (origin,) in rows}


def drift_read_again(session: Session, scope: OneClient, stream: str) -> bool:
    """Tell whether every arrival of a stream that a drift policy held something back of has come again, byte for byte."""
    receipts = f"select * from {lake_table('receipt')} where {_of(session, scope, stream)}"
    row = session.duck.execute(
        f"""select 1 from ({receipts}) d where contains(details, '"drift"')
        and not exists (from ({receipts}) n where n.origin = d.origin and n.object_hash = d.object_hash and n.arrival > d.arrival
            and not contains(n.details, '"drift"')) limit 1"""
    ).fetchone()
    return row is None


def _of(session: Session, scope: OneClient, stream: str) -> str:
    return f"{scope_condition(session, scope)} and system || '/' || stream = {quote_text(stream)}"
