"""Cursors: how far each stream, and each mapping, has come. A new position is a new row; the highest ``seq`` is the present one.

A commit that moves a cursor carries a :class:`Fence`: it goes through only if the cursor is where the work began.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from treaty.errors import RetryError
from treaty.lake.names import lake_table, quote_text
from treaty.lake.scope import ClientScope, OneClient, scope_condition
from treaty.sessions import Session


class FenceError(RetryError):
    """Another process has moved the cursor since the work began; nothing was written."""


@dataclass(frozen=True, slots=True)
class CursorPosition:
    """Where a cursor is: ``seq`` 0 if it never moved."""

    seq: int
    position: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fence:
    """Move a cursor from ``expected`` to ``expected + 1``, or fail. For a mapping, ``system`` is ``@mapping``."""

    client: str
    system: str
    stream: str
    expected: int
    position: Mapping[str, Any]

    def row(self, batch: int) -> dict[str, Any]:
        """Return the cursor row that this fence writes."""
        return {
            "_client": self.client,
            "system": self.system,
            "stream": self.stream,
            "seq": self.expected + 1,
            "position": json.dumps(self.position, sort_keys=True),
            "_batch": batch,
        }


def read_cursor(session: Session, scope: OneClient, system: str, stream: str) -> CursorPosition:
    """Return where a cursor is."""
    row = session.duck.execute(f"select seq, position from {lake_table('cursor')} where {_of(scope.client, system, stream)} order by seq desc limit 1").fetchone()
    return CursorPosition(int(row[0]), json.loads(row[1])) if row else CursorPosition(0, {})


def read_cursors(session: Session, scope: ClientScope, system: str) -> dict[tuple[str, str], CursorPosition]:
    """Return, by client and stream, where all cursors of a system are."""
    rows = session.duck.execute(f"""
        select _client, stream, max(seq), arg_max(position, seq) from {lake_table("cursor")}
        where {scope_condition(session, scope)} and system = {quote_text(system)} group by all""").fetchall()
    return {(client, stream): CursorPosition(int(seq), json.loads(position)) for client, stream, seq, position in rows}


def has_cursors(session: Session, scope: OneClient) -> bool:
    """Tell whether anything was ever read for a client."""
    row = session.duck.execute(f"select 1 from {lake_table('cursor')} where _client = ? limit 1", [scope.client]).fetchone()
    return row is not None


def check_fence(session: Session, fence: Fence) -> None:
    """Raise ``FenceError`` unless the cursor is where the fence expects it; called under the lake's lock, in the transaction."""
    row = session.duck.execute(f"select max(seq) from {lake_table('cursor')} where {_of(fence.client, fence.system, fence.stream)}").fetchone()
    found = int(row[0]) if row and row[0] is not None else 0
    if found != fence.expected:
        raise FenceError(
            f"Another process has moved the cursor of {fence.system}/{fence.stream} for {fence.client} from {fence.expected} to {found}.",
            remedy="Nothing was written; run again to go on from there.",
        )


def _of(client: str, system: str, stream: str) -> str:
    return f"_client = {quote_text(client)} and system = {quote_text(system)} and stream = {quote_text(stream)}"
