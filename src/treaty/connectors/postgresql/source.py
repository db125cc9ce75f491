"""Reads a table: whole, as a snapshot, or from a position on in the order of (cursor column, key).

All pages of one read come from one snapshot of the database. A position is closed under ties: with a key, the key parts rows of one
cursor value; without one, a page ends only where the cursor value does. Rows that appear late, below the position, because their
transaction committed late or clocks differ, are caught by the overlap: its rows' digest is kept with the position, and where it has
changed the overlap is read again. Rows whose cursor is null, or infinite, are read each time, as an arrival of their own.
Deleted rows cannot be seen this way: use a snapshot where they matter.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from treaty.connectors.batches import LOCATOR
from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Arrival, Cursor, Rows, Site, StreamDescription, StreamRequest
from treaty.connectors.postgresql import PostgresqlConnection, PostgresqlRead
from treaty.connectors.postgresql.positions import Position, Window, read_position, read_window
from treaty.connectors.postgresql.session import Table, as_treaty_error, connect, find_table
from treaty.errors import StopError
from treaty.sessions.clients import ClientConnection, DatabaseError, sql

SMALL_BYTES = 1024 * 1024
BLOCK_BYTES = 4 * 1024 * 1024


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
            page = _Page(self, query)
            last = page.last(position.names)
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

    def _texts(self) -> sql.Composable:
        return sql.SQL(", ").join(sql.SQL("{} as {}").format(_text_of(self.table, name), sql.Identifier(name)) for name in self.columns)

    def _arrive(self, origin: str, query: sql.Composable, cursor: Cursor, *, complete: bool = False, needed: bool = True) -> Iterator[Arrival]:
        page = _Page(self, query)
        if page.sha256 != self.request.known.get(origin) and (needed or page.last(()) is not None or origin in self.request.known):
            yield from self._yield_page(origin, page, cursor, complete=complete)
        page.discard()

    def _yield_page(self, origin: str, page: _Page, cursor: Cursor, *, complete: bool) -> Iterator[Arrival]:
        wants_snapshot = self.request.stream.deletes.mode == "snapshot"
        yield Arrival(
            origin=origin, content=page.content, sha256=page.sha256, size_bytes=page.size_bytes, records=Rows(page.batches(), self.columns),
            cursor=cursor, complete_snapshot=complete and wants_snapshot, details={"format": "csv, null is unquoted and empty", "encoding": "utf-8"},
        )  # fmt: skip
        page.discard()


class _Page:
    """The rows of one query as CSV text: in memory while small, else in a private file."""

    def __init__(self, reading: _Reading, query: sql.Composable) -> None:
        self._columns = reading.columns
        digest = hashlib.sha256()
        pieces: list[bytes] = []
        self.size_bytes = 0
        path = reading.spool / f"page-{time.monotonic_ns()}"
        with ExitStack() as stack:
            target: Any = None
            statement = sql.SQL("copy ({}) to stdout (format csv, header, force_quote *)").format(query)
            copy = stack.enter_context(stack.enter_context(reading.connection.cursor()).copy(statement))
            for piece in copy:
                data = bytes(piece)
                digest.update(data)
                self.size_bytes += len(data)
                if target is None:
                    pieces.append(data)
                    if self.size_bytes > SMALL_BYTES:
                        target = stack.enter_context(path.open("xb"))
                        target.writelines(pieces)
                else:
                    target.write(data)
        self.content: Path | bytes = b"".join(pieces) if target is None else path
        self.sha256 = digest.hexdigest()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows; an empty text that is not quoted is null."""
        schema = pa.schema([(LOCATOR, pa.int64()), *((name, pa.string()) for name in self._columns)])
        read = pa_csv.ReadOptions(block_size=BLOCK_BYTES, column_names=list(self._columns), skip_rows=0, skip_rows_after_names=1, use_threads=False)
        convert = pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in self._columns}, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        )
        source = pa.BufferReader(self.content) if isinstance(self.content, bytes) else str(self.content)
        parse = pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
        number = 1
        with pa_csv.open_csv(source, read_options=read, parse_options=parse, convert_options=convert) as reader:
            for batch in reader:
                if batch.num_rows:
                    locators = pa.array(range(number, number + batch.num_rows), pa.int64())
                    number += batch.num_rows
                    yield pa.RecordBatch.from_arrays([locators, *batch.columns], schema=schema)

    def last(self, names: Sequence[str]) -> tuple[str, ...] | None:
        """Return the named values of the last row, None where there are no rows."""
        last = None
        for batch in self.batches():
            last = batch
        if last is None:
            return None
        row = last.slice(last.num_rows - 1)
        return tuple(row.column(1 + self._columns.index(name))[0].as_py() for name in names)

    def discard(self) -> None:
        if isinstance(self.content, Path):
            self.content.unlink(missing_ok=True)


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
