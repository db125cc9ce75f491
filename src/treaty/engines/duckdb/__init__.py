"""The engine that runs compiled mappings in DuckDB."""

from treaty.compiler.functions.duckdb_types import duckdb_type

__all__ = ["duckdb_type"]
