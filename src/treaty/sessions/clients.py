"""PostgreSQL databases of other applications: opened here, used by the connector ``postgresql``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

ClientConnection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
DatabaseError = psycopg.Error
OperationalError = psycopg.OperationalError

__all__ = ["ClientConnection", "DatabaseError", "OperationalError", "TransactionStatus", "connect_client", "parse_conninfo", "sql"]


def connect_client(parameters: Mapping[str, str]) -> ClientConnection:
    """Connect with these parameters and nothing else: no service, password or certificate file of the environment's user is read.

    Each statement is its own transaction unless one is begun. Raises OperationalError.
    """
    closed = {"passfile": "/dev/null/none", "sslcert": "", "sslkey": "", "gssencmode": "disable", "application_name": "treaty"}
    return psycopg.connect(make_conninfo(**{**closed, **parameters}), autocommit=True, prepare_threshold=None)


def parse_conninfo(conninfo: str) -> dict[str, str]:
    """Return the parameters of a connection string."""
    return {key: str(value) for key, value in conninfo_to_dict(conninfo).items() if value is not None}
