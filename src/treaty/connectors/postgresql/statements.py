"""The statements that write one batch within a transaction: COPY into a temporary table, then one statement for each kind of change."""

from __future__ import annotations

from collections.abc import Sequence

from treaty.connectors.interface import DeliveryItem
from treaty.connectors.postgresql.session import identifier, typed
from treaty.connectors.postgresql.values import value_text
from treaty.connectors.tables.catalogue import Table
from treaty.connectors.tables.settings import TableWrite
from treaty.connectors.tables.statements import GuardedUpsert, MessageInsert
from treaty.connectors.tables.writing import FoundRow
from treaty.sessions.clients import ClientConnection, sql

ITEMS = sql.Identifier("treaty_items")  # temporary: dropped at the end of the transaction
COMMA = sql.SQL(", ")
AND = sql.SQL(" and ")


def _load(connection: ClientConnection, table: Table, columns: Sequence[str], items: Sequence[DeliveryItem]) -> None:
    """Copy the items as texts: number, key, version, operation, message, then a column for each field."""
    fields = [sql.SQL("{} text").format(sql.Identifier(f"c{number}")) for number in range(len(columns))]
    connection.execute(
        sql.SQL("create temp table {} ({}) on commit drop").format(
            ITEMS,
            COMMA.join([*map(sql.SQL, ("item integer", "delivery_key text", "version bigint", "op text", "message_id text")), *fields]),
        )
    )
    types = [table.columns[name].type for name in columns]
    with connection.cursor() as cursor, cursor.copy(sql.SQL("copy {} from stdin").format(ITEMS)) as copy:
        for number, item in enumerate(items):
            values = [value_text(item.fields.get(name), kind) for name, kind in zip(columns, types, strict=True)]
            copy.write_row((number, value_text(item.delivery_key, "text"), item.version, item.op, item.message_id, *values))


def _cast(table: Table, columns: Sequence[str], number: int) -> sql.Composable:
    return typed(sql.Identifier("i", f"c{number}"), table.columns[columns[number]].type)


