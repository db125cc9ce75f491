"""Writes a table. One transaction takes a batch or nothing; a row at fault is found by halving, and the others pass.

``upsert`` never goes back: a row is written only over a lower ``treaty_version``. Where rows may be deleted and an old message could
still come, declare a ``side_table``: it keeps the version of deleted keys too, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import DeliveryItem, ItemResult, Site, WriteRequest
from treaty.connectors.postgresql import PostgresqlConnection, PostgresqlWrite
from treaty.connectors.postgresql.session import (
    as_treaty_error,
    connect,
    ensure_unique,
    explain_error,
    find_table,
    find_table_if_there,
    has_unique_index,
    is_data_error,
    split_name,
)
from treaty.connectors.postgresql.statements import Insert, Upsert
from treaty.connectors.postgresql.values import column_type
from treaty.errors import StopError, TreatyError
from treaty.faults import faultpoint
from treaty.sessions.clients import ClientConnection, DatabaseError, OperationalError, sql


class PostgresqlSink:
    """Writes the tables of one database."""

    modes = frozenset({"upsert", "at-least-once"})

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
        place = f"{request.system}/{request.name}"
        write = read_configuration(PostgresqlWrite, request.stream.write, f"{place}, write")
        if request.mode not in self.modes:
            raise StopError(f"{place}: the connector postgresql does not deliver {request.mode!r}.", remedy="Use `mode: upsert` or at-least-once.")
        newest, older = _newest_of_each(items) if request.mode == "upsert" else (list(items), [])
        with connect(self._connection, self._site) as connection:
            try:
                connection.execute(sql.SQL("set lock_timeout to {}").format(sql.Literal(f"{self._connection.lock_seconds}s")))
                make = self._prepare(connection, request, write)
            except DatabaseError as error:
                raise as_treaty_error(error) from None
            batch = _Batch(connection, make, self._outcome_of)
            batch.write(newest)
        if batch.stopped is not None and not batch.applied:
            raise batch.stopped
        found = {id(item): result for item, result in batch.results}
        found.update({id(item): ItemResult(item.delivery_key, "coalesced", "a newer version is in the same batch") for item in older})
        return [found[id(item)] for item in items]

    def _prepare(self, connection: ClientConnection, request: WriteRequest, write: PostgresqlWrite) -> Callable[[], Upsert | Insert]:
        table = find_table_if_there(connection, write.table) if write.create else find_table(connection, write.table)
        if table is None:
            _create(connection, request, write)
            table = find_table(connection, write.table)
        for name in (*request.columns, *request.key):
            table.find(name, "the mapping's fields")
        if write.id_column is not None:
            table.find(write.id_column, "id_column")
        columns = tuple(request.columns)
        if request.mode == "at-least-once":
            unique = has_unique_index(connection, table, (write.message_column,))
            return lambda: Insert(connection, table, columns, write, unique)
        if not request.key:
            raise StopError(f"{request.system}/{request.name}: an upsert needs the mapping's `key`.", remedy="Name the sink's key columns.")
        side = find_table(connection, write.side_table) if write.side_table else None
        if side is None:
            table.find(write.version_column, "version_column; or declare a `side_table`")
        ensure_unique(connection, table, request.key)
        return lambda: Upsert(connection, table, columns, tuple(request.key), write, side)

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


def _create(connection: ClientConnection, request: WriteRequest, write: PostgresqlWrite) -> None:
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


def _newest_of_each(items: Sequence[DeliveryItem]) -> tuple[list[DeliveryItem], list[DeliveryItem]]:
    """Return the newest item of each key, in their order, and the others: one statement cannot write a row twice."""
    newest: dict[str, DeliveryItem] = {}
    for item in items:
        known = newest.get(item.delivery_key)
        if known is None or item.version >= known.version:
            newest[item.delivery_key] = item
    kept = {id(item) for item in newest.values()}
    return [item for item in items if id(item) in kept], [item for item in items if id(item) not in kept]


@dataclass(slots=True)
class _Batch:
    """Writes items, halving where a row is at fault, until all have their result."""

    connection: ClientConnection
    make: Callable[[], Upsert | Insert]
    outcome_of: Callable[[str | None], str]
    results: list[tuple[DeliveryItem, ItemResult]] = field(default_factory=list)
    stopped: TreatyError | None = None  # why no more is tried
    applied: bool = False  # something was, or may have been

    def write(self, items: list[DeliveryItem]) -> None:
        """Write the items in one transaction, or each half by itself."""
        if self.stopped is not None:
            self._set_all(items, "retry", str(self.stopped))
            return
        try:
            results = self._attempt(items)
        except (DatabaseError, ValueError) as error:
            self._fail(items, error)
        else:
            self.results += results
            self.applied = True

    def _attempt(self, items: list[DeliveryItem]) -> list[tuple[DeliveryItem, ItemResult]]:
        transaction: str | None = None
        committing = False
        try:
            self.connection.execute("begin")
            results = self.make().apply(items)
            row = self.connection.execute("select pg_current_xact_id()::text").fetchone()
            transaction = str(row[0]) if row else None
            faultpoint("sink.pre_commit")
            committing = True
            self.connection.execute("commit")
            faultpoint("sink.post_commit")
            return results
        except OperationalError as error:
            if not committing or not self.connection.closed:
                raise
            outcome = self.outcome_of(transaction)
            if outcome == "committed":
                self.stopped = as_treaty_error(error)
                return results
            if outcome == "aborted":
                raise
            self.stopped = as_treaty_error(error)
            self.applied = True
            return [(item, ItemResult(item.delivery_key, "ambiguous", f"the connection was lost at COMMIT: {explain_error(error)}")) for item in items]
        finally:
            if not self.connection.closed and self.connection.info.transaction_status.name != "IDLE":
                self.connection.execute("rollback")

    def _fail(self, items: list[DeliveryItem], error: DatabaseError | ValueError) -> None:
        if isinstance(error, DatabaseError) and not is_data_error(error):
            self.stopped = as_treaty_error(error)
            self._set_all(items, "retry", str(self.stopped))
        elif len(items) == 1:
            message = f"{explain_error(error)} [{error.sqlstate}]" if isinstance(error, DatabaseError) else str(error)
            self._set_all(items, "rejected", message)
        else:
            half = len(items) // 2
            self.write(items[:half])
            self.write(items[half:])

    def _set_all(self, items: list[DeliveryItem], state: Literal["rejected", "retry"], message: str) -> None:
        self.results += [(item, ItemResult(item.delivery_key, state, message)) for item in items]
        self.applied = self.applied or state == "rejected"
