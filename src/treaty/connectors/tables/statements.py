"""The order of the statements that write one batch within a transaction; each database spells them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from treaty.connectors.interface import DeliveryItem, HeldRecord, ItemResult
from treaty.connectors.tables.catalogue import Table
from treaty.connectors.tables.settings import TableWrite
from treaty.connectors.tables.writing import FoundRow, Results, ensure_upserts, held_of, results_of


class Statements(ABC):
    """What an attempt runs."""

    @abstractmethod
    def apply(self, items: Sequence[DeliveryItem]) -> Results:
        """Write the items; tell what became of each. Raises the driver's errors, and ValueError for what cannot be written."""


class GuardedUpsert(Statements):
    """Upserts, deletes and archives, guarded by version in a column of the table or in a side table."""

    def __init__(self, table: Table, columns: tuple[str, ...], key: tuple[str, ...], write: TableWrite, side: Table | None) -> None:
        self._table = table
        self._columns = (*columns, *(name for name in key if name not in columns))
        self._key = key
        self._write = write
        self._side = side

    def apply(self, items: Sequence[DeliveryItem]) -> Results:
        """Write the items; the versions found afterwards tell what became of each."""
        self._load(items)
        before = self._found()
        if self._side is not None:
            self._advance_side(self._side)
        operations = {item.op for item in items}
        if "upsert" in operations:
            self._upsert()
        if "delete" in operations:
            self._delete()
        if "archive" in operations:
            self._archive()
        return results_of(items, before, self._found())

    def held(self, items: Sequence[DeliveryItem]) -> dict[str, HeldRecord]:
        """Return, by delivery key, the rows that are there; nothing but the temporary table is written."""
        self._load(items)
        return held_of(items, self._found())

    @abstractmethod
    def _load(self, items: Sequence[DeliveryItem]) -> None:
        """Put the items into the temporary table."""

    @abstractmethod
    def _advance_side(self, side: Table) -> None:
        """Advance the versions beside, and mark which items are due by it."""

    @abstractmethod
    def _upsert(self) -> None: ...

    @abstractmethod
    def _delete(self) -> None: ...

    @abstractmethod
    def _archive(self) -> None: ...

    @abstractmethod
    def _found(self) -> Mapping[int, FoundRow]:
        """Return what stands there now, by the item's number."""


class MessageInsert(Statements):
    """Inserts that may come twice: each carries its message's id, and where that is unique a second one changes nothing."""

    def __init__(self, table: Table, columns: tuple[str, ...], write: TableWrite, unique_message: bool) -> None:
        self._table = table
        self._columns = columns
        self._message = write.message_column if write.message_column in table.columns else None
        self._unique = unique_message

    def apply(self, items: Sequence[DeliveryItem]) -> Results:
        """Insert the items as they are: deletes cannot be told to a table of messages."""
        ensure_upserts(items)
        self._load(items)
        self._insert()
        return [(item, ItemResult(item.delivery_key, "acknowledged")) for item in items]

    @abstractmethod
    def _load(self, items: Sequence[DeliveryItem]) -> None:
        """Put the items into the temporary table."""

    @abstractmethod
    def _insert(self) -> None: ...
