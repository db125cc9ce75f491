"""Connections to PostgreSQL: which server, in which role, with which schema, and whether it keeps what it says it kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from treaty.errors import RetryError, StopError
from treaty.sessions.embedded import ensure_embedded
from treaty.settings import RuntimeSettings

Role: TypeAlias = Literal["admin", "lake", "app"]
Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
CATALOG_SCHEMA = "treaty_lake"
APP_SCHEMA = "treaty"
ROLES: dict[Role, str] = {"lake": "treaty_lake", "app": "treaty_app"}
_BOOTSTRAP_LOCK = 0x7472_6561_7479  # "treaty"
_OLDEST_VERSION = 150_000
_KEEPS_COMMITS = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL database and how to enter it in each role."""

    admin_conninfo: str
    embedded: bool

    def conninfo(self, role: Role) -> str:
        """Return the connection string of a role.

        On the embedded server each role signs in as itself. On a named server the user of its URL takes the role on, for good, as
        the connection starts.
        """
        if role == "admin":
            return self.admin_conninfo
        if self.embedded:
            return make_conninfo(self.admin_conninfo, user=ROLES[role])
        options = str(conninfo_to_dict(self.admin_conninfo).get("options") or "")
        return make_conninfo(self.admin_conninfo, options=f"{options} -c role={ROLES[role]}".strip())

    def connect(self, role: Role) -> Connection:
        """Open a connection in which each statement is its own transaction unless one is begun."""
        return _connect(self.conninfo(role))


def find_database(state: Path, url: str | None, settings: RuntimeSettings) -> Database:
    """Return the database of a state folder: the server at ``url``, else the embedded one, started if it is not running."""
    if url is None:
        return Database(ensure_embedded(state, settings), embedded=True)
    try:
        conninfo = make_conninfo(url, connect_timeout=conninfo_to_dict(url).get("connect_timeout") or "10")
    except psycopg.ProgrammingError:
        raise StopError("The `database` of this environment is not a PostgreSQL URL.", remedy="Write it as postgresql://user@host:5432/name.") from None
    return Database(conninfo, embedded=False)


def prepare_database(database: Database) -> None:
    """Make roles, schemas and tables that are missing; any number of processes may do so at once.

    Raises ``StopError`` if the server would lose what it has acknowledged, is too old, or the user may not do this.
    """
    newest = _migrations()[-1][0]
    if _schema_version(database) == newest:
        return
    with database.connect("admin") as connection:
        check_durability(connection)
        try:
            with connection.transaction():
                connection.execute("select pg_advisory_xact_lock(%s)", (_BOOTSTRAP_LOCK,))
                _migrate(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise StopError(
                f"The database user may not set Treaty up: {error.diag.message_primary}.",
                remedy="Give it CREATEROLE and CREATE on the database for the first run, or have an administrator run it once.",
            ) from None


def check_durability(connection: Connection) -> None:
    """Refuse a server that is older than 15 or may forget a commit that it has acknowledged."""
    if connection.info.server_version < _OLDEST_VERSION:
        raise StopError(f"PostgreSQL {connection.info.server_version // 10_000} is too old.", remedy="Use PostgreSQL 15 or newer.")
    rows = connection.execute("select name, setting from pg_settings where name = any(%s)", (list(_KEEPS_COMMITS),)).fetchall()
    weak = [f"{name} = {setting}" for name, setting in rows if setting in ("off", "local")]
    if weak:
        raise StopError(
            f"The database may lose what it has acknowledged: {', '.join(sorted(weak))}.",
            remedy="Set fsync, full_page_writes and synchronous_commit to on.",
        )


def _connect(conninfo: str) -> Connection:
    try:
        return psycopg.connect(conninfo, autocommit=True, prepare_threshold=None, application_name=f"treaty {os.getpid()}")
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        if "password" in reason or "authentication" in reason or "does not exist" in reason:
            raise StopError(f"PostgreSQL refused the connection: {reason}", remedy="Check the `database` of this environment.") from None
        raise RetryError(f"PostgreSQL cannot be reached: {reason}", remedy="Check that the server runs; `treaty doctor` tells more.") from None


def _schema_version(database: Database) -> int:
    """Return the newest migration that has run, 0 if none: one connection on the way that every process goes."""
    try:
        with psycopg.connect(database.conninfo("app"), autocommit=True) as connection:
            check_durability(connection)
            row = connection.execute(f"select max(version) from {APP_SCHEMA}.migration").fetchone()
            return int(row[0]) if row and row[0] is not None else 0
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.InsufficientPrivilege, psycopg.OperationalError):
        return 0


def _migrations() -> list[tuple[int, str]]:
    folder = files("treaty.sessions") / "migrations"
    return sorted((int(each.name.split("_", 1)[0]), each.name) for each in folder.iterdir() if each.name.endswith(".sql"))


def _migrate(connection: Connection) -> None:
    for name in ROLES.values():
        _ensure_role(connection, name)
    connection.execute(f"create schema if not exists {APP_SCHEMA}")
    connection.execute(f"create schema if not exists {CATALOG_SCHEMA} authorization {ROLES['lake']}")
    connection.execute(f"create table if not exists {APP_SCHEMA}.migration (version integer primary key, applied_at timestamptz not null default now())")
    done = {version for (version,) in connection.execute(f"select version from {APP_SCHEMA}.migration").fetchall()}
    for version, name in _migrations():
        if version not in done:
            text = (files("treaty.sessions") / "migrations" / name).read_text(encoding="utf-8")
            connection.execute(text.encode())
            connection.execute(f"insert into {APP_SCHEMA}.migration (version) values (%s)", (version,))


def _ensure_role(connection: Connection, name: str) -> None:
    """Make a role if it is missing; roles belong to the server, so another database's set-up may be making it too."""
    try:
        with connection.transaction():
            if connection.execute("select 1 from pg_roles where rolname = %s", (name,)).fetchone() is None:
                connection.execute(f"create role {name} login nosuperuser nocreatedb nocreaterole")
    except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject):
        pass
    member = connection.execute("select pg_has_role(current_user, %s, 'member')", (name,)).fetchone()
    if member is not None and not member[0]:
        connection.execute(f"grant {name} to current_user")
