"""A PostgreSQL schema of its own for one test, on a server that is there already."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

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
