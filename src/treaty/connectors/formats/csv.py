"""Delimited text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treaty.connectors.formats.interface import FileFormat, Reading, Records, TextSettings, check_encoding
from treaty.project.declarations import Stream, declared

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvSettings(TextSettings):
    """How a CSV file is written; None where it is to be found out."""

    delimiter: str | None = declared("what parts the fields; found out where not given", default=None, example=";")
    quote: str = declared("what quotes a field, doubled within it; empty for none", default='"')
    escape: str | None = declared("what stands before a quote or delimiter that is none, where quotes are not doubled", default=None, example="\\")
    header: bool = declared("whether the first line names the columns", default=True)
    columns: tuple[str, ...] = declared("without header: the columns' names in their order", default=(), example=["INVNO", "POS", "NET"])
    skip_lines: int = declared("lines above the header that are left out", default=0)


def read(copy: Copy, settings: CsvSettings, reading: Reading) -> Records:
    """Read the rows; a regular file is handed to the engine as it is."""
    from treaty.connectors.csv_records import read_csv

    return read_csv(copy, reading.spool, settings, reading.limits, reading.refusals)


def check(settings: CsvSettings, stream: Stream) -> list[tuple[str, str]]:
    """Return settings that cannot be, or cannot go together."""
    found = check_encoding(settings.encoding)
    if settings.delimiter is not None and (len(settings.delimiter) != 1 or settings.delimiter in '"\r\n'):
        found.append((f"the delimiter {settings.delimiter!r} is not one character.", 'Write one, such as ";" or "\\t".'))
    if len(settings.quote) > 1 or not settings.quote.isascii():
        found.append((f"the quote {settings.quote!r} is not one ASCII character.", "Write one, or an empty text for none."))
    if settings.escape is not None and (len(settings.escape) != 1 or settings.escape in (settings.quote, settings.delimiter, " ", "\r", "\n")):
        found.append((f"the escape {settings.escape!r} is not one character of its own.", 'Write one, such as "\\\\"; quotes that are doubled need none.'))
    if settings.columns and settings.header:
        found.append(("`columns` is for files without a header.", "Add `header: false`, or leave `columns` out."))
    return found


FORMAT = FileFormat(CsvSettings, read, check)
