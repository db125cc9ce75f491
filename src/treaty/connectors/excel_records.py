"""Parses one sheet of a workbook into rows of texts; runs in the confined process alone.

calamine reads the values. It tells neither errors nor formulas without a value from empty cells, so the sheet's XML is looked over for those
first, by libxml2.
"""

from __future__ import annotations

import datetime
import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, islice
from typing import Any

import python_calamine as calamine
from lxml import etree

from treaty.connectors.batches import table_batches
from treaty.connectors.csv_records import unique_names
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.interface import Refusal
from treaty.errors import SetAsideError
from treaty.project.declarations import Limits

MOST_ROWS = 1_048_576  # Excel's own limit
LOOKED_AT_ROWS = 30  # at the top of a sheet, for the row that names the columns
NAMED_SHARE = 0.7
"""So many of the columns that are used have a name in the row that names them."""
NOT_A_NAME = re.compile(r"[-+]?\d[\d.,:/ T+-]*\Z|true\Z|false\Z|#|[^@\s]+@[^@\s]+\Z")  # numbers, dates, times, errors, addresses of mail
CELL = re.compile(r"^([A-Z]{1,3})([1-9][0-9]{0,6})$")
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
FAILURES = (calamine.CalamineError, calamine.XmlError, calamine.ZipError, zipfile.BadZipFile, etree.XMLSyntaxError, KeyError, ValueError, OSError)


@dataclass(slots=True)
class Oddities:
    """What calamine gives as empty and is not, by row from 0."""

    errors: dict[int, dict[int, str]] = field(default_factory=dict)  # by column from 0
    empty: dict[int, str] = field(default_factory=dict)  # the first formula without a value


def parse_excel(path: str, settings: Mapping[str, Any], limits: Limits) -> Iterator[Any]:
    """Yield what was found out, then batches, with the refusals of single rows between them."""
    try:
        workbook = calamine.load_workbook(path)
        name = _sheet(workbook, settings["sheet"])
        odd = _look_over(path, name)
        sheet = workbook.get_sheet_by_name(name)
    except calamine.PasswordError:
        raise SetAsideError("encrypted", "the workbook has a password.", remedy="Have it sent without.") from None
    except FAILURES as error:
        raise SetAsideError("bad-excel", f"it is no workbook that can be read: {str(error)[:300]}.", remedy="Have it saved as .xlsx and sent again.") from None
    if sheet.end is not None and sheet.end[0] >= MOST_ROWS:
        told = f"row {sheet.end[0] + 1}: no sheet has more than {MOST_ROWS} rows."
        raise SetAsideError("too-many-rows", told, remedy="Have it sent as CSV or Parquet.")
    rows = _rows(sheet, odd, settings["skip_rows"])
    top = list(islice(rows, LOOKED_AT_ROWS))
    rows = chain(top, rows)
    first = next(rows, None)
    if first is None:
        raise SetAsideError("empty-file", f"the sheet {name!r} is empty.", remedy="Name another under `read: sheet`, or have it sent again.")
    if len(first[1]) > limits.fields:
        raise limit_exceeded(limits, "fields", f"{len(first[1])} columns are more than")
    columns, renamed = _columns(first[1], settings)
    others = [each.name for each in workbook.sheets_metadata if each.name != name]
    hidden = any(each.name == name and each.visible != calamine.SheetVisibleEnum.Visible for each in workbook.sheets_metadata)
    names_at = find_names(top) if settings["header"] else None
    found = {"hidden": "yes" if hidden else "", "other_sheets": ", ".join(others)[:500], "renamed": "; ".join(renamed)}
    found["names_seem_in_row"] = str(names_at + 1) if names_at is not None else ""
    details = {"sheet": name, **{key: told for key, told in found.items() if told}}
    yield {"columns": columns, "details": details}
    refusals: list[Refusal] = []
    body = rows if settings["header"] else _with(first, rows)
    for batch in table_batches(columns, _good(body, columns, odd, limits, refusals, names_at)):
        yield from refusals
        refusals.clear()
        yield batch
    yield from refusals


def _sheet(workbook: calamine.CalamineWorkbook, wanted: str | None) -> str:
    names = workbook.sheet_names
    if wanted is None:
        visible = [
            each.name
            for each in workbook.sheets_metadata
            if each.visible == calamine.SheetVisibleEnum.Visible and each.typ == calamine.SheetTypeEnum.WorkSheet
        ]
        if not visible:
            raise SetAsideError("no-records", "no sheet is visible.", remedy=f"Name one under `read: sheet`: {', '.join(names)}.")
        return visible[0]
    if wanted in names:
        return wanted
    if wanted.startswith("#") and wanted[1:].isdecimal() and 1 <= int(wanted[1:]) <= len(names):
        return names[int(wanted[1:]) - 1]
    raise SetAsideError("no-records", f"there is no sheet {wanted!r}.", remedy=f"Mend `read: sheet`; there are: {', '.join(names)[:500]}.")


def _columns(first: Sequence[str | None], settings: Mapping[str, Any]) -> tuple[tuple[str, ...], list[str]]:
    if settings["header"]:
        width = max((number for number, each in enumerate(first, 1) if each is not None), default=0)
        return unique_names([each or "" for each in first[:width]])
    if settings["columns"]:
        return tuple(settings["columns"]), []
    return tuple(f"column_{number}" for number in range(1, len(first) + 1)), []


