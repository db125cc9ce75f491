"""Reads a table: whole, as a snapshot, or from a position on in the order of (cursor column, key).

All pages of one read come from one snapshot of the database. A position is closed under ties: with a key, the key parts rows of one
cursor value; without one, a page ends only where the cursor value does. Rows that appear late, below the position, because their
transaction committed late or clocks differ, are caught by the overlap: its rows' digest is kept with the position, and where it has
changed the overlap is read again. Rows whose cursor is null, or infinite, are read each time, as an arrival of their own.
Deleted rows cannot be seen this way: use a snapshot where they matter.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Arrival, Cursor, Rows, Site, StreamDescription, StreamRequest
from treaty.connectors.postgresql import PostgresqlConnection, PostgresqlRead
from treaty.connectors.postgresql.pages import Page
from treaty.connectors.postgresql.positions import Position, Window, read_position, read_window
from treaty.connectors.postgresql.session import Table, as_treaty_error, connect, find_table
from treaty.errors import StopError
from treaty.sessions.clients import ClientConnection, DatabaseError, sql


class PostgresqlSource:
    """Reads the tables of one database."""

    def __init__(self, connection: PostgresqlConnection, site: Site) -> None:
        self._connection = connection
        self._site = site

    def check(self) -> None:
        """Prove that the database answers."""
        with connect(self._connection, self._site):
            pass

    def discover(self) -> Sequence[StreamDescription]:
        """List the tables and views that this user may read."""
        with connect(self._connection, self._site) as connection:
            rows = connection.execute(
                """
                select table_schema || '.' || table_name, array_agg(column_name::text order by ordinal_position) from information_schema.columns
                where table_schema not in ('pg_catalog', 'information_schema') and table_schema not like 'pg_toast%' group by 1 order by 1
                """
            ).fetchall()
        return [StreamDescription(str(name), "table", tuple(columns)) for name, columns in rows]

    def read(self, request: StreamRequest) -> Iterator[Arrival]:
        """Yield the table as one snapshot, or its pages beyond the position in ``request.cursor``."""
        place = f"{request.system}/{request.name}"
        if request.stream.format != "table":
            raise StopError(f"{place}: a database has the format `table`.", remedy="Write `format: table`.")
        read = read_configuration(PostgresqlRead, request.stream.read, f"{place}, read")
        with ExitStack() as stack:
            spool = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treaty-", dir=request.spool)))
            connection = stack.enter_context(connect(self._connection, self._site))
            try:
                connection.execute("begin isolation level repeatable read, read only")
                table = find_table(connection, read.table)
                reading = _Reading(connection, table, _columns(table, read), spool, request)
                if read.cursor is None:
                    yield from reading.snapshot()
                else:
                    yield from reading.growth(read, Position.of(table, read, place))
            except DatabaseError as error:
                raise as_treaty_error(error) from None


def _columns(table: Table, read: PostgresqlRead) -> tuple[str, ...]:
    wanted = [table.find(name, "columns").name for name in read.columns] or list(table.columns)
    if read.cursor is not None:
        for name in (read.cursor, *read.key, *table.primary_key):
            if name not in wanted:
                wanted.append(table.find(name, "cursor, key").name)
    return tuple(wanted)


@dataclass(slots=True)
class _Reading:
    """One read of one table, within one transaction."""

    connection: ClientConnection
    table: Table
    columns: tuple[str, ...]
    spool: Path
    request: StreamRequest

    @property
    def origin(self) -> str:
        return f"{self.table.schema}.{self.table.name}"

    def snapshot(self) -> Iterator[Arrival]:
        """Yield the whole table in the order of its key, else of all its columns, so that equal tables are equal bytes."""
        order = self.table.primary_key or self.columns
        casts = {name: "" if self.table.columns[name].category in "BDNS" else "::text" for name in order}
        by = sql.SQL(", ").join(sql.SQL("{}" + casts[name]).format(sql.Identifier(name)) for name in order)
        query = sql.SQL("select {} from {} order by {}").format(self._texts(), self.table.identifier, by)
        yield from self._arrive(self.origin, query, {"table": self.origin}, complete=True)

    def growth(self, read: PostgresqlRead, position: Position) -> Iterator[Arrival]:
        """Yield the pages beyond the position, with the overlap where it has changed."""
        yield from self._arrive(
            f"{self.origin}?{read.cursor}=null",
            sql.SQL("select {} from {} where not ({}) order by {}").format(
                self._texts(), self.table.identifier, position.regular(), position.order()
            ),
            self.request.cursor, needed=False,
        )  # fmt: skip
        after = read_position(self.request.cursor, position)
        beyond: sql.Composable = sql.SQL("true")
        if after is not None:
            window = read_window(self.request.cursor)
            now = self._window(position, after)
            beyond = position.beyond(after) if window == now else position.from_overlap(after)
        while True:
            query = sql.SQL("select {} from {} where {} and {} order by {} fetch first {} rows {}").format(
                self._texts(), self.table.identifier, position.regular(), beyond, position.order(), sql.Literal(read.page_rows), position.ties()
            )  # fmt: skip
            page = self._page(query, position.names)
            last = page.last()
            if last is None:
                return
            beyond = position.beyond(last)
            more = self._is_true(sql.SQL("select exists (select from {} where {} and {})").format(self.table.identifier, position.regular(), beyond))
            if not more and after is not None and self._is_true(position.is_before(last, after)):
                last = after  # rows at the position are gone: it does not go back
            yield from self._yield_page(self.origin, page, position.state(last, self._window(position, last)), complete=False)
            if not more:
                return

    def _is_true(self, query: sql.Composed) -> bool:
        row = self.connection.execute(query).fetchone()
        return bool(row and row[0])

    def _window(self, position: Position, last: tuple[str, ...]) -> Window:
        """Return count and digest of the rows in the overlap up to the position."""
        texts = sql.SQL(" || ',' || ").join(
            sql.SQL("coalesce(md5({}), '')").format(_text_of(self.table, name)) for name in self.columns
        )
        query = sql.SQL("select count(*), md5(string_agg(md5({}), '' order by {})) from {} where {} and {} and not {}").format(
            texts, position.order(), self.table.identifier, position.regular(), position.from_overlap(last), position.beyond(last)
        )
        row = self.connection.execute(query).fetchone()
        return Window(int(row[0]), str(row[1] or "")) if row else Window(0, "")

    def _page(self, query: sql.Composable, names: Sequence[str] = ()) -> Page:
        return Page(self.connection, query, self.columns, names, self.spool, self.request.limits)

    def _texts(self) -> sql.Composable:
        return sql.SQL(", ").join(sql.SQL("{} as {}").format(_text_of(self.table, name), sql.Identifier(name)) for name in self.columns)

    def _arrive(self, origin: str, query: sql.Composable, cursor: Cursor, *, complete: bool = False, needed: bool = True) -> Iterator[Arrival]:
        page = self._page(query)
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


def _text_of(table: Table, name: str) -> sql.Composable:
    """Return the expression of a column's exact text: ISO 8601 with zone for instants, JSON for arrays."""
    column = table.columns[name]
    if column.category == "A":
        form = "array_to_json({})::text"
    elif column.category == "D" and column.type.startswith("timestamp"):
        form = "to_jsonb({}) #>> '{{}}'"
    else:
        form = "{}::text"
    return sql.SQL(form).format(sql.Identifier(name))
