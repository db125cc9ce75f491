"""Excel workbooks (`.xlsx`, `.xlsm`), one sheet each stream, parsed in a process of its own with limits.

Numbers are plain decimals, dates and times ISO 8601, booleans `true` and `false`, errors their text (`#DIV/0!`); an empty cell is null. A
formula is the value that Excel saved with it; a row with a formula that has none is refused, and macros are never looked at. Excel's own
29 February 1900 is read as the 28th.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treaty.connectors.formats.interface import FileFormat, Reading, Records
from treaty.project.declarations import Stream, declared

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcelSettings:
    """Where in a workbook the rows are."""

    sheet: str | None = declared("the sheet's name, or `#2` for the second; else the first that is not hidden", default=None, example="Orders")
    header: bool = declared("whether the first row that is not empty names the columns", default=True)
    columns: tuple[str, ...] = declared("without header: the columns' names in their order", default=(), example=["INVNO", "POS", "NET"])
    skip_rows: int = declared("rows above the header that are left out", default=0)


def read(copy: Copy, settings: ExcelSettings, reading: Reading) -> Records:
    """Read the rows of one sheet in a child process."""
    from treaty.connectors.confined import read_confined

    told = dataclasses.asdict(settings)
    return read_confined("treaty.connectors.excel_records:parse_excel", copy, told, reading)


def check(settings: ExcelSettings, stream: Stream) -> list[tuple[str, str]]:
    """Return settings that cannot go together."""
    if settings.columns and settings.header:
        return [("`columns` is for sheets without a header.", "Add `header: false`, or leave `columns` out.")]
    return []


FORMAT = FileFormat(ExcelSettings, read, check)
