"""Reads the tables and views of a MariaDB or MySQL database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Arrival, Site, StreamDescription, StreamRequest
from treaty.connectors.mariadb import MariadbConnection
from treaty.connectors.mariadb.dialect import MariadbDialect
from treaty.connectors.mariadb.session import DatabaseError, as_treaty_error, connect, fetch, find_table
from treaty.connectors.tables.catalogue import columns_to_read
from treaty.connectors.tables.reading import Reading
from treaty.connectors.tables.settings import TableRead
from treaty.errors import StopError


class MariadbSource:
    """Reads the tables of one server."""

    def __init__(self, connection: MariadbConnection, site: Site) -> None:
        self._connection = connection
        self._site = site

    def check(self) -> None:
        """Prove that the database answers."""
        with connect(self._connection, self._site):
            pass

    def discover(self) -> Sequence[StreamDescription]:
        """List the tables and views of the database that this user may read."""
        with connect(self._connection, self._site) as connection:
            rows = fetch(
                connection,
                "select table_name, column_name from information_schema.columns where table_schema = database() order by table_name, ordinal_position",
            )
        tables: dict[str, list[str]] = {}
        for table, column in rows:
            tables.setdefault(str(table), []).append(str(column))
        return [StreamDescription(name, "table", tuple(columns)) for name, columns in tables.items()]

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
                fetch(connection, "set transaction isolation level repeatable read")
                fetch(connection, "start transaction with consistent snapshot, read only")
                table = find_table(connection, read.table, self._connection.database)
                columns = columns_to_read(table, read)
                yield from Reading(MariadbDialect(connection, table, columns), table, columns, spool, request).arrivals(read, place)
            except DatabaseError as error:
                raise as_treaty_error(error) from None
