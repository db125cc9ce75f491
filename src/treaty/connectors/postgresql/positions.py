"""Where reading a growing table goes on: the last (cursor, key), and what stood in the overlap below it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from treaty.connectors.interface import Cursor
from treaty.connectors.postgresql import PostgresqlRead
from treaty.connectors.postgresql.session import Table, typed
from treaty.errors import StopError
from treaty.sessions.clients import sql

DURATION = re.compile(r"^(\d+) ?(s|m|h|d|w)$")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
NUMBER = re.compile(r"^\d+(\.\d+)?$")


@dataclass(frozen=True, slots=True)
class Window:
    """The rows of the overlap: how many, and their digest."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Position:
    """How positions of one stream are compared, ordered and written."""

    table: Table
    names: tuple[str, ...]  # the cursor column, then those of the key
    overlap: sql.Composable | None  # what is subtracted from the cursor; None: only its own ties

    @staticmethod
    def of(table: Table, read: PostgresqlRead, place: str) -> Position:
        """Return the comparison that a stream's settings ask for. Raises StopError."""
        cursor = table.find(read.cursor or "", "cursor")
        key = tuple(table.find(name, "key").name for name in read.key or table.primary_key if name != cursor.name)
        if cursor.category not in "DNS" or cursor.type in ("interval", "time", "money"):
            raise StopError(f"{place}: a cursor of type {cursor.type} has no order in time.", remedy="Name a timestamp, date, number or text column.")
        return Position(table, (cursor.name, *key), _overlap(read.overlap, cursor.category, cursor.type, place))

    def regular(self) -> sql.Composable:
        """The rows that have a position."""
        parts = [sql.SQL("{} is not null").format(sql.Identifier(name)) for name in self.names]
        if self.table.columns[self.names[0]].category == "D":
            parts.append(sql.SQL("isfinite({})").format(sql.Identifier(self.names[0])))
        return sql.SQL("({})").format(sql.SQL(" and ").join(parts))

    def order(self) -> sql.Composable:
        """The columns that order rows."""
        return sql.SQL(", ").join(map(sql.Identifier, self.names))

    def ties(self) -> sql.SQL:
        """How a page ends: at its last row where a key parts rows, else after all rows of its last cursor value."""
        return sql.SQL("only" if len(self.names) > 1 else "with ties")

    def beyond(self, last: tuple[str, ...]) -> sql.Composable:
        """The rows after a position."""
        return sql.SQL("({}) > ({})").format(self.order(), sql.SQL(", ").join(self._literals(last)))

    def is_before(self, one: tuple[str, ...], other: tuple[str, ...]) -> sql.Composed:
        """Whether one position lies before another."""
        comma = sql.SQL(", ")
        return sql.SQL("select ({}) < ({})").format(comma.join(self._literals(one)), comma.join(self._literals(other)))

    def from_overlap(self, last: tuple[str, ...]) -> sql.Composable:
        """The rows from the overlap on."""
        low: sql.Composable = self._literals(last)[0]
        if self.overlap is not None:
            low = sql.SQL("{} - {}").format(low, self.overlap)
        return sql.SQL("{} >= {}").format(sql.Identifier(self.names[0]), low)

    def _literals(self, last: tuple[str, ...]) -> list[sql.Composable]:
        types = [self.table.columns[name].type for name in self.names]
        return [typed(sql.Literal(value), kind) for kind, value in zip(types, last, strict=True)]

    def state(self, last: tuple[str, ...], window: Window) -> Cursor:
        """Return the position as it is kept."""
        return {
            "table": f"{self.table.schema}.{self.table.name}", "by": list(self.names), "after": list(last),
            "window": [window.rows, window.digest],
        }  # fmt: skip


def _overlap(declared: str | None, category: str, kind: str, place: str) -> sql.Composable | None:
    if category == "S":
        if declared:
            raise StopError(f"{place}: a cursor of texts has no overlap.", remedy="Leave `overlap` out.")
        return None
    if category == "N":
        text = declared if declared is not None else ("1000" if kind in ("bigint", "integer", "smallint") else "0")
        if not NUMBER.match(text):
            raise StopError(f"{place}: the overlap {text!r} is not a number, as the cursor is.", remedy="Write it like 1000.")
        return sql.Literal(int(text)) if text.isdecimal() else sql.SQL("{}::numeric").format(sql.Literal(text))
    found = DURATION.match(declared if declared is not None else "5m" if kind != "date" else "1d")
    if found is None:
        raise StopError(f"{place}: the overlap {declared!r} is not a duration.", remedy="Write it like 15m.")
    return sql.SQL("{}::interval").format(sql.Literal(f"{found[1]} {UNITS[found[2]]}"))


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
