"""Finds the tables of a workbook: which of its sheets hold one, and in which row their columns are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treaty.operations.reading import ReadArrival, ReadRefusal, read_file

SUFFIXES = (".xlsx", ".xlsm")
MOST_SHEETS = 30
LOOKED_AT_RECORDS = 50


@dataclass(frozen=True, slots=True)
class Table:
    """One sheet with a table: its name, what its stream adds to the stream's name, and what its ``read`` says."""

    sheet: str
    suffix: str
    settings: dict[str, Any]


def find_tables(file: Path) -> list[Table]:
    """Return the tables of a workbook's visible sheets; nothing is said of a file that is no workbook, or holds one table where it is looked for anyway.

    A sheet holds a table where two columns or more have names and a row stands below them; of others (a title page, a legend) nothing is read.
    """
    if file.suffix.lower() not in SUFFIXES:
        return [Table("", "", {})]
    sheets = list(_sheets(file))
    tables = [(number, each) for number, each in enumerate(sheets) if _is_table(each)]
    found = []
    for number, each in tables:
        named: dict[str, Any] = {"sheet": each.details["sheet"]} if len(tables) > 1 or number else {}
        row = each.details.get("names_seem_in_row")
        suffix = re.sub(r"[^a-z0-9]+", "_", each.details["sheet"].lower()).strip("_") or str(number + 1)
        found.append(Table(each.details["sheet"], f"_{suffix}" if len(tables) > 1 else "", {**named, **({"skip_rows": int(row) - 1} if row else {})}))
    return found or [Table("", "", {})]


def _sheets(file: Path) -> Iterator[ReadArrival]:
    """Yield what the visible sheets are, the first that is read without its name first."""
    for number in range(1, MOST_SHEETS + 1):
        events = list(read_file(file, limit=LOOKED_AT_RECORDS, sheet=f"#{number}"))
        if any(isinstance(each, ReadRefusal) and each.reason == "no-records" for each in events):
            return
        yield from (each for each in events if isinstance(each, ReadArrival) and "sheet" in each.details and "hidden" not in each.details)


def _is_table(sheet: ReadArrival) -> bool:
    return "names_seem_in_row" in sheet.details or (len(sheet.columns or ()) > 1 and sheet.records > 0)
