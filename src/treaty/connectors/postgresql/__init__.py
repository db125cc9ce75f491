"""The connector ``postgresql``: reads tables as they are or as they grow, writes them by upsert or insert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Connector, Site
from treaty.connectors.secrets import Secret
from treaty.project.declarations import System, declared

if TYPE_CHECKING:
    from treaty.connectors.postgresql.sink import PostgresqlSink
    from treaty.connectors.postgresql.source import PostgresqlSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresqlConnection:
    """``connection:`` of a PostgreSQL database. Nothing else of libpq's parameters can be set."""

    host: str | None = declared("name or address of the server; its port and it are all that is reached", default=None, example="db.example.com")
    port: int = declared("the server's port", default=5432)
    database: str | None = declared("the database", default=None, example="billing")
    user: str | None = declared("the user", default=None, example="env:BILLING_USER")
    password: Secret | None = declared("the user's password, as a reference", default=None, example="env:BILLING_PASSWORD", secret=True)
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = declared(
        "how TLS is used; verify-full, but prefer on a private network that the installation lists", default=None
    )
    sslrootcert: str | None = declared("a file in the project with the authorities to trust; else the system's", default=None, example="billing-ca.pem")
    connect_seconds: int = declared("how long to wait for a connection", default=10)
    lock_seconds: int = declared("sinks: how long to wait for another's lock", default=10)
    embedded: str | None = declared("a database on Treaty's own server instead of a host: for demonstrations", default=None, example="ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresqlRead:
    """``read:`` of a stream: a table or view, whole or from a position on."""

    table: str = declared("the table or view, with its schema", example="public.customer")
    columns: tuple[str, ...] = declared("the columns to read; all where none are named", default=(), example=["id", "email", "updated_at"])
    cursor: str | None = declared(
        "a column that grows with each change: only what is beyond it is read; without one the whole table is", default=None, example="updated_at"
    )
    key: tuple[str, ...] = declared("columns that part rows of one cursor value; the primary key where none are named", default=())
    overlap: str | None = declared(
        "how far behind the last position rows may appear late: a duration, or a number for a cursor of numbers; 5m or 1000 where not given",
        default=None, example="15m",
    )  # fmt: skip
    page_rows: int = declared("rows of one arrival", default=50_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresqlWrite:
    """``write:`` of a stream: a table with a unique key over the mapping's key columns."""

    table: str = declared("the table, with its schema", example="ledger.invoice")
    version_column: str = declared("a bigint column that holds the golden version written last", default="treaty_version")
    side_table: str | None = declared(
        "a table (delivery_key text primary key, version bigint, deleted boolean) that holds the versions instead of a column",
        default=None, example="ledger.treaty_delivered",
    )  # fmt: skip
    archive_column: str = declared("the boolean or timestamp column that marks an archived row", default="archived")
    id_column: str | None = declared("a column whose value is the sink's own id of the row", default=None, example="id")
    message_column: str = declared("at-least-once: the column for the message's id, used if it is there", default="message_id")
    create: bool = declared("make the table if it is missing", default=False)


def _configure(system: System) -> PostgresqlConnection:
    return read_configuration(PostgresqlConnection, system.connection, f"systems/{system.name}, connection")


def open_postgresql_source(system: System, site: Site) -> PostgresqlSource:
    """Open a database for reading; it is connected to when it is first read."""
    from treaty.connectors.postgresql.source import PostgresqlSource

    return PostgresqlSource(_configure(system), site)


def open_postgresql_sink(system: System, site: Site) -> PostgresqlSink:
    """Open a database for writing; it is connected to when it is first written."""
    from treaty.connectors.postgresql.sink import PostgresqlSink

    return PostgresqlSink(_configure(system), site)


CONNECTOR = Connector(
    kind="postgresql", connection=PostgresqlConnection, read=PostgresqlRead, write=PostgresqlWrite,
    open_source=open_postgresql_source, open_sink=open_postgresql_sink, modes=frozenset({"upsert", "at-least-once"}),
)  # fmt: skip