class Upsert(GuardedUpsert):
    """Upserts, deletes and archives."""

    def __init__(
        self, connection: ClientConnection, table: Table, columns: tuple[str, ...], key: tuple[str, ...], write: TableWrite, side: Table | None
    ) -> None:
        super().__init__(table, columns, key, write, side)
        self._connection = connection

    def _load(self, items: Sequence[DeliveryItem]) -> None:
        _load(self._connection, self._table, self._columns, items)

    def _matches(self) -> sql.Composable:
        """The row of an item: equal in all key columns."""
        parts = [sql.SQL("t.{} = {}").format(sql.Identifier(name), _cast(self._table, self._columns, self._columns.index(name))) for name in self._key]
        return AND.join(parts)

    def _newer(self, version: sql.Composable) -> sql.Composable:
        """Whether the item is newer than what is there; the side table has already decided where there is one."""
        if self._side is not None:
            return sql.SQL("true")
        there = sql.Identifier("t", self._write.version_column)
        return sql.SQL("({0} is null or {0} < {1})").format(there, version)

    def _wanted(self, op: str) -> sql.Composable:
        wanted = sql.SQL("i.op = {}").format(sql.Literal(op))
        if self._side is None:
            return wanted
        return sql.SQL("{} and i.item in (select item from treaty_advanced)").format(wanted)

    def _advance_side(self, side: Table) -> None:
        self._connection.execute(
            sql.SQL(
                """
                create temp table treaty_advanced on commit drop as select item from {items} limit 0;
                with advanced as (
                    insert into {side} as s (delivery_key, version, deleted) select delivery_key, version, op = 'delete' from {items}
                    on conflict (delivery_key) do update set version = excluded.version, deleted = excluded.deleted
                    where excluded.version > s.version returning delivery_key
                )
                insert into treaty_advanced select i.item from {items} i join advanced using (delivery_key)
                """
            ).format(items=ITEMS, side=identifier(side))
        )

    def _upsert(self) -> None:
        names = [sql.Identifier(name) for name in self._columns]
        values = [_cast(self._table, self._columns, number) for number in range(len(self._columns))]
        changed = [name for name in self._columns if name not in self._key]
        if self._side is None:
            names.append(sql.Identifier(self._write.version_column))
            values.append(sql.SQL("i.version"))
            changed.append(self._write.version_column)
        sets = COMMA.join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed)
        conflict: sql.Composable = sql.SQL("do update set {} where {}").format(sets, self._newer(sql.Identifier("excluded", self._write.version_column)))
        if not changed:
            conflict = sql.SQL("do nothing")
        self._connection.execute(
            sql.SQL("insert into {} as t ({}) select {} from {} i where {} on conflict ({}) {}").format(
                identifier(self._table), COMMA.join(names), COMMA.join(values), ITEMS, self._wanted("upsert"), COMMA.join(map(sql.Identifier, self._key)), conflict
            )
        )  # fmt: skip

    def _delete(self) -> None:
        self._connection.execute(
            sql.SQL("delete from {} t using {} i where {} and {} and {}").format(
                identifier(self._table), ITEMS, self._wanted("delete"), self._matches(), self._newer(sql.SQL("i.version"))
            )
        )

    def _archive(self) -> None:
        column = self._table.find(self._write.archive_column, "archive_column")
        sets = [sql.SQL("{} = {}").format(sql.Identifier(column.name), sql.SQL("true" if column.category == "B" else "transaction_timestamp()"))]
        if self._side is None:
            sets.append(sql.SQL("{} = i.version").format(sql.Identifier(self._write.version_column)))
        self._connection.execute(
            sql.SQL("update {} t set {} from {} i where {} and {} and {}").format(
                identifier(self._table), COMMA.join(sets), ITEMS, self._wanted("archive"), self._matches(), self._newer(sql.SQL("i.version"))
            )
        )

    def _found(self) -> dict[int, FoundRow]:
        remote = typed(sql.Identifier("t", self._write.id_column) if self._write.id_column else sql.SQL("null"), "text")
        if self._side is None:
            version, join = sql.Identifier("t", self._write.version_column), sql.Composed([])
        else:
            version, join = sql.Identifier("s", "version"), sql.SQL("left join {} s using (delivery_key)").format(identifier(self._side))
        rows = self._connection.execute(
            sql.SQL("select i.item, {}, {}, {} is not null from {} i {} left join {} t on {}").format(
                version, remote, sql.Identifier("t", self._key[0]), ITEMS, join, identifier(self._table), self._matches()
            )
        ).fetchall()
        return {int(row[0]): FoundRow(row[1], row[2], row[3]) for row in rows}


class Insert(MessageInsert):
    """Inserts that may come twice."""

    def __init__(self, connection: ClientConnection, table: Table, columns: tuple[str, ...], write: TableWrite, unique_message: bool) -> None:
        super().__init__(table, columns, write, unique_message)
        self._connection = connection

    def _load(self, items: Sequence[DeliveryItem]) -> None:
        _load(self._connection, self._table, self._columns, items)

    def _insert(self) -> None:
        names = [sql.Identifier(name) for name in self._columns]
        values = [_cast(self._table, self._columns, number) for number in range(len(self._columns))]
        if self._message is not None:
            names.append(sql.Identifier(self._message))
            values.append(typed(sql.SQL("i.message_id"), self._table.columns[self._message].type))
        conflict: sql.Composable = sql.SQL("on conflict ({}) do nothing").format(sql.Identifier(self._message)) if self._message and self._unique else sql.SQL("")
        self._connection.execute(
            sql.SQL("insert into {} ({}) select {} from {} i order by i.item {}").format(
                identifier(self._table), COMMA.join(names), COMMA.join(values), ITEMS, conflict
            )
        )
