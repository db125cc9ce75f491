"""The statements that write one batch within a transaction: items into a temporary table, then one statement for each kind of change.

``INSERT … ON DUPLICATE KEY UPDATE`` is not used: it updates whichever row any unique index finds, so a second unique column could make it
overwrite another record. An update by key and an insert of what is not there say what they mean; two writers that insert the same key at
once make one of them fail with a duplicate, and that one is tried again.
"""

from __future__ import annotations

from collections.abc import Sequence

from treaty.connectors.interface import DeliveryItem
from treaty.connectors.mariadb.session import ClientConnection, base_type, fetch, identifier, quote
from treaty.connectors.mariadb.values import parameter_of
from treaty.connectors.tables.catalogue import Table
from treaty.connectors.tables.settings import TableWrite
from treaty.connectors.tables.statements import GuardedUpsert, MessageInsert
from treaty.connectors.tables.writing import FoundRow

TEXT = "longtext character set utf8mb4 collate utf8mb4_bin"


class Items:
    """The temporary table of the items: its columns have the target's types, so that loading tells which value does not fit."""

    def __init__(self, connection: ClientConnection, table: Table, columns: Sequence[str], key_type: str = TEXT) -> None:
        self._connection = connection
        self.columns = tuple(columns)
        fields = [f"c{number} {table.columns[name].type.replace('%%', '%')} null" for number, name in enumerate(self.columns)]
        told = ["item integer", f"delivery_key {key_type}", "version bigint", "op varchar(10)", f"message_id {TEXT}", "due boolean not null default true"]
        fetch(connection, f"create temporary table treaty_items ({', '.join([*told, *fields])})")
        places = ", ".join(["%s"] * (5 + len(fields)))
        names = ", ".join(["item", "delivery_key", "version", "op", "message_id", *(f"c{number}" for number in range(len(fields)))])
        self._insert = f"insert into treaty_items ({names}) values ({places})"

    def load(self, items: Sequence[DeliveryItem], key: Sequence[str] = ()) -> None:
        """Replace what is there by these items. Raises ValueError for what cannot be written."""
        rows = []
        for number, item in enumerate(items):
            if any(item.fields.get(name) is None for name in key):
                raise ValueError(f"a key column is null ({', '.join(key)}), so the row could not be found again")
            values = [parameter_of(item.fields.get(name)) for name in self.columns]
            rows.append((number, parameter_of(item.delivery_key), item.version, item.op, item.message_id, *values))
        fetch(self._connection, "delete from treaty_items")
        with self._connection.cursor() as cursor:
            cursor.executemany(self._insert, rows)


