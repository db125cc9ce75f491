"""Reads the tables and views of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager

from treaty.connectors.interface import Site
from treaty.connectors.postgresql import PostgresqlConnection
from treaty.connectors.postgresql.dialect import PostgresqlDialect
from treaty.connectors.postgresql.session import connect, find_table, translated
from treaty.connectors.tables.catalogue import Table, ensure_found
from treaty.connectors.tables.source import TableSource
from treaty.sessions.clients import ClientConnection


class PostgresqlSource(TableSource[ClientConnection]):
    """Reads the tables of one database."""

    def __init__(self, connection: PostgresqlConnection, site: Site) -> None:
        self._connection = connection
        self._site = site

    def _connect(self) -> AbstractContextManager[ClientConnection]:
        return connect(self._connection, self._site)

    def _translated(self) -> AbstractContextManager[None]:
        return translated()

    def _columns(self, opened: ClientConnection) -> Iterable[tuple[str, str]]:
        rows = opened.execute(
            """
            select table_schema || '.' || table_name, column_name::text from information_schema.columns
            where table_schema not in ('pg_catalog', 'information_schema') and table_schema not like 'pg_toast%' order by 1, ordinal_position
            """
        ).fetchall()
        return [(str(table), str(column)) for table, column in rows]

    def _begin(self, opened: ClientConnection, name: str) -> Table:
        opened.execute("begin isolation level repeatable read, read only")
        return ensure_found(find_table(opened, name), name)

    def _dialect(self, opened: ClientConnection, table: Table, columns: tuple[str, ...]) -> PostgresqlDialect:
        return PostgresqlDialect(opened, table, columns)
