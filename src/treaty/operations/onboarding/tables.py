"""Finds the tables of a file: which sheets of a workbook hold one, and in which row or line their columns are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treaty.operations.reading import ReadArrival, ReadRefusal, read_bytes, read_file

SUFFIXES = (".xlsx", ".xlsm")
TEXTS = (".csv", ".tsv", ".txt")
MOST_SHEETS = 30
MOST_LINES = 12  # above the names of a file's columns
LOOKED_AT_RECORDS = 50
LOOKED_AT_BYTES = 256_000


@dataclass(frozen=True, slots=True)
class Table:
    """One table: the name of its sheet, what its stream adds to the stream's name, and what its ``read`` says."""

    sheet: str
    suffix: str
    settings: dict[str, Any]


def find_tables(file: Path) -> list[Table]:
    """Return the tables of a workbook's visible sheets, or the one of a text file; nothing is said of where it would be looked for anyway.

    A sheet holds a table where two columns or more have names and a row stands below them; of others (a title page, a legend) nothing is read.
    """
    if file.suffix.lower() in TEXTS:
        return [Table("", "", _below_titles(file))]
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


def _below_titles(file: Path) -> dict[str, Any]:
    """Return how many lines stand above the one that names the columns, where the first line does not fit those below: it is a title then."""
    with file.open("rb") as opened:
        head = opened.read(LOOKED_AT_BYTES)
    if len(head) == LOOKED_AT_BYTES:
        head = head[: head.rfind(b"\n") + 1]
    plain, refused = _look(head, {})
    if plain is None or (len(plain.columns or ()) > 1 and not refused & {"ragged-row", "bad-encoding"}):
        return {}
    told = {"encoding": "cp1252"} if "bad-encoding" in refused else {}  # for the look alone: any one of single bytes shows where fields end
    best, found = (1, 0), 0
    for lines in range(MOST_LINES + 1):
        seen, bad = _look(head, {**told, "skip_lines": lines} if lines else told)
        size = (len(seen.columns or ()), seen.records) if seen is not None and seen.records and not bad else (0, 0)
        if size[0] > best[0] or size == best:  # an empty line above the names is one of those left out
            best, found = size, lines
    return {"skip_lines": found} if best[0] > 1 and found else {}


def _look(head: bytes, settings: dict[str, Any]) -> tuple[ReadArrival | None, set[str]]:
    events = list(read_bytes(head, limit=LOOKED_AT_RECORDS, format="csv", **settings))
    arrival = next((each for each in events if isinstance(each, ReadArrival)), None)
    return arrival, {each.reason for each in events if isinstance(each, ReadRefusal)}
