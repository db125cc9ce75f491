"""Batches: what ran, on what, with which versions. The batch row commits with the work, so it also proves that the work is done."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from treaty.lake.names import lake_table
from treaty.lake.scope import ClientScope, client_of
from treaty.sessions import Session

_BATCH_LOCK = 0x7472_6562  # with the batch's number: held while the batch's process lives, so that its files are not swept


@dataclass(frozen=True, slots=True)
class Batch:
    """One unit of work. ``number`` orders batches by when they began; it may have gaps."""

    number: int
    client: str
    kind: str  # land | conform | apply | delivery | correction …
    started_at: datetime
    stream: str | None = None
    mapping: str | None = None
    applied_id: str | None = None
    generation: int | None = None
    as_of: date | None = None
    versions: Mapping[str, Any] = field(default_factory=dict)


def open_batch(
    session: Session,
    scope: ClientScope,
    kind: str,
    *,
    stream: str | None = None,
    mapping: str | None = None,
    applied_id: str | None = None,
    generation: int | None = None,
    as_of: date | None = None,
    versions: Mapping[str, Any] | None = None,
) -> Batch:
    """Take the next batch number and begin the batch; nothing is written to the lake yet."""
    row = session.catalog.execute("select nextval('treaty.batch')").fetchone()
    number = int(row[0]) if row else 0
    session.catalog.execute("select pg_advisory_lock(%s, %s)", (_BATCH_LOCK, number % 2**31))
    session.open_batches.add(number)
    return Batch(number, client_of(scope), kind, session.clock(), stream, mapping, applied_id, generation, as_of, versions or {})


def close_batch(session: Session, batch: Batch) -> None:
    """Let go of a batch: its files that nothing refers to may be swept from now on."""
    session.open_batches.discard(batch.number)
    session.release_pair(_BATCH_LOCK, batch.number % 2**31)


def close_batches(session: Session, numbers: Collection[int]) -> None:
    """Let go of batches by their numbers, where nothing of them is to be committed."""
    for number in numbers:
        session.open_batches.discard(number)
        session.release_pair(_BATCH_LOCK, number % 2**31)


def batch_is_open(session: Session, number: int) -> bool:
    """Tell whether the process of a batch still holds it."""
    if number in session.open_batches:  # its own lock would be given to it again
        return True
    row = session.catalog.execute("select pg_try_advisory_lock(%s, %s)", (_BATCH_LOCK, number % 2**31)).fetchone()
    if row is None or not row[0]:
        return True
    session.release_pair(_BATCH_LOCK, number % 2**31)
    return False


def batch_committed(session: Session, number: int) -> bool:
    """Tell whether a batch's row, and so all of its work, is in the lake."""
    found = session.duck.execute(f"select 1 from {lake_table('batch')} where _batch = ? limit 1", [number]).fetchone()
    return found is not None


def batch_row(batch: Batch, finished_at: datetime, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a batch."""
    return {
        "_batch": batch.number,
        "_client": batch.client,
        "kind": batch.kind,
        "stream": batch.stream,
        "mapping": batch.mapping,
        "applied_id": batch.applied_id,
        "generation": batch.generation,
        "as_of": batch.as_of,
        "versions": json.dumps(batch.versions, sort_keys=True, default=str),
        "started_at": batch.started_at,
        "finished_at": finished_at,
        "counts": json.dumps(counts, sort_keys=True),
    }
