"""Writes the tables of a PostgreSQL database, by COPY and one statement for each kind of change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from treaty.connectors.interface import DeliveryItem, Site
from treaty.connectors.postgresql import PostgresqlConnection
from treaty.connectors.postgresql.session import (
    as_treaty_error,
    connect,
    explain_error,
    find_table,
    has_unique_index,
    is_data_error,
    split_name,
    translated,
)
from treaty.connectors.postgresql.statements import Insert, Upsert
from treaty.connectors.postgresql.values import column_type
from treaty.connectors.tables.catalogue import Table
from treaty.connectors.tables.settings import TableWrite
from treaty.connectors.tables.sink import TableSink
from treaty.connectors.tables.statements import Statements
from treaty.connectors.tables.writing import LostCommitError, Results, RowError
from treaty.errors import TreatyError
from treaty.faults import faultpoint
from treaty.sessions.clients import ClientConnection, DatabaseError, OperationalError, sql


class PostgresqlSink(TableSink[ClientConnection]):
    """Writes the tables of one database."""

    kind = "postgresql"
    message_type = "text"

    def __init__(self, connection: PostgresqlConnection, site: Site) -> None:
        self._connection = connection
        self._site = site

    def _connect(self) -> AbstractContextManager[ClientConnection]:
        return connect(self._connection, self._site)

    def _translated(self) -> AbstractContextManager[None]:
        return translated()

    def _bound_locks(self, opened: ClientConnection) -> None:
        opened.execute(sql.SQL("set lock_timeout to {}").format(sql.Literal(f"{self._connection.lock_seconds}s")))

    @contextmanager
    def _rolled_back(self, opened: ClientConnection) -> Iterator[None]:
        opened.execute("begin")
        try:
            yield
        finally:
            opened.execute("rollback")

    def _find(self, opened: ClientConnection, name: str) -> Table | None:
        return find_table(opened, name)

    def _is_unique(self, opened: ClientConnection, table: Table, columns: Sequence[str]) -> bool:
        return has_unique_index(opened, table, columns)

    def _column_type(self, treaty_type: str, *, in_key: bool) -> str:
        return column_type(treaty_type)

    def _create(self, opened: ClientConnection, name: str, columns: dict[str, str], key: Sequence[str]) -> None:
        schema, table = split_name(name)
        told = [sql.SQL("{} " + kind).format(sql.Identifier(column)) for column, kind in columns.items()]
        if key:
            told.append(sql.SQL("primary key ({})").format(sql.SQL(", ").join(map(sql.Identifier, key))))
        opened.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        opened.execute(sql.SQL("create table if not exists {} ({})").format(sql.Identifier(schema, table), sql.SQL(", ").join(told)))

    def _inserts(
        self, opened: ClientConnection, table: Table, columns: tuple[str, ...], write: TableWrite, unique: bool
    ) -> Callable[[], Statements]:
        return lambda: Insert(opened, table, columns, write, unique)

    def _upserts(
        self, opened: ClientConnection, table: Table, columns: tuple[str, ...], key: tuple[str, ...], write: TableWrite, side: Table | None
    ) -> Callable[[], Statements]:
        return lambda: Upsert(opened, table, columns, key, write, side)

    def _attempt(self, opened: ClientConnection, make: Callable[[], Statements], items: list[DeliveryItem]) -> Results:
        transaction: str | None = None
        committing = False
        results: Results = []
        try:
            opened.execute("begin")
            results = make().apply(items)
            row = opened.execute("select pg_current_xact_id()::text").fetchone()
            transaction = str(row[0]) if row else None
            faultpoint("sink.pre_commit")
            committing = True
            opened.execute("commit")
            faultpoint("sink.post_commit")
            return results
        except DatabaseError as error:
            if committing and opened.closed and isinstance(error, OperationalError):
                outcome = self._outcome_of(transaction)
                if outcome != "aborted":
                    raise LostCommitError(as_treaty_error(error), results if outcome == "committed" else None) from None
            if is_data_error(error):
                raise RowError(f"{explain_error(error)} [{error.sqlstate}]") from None
            raise as_treaty_error(error) from None
        finally:
            if not opened.closed and opened.info.transaction_status.name != "IDLE":
                opened.execute("rollback")

    def _outcome_of(self, transaction: str | None) -> str:
        """Ask the server, over a new connection, what became of a transaction: committed, aborted or unknown."""
        if transaction is None:
            return "unknown"
        try:
            with connect(self._connection, self._site) as connection:
                row = connection.execute("select pg_xact_status(%s::xid8)", (transaction,)).fetchone()
        except (TreatyError, DatabaseError):
            return "unknown"
        return str(row[0]) if row and row[0] in ("committed", "aborted") else "unknown"
