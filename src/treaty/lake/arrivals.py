"""What has arrived before: the last arrival of each origin of a stream, and the receipts of new ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from treaty.connectors.interface import NOT_READ
from treaty.lake.batches import Batch
from treaty.lake.names import lake_table, landed_prefix, quote_text, receipt_id
from treaty.lake.scope import OneClient
from treaty.sessions import Session

KEYLESS = "keyless"
"""Stands in the details of a receipt whose stream had no key."""
_KEYLESS_TEXT = quote_text(f'"{KEYLESS}"')
NOT_READ_TEXT = quote_text(f'"{NOT_READ}"')
"""Stands, for SQL, in the details of a receipt of a file that was not even read: its object is none."""


@dataclass(frozen=True, slots=True)
class LastArrival:
    """The last arrival of an origin: how many there were, its bytes' hash, the source's own stamp of it, and the batch in which it was read first.

    ``reading`` stands for how its records were read, ``unread`` tells that it was too large to be.
    ``keyless`` tells whether its stream had no key then, ``once_keyless`` whether it had none when an earlier arrival of the origin landed.
    """

    arrival: int
    sha256: str
    stamp: str | None
    batch: int
    refused_as: str | None = None  # as what it was read, where something of it was refused
    keyless: bool = False
    once_keyless: bool = False
    reading: str | None = None
    unread: bool = False


@dataclass(slots=True)
class Receipt:
    """One arrival on its way into the lake."""

    number: int  # its place in the commit, from 0
    receipt: UUID
    prefix: UUID  # the landed id of locator 0
    origin: str
    arrival: int
    sha256: str
    columns: tuple[str, ...] | None
    details: Mapping[str, str]
    records: int = 0
    skipped: int = 0
    again: int | None = None  # the batch in which the same arrival landed before, where it is read again
    otherwise: bool = False  # the same bytes were read in another way before
    unread: bool = False  # what was there of this origin before was too large to be read

    def row(self, client: str, system: str, stream: str, received_at: datetime, batch: int) -> dict[str, Any]:
        """Return the row of the ``receipt`` table."""
        return {
            "_receipt_id": str(self.receipt),
            "_client": client,
            "system": system,
            "stream": stream,
            "origin": self.origin,
            "arrival": self.arrival,
            "object_hash": self.sha256,
            "columns": None if self.columns is None else json.dumps(self.columns, ensure_ascii=False),
            "details": json.dumps(dict(self.details), ensure_ascii=False, sort_keys=True),
            "records": self.records,
            "skipped": self.skipped,
            "_received_at": received_at,
            "_batch": batch,
        }


def last_arrivals(session: Session, scope: OneClient, system: str, stream: str) -> dict[str, LastArrival]:
    """Return the last arrival of every origin of a stream."""
    rows = session.duck.execute(
        f"""select origin, max(arrival), arg_max(object_hash, arrival), arg_max(json_extract_string(details, '$.stamp'), arrival),
            arg_max(coalesce(try_cast(json_extract_string(details, '$.first_batch') as bigint), _batch), arrival),
            arg_max(coalesce(json_extract_string(details, '$.read_as'), ''), arrival),
            contains(arg_max(details, arrival), {_KEYLESS_TEXT}), bool_or(contains(details, {_KEYLESS_TEXT})),
            arg_max(coalesce(json_extract_string(details, '$.reading'), ''), arrival), contains(arg_max(details, arrival), {NOT_READ_TEXT})
        from {lake_table("receipt")} where _client = {quote_text(scope.client)} and system = {quote_text(system)} and stream = {quote_text(stream)}
        group by origin"""
    ).fetchall()
    return {
        origin: LastArrival(int(arrival), sha256, stamp, int(batch), read_as or None, keyless, once, reading or None, unread)
        for origin, arrival, sha256, stamp, batch, read_as, keyless, once, reading, unread in rows
    }


def first_arrival(session: Session, scope: OneClient) -> datetime | None:
    """Return when the first arrival of a client landed; None where nothing has."""
    row = session.duck.execute(f"select min(_received_at) from {lake_table('receipt')} where _client = {quote_text(scope.client)}").fetchone()
    return row[0].astimezone(UTC) if row and row[0] is not None else None


def new_receipt(
    scope: OneClient,
    system: str,
    stream: str,
    number: int,
    origin: str,
    last: LastArrival | None,
    sha256: str,
    columns: tuple[str, ...] | None,
    details: Mapping[str, str],
) -> Receipt:
    """Return the receipt of the next arrival of an origin."""
    arrival = last.arrival + 1 if last else 1
    identifier = receipt_id(scope.client, system, stream, origin, arrival, sha256)
    prefix = landed_prefix(scope.client, system, stream, identifier)
    return Receipt(number, identifier, prefix, origin, arrival, sha256, columns, details)


def receipt_rows(batch: Batch, scope: OneClient, system: str, stream: str, receipts: list[Receipt], received_at: datetime) -> list[dict[str, Any]]:
    """Return the rows of the ``receipt`` table for one commit."""
    return [each.row(scope.client, system, stream, received_at, batch.number) for each in receipts]
