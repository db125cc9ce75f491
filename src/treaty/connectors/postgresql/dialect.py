"""A read's questions in PostgreSQL's words."""

from __future__ import annotations

from collections.abc import Iterator

from treaty.connectors.postgresql.session import identifier, typed
from treaty.connectors.tables.catalogue import Column, Table
from treaty.connectors.tables.positions import Position, Window
from treaty.sessions.clients import ClientConnection, sql

COMMA = sql.SQL(", ")


class PostgresqlDialect:
    """Puts them within the connection's transaction."""

    def __init__(self, connection: ClientConnection, table: Table, columns: tuple[str, ...]) -> None:
        self._connection = connection
        self._table = table
        self._columns = columns

    def everything(self) -> Iterator[bytes]:
        """Give all rows."""
        order = self._table.primary_key or self._columns
        casts = {name: "" if self._table.columns[name].category in "BDNS" else "::text" for name in order}
        by = COMMA.join(sql.SQL("{}" + casts[name]).format(_named(name)) for name in order)
        return self._copy(sql.SQL("select {} from {} t order by {}").format(self._texts(), identifier(self._table), by))

    def without_position(self, position: Position) -> Iterator[bytes]:
        """Give the rows that have none."""
        return self._copy(
            sql.SQL("select {} from {} t where not ({}) order by {}").format(
                self._texts(), identifier(self._table), _regular(position), _order(position)
            )
        )

    def page(self, position: Position, after: tuple[str, ...] | None, page_rows: int, *, overlap: bool) -> Iterator[bytes]:
        """Give the next rows."""
        beyond: sql.Composable = sql.SQL("true")
        if after is not None:
            beyond = _from_overlap(position, after) if overlap else _beyond(position, after)
        ties = sql.SQL("only" if len(position.names) > 1 else "with ties")
        return self._copy(
            sql.SQL("select {} from {} t where {} and {} order by {} fetch first {} rows {}").format(
                self._texts(), identifier(self._table), _regular(position), beyond, _order(position), sql.Literal(page_rows), ties
            )
        )

    def look(self, position: Position, last: tuple[str, ...], after: tuple[str, ...] | None) -> tuple[bool, bool]:
        """Tell whether there are rows beyond, and whether the position went back."""
        before: sql.Composable = sql.SQL("false")
        if after is not None:
            before = sql.SQL("({}) < ({})").format(COMMA.join(_literals(position, last)), COMMA.join(_literals(position, after)))
        row = self._connection.execute(
            sql.SQL("select exists (select from {} t where {} and {}), {}").format(
                identifier(self._table), _regular(position), _beyond(position, last), before
            )
        ).fetchone()
        return (bool(row[0]), bool(row[1])) if row else (False, False)

    def window(self, position: Position, last: tuple[str, ...]) -> Window:
        """Count and digest the overlap."""
        texts = sql.SQL(" || ',' || ").join(
            sql.SQL("coalesce(md5({}), '')").format(_text_of(self._table.columns[name])) for name in self._columns
        )
        query = sql.SQL("select count(*), md5(string_agg(md5({}), '' order by {})) from {} t where {} and {} and not {}").format(
            texts, _order(position), identifier(self._table), _regular(position), _from_overlap(position, last), _beyond(position, last)
        )
        row = self._connection.execute(query).fetchone()
        return Window(int(row[0]), str(row[1] or "")) if row else Window(0, "")

    def _texts(self) -> sql.Composable:
        return COMMA.join(sql.SQL("{} as {}").format(_text_of(self._table.columns[name]), sql.Identifier(name)) for name in self._columns)

    def _copy(self, query: sql.Composable) -> Iterator[bytes]:
        statement = sql.SQL("copy ({}) to stdout (format csv, header, force_quote *)").format(query)
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for piece in copy:
                yield bytes(piece)


def _named(name: str) -> sql.Composable:
    """Return the column of the table: a bare name in ORDER BY would be the text of the select list, where 10 comes before 9."""
    return sql.Identifier("t", name)


def _regular(position: Position) -> sql.Composable:
    """The rows that have a position."""
    parts = [sql.SQL("{} is not null").format(_named(name)) for name in position.names]
    if position.columns[0].category == "D":
        parts.append(sql.SQL("isfinite({})").format(_named(position.names[0])))
    return sql.SQL("({})").format(sql.SQL(" and ").join(parts))


def _order(position: Position) -> sql.Composable:
    return COMMA.join(map(_named, position.names))


def _beyond(position: Position, last: tuple[str, ...]) -> sql.Composable:
    """The rows after a position."""
    return sql.SQL("({}) > ({})").format(_order(position), COMMA.join(_literals(position, last)))


def _from_overlap(position: Position, last: tuple[str, ...]) -> sql.Composable:
    """The rows from the overlap on."""
    low: sql.Composable = _literals(position, last)[0]
    if position.overlap is not None:
        amount: sql.Composable = sql.SQL("{}::numeric").format(sql.Literal(position.overlap))
        if position.columns[0].category == "D":
            amount = sql.SQL("{}::interval").format(sql.Literal(f"{position.overlap} seconds"))
        elif position.overlap.isdecimal():
            amount = sql.Literal(int(position.overlap))
        low = sql.SQL("{} - {}").format(low, amount)
    return sql.SQL("{} >= {}").format(_named(position.names[0]), low)


def _literals(position: Position, last: tuple[str, ...]) -> list[sql.Composable]:
    return [typed(sql.Literal(value), column.type) for column, value in zip(position.columns, last, strict=True)]


def _text_of(column: Column) -> sql.Composable:
    """Return the expression of a column's exact text: ISO 8601 with zone for instants, JSON for arrays."""
    if column.category == "A":
        form = "array_to_json({})::text"
    elif column.category == "D" and column.type.startswith("timestamp"):
        form = "to_jsonb({}) #>> '{{}}'"
    else:
        form = "{}::text"
    return sql.SQL(form).format(_named(column.name))
