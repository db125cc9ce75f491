"""The connector ``mariadb``: tables of MariaDB and MySQL, read as they are or as they grow, written by upsert or insert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Connector, Site
from treaty.connectors.secrets import Secret
from treaty.connectors.tables.settings import TableRead, TableWrite
from treaty.project.declarations import System, declared

if TYPE_CHECKING:
    from treaty.connectors.mariadb.sink import MariadbSink
    from treaty.connectors.mariadb.source import MariadbSource


@dataclass(frozen=True, slots=True, kw_only=True)
class MariadbConnection:
    """``connection:`` of a MariaDB or MySQL database. No option file is read, and no file of this machine is ever sent."""

    url: Secret | None = declared(
        "host, port, database, user and password together, as a reference to a text mariadb://user:password@host:port/database; instead of them", default=None,
        example="env:SHOP_URL", secret=True,
    )  # fmt: skip
    host: str | None = declared("name or address of the server; its port and it are all that is reached", default=None, example="shop.example.com")
    port: int = declared("the server's port", default=3306)
    database: str | None = declared("the database; tables of others are named `database.table`", default=None, example="shop")
    user: str | None = declared("the user", default=None, example="env:SHOP_USER")
    password: Secret | None = declared("the user's password, as a reference", default=None, example="env:SHOP_PASSWORD", secret=True)
    tls: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] | None = declared(
        "how TLS is used; verify-full, but prefer on a private network that the installation lists", default=None
    )
    tls_ca: str | None = declared("a file in the project with the authorities to trust; else the system's", default=None, example="shop-ca.pem")
    connect_seconds: int = declared("how long to wait for a connection", default=10)
    answer_seconds: int = declared("how long to wait for an answer to one statement", default=300)
    lock_seconds: int = declared("sinks: how long to wait for another's lock", default=10)


def _configure(system: System) -> MariadbConnection:
    return read_configuration(MariadbConnection, system.connection, f"systems/{system.name}, connection")


def open_mariadb_source(system: System, site: Site) -> MariadbSource:
    """Open a database for reading; it is connected to when it is first read."""
    from treaty.connectors.mariadb.source import MariadbSource

    return MariadbSource(_configure(system), site)


def open_mariadb_sink(system: System, site: Site) -> MariadbSink:
    """Open a database for writing; it is connected to when it is first written."""
    from treaty.connectors.mariadb.sink import MariadbSink

    return MariadbSink(_configure(system), site)


CONNECTOR = Connector(
    kind="mariadb", connection=MariadbConnection, read=TableRead, write=TableWrite,
    open_source=open_mariadb_source, open_sink=open_mariadb_sink, modes=frozenset({"upsert", "at-least-once"}), looks_up=True,
)  # fmt: skip
