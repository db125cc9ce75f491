"""Reads a table: whole, as a snapshot, or from a position on in the order of (cursor column, key).

All pages of one read come from one snapshot of the database. A position is closed under ties: with a key, the key parts rows of one
cursor value; without one, a page ends only where the cursor value does. Rows that appear late, below the position, because their
transaction committed late or clocks differ, are caught by the overlap: its rows' digest is kept with the position, and where it has
changed the overlap is read again. Rows whose cursor is null, or infinite, are read each time, as an arrival of their own.
Deleted rows cannot be seen this way: use a snapshot where they matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from treaty.connectors.interface import Arrival, Cursor, Rows, StreamRequest
from treaty.connectors.tables.catalogue import Table
from treaty.connectors.tables.pages import Page
from treaty.connectors.tables.positions import Position, Window, read_position, read_window
from treaty.connectors.tables.settings import TableRead


class Dialect(Protocol):
    """Puts the questions of a read to one database, within one transaction. Rows come as CSV text, header first."""

    def everything(self) -> Iterable[bytes]:
        """Give all rows in the order of the table's key, else of all its columns, so that equal tables are equal bytes."""

    def without_position(self, position: Position) -> Iterable[bytes]:
        """Give the rows that have no position: a null, infinity or zero date stands in it."""

    def page(self, position: Position, after: tuple[str, ...] | None, page_rows: int, *, overlap: bool) -> Iterable[bytes]:
        """Give the next rows after a position, or from its overlap on; a page without a key ends after all rows of its last cursor value."""

    def look(self, position: Position, last: tuple[str, ...], after: tuple[str, ...] | None) -> tuple[bool, bool]:
        """Tell whether there are rows beyond ``last``, and whether it lies before ``after``."""

    def window(self, position: Position, last: tuple[str, ...]) -> Window:
        """Count and digest the rows in the overlap up to the position."""


@dataclass(slots=True)
class Reading:
    """One read of one table, within one transaction."""

    dialect: Dialect
    table: Table
    columns: tuple[str, ...]
    spool: Path
    request: StreamRequest

    @property
    def origin(self) -> str:
        """The arrivals' origin."""
        return f"{self.table.schema}.{self.table.name}"

    def arrivals(self, read: TableRead, place: str) -> Iterator[Arrival]:
        """Yield the table as one snapshot, or its pages beyond the position."""
        if read.cursor is None:
            yield from self._arrive(self.origin, self.dialect.everything(), {"table": self.origin}, complete=True)
        else:
            yield from self._growth(read, Position.of(self.table, read, place))

    def _growth(self, read: TableRead, position: Position) -> Iterator[Arrival]:
        origin = f"{self.origin}?{read.cursor}=null"
        yield from self._arrive(origin, self.dialect.without_position(position), self.request.cursor, needed=False)
        start = after = read_position(self.request.cursor, position)
        overlap = after is not None and read_window(self.request.cursor) != self.dialect.window(position, after)
        while True:
            page = self._page(self.dialect.page(position, after, read.page_rows, overlap=overlap), position.names)
            last = page.last()
            if last is None:
                return
            after, overlap = last, False
            more, is_before = self.dialect.look(position, last, start)
            if not more and start is not None and is_before:
                last = start  # rows at the position are gone: it does not go back
            yield from self._yield_page(self.origin, page, position.state(last, self.dialect.window(position, last)), complete=False)
            if not more:
                return

    def _page(self, content: Iterable[bytes], names: Sequence[str] = ()) -> Page:
        return Page(content, self.columns, names, self.spool, self.request.limits)

    def _arrive(self, origin: str, content: Iterable[bytes], cursor: Cursor, *, complete: bool = False, needed: bool = True) -> Iterator[Arrival]:
        page = self._page(content)
        holds_rows = page.last() is not None
        if page.sha256 != self.request.known.get(origin) and (needed or holds_rows or origin in self.request.known):
            yield from self._yield_page(origin, page, cursor, complete=complete)
        page.discard()

    def _yield_page(self, origin: str, page: Page, cursor: Cursor, *, complete: bool) -> Iterator[Arrival]:
        wants_snapshot = self.request.stream.deletes.mode == "snapshot" and not page.refusals  # the page was looked through before
        yield Arrival(
            origin=origin, content=page.content, sha256=page.sha256, size_bytes=page.size_bytes, records=Rows(page.batches(), self.columns),
            cursor=cursor, refusals=page.refusals, complete_snapshot=complete and wants_snapshot, details={"format": "csv, null is unquoted and empty", "encoding": "utf-8"},
        )  # fmt: skip
        page.discard()
