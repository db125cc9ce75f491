"""A read's questions in the words that MariaDB and MySQL share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pymysql.cursors import SSCursor

from treaty.connectors.mariadb.session import ClientConnection, base_type, fetch, identifier, quote
from treaty.connectors.tables.catalogue import Column, Table
from treaty.connectors.tables.positions import Position, Window

PIECE_ROWS = 1_000
BINARY = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "geometry", "point", "linestring", "polygon",
          "multipoint", "multilinestring", "multipolygon", "geometrycollection", "vector")  # fmt: skip
INSTANT = "+00:00"


class MariadbDialect:
    """Puts them within the connection's transaction."""

    def __init__(self, connection: ClientConnection, table: Table, columns: tuple[str, ...]) -> None:
        self._connection = connection
        self._table = table
        self._columns = columns
        self._texts = ", ".join(f"{_text_of(table.columns[name])} as {quote(name)}" for name in columns)

    def everything(self) -> Iterator[bytes]:
        """Give all rows."""
        names = self._table.primary_key or self._columns
        order = ", ".join(_text_of(self._table.columns[name]) if self._table.columns[name].category == "U" else _named(self._table.columns[name]) for name in names)
        return self._rows(f"select {self._texts} from {identifier(self._table)} t order by {order}", ())

    def without_position(self, position: Position) -> Iterator[bytes]:
        """Give the rows that have none."""
        where = f"not coalesce({_regular(position)}, false)"
        return self._rows(f"select {self._texts} from {identifier(self._table)} t where {where} order by {self._texts_only()}", ())

    def page(self, position: Position, after: tuple[str, ...] | None, page_rows: int, *, overlap: bool) -> Iterator[bytes]:
        """Give the next rows."""
        beyond, parameters = "true", list[str]()
        if after is not None:
            beyond, parameters = _from_overlap(position, after) if overlap else _beyond(position, after)
        where = f"{_regular(position)} and {beyond}"
        if len(position.names) == 1:  # FETCH … WITH TIES, spelled so that MySQL knows it too
            first = _named(position.columns[0])
            end = fetch(
                self._connection,
                f"select {_text_of(position.columns[0])} from {identifier(self._table)} t where {where} order by {first} limit 1 offset {page_rows - 1}",
                parameters,
            )
            if end:
                until, last = _beyond(position, (str(end[0][0]),))
                return self._rows(
                    f"select {self._texts} from {identifier(self._table)} t where {where} and not ({until}) order by {first}", [*parameters, *last]
                )
            return self._rows(f"select {self._texts} from {identifier(self._table)} t where {where} order by {first}", parameters)
        query = f"select {self._texts} from {identifier(self._table)} t where {where} order by {_order(position)} limit {page_rows}"
        return self._rows(query, parameters)

    def look(self, position: Position, last: tuple[str, ...], after: tuple[str, ...] | None) -> tuple[bool, bool]:
        """Tell whether there are rows beyond, and whether the position went back."""
        beyond, parameters = _beyond(position, last)
        exists = f"exists (select 1 from {identifier(self._table)} t where {_regular(position)} and {beyond})"
        before = "false"
        if after is not None:
            literals = [_literal(column) for column in position.columns]
            before = _lexicographic([*zip(literals, literals, strict=True)], "<")
            ones, others = _values(position, last), _values(position, after)
            for place in range(len(ones)):  # each place names the ones before it for equality, then itself
                parameters += [text for each in range(place) for text in (ones[each], others[each])] + [ones[place], others[place]]
        found = fetch(self._connection, f"select {exists}, {before}", parameters)
        return str(found[0][0]) == "1", str(found[0][1]) == "1"

    def window(self, position: Position, last: tuple[str, ...]) -> Window:
        """Count and digest the overlap; the digest does not hang on an order, so that it needs no memory of the server."""
        texts = ", ',', ".join(f"coalesce(md5({_text_of(self._table.columns[name])}), '')" for name in self._columns)
        low, first = _from_overlap(position, last)
        beyond, second = _beyond(position, last)
        half = "cast(conv({}(digest, 16), 16, 10) as unsigned)"
        found = fetch(
            self._connection,
            f"select count(*), coalesce(bit_xor({half.format('left')}), 0), coalesce(sum({half.format('right')}), 0) from ("
            f"select md5(concat({texts})) as digest from {identifier(self._table)} t where {_regular(position)} and {low} and not ({beyond})) rows_of_overlap",
            [*first, *second],
        )
        return Window(int(found[0][0]), f"{found[0][1]}.{found[0][2]}")

    def _texts_only(self) -> str:
        return ", ".join(_text_of(self._table.columns[name]) for name in self._columns)

    def _rows(self, query: str, parameters: Sequence[str]) -> Iterator[bytes]:
        yield _csv_line(self._columns)
        with self._connection.cursor(SSCursor) as cursor:
            cursor.execute(query, list(parameters))
            while rows := cursor.fetchmany(PIECE_ROWS):
                yield b"".join(map(_csv_line, rows))


