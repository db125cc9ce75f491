"""Connects through the egress gate, looks names up in the catalogue, and says which errors mean what."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import pymysql
from pymysql.connections import Connection
from pymysql.converters import encoders

from treaty.connectors.egress import Destination, ensure_allowed
from treaty.connectors.interface import Site
from treaty.connectors.mariadb import MariadbConnection
from treaty.connectors.secrets import redact
from treaty.connectors.tables.catalogue import Column, Table, find_authority
from treaty.connectors.tables.reference import take_apart
from treaty.errors import RetryError, StopError, TreatyError

ClientConnection: TypeAlias = "Connection[Any]"
DatabaseError = pymysql.MySQLError

# Strict: what does not fit a column is an error, never cut short. Every text is UTF-8 of four bytes, every instant UTC.
SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
PLAIN: Any = dict(encoders)  # no decoders: values come as the server writes them
SETTINGS = "set session time_zone = '+00:00'"
ISOLATION = "set session transaction isolation level read committed"  # for writing: no locks on the gaps between keys

DUPLICATE = 1062
# The row is at fault: null, duplicate, range, truncation, wrong text or date, foreign key, check, JSON, a trigger's SIGNAL, packet size …
ROW_CODES = frozenset({
    1048, DUPLICATE, 1138, 1153, 1216, 1217, 1263, 1264, 1265, 1292, 1364, 1365, 1366, 1367, 1406, 1411, 1416, 1441, 1451, 1452, 1525, 1526,
    1557, 1586, 1644, 1690, 1748, 3140, 3141, 3156, 3819, 3903, 4025, 4038,
})  # fmt: skip
# It may pass: locks, deadlocks, other writers, resources, shutdown, failover to or from a read-only server, lost connections.
RETRY_CODES = frozenset({
    1020, 1021, 1037, 1038, 1040, 1041, 1043, 1047, 1053, 1077, 1078, 1079, 1080, 1105, 1114, 1152, 1158, 1159, 1160, 1161, 1180, 1181, 1184,
    1203, 1205, 1206, 1213, 1226, 1290, 1297, 1317, 1412, 1429, 1613, 1614, 1637, 1792, 1836, 1927, 1969, 3024, 3058, 3101, 3572, 4031,
})  # fmt: skip


@contextmanager
def connect(connection: MariadbConnection, site: Site) -> Iterator[ClientConnection]:
    """Open a connection, and close it. Raises StopError for what a person must mend, RetryError for what may pass."""
    connection = take_apart(connection, "mariadb")
    for name in ("host", "database", "user"):
        if not getattr(connection, name):
            raise StopError(f"the connection names no {name}.", remedy=f"Add `{name}:` to `connection`, or give the whole address by `url:`.")
    assert connection.host is not None
    destination = ensure_allowed(connection.host, connection.port, [(connection.host, connection.port)])
    password = connection.password.reveal() if connection.password else ""
    try:
        opened: ClientConnection = Connection(
            host=destination.host, port=destination.port, user=connection.user, password=password.encode(), database=connection.database,
            charset="utf8mb4", sql_mode=SQL_MODE, init_command=SETTINGS, autocommit=True, local_infile=False, conv=PLAIN, defer_connect=True,
            connect_timeout=connection.connect_seconds, read_timeout=connection.answer_seconds, write_timeout=connection.answer_seconds,
            program_name="treaty", **_tls(connection, destination, site),
        )  # fmt: skip
        reached = socket.create_connection((destination.address, destination.port), connection.connect_seconds)
        reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.connect(reached)  # to the address that was judged; its name is for the certificate
        fetch(opened, ISOLATION)
    except OSError as error:
        raise RetryError(f"MariaDB cannot be reached: {error.strerror or error}.", remedy="Check that the server runs.") from None
    except (DatabaseError, RuntimeError) as error:  # RuntimeError: a way to sign in that needs TLS or another package
        raise _connection_error(error) from None
    try:
        yield opened
    finally:
        if opened.open:
            opened._force_close()  # type: ignore[attr-defined]  # no farewell: it may hold a result that nobody will read


def _tls(connection: MariadbConnection, destination: Destination, site: Site) -> dict[str, Any]:
    mode = connection.tls or ("prefer" if destination.private else "verify-full")
    if mode == "disable":
        return {"ssl_disabled": True}
    if mode == "prefer":
        return {}
    authority = find_authority(connection.tls_ca, "tls_ca", site) if connection.tls_ca else None
    context = ssl.create_default_context(cafile=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


def code_of(error: Exception) -> int:
    """Return the server's number of an error, 0 where it is the driver's own."""
    code = error.args[0] if error.args else 0
    return code if isinstance(code, int) else 0


def explain_error(error: Exception) -> str:
    """Return the server's own words without secrets."""
    return redact(str(error.args[-1] if error.args else error).rstrip(".") or type(error).__name__)


