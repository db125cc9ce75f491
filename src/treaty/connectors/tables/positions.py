"""Where reading a growing table goes on: the last (cursor, key), and what stood in the overlap below it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from treaty.connectors.interface import Cursor
from treaty.connectors.tables.catalogue import Column, Table
from treaty.connectors.tables.settings import TableRead
from treaty.errors import StopError

DURATION = re.compile(r"^(\d+) ?(s|m|h|d|w)$")
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
NUMBER = re.compile(r"^\d+(\.\d+)?$")
WHOLE = re.compile(r"^(tiny|small|medium|big)?int")


@dataclass(frozen=True, slots=True)
class Window:
    """The rows of the overlap: how many, and their digest."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Position:
    """How positions of one stream are made; the dialects write them as conditions."""

    table: Table
    names: tuple[str, ...]  # the cursor column, then those of the key
    overlap: str | None  # what is subtracted from the cursor, a number or seconds; None: only its own ties

    @staticmethod
    def of(table: Table, read: TableRead, place: str) -> Position:
        """Return the positions that a stream's settings ask for. Raises StopError."""
        cursor = table.find(read.cursor or "", "cursor")
        key = tuple(table.find(name, "key").name for name in read.key or table.primary_key if name != cursor.name)
        if cursor.category not in "DNS" or cursor.type.partition("(")[0] in ("interval", "time", "money"):
            raise StopError(f"{place}: a cursor of type {cursor.type} has no order in time.", remedy="Name a timestamp, date, number or text column.")
        return Position(table, (cursor.name, *key), _overlap(read.overlap, cursor, place))

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a position."""
        return tuple(self.table.columns[name] for name in self.names)

    def state(self, last: tuple[str, ...], window: Window) -> Cursor:
        """Return the position as it is kept."""
        return {
            "table": f"{self.table.schema}.{self.table.name}", "by": list(self.names), "after": list(last),
            "window": [window.rows, window.digest],
        }  # fmt: skip


def _overlap(declared: str | None, cursor: Column, place: str) -> str | None:
    if cursor.category == "S":
        if declared:
            raise StopError(f"{place}: a cursor of texts has no overlap.", remedy="Leave `overlap` out.")
        return None
    if cursor.category == "N":
        text = declared if declared is not None else ("1000" if WHOLE.match(cursor.type) else "0")
        if not NUMBER.match(text):
            raise StopError(f"{place}: the overlap {text!r} is not a number, as the cursor is.", remedy="Write it like 1000.")
        return text
    found = DURATION.match(declared if declared is not None else "5m" if cursor.type != "date" else "1d")
    if found is None:
        raise StopError(f"{place}: the overlap {declared!r} is not a duration.", remedy="Write it like 15m.")
    return str(int(found[1]) * SECONDS[found[2]])


def read_position(cursor: Cursor, position: Position) -> tuple[str, ...] | None:
    """Return the last (cursor, key), None for the start. Raises StopError for a position that is not one of this connector.

    One of another table, or by other columns, is not used: the stream was declared anew and is read from its start.
    """
    if not cursor:
        return None
    after, by = cursor.get("after"), cursor.get("by")
    sound = isinstance(after, list) and isinstance(by, list) and len(after) == len(by) and all(isinstance(each, str) for each in [*after, *by])
    if not sound or not isinstance(after, list):
        raise StopError("the stream's stored position cannot be read.", remedy="Restore it, or reset the stream so that it is read from its start.")
    if cursor.get("table") != f"{position.table.schema}.{position.table.name}" or by != list(position.names):
        return None
    return tuple(after)


def read_window(cursor: Cursor) -> Window | None:
    """Return what stood in the overlap when the position was stored, None where that is not known."""
    found = cursor.get("window")
    if isinstance(found, list) and len(found) == 2:
        return Window(int(found[0]), str(found[1]))
    return None
