"""The connector ``postgresql``: reads tables as they are or as they grow, writes them by upsert or insert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Connector, Site
from treaty.connectors.secrets import Secret
from treaty.connectors.tables.settings import TableRead, TableWrite
from treaty.project.declarations import System, declared

if TYPE_CHECKING:
    from treaty.connectors.postgresql.sink import PostgresqlSink
    from treaty.connectors.postgresql.source import PostgresqlSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresqlConnection:
    """``connection:`` of a PostgreSQL database. Nothing else of libpq's parameters can be set."""

    url: Secret | None = declared(
        "host, port, database, user and password together, as a reference to a text postgresql://user:password@host:port/database; instead of them", default=None,
        example="env:BILLING_URL", secret=True,
    )  # fmt: skip
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
    kind="postgresql", connection=PostgresqlConnection, read=TableRead, write=TableWrite,
    open_source=open_postgresql_source, open_sink=open_postgresql_sink, modes=frozenset({"upsert", "at-least-once"}), looks_up=True,
)  # fmt: skip