def _rows(sheet: calamine.CalamineSheet, odd: Oddities, skip: int) -> Iterator[tuple[int, list[str | None]]]:
    """Yield (row of the sheet from 0, texts from column A on) for each row that is not empty."""
    if sheet.start is None:
        return
    left = sheet.start[1]
    for number, values in enumerate(sheet.iter_rows()):  # rows come from the first on, columns from the first that is used
        if number < skip:
            continue
        texts = [None] * left + [_text(value) for value in values]
        for column, told in odd.errors.get(number, {}).items():
            texts[column] = told
        if number in odd.empty or any(each is not None for each in texts):
            yield number, texts


def _good(
    rows: Iterator[tuple[int, list[str | None]]], columns: tuple[str, ...], odd: Oddities, limits: Limits, refusals: list[Refusal], names_at: int | None
) -> Iterator[tuple[int, list[str | None]]]:
    width = len(columns)
    for locator, (number, texts) in enumerate(rows, 1):
        extra = next((column for column, each in enumerate(texts[width:], width) if each is not None), None)
        if number in odd.empty:
            reason, told = "formula-without-value", f"{odd.empty[number]} is a formula that was saved without its value. Have it opened and saved in Excel, or its values exported."
        elif extra is not None:
            seem = f"The names seem to stand in row {names_at + 1}: declare `read: {{skip_rows: {names_at}}}`." if names_at is not None else ""
            remedy = seem or "If the names stand further down, declare `read: skip_rows`."
            reason, told = "ragged-row", f"column {extra + 1} has a value and no name: there are {width} columns. {remedy}"
        elif any(each and "\0" in each for each in texts):
            reason, told = "nul-character", "a NUL character, which no text has. Have it sent without."
        elif sum(len(each.encode()) for each in texts if each) > limits.record_bytes:
            error = limit_exceeded(limits, "record_bytes", "the record is larger than")
            reason, told = error.reason, str(error)
        else:
            yield locator, (texts + [None] * width)[:width]
            continue
        refusals.append(Refusal(locator, reason, f"row {number + 1}: {told}", " | ".join(each or "" for each in texts)[:200]))


def find_names(top: Sequence[tuple[int, Sequence[str | None]]]) -> int | None:
    """Return the row, from 0, whose cells seem to name the columns, where it is not the first: that one is a title, or names groups of columns.

    A row of names has texts alone, each another, in most of the columns that are used from it on; the first row names far fewer.
    """
    below: set[int] = set()
    used: list[set[int]] = []
    for _, texts in reversed(top):
        below |= {column for column, each in enumerate(texts) if each is not None}
        used.insert(0, set(below))
    for (number, texts), columns in zip(top[1:], used[1:], strict=True):
        names = [each for each in texts if each is not None]
        if len(names) >= max(2, NAMED_SHARE * len(columns)) and len(set(names)) == len(names) and not any(NOT_A_NAME.match(each) for each in names):
            first = sum(each is not None for each in top[0][1])
            return number if first < NAMED_SHARE * len(columns) and number < top[-1][0] else None
    return None


def _with(first: tuple[int, list[str | None]], rows: Iterator[tuple[int, list[str | None]]]) -> Iterator[tuple[int, list[str | None]]]:
    yield first
    yield from rows


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    if isinstance(value, datetime.timedelta):
        seconds, rest = divmod(value, datetime.timedelta(seconds=1))
        fraction = f".{rest.microseconds:06}" if rest.microseconds else ""
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


# ---- what calamine does not tell


def _look_over(path: str, sheet: str) -> Oddities:
    """Find errors, and formulas without a value, in the XML of a sheet."""
    odd = Oddities()
    with zipfile.ZipFile(path) as archive:
        part = _part_of(archive, sheet)
        with archive.open(part) as file:
            options = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False, "remove_comments": True}
            for _, cell in etree.iterparse(file, events=("end",), tag=(f"{MAIN}c", f"{STRICT}c"), **options):
                _look_at(cell, odd)
                cell.clear()
                while cell.getprevious() is not None:
                    del cell.getparent()[0]
    return odd


def _look_at(cell: Any, odd: Oddities) -> None:
    name = CELL.match(cell.get("r") or "")
    if name is None:
        return
    values = {etree.QName(each).localname: each.text for each in cell}
    row = int(name.group(2)) - 1
    if cell.get("t") == "e":
        odd.errors.setdefault(row, {})[_column_number(name.group(1))] = values.get("v") or "#ERROR"
    elif "f" in values and values.get("v") is None and cell.get("t") != "str":
        odd.empty.setdefault(row, name.group())


def _column_number(letters: str) -> int:
    number = 0
    for each in letters:
        number = number * 26 + ord(each) - 64
    return number - 1


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str:
    """Return the name of the archive's part that holds a sheet."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    workbook = next((name for name in archive.namelist() if name.lower() == "xl/workbook.xml"), None)
    if workbook is None:
        raise KeyError("xl/workbook.xml is not there")
    book = etree.fromstring(archive.read(workbook), parser)
    wanted = next(each for each in book.iter("{*}sheet") if each.get("name") == sheet)
    identifier = next(value for name, value in wanted.items() if name.endswith("}id"))
    links = etree.fromstring(archive.read("xl/_rels/workbook.xml.rels"), parser)
    target = next(each.get("Target") for each in links.iter("{*}Relationship") if each.get("Id") == identifier)
    return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))