def is_row_error(error: DatabaseError) -> bool:
    """Tell whether the row itself is at fault: not the connection, the server or the table."""
    return code_of(error) in ROW_CODES


def as_treaty_error(error: DatabaseError) -> TreatyError:
    """Return what an error means to the caller, where no row is at fault."""
    code = code_of(error)
    if code in RETRY_CODES or code == 0 or 2000 <= code < 3000:
        return RetryError(f"MariaDB: {explain_error(error)} [{code}].", remedy="It is tried again.")
    return StopError(f"MariaDB: {explain_error(error)} [{code}].", remedy="Mend the table, the rights or the stream's settings.")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into Treaty's."""
    try:
        yield
    except DatabaseError as error:
        raise as_treaty_error(error) from None


def _connection_error(error: Exception) -> TreatyError:
    certificate = "certificate" in str(error) or isinstance(error, RuntimeError) or "SSL is required" in str(error)
    code = code_of(error)
    if certificate or not (code in RETRY_CODES or code == 0 or 2000 <= code < 3000):
        return StopError(f"MariaDB refused the connection: {explain_error(error)} [{code}].", remedy="Mend the system's `connection`.")
    return RetryError(f"MariaDB cannot be reached: {explain_error(error)} [{code}].", remedy="Check that the server runs.")


def fetch(connection: ClientConnection, statement: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows; values are texts as the server writes them."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def quote(name: str) -> str:
    """Return a name from the catalogue, quoted; fit for statements with parameters."""
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"


def identifier(table: Table) -> str:
    """Return a table's name, quoted."""
    return f"{quote(table.schema)}.{quote(table.name)}"


# ---- the catalogue

CATEGORIES = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "bit", "year"), "N"),
    **dict.fromkeys(("date", "datetime", "timestamp"), "D"),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "binary", "varbinary"), "S"),
}


def base_type(column: Column) -> str:
    """Return a column's type without length, sign and the like."""
    return column.type.partition("(")[0].partition(" ")[0]


def find_table(connection: ClientConnection, name: str) -> Table | None:
    """Return the table or view, of the connection's database unless another is named, or None."""
    schema, _, table = name.rpartition(".")
    schema = schema or str(fetch(connection, "select database()")[0][0])
    rows = fetch(
        connection,
        "select column_name, column_type, character_set_name, collation_name from information_schema.columns"
        " where table_schema = %s and table_name = %s order by ordinal_position",
        (schema, table),
    )
    if not rows:
        return None
    columns = {}
    for column, kind, characters, collation in rows:
        base = kind.partition("(")[0].partition(" ")[0]
        written = kind.replace("%", "%%") + (f" character set {characters} collate {collation}" if characters else "")
        columns[column] = Column(column, written, CATEGORIES.get(base, "U"))
    key = fetch(
        connection,
        "select column_name from information_schema.statistics where table_schema = %s and table_name = %s and index_name = 'PRIMARY' order by seq_in_index",
        (schema, table),
    )
    return Table(schema, table, columns, tuple(str(row[0]) for row in key))


def has_unique_index(connection: ClientConnection, table: Table, key: Sequence[str]) -> bool:
    """Tell whether a unique index is over exactly these columns, whole."""
    rows = fetch(
        connection,
        "select index_name, column_name, sub_part from information_schema.statistics where table_schema = %s and table_name = %s and non_unique = 0",
        (table.schema, table.name),
    )
    indexes: dict[str, list[str]] = {}
    for index, column, part in rows:
        indexes.setdefault(index, []).append(str(column) if part is None else "")
    return any(sorted(columns) == sorted(key) for columns in indexes.values())
