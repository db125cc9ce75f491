"""ANSI ASC X12: one record a transaction set, with its envelope; the manual is ``docs/edi.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treaty.connectors.formats.edifact import EdiSettings, check, read_as
from treaty.connectors.formats.interface import FileFormat, Reading, Records

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy


def read(copy: Copy, settings: EdiSettings, reading: Reading) -> Records:
    """Read X12 transaction sets."""
    return read_as("x12", copy, settings, reading)


FORMAT = FileFormat(EdiSettings, read, check, shares=("edifact",))
