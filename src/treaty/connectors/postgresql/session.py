"""Connects through the egress gate, looks names up in the catalogue, and says which errors mean what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from treaty.connectors.egress import Destination, ensure_allowed
from treaty.connectors.interface import Site
from treaty.connectors.postgresql import PostgresqlConnection
from treaty.connectors.secrets import redact
from treaty.connectors.tables.catalogue import Column, Table, find_authority
from treaty.connectors.tables.reference import take_apart
from treaty.errors import RetryError, StopError, TreatyError
from treaty.sessions.clients import ClientConnection, DatabaseError, OperationalError, connect_client, parse_conninfo, sql

# Conventions of the session that make every value's text exact and the same everywhere.
SETTINGS = "set datestyle to 'ISO, YMD'; set intervalstyle to 'iso_8601'; set timezone to 'UTC'; set extra_float_digits to 1; set bytea_output to 'hex'"
RETRY_CLASSES = ("08", "40", "53", "57", "58", "25")  # connection, deadlock or serialization, resources, administrator, system, read-only
RETRY_STATES = ("55P03",)  # lock not available
STOP_CLASSES = ("28", "3D", "3F", "42")  # sign-in, database, schema, undefined or forbidden


def connect(connection: PostgresqlConnection, site: Site) -> ClientConnection:
    """Open a connection. Raises StopError for what a person must mend, RetryError for what may pass."""
    connection = take_apart(connection, "postgresql")
    parameters = _embedded(connection.embedded, site) if connection.embedded else _addressed(connection, site)
    try:
        opened = connect_client({**parameters, "connect_timeout": str(connection.connect_seconds)})
    except OperationalError as error:
        raise connection_error(error) from None
    opened.execute(SETTINGS)
    return opened


def _embedded(database: str, site: Site) -> dict[str, str]:
    if site.embedded is None:
        raise StopError("there is no embedded server here.", remedy="Name a host in `connection` instead of `embedded`.")
    return parse_conninfo(site.embedded(database))


def _addressed(connection: PostgresqlConnection, site: Site) -> dict[str, str]:
    if not connection.host or not connection.database:
        raise StopError("the connection names no host or no database.", remedy="Add `host:` and `database:` to `connection`.")
    destination = ensure_allowed(connection.host, connection.port, [(connection.host, connection.port)])
    parameters = {
        "host": destination.host, "hostaddr": destination.address, "port": str(destination.port), "dbname": connection.database,
        **_tls(connection, destination, site),
    }  # fmt: skip
    if connection.user:
        parameters["user"] = connection.user
    if connection.password:
        parameters["password"] = connection.password.reveal()
    return parameters


def _tls(connection: PostgresqlConnection, destination: Destination, site: Site) -> dict[str, str]:
    mode = connection.sslmode or ("prefer" if destination.private else "verify-full")
    if connection.sslrootcert is None:
        return {"sslmode": mode, **({"sslrootcert": "system"} if mode == "verify-full" else {})}
    return {"sslmode": mode, "sslrootcert": find_authority(connection.sslrootcert, "sslrootcert", site)}


def explain_error(error: DatabaseError) -> str:
    """Return the server's own words without secrets."""
    diagnosis = error.diag
    text = diagnosis.message_primary or str(error).strip() or type(error).__name__
    detail = f" ({diagnosis.message_detail})" if diagnosis.message_detail else ""
    return redact(f"{text}{detail}")


def is_data_error(error: DatabaseError) -> bool:
    """Tell whether the row itself is at fault: not the connection, the server or the table."""
    state = error.sqlstate or ""
    return bool(state) and state[:2] not in (*RETRY_CLASSES, *STOP_CLASSES, "XX") and state not in RETRY_STATES


def as_treaty_error(error: DatabaseError) -> TreatyError:
    """Return what an error means to the caller, where no row is at fault."""
    state = error.sqlstate or ""
    if not state or state[:2] in RETRY_CLASSES or state in RETRY_STATES:
        return RetryError(f"PostgreSQL: {explain_error(error)}.", remedy="It is tried again.")
    return StopError(f"PostgreSQL: {explain_error(error)} [{state}].", remedy="Mend the table, the rights or the stream's settings.")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into Treaty's."""
    try:
        yield
    except DatabaseError as error:
        raise as_treaty_error(error) from None


def connection_error(error: OperationalError) -> TreatyError:
    """Return what a refused connection means. Drivers give no SQLSTATE here, only the server's words."""
    lines = [each.strip() for each in str(error).splitlines() if each.strip() and not each.strip().endswith("?")]  # "Is the server running …?" is a guess
    text = redact(lines[-1] if lines else "no answer").rstrip(".")
    if any(each in text for each in ("authentication", "password", "does not exist", "no pg_hba.conf entry", "certificate")):
        return StopError(f"PostgreSQL refused the connection: {text}.", remedy="Mend the system's `connection`.")
    return RetryError(f"PostgreSQL cannot be reached: {text}.", remedy="Check that the server runs.")


# ---- the catalogue


def identifier(table: Table) -> sql.Identifier:
    """Return a table's name, quoted."""
    return sql.Identifier(table.schema, table.name)


def split_name(name: str) -> tuple[str, str]:
    """Return schema and table of ``schema.table``; ``public`` where no schema is named."""
    schema, _, table = name.rpartition(".")
    return schema or "public", table


def find_table(connection: ClientConnection, name: str) -> Table | None:
    """Return the table or view, or None."""
    schema, table = split_name(name)
    rows = connection.execute(
        """
        select a.attname, format_type(a.atttypid, a.atttypmod), t.typcategory
        from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
        join pg_type t on t.oid = a.atttypid
        where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'v', 'm', 'p', 'f') and a.attnum > 0 and not a.attisdropped
        order by a.attnum
        """,
        (schema, table),
    ).fetchall()
    if not rows:
        return None
    key = connection.execute(
        """
        select a.attname from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
        cross join unnest(i.indkey) with ordinality k(number, place) join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
        where n.nspname = %s and c.relname = %s and i.indisprimary order by k.place
        """,
        (schema, table),
    ).fetchall()
    return Table(schema, table, {str(row[0]): Column(str(row[0]), str(row[1]), _text(row[2])) for row in rows}, tuple(str(row[0]) for row in key))


def has_unique_index(connection: ClientConnection, table: Table, key: Sequence[str]) -> bool:
    """Tell whether a unique index is over exactly these columns."""
    rows = connection.execute(
        """
        select array_agg(a.attname::text order by a.attname::text) from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
        where i.indrelid = format('%%I.%%I', %s::text, %s::text)::regclass and i.indisunique and i.indpred is null and i.indexprs is null
        group by i.indexrelid
        """,
        (table.schema, table.name),
    ).fetchall()
    return any(row[0] == sorted(key) for row in rows)


def typed(value: sql.Composable, kind: str) -> sql.Composable:
    """Return a value cast to a type of the catalogue's spelling."""
    return sql.SQL("{}::{}").format(value, sql.SQL(kind))


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