class Upsert(GuardedUpsert):
    """Upserts, deletes and archives."""

    def __init__(
        self, connection: ClientConnection, table: Table, columns: tuple[str, ...], key: tuple[str, ...], write: TableWrite, side: Table | None
    ) -> None:
        super().__init__(table, columns, key, write, side)
        self._connection = connection
        key_type = side.columns["delivery_key"].type if side is not None else TEXT
        self._items = Items(connection, table, self._columns, key_type)
        self._matches = " and ".join(f"t.{quote(name)} = i.{self._place(name)}" for name in key)
        version = f"t.{quote(write.version_column)}"
        self._newer = "i.due" if side is not None else f"({version} is null or {version} < i.version)"

    def _load(self, items: Sequence[DeliveryItem]) -> None:
        self._items.load(items, self._key)

    def _place(self, name: str) -> str:
        return f"c{self._columns.index(name)}"

    def _run(self, statement: str) -> None:
        fetch(self._connection, statement, ())  # with parameters, though none: quoted names hold %% for %

    def _advance_side(self, side: Table) -> None:
        name = identifier(side)
        self._run("update treaty_items set due = false")
        self._run(f"select 1 from {name} s join treaty_items i on s.delivery_key = i.delivery_key for update")
        self._run(
            f"update treaty_items i left join {name} s on s.delivery_key = i.delivery_key set i.due = s.version is null or i.version > s.version"
        )
        self._run(
            f"update {name} s join treaty_items i on s.delivery_key = i.delivery_key set s.version = i.version, s.deleted = (i.op = 'delete') where i.due"
        )
        self._run(
            f"insert into {name} (delivery_key, version, deleted) select i.delivery_key, i.version, i.op = 'delete' from treaty_items i "
            f"left join {name} s on s.delivery_key = i.delivery_key where s.delivery_key is null"
        )

    def _upsert(self) -> None:
        names = self._columns
        sets = [f"t.{quote(name)} = i.{self._place(name)}" for name in names if name not in self._key]
        into, values = [quote(name) for name in names], [f"i.{self._place(name)}" for name in names]
        if self._side is None:
            sets.append(f"t.{quote(self._write.version_column)} = i.version")
            into.append(quote(self._write.version_column))
            values.append("i.version")
        if sets:
            self._run(
                f"update {identifier(self._table)} t join treaty_items i on {self._matches} set {', '.join(sets)} where i.op = 'upsert' and {self._newer}"
            )
        self._run(
            f"insert into {identifier(self._table)} ({', '.join(into)}) select {', '.join(values)} from treaty_items i "
            f"left join {identifier(self._table)} t on {self._matches} where i.op = 'upsert' and i.due and t.{quote(self._key[0])} is null order by i.item"
        )

    def _delete(self) -> None:
        self._run(f"delete t from {identifier(self._table)} t join treaty_items i on {self._matches} where i.op = 'delete' and {self._newer}")

    def _archive(self) -> None:
        column = self._table.find(self._write.archive_column, "archive_column")
        sets = [f"t.{quote(column.name)} = {'utc_timestamp(6)' if column.category == 'D' else 'true'}"]
        if self._side is None:
            sets.append(f"t.{quote(self._write.version_column)} = i.version")
        self._run(
            f"update {identifier(self._table)} t join treaty_items i on {self._matches} set {', '.join(sets)} where i.op = 'archive' and {self._newer}"
        )

    def _found(self) -> dict[int, FoundRow]:
        remote = f"t.{quote(self._write.id_column)}" if self._write.id_column else "null"
        version = f"t.{quote(self._write.version_column)}"
        join = ""
        if self._side is not None:
            version, join = "s.version", f"left join {identifier(self._side)} s on s.delivery_key = i.delivery_key"
        texts = [name for name in self._key if base_type(self._table.columns[name]) in ("char", "varchar", "text", "tinytext", "mediumtext", "longtext")]
        same = " and ".join(f"hex(t.{quote(name)}) = hex(i.{self._place(name)})" for name in texts) or "true"
        rows = fetch(
            self._connection,
            f"select i.item, {version}, {remote}, t.{quote(self._key[0])} is not null, t.{quote(self._key[0])} is null or ({same}) from treaty_items i {join} "
            f"left join {identifier(self._table)} t on {self._matches}",
            (),
        )
        if any(str(row[4]) == "0" for row in rows):
            raise ValueError("another row has this key in other letters, and the table's collation does not tell them apart")
        return {
            int(row[0]): FoundRow(None if row[1] is None else int(row[1]), None if row[2] is None else str(row[2]), str(row[3]) == "1") for row in rows
        }


class Insert(MessageInsert):
    """Inserts that may come twice."""

    def __init__(self, connection: ClientConnection, table: Table, columns: tuple[str, ...], write: TableWrite, unique_message: bool) -> None:
        super().__init__(table, columns, write, unique_message)
        self._connection = connection
        self._items = Items(connection, table, columns)

    def _load(self, items: Sequence[DeliveryItem]) -> None:
        self._items.load(items)

    def _insert(self) -> None:
        into = [quote(name) for name in self._columns]
        values = [f"i.c{number}" for number in range(len(into))]
        where = ""
        if self._message is not None:
            into.append(quote(self._message))
            values.append("i.message_id")
            if self._unique:
                name = f"t.{quote(self._message)}"
                where = f"left join {identifier(self._table)} t on {name} = i.message_id where {name} is null"
        fetch(
            self._connection,
            f"insert into {identifier(self._table)} ({', '.join(into)}) select {', '.join(values)} from treaty_items i {where} order by i.item",
            (),
        )
