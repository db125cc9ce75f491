"""Writes the tables of a PostgreSQL database, by COPY and one statement for each kind of change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import DeliveryItem, ItemResult, Site, WriteRequest
from treaty.connectors.postgresql import PostgresqlConnection
from treaty.connectors.postgresql.session import (
    as_treaty_error,
    connect,
    explain_error,
    find_table,
    find_table_if_there,
    has_unique_index,
    is_data_error,
    split_name,
)
from treaty.connectors.postgresql.statements import Insert, Upsert
from treaty.connectors.postgresql.values import column_type
from treaty.connectors.tables.catalogue import ensure_unique
from treaty.connectors.tables.settings import TableWrite
from treaty.connectors.tables.writing import MODES, LostCommitError, Results, RowError, deliver, ensure_columns, ensure_mode
from treaty.errors import TreatyError
from treaty.faults import faultpoint
from treaty.sessions.clients import ClientConnection, DatabaseError, OperationalError, sql


class PostgresqlSink:
    """Writes the tables of one database."""

    modes = MODES

    def __init__(self, connection: PostgresqlConnection, site: Site) -> None:
        self._connection = connection
        self._site = site

    def check(self) -> None:
        """Prove that the database answers."""
        with connect(self._connection, self._site):
            pass

    def write(self, request: WriteRequest, items: Sequence[DeliveryItem]) -> Sequence[ItemResult]:
        """Write a batch; each item has its result. Raises RetryError, StopError where certainly nothing was applied."""
        if not items:
            return []
        write = read_configuration(TableWrite, request.stream.write, f"{request.system}/{request.name}, write")
        ensure_mode(request, "postgresql")
        with connect(self._connection, self._site) as connection:
            try:
                connection.execute(sql.SQL("set lock_timeout to {}").format(sql.Literal(f"{self._connection.lock_seconds}s")))
                make = _prepare(connection, request, write)
            except DatabaseError as error:
                raise as_treaty_error(error) from None
            return deliver(request, items, lambda some: self._attempt(connection, make, some))

    def _attempt(self, connection: ClientConnection, make: Callable[[], Upsert | Insert], items: list[DeliveryItem]) -> Results:
        transaction: str | None = None
        committing = False
        results: Results = []
        try:
            connection.execute("begin")
            results = make().apply(items)
            row = connection.execute("select pg_current_xact_id()::text").fetchone()
            transaction = str(row[0]) if row else None
            faultpoint("sink.pre_commit")
            committing = True
            connection.execute("commit")
            faultpoint("sink.post_commit")
            return results
        except DatabaseError as error:
            if committing and connection.closed and isinstance(error, OperationalError):
                outcome = self._outcome_of(transaction)
                if outcome != "aborted":
                    raise LostCommitError(as_treaty_error(error), results if outcome == "committed" else None) from None
            if is_data_error(error):
                raise RowError(f"{explain_error(error)} [{error.sqlstate}]") from None
            raise as_treaty_error(error) from None
        finally:
            if not connection.closed and connection.info.transaction_status.name != "IDLE":
                connection.execute("rollback")

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


def _prepare(connection: ClientConnection, request: WriteRequest, write: TableWrite) -> Callable[[], Upsert | Insert]:
    if write.create and find_table_if_there(connection, write.table) is None:
        _create(connection, request, write)
    table = find_table(connection, write.table)
    ensure_columns(table, request, write)
    columns = tuple(request.columns)
    if request.mode == "at-least-once":
        unique = has_unique_index(connection, table, (write.message_column,))
        return lambda: Insert(connection, table, columns, write, unique)
    side = find_table(connection, write.side_table) if write.side_table else None
    ensure_unique(table, request.key, has_unique_index(connection, table, request.key))
    return lambda: Upsert(connection, table, columns, tuple(request.key), write, side)


def _create(connection: ClientConnection, request: WriteRequest, write: TableWrite) -> None:
    schema, name = split_name(write.table)
    columns = [sql.SQL("{} " + column_type(kind)).format(sql.Identifier(column)) for column, kind in request.columns.items()]
    extra = {write.version_column: "bigint", write.archive_column: "boolean not null default false"}
    if request.mode == "at-least-once":
        extra = {write.message_column: "text"}
    columns += [sql.SQL("{} " + kind).format(sql.Identifier(column)) for column, kind in extra.items() if column not in request.columns]
    if request.key and request.mode == "upsert":
        columns.append(sql.SQL("primary key ({})").format(sql.SQL(", ").join(map(sql.Identifier, request.key))))
    connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("create table if not exists {} ({})").format(sql.Identifier(schema, name), sql.SQL(", ").join(columns)))
