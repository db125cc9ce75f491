"""JSON Lines: each line that is not blank is a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treaty.connectors.formats.interface import FileFormat, Reading, Records, TextSettings, check_encoding

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy


def read(copy: Copy, settings: TextSettings, reading: Reading) -> Records:
    """Read a record a line."""
    from treaty.connectors.json_records import read_json

    encoding = settings.encoding
    return read_json(copy, reading.spool, lines=True, record=None, encoding=encoding, limits=reading.limits, refusals=reading.refusals)


FORMAT = FileFormat(TextSettings, read, lambda settings, stream: check_encoding(settings.encoding))
