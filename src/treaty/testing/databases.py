"""A database of its own for one test, on a server that is there already: a schema of PostgreSQL, a database of MariaDB."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Site
from treaty.connectors.mariadb import MariadbConnection as MariadbSettings
from treaty.connectors.mariadb.session import ClientConnection as MariadbConnection
from treaty.connectors.mariadb.session import connect, fetch
from treaty.errors import RetryError
from treaty.sessions.clients import ClientConnection, OperationalError, connect_client, parse_conninfo, sql

DEFAULT = "host=127.0.0.1 port=5432 user=postgres dbname=test"


@dataclass(frozen=True, slots=True)
class TestDatabase:
    """A schema that is dropped when the test is over, and how the connector `postgresql` reaches its server."""

    __test__ = False

    connection: ClientConnection
    schema: str
    settings: dict[str, Any]  # the `connection:` of a system

    def run(self, text: str) -> list[tuple[Any, ...]]:
        """Run statements in the schema and return the last one's rows."""
        found = self.connection.execute(text.encode())
        return found.fetchall() if found.description else []


@contextmanager
def temporary_schema() -> Iterator[TestDatabase | str]:
    """Yield a schema on the server of ``TREATY_TEST_POSTGRES``, or why there is none."""
    conninfo = os.environ.get("TREATY_TEST_POSTGRES", DEFAULT)
    parameters = parse_conninfo(conninfo)
    try:
        connection = connect_client({**parameters, "connect_timeout": "3"})
    except OperationalError as error:
        yield f"no PostgreSQL at {parameters.get('host')}:{parameters.get('port')} ({str(error).strip().splitlines()[-1]})"
        return
    schema = f"treaty_test_{uuid.uuid4().hex[:12]}"
    settings = {"host": parameters["host"], "port": int(parameters.get("port", "5432")), "database": parameters["dbname"], "user": parameters["user"]}
    with connection:
        connection.execute(sql.SQL("create schema {0}; set search_path to {0}").format(sql.Identifier(schema)))
        try:
            yield TestDatabase(connection, schema, settings)
        finally:
            connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))


MARIADB_DEFAULT = "mysql://root@127.0.0.1:3306/test"


@dataclass(frozen=True, slots=True)
class TestMariadb:
    """A MariaDB database that is dropped when the test is over, and how the connector `mariadb` reaches it."""

    __test__ = False

    connection: MariadbConnection
    schema: str
    settings: dict[str, Any]

    def run(self, text: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run statements parted by `;` and a line end; return the last one's rows as texts."""
        found: list[tuple[Any, ...]] = []
        for each in text.split(";\n"):
            found = fetch(self.connection, each, parameters)
        return found


@contextmanager
def temporary_mariadb() -> Iterator[TestMariadb | str]:
    """Yield a database on the server of ``TREATY_TEST_MARIADB`` (``mysql://user:password@host:port/database``), or why there is none."""
    address = urlsplit(os.environ.get("TREATY_TEST_MARIADB", MARIADB_DEFAULT))
    schema = f"treaty_test_{uuid.uuid4().hex[:12]}"
    settings = {"host": address.hostname, "port": address.port or 3306, "database": address.path.strip("/"), "user": address.username}
    if address.password:
        os.environ["TREATY_TEST_MARIADB_PASSWORD"] = address.password
        settings["password"] = "env:TREATY_TEST_MARIADB_PASSWORD"
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(connect(read_configuration(MariadbSettings, settings, "test"), Site(Path("/"))))
        except RetryError as error:
            yield f"no MariaDB at {address.hostname}:{address.port} ({error.message})"
            return
        fetch(connection, f"create database {schema} character set utf8mb4")
        fetch(connection, f"use {schema}")
        try:
            yield TestMariadb(connection, schema, {**settings, "database": schema})
        finally:
            fetch(connection, f"drop database {schema}")
