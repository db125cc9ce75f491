"""Excel: what a sheet shows becomes texts that lose nothing; odd and hostile workbooks are refused."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from tests.workbooks import DATE, INSTANT, sheet_of, text_cell, workbook

from treaty.project.declarations import Limits

HEADER = sheet_of([["v"]])


@pytest.fixture
def excel(inbox: Any) -> Any:
    """An Excel stream over the folder."""
    inbox.format = "excel"
    return inbox


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("<v>0.1</v>", "0.1"), ("<v>12</v>", "12"), ("<v>1E-7</v>", "0.0000001"), ("<v>0.30000000000000004</v>", "0.30000000000000004"),
        ("<f>1+1</f><v>2</v>", "2"),
    ],
)  # fmt: skip
def test_numbers_are_plain_decimals(cell: str, text: str, excel: Any) -> None:
    """A number is written without exponent, with every digit; a formula is the value saved with it."""
    rows, refusals, _ = excel.one(workbook(f'{HEADER}<row r="2"><c r="A2">{cell}</c></row>'))
    assert ([{"v": text}], []) == (rows, refusals)


@pytest.mark.parametrize(
    ("attributes", "value", "text"),
    [
        (f's="{DATE}"', "45000", "2023-03-15"), (f's="{INSTANT}"', "45000.5", "2023-03-15T12:00:00"), ('t="b"', "1", "true"),
        ('t="e"', "#DIV/0!", "#DIV/0!"), ('t="str"', "of a formula", "of a formula"), ('t="d"', "2024-01-02T03:04:05", "2024-01-02T03:04:05"),
    ],
)  # fmt: skip
def test_each_kind_of_cell(attributes: str, value: str, text: str, excel: Any) -> None:
    """Dates are ISO 8601, booleans words, errors what Excel shows: none of them is taken for an empty cell."""
    rows, refusals, _ = excel.one(workbook(f'{HEADER}<row r="2"><c r="A2" {attributes}><v>{value}</v></c></row>'))
    assert ([{"v": text}], []) == (rows, refusals)


def test_a_formula_without_value_is_refused(excel: Any) -> None:
    """A formula that no program has worked out is not empty: its row is refused, with the cell's name."""
    rows, refusals, _ = excel.one(workbook(f'{HEADER}<row r="2"><c r="A2"><f>B1</f></c></row>{sheet_of([["x"]], 3)}'))
    assert ([{"v": "x"}], [(1, "formula-without-value")]) == (rows, [(each.locator, each.reason) for each in refusals])
    assert "A2" in refusals[0].message


def test_where_the_table_is(excel: Any) -> None:
    """Hidden sheets are passed over, empty rows are none, an empty cell is null, and the table need not begin in A1."""
    table = f'<row r="3">{text_cell("B3", "a")}{text_cell("C3", "b")}</row><row r="5"><c r="C5"><v>2</v></c></row>'
    rows, _, arrival = excel.one(workbook(sheet_of([["no"]]), table, names=["Hidden", "Data"], hidden=["Hidden"]))
    assert [{"column_1": None, "a": None, "b": "2"}] == rows
    assert ("Data", "Hidden") == (arrival.details["sheet"], arrival.details["other_sheets"])


@pytest.mark.parametrize(
    ("read", "rows"),
    [
        ({"sheet": "B"}, [{"x": "2"}]), ({"sheet": "#2"}, [{"x": "2"}]), ({"skip_rows": 1}, []),
        ({"header": False, "columns": ["n"]}, [{"n": "x"}, {"n": "1"}]),
    ],
)  # fmt: skip
def test_settings(read: dict[str, Any], rows: list[dict[str, str]], excel: Any) -> None:
    """A sheet by name or place, no header, rows above it."""
    excel.read = read
    found, refusals, _ = excel.one(workbook(sheet_of([["x"], ["1"]]), sheet_of([["x"], ["2"]]), names=["A", "B"]))
    assert (rows, []) == (found, refusals)


def test_a_sheet_that_is_not_there(excel: Any) -> None:
    """The refusal says which sheets there are."""
    excel.read = {"sheet": "C"}
    _, refusals, _ = excel.one(workbook(sheet_of([["x"]]), names=["A"]))
    assert ["no-records"] == [each.reason for each in refusals]
    assert "there are: A" in refusals[0].message


NAMES = ["no", "name", "city"]


@pytest.mark.parametrize(
    ("rows", "row"),
    [
        ([["Customers"], ["As of November"], NAMES, ["1", "Ann", "Gent"], ["2", "Bob", "Lyon"]], "3"),
        ([["Customer", "", ""], NAMES, ["1", "Ann", "Gent"]], "2"),
        ([["Customers"], NAMES], None), ([NAMES, ["1", "Ann", "Gent"]], None), ([NAMES, ["a", "Ann", "Gent", "more"], ["b", "Bob", "Lyon"]], None),
        ([["no", "name"], ["1", "a@x.example"], ["2", "b@x.example"]], None), ([["only"], ["a"], ["b"]], None),
    ],
)  # fmt: skip
def test_where_the_names_seem_to_stand(rows: list[list[str]], row: str | None, excel: Any) -> None:
    """A title, or names of groups, above the row that names the columns is told with the setting that reads on from there; a plain sheet is not doubted."""
    _, refusals, arrival = excel.one(workbook(sheet_of([[each for each in cells if each] for cells in rows])))
    assert row == arrival.details.get("names_seem_in_row")
    if row and refusals:
        assert f"declare `read: {{skip_rows: {int(row) - 1}}}`" in refusals[0].message


def shared_strings_bomb() -> bytes:
    made = io.BytesIO(workbook(HEADER))
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as part:
        part.write(b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">')
        for _ in range(1_000):
            part.write(b"<si><t>" + b"x" * 1_000_000 + b"</t></si>")
        part.write(b"</sst>")
    return made.getvalue()


CORNERS = f'{HEADER}<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
HOSTILE = {
    "truncated": (lambda: workbook(HEADER)[:-100], "bad-excel"),
    "empty": (lambda: b"", "bad-excel"),
    "not-a-workbook": (lambda: b"PK\3\4" + b"\0" * 100, "bad-excel"),
    "1,048,577 rows": (lambda: workbook(f'{HEADER}<row r="1048577"><c r="A1048577"><v>1</v></c></row>'), "too-many-rows"),
    "entity": (lambda: workbook("<row r='1'><c r='A1' t='str'><v>&e;</v></c></row>"), "bad-excel"),
    "empty-sheet": (lambda: workbook(""), "empty-file"),
    "corners": (lambda: workbook(CORNERS), "takes-too-much-memory"),
    "shared-strings-bomb": (shared_strings_bomb, "takes-too-much-memory"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_workbook_is_refused(name: str, excel: Any) -> None:
    """Each ends as a refusal of its file with its reason, and our process lives (D17)."""
    make, reason = HOSTILE[name]
    excel.limits = Limits(parser_megabytes=128)
    rows, refusals, _ = excel.one(make())
    assert ([], [reason]) == (rows, [each.reason for each in refusals])
