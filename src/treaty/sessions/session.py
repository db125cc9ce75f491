"""A session: one process's open hold on one state folder; everything below it is opened when first used."""

from __future__ import annotations

import getpass
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import psycopg

from treaty.clock import Clock, system_clock
from treaty.faults import faultpoint
from treaty.project.declarations import Limits
from treaty.sessions.postgres import CATALOG_SCHEMA, Connection, Database, find_database, prepare_database
from treaty.settings import RuntimeSettings

if TYPE_CHECKING:
    import duckdb

_ATTACH_LOCK = 0x7472_6561_7479_0001


class Session:
    """One open state folder.

    ``duck`` is the engine with the lake attached as ``lake_name``; ``pg`` the app schema in the role ``treaty_app``;
    ``catalog`` the role ``treaty_lake``, for the lake's lock and counters alone. None of them is shared between threads.
    """

    lake_name = "lake"
    lock_timeout_error = psycopg.errors.LockNotAvailable

    def __init__(self, state: Path, database: Database, limits: Limits, settings: RuntimeSettings, clock: Clock = system_clock) -> None:
        self.state = state
        self.data_path = state / "lake"
        self.database = database
        self.limits = limits
        self.settings = settings
        self.clock = clock
        self.who = _user_name()
        self.tables: Mapping[str, Mapping[str, str]] | None = None  # the lake's tables, as they were last read
        self.audited: set[str] = set()  # wide scopes that the audit log has from this session
        self.open_batches: set[int] = set()  # batches that this session works on
        self.files_made = 0
        self._duck: duckdb.DuckDBPyConnection | None = None
        self._pg: Connection | None = None
        self._catalog: Connection | None = None
        self._temp_folder: Path | None = None
        self._client: str | None = None

    @property
    def duck(self) -> duckdb.DuckDBPyConnection:
        """The engine, with the lake attached."""
        if self._duck is None:
            from treaty.sessions.duckdb import load_extensions, open_engine

            connection = open_engine(self.limits, self.temp_folder, self.settings)
            load_extensions(connection)
            self.data_path.mkdir(parents=True, exist_ok=True)
            self._attach(connection)
            self._duck = connection
        return self._duck

    @property
    def pg(self) -> Connection:
        """The app schema. It shows no client's rows until :meth:`as_client` has named one."""
        if self._pg is None or self._pg.closed:
            self._pg = self.database.connect("app")
            self._client = None
        return self._pg

    @property
    def catalog(self) -> Connection:
        """The database in the lake's own role."""
        if self._catalog is None or self._catalog.closed:
            self._catalog = self.database.connect("lake")
        return self._catalog

    @property
    def temp_folder(self) -> Path:
        """A folder of this session's own, gone when it closes (a killed session's is swept by a later one)."""
        if self._temp_folder is None:
            parent = self.state / "tmp"
            parent.mkdir(parents=True, exist_ok=True)
            self._temp_folder = Path(tempfile.mkdtemp(prefix=f"session-{os.getpid()}-", dir=parent))
        return self._temp_folder

    def as_client(self, client: str) -> Connection:
        """Return ``pg`` set to show and take the rows of one client; ``*`` for all of them."""
        connection = self.pg
        if self._client != client:
            connection.execute("select set_config('treaty.client', %s, false)", (client,))
            self._client = client
        return connection

    def reattach(self) -> None:
        """Attach the lake anew after its connections were lost; temporary tables of the engine stay."""
        if self._duck is not None:
            from treaty.sessions.duckdb import detach_lake

            detach_lake(self._duck)
            self._attach(self._duck)

    def is_transient(self, error: Exception) -> bool:
        """Tell whether a database error may pass by itself: a conflict with another commit, or a lost connection."""
        if isinstance(error, psycopg.OperationalError):
            return True
        from treaty.sessions.duckdb import is_transient

        return is_transient(error)

    def is_unreadable_csv(self, error: Exception) -> bool:
        """Tell whether the engine refused a CSV file that it was told is regular."""
        from treaty.sessions.duckdb import is_unreadable_csv

        return is_unreadable_csv(error)

    @contextmanager
    def joins_as_written(self) -> Iterator[None]:
        """Have the right side of a join held in memory and the left side streamed, whatever the engine guesses of their sizes."""
        self.duck.execute("set disabled_optimizers = 'join_order,build_side_probe_side'")
        try:
            yield
        finally:
            self.duck.execute("reset disabled_optimizers")

    @contextmanager
    def in_one_thread(self) -> Iterator[None]:
        """Run queries in this thread alone: for those that can run in one only, for which this one would otherwise wait at full speed."""
        self.duck.execute("set threads = 1")
        try:
            yield
        finally:
            self.duck.execute(f"set threads = {self.settings.threads}")

    @contextmanager
    def spilling(self) -> Iterator[None]:
        """Run a query that may not fit in memory in one thread and two thirds of the memory: it is no faster with more of either."""
        self.duck.execute(f"set memory_limit = '{self.limits.memory_megabytes * 2 // 3}MB'")
        try:
            with self.in_one_thread():
                yield
        finally:
            self.duck.execute(f"set memory_limit = '{self.limits.memory_megabytes}MB'")

    def another_engine(self) -> duckdb.DuckDBPyConnection:
        """Return one more connection to the engine, for a thread of its own to use and close; it sees the lake, and no temporary table."""
        from treaty.sessions.duckdb import another_connection

        return another_connection(self.duck)

    def roll_back(self) -> None:
        """End the engine's open transaction, if there still is one."""
        from treaty.sessions.duckdb import roll_back

        if self._duck is not None:
            roll_back(self._duck)

    def release(self, lock: int) -> None:
        """Give an advisory lock back; a connection that cannot is closed, which gives it back too."""
        self._release("select pg_advisory_unlock(%s)", (lock,))

    def release_pair(self, kind: int, number: int) -> None:
        """Give an advisory lock of two numbers back."""
        self._release("select pg_advisory_unlock(%s, %s)", (kind, number))

    def close(self) -> None:
        """Close whatever was opened."""
        for connection in (self._duck, self._pg, self._catalog):
            if connection is not None:
                connection.close()
        self._duck = self._pg = self._catalog = None
        if self._temp_folder is not None:
            shutil.rmtree(self._temp_folder, ignore_errors=True)
            self._temp_folder = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _release(self, statement: str, numbers: tuple[int, ...]) -> None:
        if self._catalog is None or self._catalog.closed:
            return
        try:
            self._catalog.execute(statement.encode(), numbers)
        except psycopg.Error:
            with suppress(psycopg.Error):
                self._catalog.close()

    def _attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Attach the lake; the first time of all, when that makes the catalog, under a lock."""
        from treaty.sessions.duckdb import attach_lake

        conninfo = self.database.conninfo("lake")
        made = self.catalog.execute("select to_regclass(%s) is not null", (f"{CATALOG_SCHEMA}.ducklake_snapshot",)).fetchone()
        if made is not None and made[0]:
            attach_lake(connection, conninfo, self.data_path, CATALOG_SCHEMA)
            return
        self.catalog.execute("select pg_advisory_lock(%s)", (_ATTACH_LOCK,))
        try:
            attach_lake(connection, conninfo, self.data_path, CATALOG_SCHEMA)
        finally:
            self.catalog.execute("select pg_advisory_unlock(%s)", (_ATTACH_LOCK,))


def open_session(
    state: Path, database: str | None, limits: Limits, settings: RuntimeSettings | None = None, clock: Clock = system_clock
) -> Session:
    """Open a state folder; ``database`` is the URL of a PostgreSQL server, None for the embedded one.

    Raises ``StopError`` for what somebody must mend and ``RetryError`` for a server that may come back.
    """
    settings = settings or RuntimeSettings.from_environment()
    state = Path(state).absolute()
    state.mkdir(parents=True, exist_ok=True)
    found = find_database(state, database, settings)
    prepare_database(found)
    faultpoint("session.opened")
    return Session(state, found, limits, settings, clock)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
