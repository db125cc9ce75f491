"""Writes small workbooks cell by cell, odd ones too."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
DATE, INSTANT = 1, 2  # styles of cells


def text_cell(place: str, text: str) -> str:
    """Return a cell with a text."""
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def sheet_of(rows: Sequence[Sequence[str]], first_row: int = 1) -> str:
    """Return the rows of a sheet of texts; columns are named by one letter."""
    told = ""
    for number, row in enumerate(rows, first_row):
        told += f'<row r="{number}">' + "".join(text_cell(f"{chr(65 + at)}{number}", text) for at, text in enumerate(row)) + "</row>"
    return told


def workbook(*sheets: str, names: Sequence[str] = (), hidden: Sequence[str] = ()) -> bytes:
    """Return a workbook of sheets, given as the XML of their rows."""
    names = names or [f"Sheet{number}" for number in range(1, len(sheets) + 1)]
    told = [' state="hidden"' if name in hidden else "" for name in names]
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}" r:id="r{number}"{told[number - 1]}/>' for number, name in enumerate(names, 1)
    )
    links = "".join(
        f'<Relationship Id="r{number}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>' for number in range(1, len(sheets) + 1)
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>')
        link = f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{PACKAGE}/relationships">{link}</Relationships>')
        archive.writestr("xl/workbook.xml", f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>')
        archive.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>')
        formats = '<xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/>'
        archive.writestr("xl/styles.xml", f'<styleSheet xmlns="{MAIN}"><cellXfs count="3">{formats}</cellXfs></styleSheet>')
        for number, sheet in enumerate(sheets, 1):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData></worksheet>')
    return made.getvalue()
