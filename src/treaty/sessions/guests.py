"""Databases of others on Treaty's own server: what `connection: {embedded: name}` of a system means, for demonstrations and tests.

They belong to a role that can enter none of Treaty's own schemas.
"""

from __future__ import annotations

import re

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from treaty.errors import StopError
from treaty.sessions.postgres import Database

GUEST = "treaty_guest"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}\Z")
_OURS = ("treaty", "postgres")
_LOCK = 0x7472_6561_7479_0003


def guest_database(database: Database, name: str) -> str:
    """Return the connection string of the guest database ``name`` on the embedded server; it is made if it is not there.

    Raises ``StopError`` where there is no embedded server, or the name is not one for a guest.
    """
    if not database.embedded:
        raise StopError("this environment names a PostgreSQL server, so there is no embedded one.", remedy="Name a host in `connection` instead of `embedded`.")
    if not _NAME.match(name) or name in _OURS or name.startswith("template"):
        raise StopError(f"{name!r} is no name for a database of a system.", remedy="Write lower-case letters, digits and _, as in `embedded: ledger`.")
    with database.connect("admin") as connection:
        if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone() is None:
            connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
            if connection.execute("select 1 from pg_roles where rolname = %s", (GUEST,)).fetchone() is None:
                connection.execute(sql.SQL("create role {} login nosuperuser nocreatedb nocreaterole").format(sql.Identifier(GUEST)))
            if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone() is None:
                connection.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(name), sql.Identifier(GUEST)))
    return make_conninfo(database.admin_conninfo, dbname=name, user=GUEST)


def run_script(conninfo: str, script: str) -> None:
    """Run the statements of a script that ships with Treaty, in one transaction."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(script.encode())
