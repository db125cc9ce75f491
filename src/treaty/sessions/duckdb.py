"""DuckDB: one configured engine, and the lake attached to it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from contextlib import suppress
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
from duckdb.func import FunctionNullHandling, PythonUDFType

from treaty.errors import DefectError
from treaty.project.declarations import Limits
from treaty.settings import RuntimeSettings

Engine: TypeAlias = duckdb.DuckDBPyConnection
LAKE = "lake"
_LOST = ("connection", "libpq", "failed to execute query", "failed to commit", "could not connect", "terminating")
_EXTENSIONS = ("postgres_scanner", "ducklake")


def open_engine(limits: Limits, temp_folder: Path | None, settings: RuntimeSettings) -> duckdb.DuckDBPyConnection:
    """Open an engine in memory that spills to ``temp_folder``, installs nothing by itself and tells time in UTC."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": f"{limits.memory_megabytes}MB",
        "threads": settings.threads,
        "enable_external_file_cache": False,
        "allocator_flush_threshold": "16MB",
        "allocator_bulk_deallocation_flush_threshold": "16MB",
        "preserve_insertion_order": True,
    }
    if temp_folder is not None:
        config["temp_directory"] = str(temp_folder)
    return _in_utc(duckdb.connect(config=config))


def another_connection(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return one more connection to the same engine."""
    return _in_utc(connection.cursor())


def _in_utc(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute("set TimeZone = 'UTC'")
    return connection


def load_extensions(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the lake's extensions from their installed packages; nothing is fetched."""
    for name in _EXTENSIONS:
        connection.execute(f"load {quote(str(_extension_path(name)))}")
    # The lake's lock makes conflicts rare; when there is one, the commit must check its fence again before it tries again.
    connection.execute("set ducklake_max_retry_count = 0")
    connection.execute("set pg_pool_enable_reaper_thread = false")


def attach_lake(connection: duckdb.DuckDBPyConnection, conninfo: str, data_path: Path, schema: str) -> None:
    """Attach the lake. Rows go into the catalog only for tables that say so: inlined nested values do not read back (DuckLake 1.0)."""
    connection.execute(
        f"attach {quote('ducklake:postgres:' + conninfo)} as {LAKE} (data_path {quote(str(data_path) + '/')}, "
        f"metadata_schema {quote(schema)}, data_inlining_row_limit 0, override_data_path true)"
    )


def detach_lake(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go of the lake; the engine's temporary tables stay."""
    connection.execute(f"detach database if exists {LAKE}")


def is_transient(error: Exception) -> bool:
    """Tell whether an error is a conflict with another commit or a lost connection to the catalog."""
    if isinstance(error, duckdb.TransactionException):
        return True
    return isinstance(error, duckdb.Error) and any(sign in str(error).lower() for sign in _LOST)


def is_unreadable_csv(error: Exception) -> bool:
    """Tell whether the engine refused a CSV file that it was told is regular."""
    return isinstance(error, duckdb.InvalidInputException | duckdb.ConversionException) and "csv" in str(error).lower()


def register_function(connection: Engine, name: str, function: Callable[..., Any], parameters: Sequence[str], returns: str) -> None:
    """Make a function over Arrow arrays callable in queries; one that is there under this name stays.

    The arrays are given as they are, nulls included. The function must depend on nothing but them.
    """
    if connection.execute("select 1 from duckdb_functions() where function_name = ? limit 1", [name]).fetchone() is None:
        arrow, nulls = PythonUDFType.ARROW, FunctionNullHandling.SPECIAL
        places = [Parameter(f"argument_{number}", Parameter.POSITIONAL_ONLY) for number in range(len(parameters))]
        function.__signature__ = Signature(places)  # type: ignore[attr-defined]  # DuckDB counts them, and would evaluate annotations
        connection.create_function(name, function, [*parameters], returns, type=arrow, null_handling=nulls)


def roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    """End the open transaction; after a failed COMMIT there is none any more."""
    with suppress(duckdb.Error):
        connection.execute("rollback")


def quote(text: str) -> str:
    """Return an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _extension_path(name: str) -> Path:
    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    if package is None or not package.submodule_search_locations:
        raise DefectError(f"the package duckdb-extension-{name.replace('_', '-')} is not installed")
    path = Path(package.submodule_search_locations[0]) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if not path.exists():
        raise DefectError(f"the package of the extension {name} is not for DuckDB {duckdb.__version__}: {path} is missing")
    return path
