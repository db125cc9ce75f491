"""Writes a batch to a table: one transaction takes it or nothing; a row at fault is found by halving, and the others pass.

``upsert`` never goes back: a row is written only over a lower ``treaty_version``. Where rows may be deleted and an old message could
still come, declare a ``side_table``: it keeps the version of deleted keys too, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from treaty.connectors.interface import DeliveryItem, HeldRecord, ItemResult, WriteRequest
from treaty.connectors.tables.catalogue import Table
from treaty.connectors.tables.settings import TableWrite
from treaty.errors import StopError, TreatyError

Results: TypeAlias = list[tuple[DeliveryItem, ItemResult]]
MODES = frozenset({"upsert", "at-least-once"})


class RowError(Exception):
    """The database refuses a row of the batch, in its words; nothing of the batch was applied."""


class LostCommitError(Exception):
    """The connection was lost at COMMIT. ``results`` are there where the server said later that it had committed."""

    def __init__(self, error: TreatyError, results: Results | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.results = results


@dataclass(frozen=True, slots=True)
class FoundRow:
    """What stands in the table of an item's key: its version, its own id, and whether there is a row at all."""

    version: int | None
    remote_id: str | None
    there: bool


def ensure_mode(request: WriteRequest, kind: str) -> None:
    """Raise StopError for a mode that tables do not keep, and for an upsert without a key."""
    place = f"{request.system}/{request.name}"
    if request.mode not in MODES:
        raise StopError(f"{place}: the connector {kind} does not deliver {request.mode!r}.", remedy="Use `mode: upsert` or at-least-once.")
    if request.mode == "upsert" and not request.key:
        raise StopError(f"{place}: an upsert needs the mapping's `key`.", remedy="Name the sink's key columns.")


def ensure_upsert(request: WriteRequest, kind: str) -> None:
    """Raise StopError for any other mode: only rows with a key can be looked up."""
    ensure_mode(request, kind)
    if request.mode != "upsert":
        raise StopError(f"{request.system}/{request.name}: what is written {request.mode} cannot be looked up.", remedy="Use `mode: upsert`, or no `baseline`.")


def ensure_columns(table: Table, request: WriteRequest, write: TableWrite) -> None:
    """Raise StopError unless the table has every column that will be named."""
    for name in (*request.columns, *request.key):
        table.find(name, "the mapping's fields")
    if write.id_column is not None:
        table.find(write.id_column, "id_column")
    if request.mode == "upsert" and not write.side_table:
        table.find(write.version_column, "version_column; or declare a `side_table`")


def ensure_upserts(items: Sequence[DeliveryItem]) -> None:
    """Raise ValueError for a delete or archive, which cannot be told to a table of messages."""
    wrong = next((item for item in items if item.op != "upsert"), None)
    if wrong is not None:
        raise ValueError(f"at-least-once inserts rows; {wrong.op!r} cannot be told so")


def results_of(items: Sequence[DeliveryItem], before: Mapping[int, FoundRow], after: Mapping[int, FoundRow]) -> Results:
    """Return what became of items, by the versions that stood there before and those that stand there afterwards."""
    return [(item, _result_of(item, before[number].version, after[number])) for number, item in enumerate(items)]


def _result_of(item: DeliveryItem, before: int | None, after: FoundRow) -> ItemResult:
    if after.version is not None and after.version > item.version:
        return ItemResult(item.delivery_key, "coalesced", f"version {after.version} is there already", after.remote_id, after.version)
    return ItemResult(item.delivery_key, "acknowledged", "", after.remote_id, before)


def held_of(items: Sequence[DeliveryItem], found: Mapping[int, FoundRow]) -> dict[str, HeldRecord]:
    """Return, by delivery key, what is there of the items."""
    return {item.delivery_key: HeldRecord(found[number].version, found[number].remote_id) for number, item in enumerate(items) if found[number].there}


def deliver(request: WriteRequest, items: Sequence[DeliveryItem], attempt: Callable[[list[DeliveryItem]], Results]) -> list[ItemResult]:
    """Write the items; each has its result.

    ``attempt`` writes some in one transaction, and raises RowError or ValueError where a row is at fault, LostCommitError, or another
    TreatyError where certainly nothing was applied. That one is raised here only if nothing of the batch was.
    """
    newest, older = _newest_of_each(items) if request.mode == "upsert" else (list(items), [])
    batch = _Batch(attempt)
    batch.write(newest)
    if batch.stopped is not None and not batch.applied:
        raise batch.stopped
    found = {id(item): result for item, result in batch.results}
    found.update({id(item): ItemResult(item.delivery_key, "coalesced", "a newer version is in the same batch") for item in older})
    return [found[id(item)] for item in items]


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

    attempt: Callable[[list[DeliveryItem]], Results]
    results: Results = field(default_factory=list)
    stopped: TreatyError | None = None  # why no more is tried
    applied: bool = False  # something was, or may have been

    def write(self, items: list[DeliveryItem]) -> None:
        """Write the items in one transaction, or each half by itself."""
        if self.stopped is not None:
            self._set_all(items, "retry", str(self.stopped))
            return
        try:
            self.results += self.attempt(items)
            self.applied = True
        except LostCommitError as lost:
            self.stopped, self.applied = lost.error, True
            told = f"the connection was lost at COMMIT: {lost.error.message}"
            self.results += lost.results or [(item, ItemResult(item.delivery_key, "ambiguous", told)) for item in items]
        except TreatyError as error:
            self.stopped = error
            self._set_all(items, "retry", str(error))
        except (RowError, ValueError) as error:
            if len(items) == 1:
                self._set_all(items, "rejected", str(error))
                return
            half = len(items) // 2
            self.write(items[:half])
            self.write(items[half:])

    def _set_all(self, items: list[DeliveryItem], state: Literal["rejected", "retry"], message: str) -> None:
        self.results += [(item, ItemResult(item.delivery_key, state, message)) for item in items]
        self.applied = self.applied or state == "rejected"
