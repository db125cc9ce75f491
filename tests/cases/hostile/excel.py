"""Hostile Excel workbooks."""

from __future__ import annotations

import io
import zipfile

from tests.cases.hostile import Case, Format, good
from tests.workbooks import sheet_of, text_cell, workbook

HEAD = ["id", "text", "amount", "day", "at"]


def book(*rows: list[str], more: str = "") -> bytes:
    """Return a workbook with these rows, each from its first column, and the XML of more rows."""
    return workbook(sheet_of([HEAD, *rows]) + more)


def cell(name: str, xml: str) -> bytes:
    """Return a workbook of one record whose amount is a cell given as XML, at C2."""
    return book(more=f'<row r="2">{text_cell("A2", name)}{xml}</row>')


def with_part(content: bytes, name: str, part: bytes) -> bytes:
    """Return a workbook with one more part."""
    made = io.BytesIO(content)
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, part)
    return made.getvalue()


CASES = [
    Case("huge-cell", "D1", book(["eh1", "a"], ["eh2", "x" * 70_000], ["eh3", "b"]), ["canonical", "record-too-large", "canonical"]),
    Case("odd-texts", "D4 D15", book(["eo1", " a "], ["eo2", "é漢🙂"], ["eo3", "\u202egnp.exe"]), [good(text=" a "), good(text="é漢🙂"), good(text="\u202egnp.exe")]),
    Case("no-rows", "D6", book(), []),
    Case("empty-sheet", "D6", workbook(""), ["empty-file"]),
    Case("long-number", "D7", cell("en1", '<c r="C2"><v>1234567890123456.70</v></c>'), [good(amount="1234567890123456.80")]),  # cells are floating-point
    Case("exponent", "D7", cell("en2", '<c r="C2"><v>1e300</v></c>'), ["null: overflow"]),
    Case("text-number", "D7", cell("en3", text_cell("C2", "1,5")), ["null: not-a-decimal"]),
    Case("minus-zero", "D7", cell("en4", '<c r="C2"><v>-0</v></c>'), [good(amount="0.00")]),
    Case("no-number", "D7", cell("en5", '<c r="C2"><v>NaN</v></c>'), ["null: not-a-decimal"]),
    Case("entity", "D8", cell("ee", '<c r="C2" t="str"><v>&e;</v></c>'), ["bad-excel"]),
    Case("equal-columns", "D13", workbook(sheet_of([["id", "text", "text"], ["ec", "a", "b"]])), [good(text=None)]),
    Case("day-as-text", "D14", book(["ed1", "", "", "05/01/2026"], ["ed2", "", "", "2026-01-05"]), ["null: not-a-date", good(day="2026-01-05")]),
    Case("serial-without-style", "D14", cell("ed3", '<c r="D2"><v>46023</v></c>'), ["null: not-a-date"]),
    Case("serial-day", "D14", cell("ed4", '<c r="D2" s="1"><v>46023</v></c>'), [good(day="2026-01-01")]),
    Case("february-29-of-1900", "D14", cell("ed5", '<c r="D2" s="1"><v>60</v></c>'), [good(day="1900-02-28")]),
    Case("negative-serial", "D14", cell("ed6", '<c r="D2" s="1"><v>-5</v></c>'), ["null: not-a-date"]),
    Case("no-key", "D16", book(["", "a"], [" ", "b"]), ["missing-key", "canonical"]),
    Case("formula", "D17", cell("ef1", '<c r="C2"><f>1+1</f><v>2</v></c>'), [good(amount="2.00")]),
    Case("formula-without-value", "D17", cell("ef2", '<c r="C2"><f>1+1</f></c>'), ["formula-without-value"]),
    Case("error-cell", "D17", cell("ef3", '<c r="C2" t="e"><v>#DIV/0!</v></c>'), ["null: not-a-decimal"]),
    Case("text-like-a-formula", "D17", book(["ef4", "=1+1"]), [good(text="=1+1")]),
    Case("too-many-rows", "D17", workbook('<row r="1048577"><c r="A1048577"><v>1</v></c></row>'), ["too-many-rows"]),
    Case("corners", "D17", book(more='<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'), ["takes-too-much-memory"]),
    Case("truncated", "D17", book(["et", "a"])[:-100], ["bad-excel"]),
    Case("empty", "D17", b"", ["bad-excel"]),
    Case("no-workbook", "D17", b"PK\3\4" + b"\0" * 100, ["bad-excel"]),
    Case("climbing-part", "D11", with_part(book(["ep", "a"]), "../../evil.xml", b"<x/>"), [good(text="a")]),
]
FORMAT = Format(
    "excel", "xlsx", {"excel": "key: [id], read: {"},
    {"code": "id", "text": "text", "amount": "to_decimal(amount, 18, 2)", "day": "iso_date(day)", "at": "iso_timestamp(at)"}, CASES,
)  # fmt: skip
