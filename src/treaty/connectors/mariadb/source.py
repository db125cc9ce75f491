"""Reads the tables and views of a MariaDB or MySQL database."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager

from treaty.connectors.interface import Site
from treaty.connectors.mariadb import MariadbConnection
from treaty.connectors.mariadb.dialect import MariadbDialect
from treaty.connectors.mariadb.session import ClientConnection, connect, fetch, find_table, translated
from treaty.connectors.tables.catalogue import Table, ensure_found
from treaty.connectors.tables.source import TableSource


class MariadbSource(TableSource[ClientConnection]):
    """Reads the tables of one server."""

    def __init__(self, connection: MariadbConnection, site: Site) -> None:
        self._connection = connection
        self._site = site

    def _connect(self) -> AbstractContextManager[ClientConnection]:
        return connect(self._connection, self._site)

    def _translated(self) -> AbstractContextManager[None]:
        return translated()

    def _columns(self, opened: ClientConnection) -> Iterable[tuple[str, str]]:
        statement = "select table_name, column_name from information_schema.columns where table_schema = database() order by table_name, ordinal_position"
        return [(str(table), str(column)) for table, column in fetch(opened, statement)]

    def _begin(self, opened: ClientConnection, name: str) -> Table:
        fetch(opened, "set transaction isolation level repeatable read")
        fetch(opened, "start transaction with consistent snapshot, read only")
        return ensure_found(find_table(opened, name), name)

    def _dialect(self, opened: ClientConnection, table: Table, columns: tuple[str, ...]) -> MariadbDialect:
        return MariadbDialect(opened, table, columns)
