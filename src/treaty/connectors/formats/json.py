"""One JSON document: its records are the elements of the array at ``record``, or the one value there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treaty.connectors.formats.interface import FileFormat, Reading, Records, TextSettings, check_encoding

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy


def read(copy: Copy, settings: TextSettings, reading: Reading) -> Records:
    """Read the records at the stream's ``record``."""
    from treaty.connectors.json_records import read_json

    record, encoding = reading.stream.record, settings.encoding
    return read_json(copy, reading.spool, lines=False, record=record, encoding=encoding, limits=reading.limits, refusals=reading.refusals)


FORMAT = FileFormat(TextSettings, read, lambda settings, stream: check_encoding(settings.encoding))
