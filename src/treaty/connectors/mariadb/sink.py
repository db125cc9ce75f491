"""Writes the tables of a MariaDB or MySQL database. The user needs the right to make temporary tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from treaty.connectors.interface import DeliveryItem, Site
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
    has_unique_index,
    is_row_error,
    quote,
    translated,
)
from treaty.connectors.mariadb.statements import Insert, Upsert
from treaty.connectors.mariadb.values import column_type
from treaty.connectors.tables.catalogue import Table
from treaty.connectors.tables.settings import TableWrite
from treaty.connectors.tables.sink import TableSink
from treaty.connectors.tables.statements import Statements
from treaty.connectors.tables.writing import LostCommitError, Results, RowError
from treaty.errors import StopError
from treaty.faults import faultpoint

RACES = 3  # how often a duplicate is taken for another writer's insert of the same key, before it is the row's own fault


class MariadbSink(TableSink[ClientConnection]):
    """Writes the tables of one server."""

    kind = "mariadb"
    message_type = "varchar(200)"

    def __init__(self, connection: MariadbConnection, site: Site) -> None:
        self._connection = connection
        self._site = site

    def _connect(self) -> AbstractContextManager[ClientConnection]:
        return connect(self._connection, self._site)

    def _translated(self) -> AbstractContextManager[None]:
        return translated()

    def _bound_locks(self, opened: ClientConnection) -> None:
        fetch(opened, f"set session innodb_lock_wait_timeout = {int(self._connection.lock_seconds)}")

    @contextmanager
    def _rolled_back(self, opened: ClientConnection) -> Iterator[None]:
        opened.begin()
        try:
            yield
        finally:
            opened.rollback()

    def _find(self, opened: ClientConnection, name: str) -> Table | None:
        return find_table(opened, name)

    def _is_unique(self, opened: ClientConnection, table: Table, columns: Sequence[str]) -> bool:
        return has_unique_index(opened, table, columns)

    def _column_type(self, treaty_type: str, *, in_key: bool) -> str:
        return column_type(treaty_type, in_key=in_key)

    def _create(self, opened: ClientConnection, name: str, columns: dict[str, str], key: Sequence[str]) -> None:
        schema, _, table = name.rpartition(".")
        told = [f"{quote(column)} {kind}" for column, kind in columns.items()]
        if key:
            told.append(f"primary key ({', '.join(map(quote, key))})")
        place = f"{quote(schema)}.{quote(table)}" if schema else quote(table)
        fetch(opened, f"create table if not exists {place} ({', '.join(told)}) engine = InnoDB", ())

    def _inserts(
        self, opened: ClientConnection, table: Table, columns: tuple[str, ...], write: TableWrite, unique: bool
    ) -> Callable[[], Statements]:
        _ensure_transactional(opened, table)
        made = Insert(opened, table, columns, write, unique)
        return lambda: made

    def _upserts(
        self, opened: ClientConnection, table: Table, columns: tuple[str, ...], key: tuple[str, ...], write: TableWrite, side: Table | None
    ) -> Callable[[], Statements]:
        _ensure_transactional(opened, table)
        if side is not None:
            _ensure_exact_keys(side)
            _ensure_transactional(opened, side)
        made = Upsert(opened, table, columns, key, write, side)
        return lambda: made

    def _attempt(self, opened: ClientConnection, make: Callable[[], Statements], items: list[DeliveryItem]) -> Results:
        for race in range(RACES):
            try:
                return _attempt(opened, make(), items)
            except DatabaseError as error:
                if code_of(error) != DUPLICATE or race + 1 == RACES:
                    raise _as_outcome(error) from None
        raise AssertionError("the last race has an outcome")


def _as_outcome(error: DatabaseError) -> Exception:
    if is_row_error(error):
        return RowError(f"{explain_error(error)} [{code_of(error)}]")
    return as_treaty_error(error)


def _attempt(connection: ClientConnection, statements: Statements, items: list[DeliveryItem]) -> Results:
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
