"""Reads the tables and views of a PostgreSQL database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Arrival, Site, StreamDescription, StreamRequest
from treaty.connectors.postgresql import PostgresqlConnection
from treaty.connectors.postgresql.dialect import PostgresqlDialect
from treaty.connectors.postgresql.session import as_treaty_error, connect, find_table
from treaty.connectors.tables.catalogue import columns_to_read
from treaty.connectors.tables.reading import Reading
from treaty.connectors.tables.settings import TableRead
from treaty.errors import StopError
from treaty.sessions.clients import DatabaseError


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
        read = read_configuration(TableRead, request.stream.read, f"{place}, read")
        with ExitStack() as stack:
            spool = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treaty-", dir=request.spool)))
            connection = stack.enter_context(connect(self._connection, self._site))
            try:
                connection.execute("begin isolation level repeatable read, read only")
                table = find_table(connection, read.table)
                columns = columns_to_read(table, read)
                yield from Reading(PostgresqlDialect(connection, table, columns), table, columns, spool, request).arrivals(read, place)
            except DatabaseError as error:
                raise as_treaty_error(error) from None
