"""What every sink of tables does; a database adds how it is reached, its statements, and how an attempt commits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar, Generic, TypeVar

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import DeliveryItem, HeldRecord, ItemResult, WriteRequest
from treaty.connectors.tables.catalogue import Table, ensure_found, ensure_unique
from treaty.connectors.tables.settings import TableWrite
from treaty.connectors.tables.statements import GuardedUpsert, Statements
from treaty.connectors.tables.writing import MODES, Results, deliver, ensure_columns, ensure_mode, ensure_upsert

Opened = TypeVar("Opened")  # the driver's connection


class TableSink(ABC, Generic[Opened]):
    """Writes the tables of one database."""

    modes = MODES
    kind: ClassVar[str]  # the connector, as systems name it
    message_type: ClassVar[str]  # of the column for the message's id, in a table that is made

    def check(self) -> None:
        """Prove that the database answers."""
        with self._connect():
            pass

    def write(self, request: WriteRequest, items: Sequence[DeliveryItem]) -> Sequence[ItemResult]:
        """Write a batch; each item has its result. Raises RetryError, StopError where certainly nothing was applied."""
        if not items:
            return []
        write = read_configuration(TableWrite, request.stream.write, f"{request.system}/{request.name}, write")
        ensure_mode(request, self.kind)
        with self._connect() as opened:
            with self._translated():
                self._bound_locks(opened)
                make = self._prepare(opened, request, write)
            return deliver(request, items, lambda some: self._attempt(opened, make, some))

    def look_up(self, request: WriteRequest, items: Sequence[DeliveryItem]) -> dict[str, HeldRecord]:
        """Return, by delivery key, the rows that are there. Raises RetryError, StopError."""
        write = read_configuration(TableWrite, request.stream.write, f"{request.system}/{request.name}, write")
        ensure_upsert(request, self.kind)
        with self._connect() as opened, self._translated():
            upsert = self._prepare(opened, request, write)
            with self._rolled_back(opened):
                statements = upsert()
                assert isinstance(statements, GuardedUpsert), "the mode is upsert"
                return statements.held(items)

    def _prepare(self, opened: Opened, request: WriteRequest, write: TableWrite) -> Callable[[], Statements]:
        """Return what makes the statements of an attempt, once the tables have proved fit for them."""
        if write.create and self._find(opened, write.table) is None:
            self._create(opened, write.table, self._new_columns(request, write), request.key if request.mode == "upsert" else ())
        table = ensure_found(self._find(opened, write.table), write.table)
        ensure_columns(table, request, write)
        columns = tuple(request.columns)
        if request.mode == "at-least-once":
            return self._inserts(opened, table, columns, write, self._is_unique(opened, table, (write.message_column,)))
        side = ensure_found(self._find(opened, write.side_table), write.side_table) if write.side_table else None
        ensure_unique(table, request.key, self._is_unique(opened, table, request.key))
        return self._upserts(opened, table, columns, tuple(request.key), write, side)

    def _new_columns(self, request: WriteRequest, write: TableWrite) -> dict[str, str]:
        """Return the columns of a table to be made, with their types: those of the mapping, and what the mode needs."""
        upsert = request.mode == "upsert"
        found = {name: self._column_type(kind, in_key=upsert and name in request.key) for name, kind in request.columns.items()}
        needed = {write.version_column: "bigint", write.archive_column: "boolean not null default false"}
        return {**found, **{name: kind for name, kind in (needed if upsert else {write.message_column: self.message_type}).items() if name not in found}}

    @abstractmethod
    def _connect(self) -> AbstractContextManager[Opened]: ...

    @abstractmethod
    def _translated(self) -> AbstractContextManager[None]:
        """Turn the driver's errors into Treaty's."""

    @abstractmethod
    def _bound_locks(self, opened: Opened) -> None:
        """Bound the wait for another's lock."""

    @abstractmethod
    def _rolled_back(self, opened: Opened) -> AbstractContextManager[None]:
        """Begin a transaction of which nothing stays."""

    @abstractmethod
    def _find(self, opened: Opened, name: str) -> Table | None: ...

    @abstractmethod
    def _is_unique(self, opened: Opened, table: Table, columns: Sequence[str]) -> bool:
        """Tell whether a unique index is over exactly these columns."""

    @abstractmethod
    def _column_type(self, treaty_type: str, *, in_key: bool) -> str: ...

    @abstractmethod
    def _create(self, opened: Opened, name: str, columns: dict[str, str], key: Sequence[str]) -> None:
        """Make a table, with a primary key where there is one; another may be making it too."""

    @abstractmethod
    def _inserts(self, opened: Opened, table: Table, columns: tuple[str, ...], write: TableWrite, unique: bool) -> Callable[[], Statements]: ...

    @abstractmethod
    def _upserts(
        self, opened: Opened, table: Table, columns: tuple[str, ...], key: tuple[str, ...], write: TableWrite, side: Table | None
    ) -> Callable[[], Statements]: ...

    @abstractmethod
    def _attempt(self, opened: Opened, make: Callable[[], Statements], items: list[DeliveryItem]) -> Results:
        """Write some in one transaction, as :func:`treaty.connectors.tables.writing.deliver` wants it."""
