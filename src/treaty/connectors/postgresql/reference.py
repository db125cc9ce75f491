"""A table by reference: a connection string that a secret reference holds, and the table's name."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from treaty.connectors.interface import Site
from treaty.connectors.postgresql import PostgresqlConnection
from treaty.connectors.secrets import Secret, note_revealed
from treaty.errors import UsageError

if TYPE_CHECKING:
    from treaty.connectors.postgresql.source import PostgresqlSource


class _PasswordOf(Secret):
    """The password within a connection string."""

    __slots__ = ()

    def reveal(self) -> str:
        """Return the password, read anew."""
        password = unquote(urlsplit(super().reveal()).password or "")
        note_revealed(password)
        return password


def open_reference(reference: str, site: Site) -> PostgresqlSource:
    """Open the database whose URL (``postgresql://user:password@host:port/database``) stands behind a secret reference.

    Raises:
        UsageError: what stands there is no such URL.
    """
    from treaty.connectors.postgresql.source import PostgresqlSource

    url = urlsplit(Secret(reference).reveal())
    try:
        port = url.port or 5432
    except ValueError:
        port = 0
    if url.scheme not in ("postgresql", "postgres") or not url.hostname or not port:
        raise UsageError(
            f"{reference} holds no PostgreSQL URL.",
            remedy="Let it hold postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or declare a system and name its stream, as `erp/customers`.",
        )
    connection = PostgresqlConnection(
        host=url.hostname, port=port, database=url.path.lstrip("/") or None, user=unquote(url.username or "") or None,
        password=_PasswordOf(reference) if url.password else None,
    )  # fmt: skip
    return PostgresqlSource(connection, site)
