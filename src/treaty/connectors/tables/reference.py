"""A database by reference: a whole URL behind a secret reference, taken apart when it is connected to."""

from __future__ import annotations

import dataclasses
from typing import Protocol, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from treaty.connectors.secrets import Secret, note_revealed
from treaty.errors import UsageError

CONNECTORS = {"postgresql": "postgresql", "postgres": "postgresql", "mariadb": "mariadb", "mysql": "mariadb"}
"""The connector of each scheme of a URL."""


class Addressed(Protocol):
    """``connection:`` of a database: a URL by reference, or its parts ``host``, ``port``, ``database``, ``user`` and ``password``."""

    @property
    def url(self) -> Secret | None:
        """The whole address."""

    @property
    def port(self) -> int:
        """The server's port; the usual one where none was given."""


Connection = TypeVar("Connection", bound=Addressed)


class _PasswordOf(Secret):
    """The password within a connection string."""

    __slots__ = ()

    def reveal(self) -> str:
        """Return the password, read anew."""
        password = unquote(urlsplit(super().reveal()).password or "")
        note_revealed(password)
        return password


def connector_of(reference: str) -> str:
    """Return the connector that reads the database whose URL stands behind a reference.

    Raises:
        UsageError: it is the URL of no database that Treaty reads.
    """
    return CONNECTORS[_address(reference, tuple(CONNECTORS)).scheme]


def take_apart(connection: Connection, connector: str) -> Connection:
    """Return the connection with the parts of its URL in their places; as it is where it has none.

    Raises:
        UsageError: what stands behind the reference is no such URL, or parts are given beside it.
    """
    if connection.url is None:
        return connection
    reference = connection.url.reference
    if any(getattr(connection, name, None) for name in ("host", "database", "user", "password", "embedded")):
        raise UsageError(f"{reference} is the whole address, and parts of it are given too.", remedy="Leave host, database, user and password out.")
    url = _address(reference, tuple(scheme for scheme, its in CONNECTORS.items() if its == connector))
    parts = {
        "url": None, "host": url.hostname, "port": url.port or connection.port, "database": url.path.lstrip("/") or None,
        "user": unquote(url.username or "") or None, "password": _PasswordOf(reference) if url.password else None,
    }  # fmt: skip
    return dataclasses.replace(connection, **parts)  # type: ignore[type-var]  # a dataclass of a connector


def _address(reference: str, schemes: tuple[str, ...]) -> SplitResult:
    """Return the URL behind a reference, which has one of these schemes, a host and a port that can be."""
    url = urlsplit(Secret(reference).reveal())
    try:
        there = url.port != 0 and bool(url.hostname)
    except ValueError:
        there = False
    if url.scheme not in schemes or not there:
        kind = "MariaDB" if "postgresql" not in schemes else "PostgreSQL" if "mariadb" not in schemes else "PostgreSQL or MariaDB"
        raise UsageError(
            f"{reference} holds no {kind} URL.",
            remedy=f"Let it hold {schemes[0]}://USER:PASSWORD@HOST:PORT/DATABASE, or declare a system and name its stream, as `erp/customers`.",
        )
    return url
