"""A database by reference: a whole URL behind a secret reference, taken apart when it is connected to."""

from __future__ import annotations

import dataclasses
from urllib.parse import unquote, urlsplit

from treaty.connectors.postgresql import PostgresqlConnection
from treaty.connectors.secrets import Secret, note_revealed
from treaty.errors import UsageError


class _PasswordOf(Secret):
    """The password within a connection string."""

    __slots__ = ()

    def reveal(self) -> str:
        """Return the password, read anew."""
        password = unquote(urlsplit(super().reveal()).password or "")
        note_revealed(password)
        return password


def take_apart(connection: PostgresqlConnection) -> PostgresqlConnection:
    """Return the connection with the parts of its URL in their places; as it is where it has none.

    Raises:
        UsageError: what stands behind the reference is no such URL, or parts are given beside it.
    """
    if connection.url is None:
        return connection
    reference = connection.url.reference
    if connection.host or connection.database or connection.user or connection.password or connection.embedded:
        raise UsageError(f"{reference} is the whole address, and parts of it are given too.", remedy="Leave host, database, user, password and embedded out.")
    url = urlsplit(connection.url.reveal())
    try:
        port = url.port or 5432
    except ValueError:
        port = 0
    if url.scheme not in ("postgresql", "postgres") or not url.hostname or not port:
        raise UsageError(
            f"{reference} holds no PostgreSQL URL.",
            remedy="Let it hold postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or declare a system and name its stream, as `erp/customers`.",
        )
    return dataclasses.replace(
        connection, url=None, host=url.hostname, port=port, database=url.path.lstrip("/") or None, user=unquote(url.username or "") or None,
        password=_PasswordOf(reference) if url.password else None,
    )  # fmt: skip
