"""Writes the tables of a MariaDB or MySQL database. The user needs the right to make temporary tables."""

from __future__ import annotations

from collections.abc import Sequence

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import DeliveryItem, ItemResult, Site, WriteRequest
from treaty.connectors.mariadb import MariadbConnection
from treaty.connectors.mariadb.session import (
    DUPLICATE,
    ClientConnection,
    DatabaseError,
    as_treaty_error,
    code_of,
    connect,
    explain_error,
    fetch,
    find_table,
    find_table_if_there,
    has_unique_index,
    is_row_error,
    quote,
)
from treaty.connectors.mariadb.statements import Insert, Upsert
from treaty.connectors.mariadb.values import column_type
from treaty.connectors.tables.catalogue import Table, ensure_unique
from treaty.connectors.tables.settings import TableWrite
from treaty.connectors.tables.writing import MODES, LostCommitError, Results, RowError, deliver, ensure_columns, ensure_mode
from treaty.errors import StopError
from treaty.faults import faultpoint

RACES = 3  # how often a duplicate is taken for another writer's insert of the same key, before it is the row's own fault


class MariadbSink:
    """Writes the tables of one server."""

    modes = MODES

    def __init__(self, connection: MariadbConnection, site: Site) -> None:
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
        ensure_mode(request, "mariadb")
        with connect(self._connection, self._site) as connection:
            try:
                fetch(connection, f"set session innodb_lock_wait_timeout = {int(self._connection.lock_seconds)}")
                statements = self._prepare(connection, request, write)
            except DatabaseError as error:
                raise as_treaty_error(error) from None
            return deliver(request, items, lambda some: _attempt_through_races(connection, statements, some))

    def _prepare(self, connection: ClientConnection, request: WriteRequest, write: TableWrite) -> Upsert | Insert:
        database = self._connection.database
        if write.create and find_table_if_there(connection, write.table, database) is None:
            _create(connection, request, write, database)
        table = find_table(connection, write.table, database)
        ensure_columns(table, request, write)
        _ensure_transactional(connection, table)
        columns = tuple(request.columns)
        if request.mode == "at-least-once":
            return Insert(connection, table, columns, write, has_unique_index(connection, table, (write.message_column,)))
        side = find_table(connection, write.side_table, database) if write.side_table else None
        if side is not None:
            _ensure_exact_keys(side)
            _ensure_transactional(connection, side)
        ensure_unique(table, request.key, has_unique_index(connection, table, request.key))
        return Upsert(connection, table, columns, tuple(request.key), write, side)


def _attempt_through_races(connection: ClientConnection, statements: Upsert | Insert, items: list[DeliveryItem]) -> Results:
    for _ in range(RACES - 1):
        try:
            return _attempt(connection, statements, items)
        except DatabaseError as error:
            if code_of(error) != DUPLICATE:
                raise _as_outcome(error) from None
    try:
        return _attempt(connection, statements, items)
    except DatabaseError as error:
        raise _as_outcome(error) from None


def _as_outcome(error: DatabaseError) -> Exception:
    if is_row_error(error):
        return RowError(f"{explain_error(error)} [{code_of(error)}]")
    return as_treaty_error(error)


def _attempt(connection: ClientConnection, statements: Upsert | Insert, items: list[DeliveryItem]) -> Results:
    try:
        connection.begin()
        results = statements.apply(items)
        faultpoint("sink.pre_commit")
        try:
            connection.commit()
        except DatabaseError as error:
            if not connection.open or 2000 <= code_of(error) < 3000:  # there is no asking what became of a transaction
                raise LostCommitError(as_treaty_error(error)) from None
            raise
        faultpoint("sink.post_commit")
        return results
    except BaseException:
        if connection.open:
            connection.rollback()
        raise


def _ensure_transactional(connection: ClientConnection, table: Table) -> None:
    """Raise StopError for an engine that cannot roll back: half a batch would stay."""
    rows = fetch(
        connection,
        "select e.transactions, e.engine from information_schema.tables t join information_schema.engines e on e.engine = t.engine"
        " where t.table_schema = %s and t.table_name = %s",
        (table.schema, table.name),
    )
    if rows and rows[0][0] != "YES":
        raise StopError(f"{table.schema}.{table.name} is a table of {rows[0][1]}, which has no transactions.", remedy="Alter it to engine InnoDB.")


def _ensure_exact_keys(side: Table) -> None:
    """Raise StopError where the side table's key does not tell all texts apart: by case, accent or spaces at the end."""
    kind = side.find("delivery_key", "side_table").type
    for name in ("version", "deleted"):
        side.find(name, "side_table")
    if not kind.startswith("varbinary") and not kind.endswith(("nopad_bin", "0900_bin")):
        raise StopError(
            f"delivery_key of {side.schema}.{side.name} is {kind}, which takes some different keys for the same.", remedy="Make it varbinary(700)."
        )


def _create(connection: ClientConnection, request: WriteRequest, write: TableWrite, database: str) -> None:
    schema, _, name = write.table.rpartition(".")
    upsert = request.mode == "upsert"
    columns = [f"{quote(column)} {column_type(kind, in_key=upsert and column in request.key)}" for column, kind in request.columns.items()]
    extra = {write.version_column: "bigint", write.archive_column: "boolean not null default false"}
    if not upsert:
        extra = {write.message_column: "varchar(200)"}
    columns += [f"{quote(column)} {kind}" for column, kind in extra.items() if column not in request.columns]
    if request.key and upsert:
        columns.append(f"primary key ({', '.join(map(quote, request.key))})")
    fetch(connection, f"create table if not exists {quote(schema or database)}.{quote(name)} ({', '.join(columns)}) engine = InnoDB", ())
