"""How DuckDB writes Treaty's types."""

from __future__ import annotations

from treaty.compiler.types import DecimalType, ListType, ScalarType, StructType, Type

NAMES = {
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMPTZ",
    "local_timestamp": "TIMESTAMP",
    "bytes": "BLOB",
    "null": '"NULL"',
}


def duckdb_type(kind: Type) -> str:
    """Return the DuckDB type of a Treaty type."""
    if isinstance(kind, ScalarType):
        return NAMES[kind.name]
    if isinstance(kind, DecimalType):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if isinstance(kind, ListType):
        return f"{duckdb_type(kind.item)}[]"
    assert isinstance(kind, StructType)
    members = ", ".join('"' + name.replace('"', '""') + f'" {duckdb_type(member)}' for name, member in kind.fields)
    return f"STRUCT({members})"
