"""What every source of tables does; a database adds how it is reached, what it holds, and its dialect."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Generic, TypeVar

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Arrival, StreamDescription, StreamRequest
from treaty.connectors.tables.catalogue import Table, columns_to_read
from treaty.connectors.tables.reading import Dialect, Reading
from treaty.connectors.tables.settings import TableRead
from treaty.errors import StopError

Opened = TypeVar("Opened")  # the driver's connection


class TableSource(ABC, Generic[Opened]):
    """Reads the tables and views of one database."""

    def check(self) -> None:
        """Prove that the database answers."""
        with self._connect():
            pass

    def discover(self) -> Sequence[StreamDescription]:
        """List the tables and views that this user may read."""
        tables: dict[str, list[str]] = {}
        with self._connect() as opened:
            for table, column in self._columns(opened):
                tables.setdefault(table, []).append(column)
        return [StreamDescription(name, "table", tuple(columns)) for name, columns in tables.items()]

    def describe(self, name: str) -> StreamDescription:
        """Tell the columns of one table or view, and its primary key. Raises StopError where this user may see none of that name."""
        with ExitStack() as stack:
            opened = stack.enter_context(self._connect())
            stack.enter_context(self._translated())
            table = self._begin(opened, name)
            return StreamDescription(name, "table", tuple(table.columns), table.primary_key)

    def read(self, request: StreamRequest) -> Iterator[Arrival]:
        """Yield the table as one snapshot, or its pages beyond the position in ``request.cursor``."""
        place = f"{request.system}/{request.name}"
        if request.stream.format != "table":
            raise StopError(f"{place}: a database has the format `table`.", remedy="Write `format: table`.")
        read = read_configuration(TableRead, request.stream.read, f"{place}, read")
        with ExitStack() as stack:
            spool = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treaty-", dir=request.spool)))
            opened = stack.enter_context(self._connect())
            stack.enter_context(self._translated())
            table = self._begin(opened, read.table)
            columns = columns_to_read(table, read)
            yield from Reading(self._dialect(opened, table, columns), table, columns, spool, request).arrivals(read, place)

    @abstractmethod
    def _connect(self) -> AbstractContextManager[Opened]: ...

    @abstractmethod
    def _translated(self) -> AbstractContextManager[None]:
        """Turn the driver's errors into Treaty's."""

    @abstractmethod
    def _columns(self, opened: Opened) -> Iterable[tuple[str, str]]:
        """Give (table, column) for all that this user may read, in order."""

    @abstractmethod
    def _begin(self, opened: Opened, name: str) -> Table:
        """Begin a transaction that reads one snapshot, and find the table. Raises StopError where there is none."""

    @abstractmethod
    def _dialect(self, opened: Opened, table: Table, columns: tuple[str, ...]) -> Dialect: ...