def _csv_line(values: Sequence[Any]) -> bytes:
    quoted = ('"' + value.replace('"', '""') + '"' if value is not None else "" for value in map(_as_text, values))
    return (",".join(quoted) + "\n").encode("utf-8", "replace")


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _named(column: Column) -> str:
    """Return the column of the table: a bare name in ORDER BY would be the text of the select list, where 10 comes before 9."""
    return f"t.{quote(column.name)}"


def _text_of(column: Column) -> str:
    """Return the expression of a column's exact text: ISO 8601 with zone for instants, hexadecimal for bytes, digits for bits."""
    name, base = _named(column), base_type(column)
    if base in BINARY:
        return f"concat('\\\\x', lower(hex({name})))"
    if base == "bit":
        return f"cast({name} + 0 as char character set utf8mb4)"
    if base in ("datetime", "timestamp"):
        text = f"replace(cast({name} as char character set utf8mb4), ' ', 'T')"
        return f"concat({text}, '{INSTANT}')" if base == "timestamp" else text
    if column.category == "S" or "character set" in column.type:
        return f"convert({name} using utf8mb4)"
    return f"cast({name} as char character set utf8mb4)"


def _literal(column: Column) -> str:
    """Return a parameter of the column's own type: compared with a text, large numbers would be compared as floats."""
    base = base_type(column)
    if base in BINARY:
        return "unhex(%s)"
    if base == "decimal":
        return f"cast(%s as {column.type.partition(')')[0]}))"
    if column.category == "N":
        return "cast(%s as unsigned)" if "unsigned" in column.type or base == "bit" else "cast(%s as signed)"
    if base == "date":
        return "cast(%s as date)"
    if column.category == "D":
        return "cast(%s as datetime(6))"
    return "%s"


def _compared(column: Column) -> str:
    """Return the column as it is ordered and compared; members of an enum are ordered by number and compared as texts, so by text here."""
    return _named(column) if column.category != "U" else _text_of(column)


def _values(position: Position, last: tuple[str, ...]) -> list[str]:
    return [
        value.removeprefix("\\x") if base_type(column) in BINARY else value.removesuffix(INSTANT) if column.category == "D" else value
        for column, value in zip(position.columns, last, strict=True)
    ]


def _order(position: Position) -> str:
    return ", ".join(map(_compared, position.columns))


def _regular(position: Position) -> str:
    """The rows that have a position."""
    parts = [f"{_named(column)} is not null" for column in position.columns]
    for column in position.columns:
        if column.category == "D":  # '0000-00-00' and the like have no place in time
            parts.append(f"(year({_named(column)}) > 0 and month({_named(column)}) > 0 and dayofmonth({_named(column)}) > 0)")
    return f"({' and '.join(parts)})"


def _beyond(position: Position, last: tuple[str, ...]) -> tuple[str, list[str]]:
    """The rows after a position, in a form that uses an index: a comparison of rows would not."""
    values = _values(position, last)
    pairs = [(_compared(column), _literal(column)) for column in position.columns]
    parameters = [values[0], *(text for place in range(len(values)) for text in values[: place + 1])]
    return f"({pairs[0][0]} >= {pairs[0][1]} and {_lexicographic(pairs, '>')})", parameters


def _lexicographic(pairs: list[tuple[str, str]], sign: str) -> str:
    """Compare rows place by place; parameters are wanted in this order: for each place those before it, then its own."""
    ways = []
    for place, (one, other) in enumerate(pairs):
        equal = [f"{left} = {right}" for left, right in pairs[:place]]
        ways.append(" and ".join([*equal, f"{one} {sign} {other}"]))
    return "(" + " or ".join(f"({way})" for way in ways) + ")"


def _from_overlap(position: Position, last: tuple[str, ...]) -> tuple[str, list[str]]:
    """The rows from the overlap on."""
    column, value = position.columns[0], _values(position, last)[0]
    if position.overlap is None:
        return f"{_compared(column)} >= {_literal(column)}", [value]
    if column.category == "D":
        return f"{_named(column)} >= {_literal(column)} - interval %s second", [value, position.overlap]
    return f"{_named(column)} >= cast(%s as decimal(65, 10)) - cast(%s as decimal(65, 10))", [value, position.overlap]
