"""Parquet, parsed in a process of its own with limits. Typed values become texts that lose nothing.

Numbers are plain decimals; dates, times and timestamps ISO 8601 (with `Z` where the column is of instants), booleans `true` and `false`, bytes
base64. Lists and structures are JSON text, for `nested: {column: json}`. A row with NaN or an infinity is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treaty.connectors.formats.interface import FileFormat, Reading, Records

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetSettings:
    """Parquet says everything itself."""


def read(copy: Copy, settings: ParquetSettings, reading: Reading) -> Records:
    """Read the rows in a child process."""
    from treaty.connectors.confined import read_confined

    return read_confined("treaty.connectors.parquet_records:parse_parquet", copy, {}, reading)


FORMAT = FileFormat(ParquetSettings, read)
