"""CSV: dialects, encodings, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest

from treaty.connectors.csv_survey import Survey, sniff_delimiter
from treaty.connectors.interface import Arrival, CsvScan
from treaty.errors import SetAsideError, StopError
from treaty.project.declarations import Deletes, Limits

SPECTRUM = Path(__file__).parents[4] / "shared/data/conformance/csv-spectrum"
LARGE_ROWS = 60_000  # more than a file that is kept in memory


def _large(row: str = "{n},text {n},é\n", rows: int = LARGE_ROWS) -> str:
    return "id,text,mark\n" + "".join(row.format(n=n) for n in range(rows))


@pytest.mark.skipif(not SPECTRUM.is_dir(), reason="the csv-spectrum files are not there")
@pytest.mark.parametrize("name", sorted(path.stem for path in SPECTRUM.glob("csvs/*.csv")))
def test_csv_spectrum_is_read_exactly(name: str, inbox: Any) -> None:
    """Each file of csv-spectrum means what its JSON says.

    Two files of the copy disagree with their own JSON: `_crlf` ones have lost their carriage returns, which are put back, and
    `location_coordinates` has another phone number (and one record without a list).
    """
    data = (SPECTRUM / f"csvs/{name}.csv").read_bytes()
    expected = json.loads((SPECTRUM / f"json/{name}.json").read_text())
    if name.endswith("_crlf"):
        data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if name == "location_coordinates":
        expected = [{**expected, "Contact Phone Number": "2095257564"}]
    rows, refusals, _ = inbox.one(data)
    assert expected == rows
    assert [] == refusals


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8", None), ("utf-8-sig", None), ("utf-16", None), ("utf-32", None), ("cp1252", "cp1252"), ("utf-16-le", "utf-16-le"), ("utf-8-sig", "utf-8")],
)
@pytest.mark.parametrize("rows", [1, LARGE_ROWS])
def test_encodings(encoding: str, declared: str | None, rows: int, inbox: Any) -> None:
    """The declared encoding holds, else the byte order mark, else UTF-8; small files and large ones alike (D5)."""
    inbox.read = {"encoding": declared} if declared else {}
    found, refusals, _ = inbox.one(_large(rows=rows).encode(encoding))
    assert {"id": "0", "text": "text 0", "mark": "é"} == found[0]
    assert rows == len(found)
    assert [] == refusals


@pytest.mark.parametrize("padding", [0, LARGE_ROWS])
def test_the_first_bad_byte_is_named(padding: int, inbox: Any) -> None:
    """A file that is not UTF-8 is refused as a whole, kept as it is, and told where (D4, D5)."""
    data = _large(rows=padding).encode() + b"1,caf\xe9,x\n"
    rows, (refusal,), arrival = inbox.one(data)
    assert ([], "bad-encoding", 0) == (rows, refusal.reason, refusal.locator)
    assert f"byte {data.index(b'caf') + 3} (0xe9)" in refusal.message
    assert arrival.size_bytes == len(data)


def test_a_bad_byte_between_chunks_is_found() -> None:
    """A character that is cut by a chunk's end is whole; one that is broken there is not."""
    Survey([b"a,b\n\xc3", b"\xa9,x\n"], '"', 1000)
    with pytest.raises(SetAsideError, match="byte 4 "):
        Survey([b"a,b\n\xc3", b"x,\n"], '"', 1000)
    with pytest.raises(SetAsideError, match="byte 4 "):
        Survey([b"a,b\n\xe2\x82"], '"', 1000)


def test_a_clean_file_is_left_to_the_engine(inbox: Any) -> None:
    """A large regular file is a scan, and the engine reads from it what the exact reader reads."""
    inbox.write("a.csv", _large('{n},"text ""{n}""\nmore",é\n'))

    def compare(arrival: Arrival) -> None:
        scan = arrival.records
        assert isinstance(scan, CsvScan)
        columns = dict.fromkeys(scan.columns, "VARCHAR")
        read = duckdb.sql(
            "select * from read_csv($path, columns=$columns, auto_detect=false, header=true, delim=',', quote='\"', escape='\"', strict_mode=true)",
            params={"path": str(scan.path), "columns": columns},
        ).fetchall()
        exact = [tuple(row.values())[1:] for batch in scan.exact().batches for row in batch.to_pylist()]
        assert exact == read

    inbox.arrivals(compare)


@pytest.mark.parametrize(
    ("content", "doubt"),
    [
        (_large() + '9,"x,y\n', "unbalanced quotes"),
        (_large() + "9,\0,y\n", "NUL"),
        (_large().replace("\n", "\r\n") + "9,x,y\r", "lone carriage returns"),
        (_large() + '9,"' + "\n" * 1_500 + '",y\n', "a quoted field over very many lines"),
        (_large() + '9,a"b,c\n' + _large()[13:] + '8,d"e,f\n', "a quoted field over very many lines"),
    ],
)
def test_a_doubtful_file_is_read_exactly(content: str, doubt: str, inbox: Any) -> None:
    """What the engine could misread is read record by record."""
    inbox.write("a.csv", content)
    ((arrival, records),) = inbox.arrivals(lambda arrival: None)
    assert doubt == arrival.details["irregular"]
    assert len(records) >= LARGE_ROWS


def test_a_missing_quote_does_not_swallow_the_rest(inbox: Any) -> None:
    """The line with the open quote is refused; those behind it are records (D6)."""
    rows, refusals, _ = inbox.one("id,text\n1,a\n2,\"open\n" + "".join(f"{n},x\n" for n in range(3, 3_000)))
    assert [str(n) for n in range(1, 3_000) if n != 2] == [row["id"] for row in rows]
    ((locator, message),) = [(each.locator, each.message) for each in refusals]
    assert 2 == locator
    assert message.startswith("line 3:")
    assert "limits.field_lines" in message


def test_ragged_rows_are_refused_with_their_line(inbox: Any) -> None:
    """Fewer or more fields than columns never shift a value (D6, C6)."""
    rows, refusals, _ = inbox.one("a,b\n1,2\n3\n4,5,6\n\"7\n7\",8\n9,10\n")
    assert [("1", "2"), ("7\n7", "8"), ("9", "10")] == [(row["a"], row["b"]) for row in rows]
    assert [(2, "ragged-row", "line 3"), (3, "ragged-row", "line 4")] == [(each.locator, each.reason, each.message[:6]) for each in refusals]


def test_text_behind_a_closing_quote_is_refused(inbox: Any) -> None:
    """The record is refused, its neighbours pass."""
    rows, refusals, _ = inbox.one('a,b\n1,2\n3,"4"x\n5,6\n')
    assert ["1", "5"] == [row["a"] for row in rows]
    assert ["bad-csv"] == [each.reason for each in refusals]


def test_nul_is_refused(inbox: Any) -> None:
    """A NUL character is refused with its record, not dropped (D4)."""
    rows, refusals, _ = inbox.one(b"a,b\n1,\x00\n2,x\n")
    assert ["2"] == [row["a"] for row in rows]
    assert ["nul-character"] == [each.reason for each in refusals]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends(newline: str, inbox: Any) -> None:
    """Each kind of line end parts records, and is kept within a field (D6)."""
    rows, refusals, _ = inbox.one(newline.join(["a,b", f'1,"x{newline}y"', "2,z", ""]))
    assert [f"x{newline}y", "z"] == [row["b"] for row in rows]
    assert [] == refusals


def test_mixed_line_ends(inbox: Any) -> None:
    """Files that were put together from several are read (D6)."""
    rows, _, _ = inbox.one("a,b\r\n1,x\n2,y\r3,z")
    assert ["x", "y", "z"] == [row["b"] for row in rows]


def test_a_long_field_is_read_and_a_longer_record_refused(inbox: Any) -> None:
    """Nothing but our own limit bounds a field, and it is named (D6)."""
    inbox.limits = Limits(record_bytes=300_000)
    rows, (refusal,), _ = inbox.one(f"a,b\n1,{'x' * 200_000}\n2,{'y' * 400_000}\n3,z\n")
    assert [200_000, 1] == [len(row["b"]) for row in rows]
    assert "record-too-large" == refusal.reason
    assert "limits.record_bytes (300000)" in refusal.message


def test_too_many_columns(inbox: Any) -> None:
    """A file of a million columns is refused as a whole."""
    rows, (refusal,), _ = inbox.one("a," * 1_000_000 + "a\n1\n")
    assert ([], "too-many-fields") == (rows, refusal.reason)
    assert "limits.fields" in refusal.message


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(delimiter: str, inbox: Any) -> None:
    """And what was found is said."""
    rows, _, arrival = inbox.one(f'a{delimiter}b{delimiter}c\n"1,5"{delimiter}"x;y"{delimiter}z\n')
    assert [{"a": "1,5", "b": "x;y", "c": "z"}] == rows
    assert (delimiter, "delimiter") == (arrival.details["delimiter"], arrival.details["sniffed"])


def test_decimal_commas_do_not_pass_for_delimiters() -> None:
    """The header's own delimiter cuts all lines alike."""
    assert ";" == sniff_delimiter("id;net;tax\n1;1,50;0,20\n2;2,50;0,30\n", '"')


def test_columns_of_one_name_are_numbered(inbox: Any) -> None:
    """No column of a doubled name is silently taken for it, and a nameless one has its place's name."""
    rows, _, arrival = inbox.one("Amount,Amount,,id\n1,2,3,4\n")
    assert [{"Amount [1]": "1", "Amount [2]": "2", "column_3": "3", "id": "4"}] == rows
    assert "'Amount' at 2 is 'Amount [2]'" in arrival.details["renamed"]


def test_files_without_a_header(inbox: Any) -> None:
    """Columns are named by the stream, or by their place; lines above can be left out."""
    inbox.read = {"header": False, "columns": ["x", "y"], "skip_lines": 1}
    assert [{"x": "1", "y": "2"}] == inbox.one("made on Monday\n1,2\n")[0]
    inbox.read, inbox.known = {"header": False}, {}
    assert [{"column_1": "1", "column_2": "2"}] == inbox.one("1,2\n")[0]


def test_a_reordered_header_does_not_shift(inbox: Any) -> None:
    """Values follow the names (C6)."""
    inbox.write("1.csv", "a,b\n1,2\n")
    inbox.write("2.csv", "b,a\n2,1\n")
    first, second = (records[0] for _, records in inbox.arrivals())
    assert (first["a"], first["b"]) == (second["a"], second["b"])


def test_an_empty_file_is_no_snapshot(inbox: Any) -> None:
    """A file of 0 bytes, or of blank lines, is refused: it must not delete everything (C11)."""
    inbox.deletes = Deletes(mode="snapshot")
    for name, content in (("0.csv", ""), ("1.csv", "\n\n")):
        inbox.write(name, content)
    for arrival, _ in inbox.arrivals():
        assert ["empty-file"] == [each.reason for each in arrival.refusals]
        assert not arrival.complete_snapshot


def test_a_header_alone_is_an_empty_snapshot(inbox: Any) -> None:
    """It has columns and no rows."""
    inbox.deletes = Deletes(mode="snapshot")
    rows, refusals, arrival = inbox.one("a,b\n")
    assert ([], [], True) == (rows, refusals, arrival.complete_snapshot)


@pytest.mark.parametrize(
    "read", [{"delimiter": ";;"}, {"quote": "''"}, {"encoding": "klingon"}, {"encoding": "rot13"}, {"columns": ["a"]}, {"headr": True}, {"header": "yes"}]
)
def test_settings_that_cannot_be_are_refused(read: dict[str, Any], inbox: Any) -> None:
    """With what to write instead."""
    inbox.read = read
    inbox.write("a.csv", "a\n1\n")
    with pytest.raises(StopError) as caught:
        inbox.arrivals()
    assert caught.value.remedy or "Write" in str(caught.value) or "Such as" in str(caught.value) or "It is" in str(caught.value)


def test_broken_quotes_everywhere_end_in_time(inbox: Any) -> None:
    """A file made so that each line would be read again many times is given up, not read for hours."""
    inbox.limits = Limits(field_lines=100_000)
    line = 'x","y'
    _, refusals, _ = inbox.one("a,b\n" + f"{line}\n" * 20_000 + '"z"q\n' + f"{line}\n" * 20_000)
    assert len(refusals) < 100
    assert os.times().user < 600


def test_the_private_copies_are_gone_afterwards(inbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was copied or transcoded is removed when reading ends."""
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spool))
    inbox.read = {"encoding": "cp1252"}
    inbox.write("a.csv", _large().encode("cp1252"))
    inbox.arrivals(lambda arrival: None)
    assert [] == list(spool.rglob("*"))


@pytest.mark.parametrize("rows", [2, LARGE_ROWS])
@pytest.mark.parametrize(("first", "delimiter"), [("sep=;\n", ";"), ('"sep=|"\r\n', "|"), ("SEP=\t\n", "\t")])
def test_a_first_line_that_names_the_delimiter_is_no_header(first: str, delimiter: str, rows: int, inbox: Any) -> None:
    """What Excel writes above the header is believed, and left out; the place of a record counts it."""
    text = first + _large("{n},text {n},é\n", rows).replace(",", delimiter)
    found, refusals, arrival = inbox.one((text + "x\n").encode())
    assert ({"id": "0", "text": "text 0", "mark": "é"}, rows) == (found[0], len(found))
    assert [f"line {rows + 3}"] == [each.message.partition(":")[0] for each in refusals]
    assert arrival.details["skipped"] == "1"


def test_quotes_that_a_sign_escapes(inbox: Any) -> None:
    r"""With `escape`, \" within a field is a quote, \, no delimiter and \\ one sign; without, such a record is refused and told what to declare."""
    data = b'id,text\n1,"a \\"b\\" c"\n2,d\\,e\n3,"f\\\\"\n'
    _, (refusal, *_), _ = inbox.one(data)
    assert "declare `read: escape`" in refusal.message
    inbox.read, inbox.known = {"escape": "\\"}, {}
    found, refusals, _ = inbox.one(data)
    assert (['a "b" c', "d,e", "f\\"], []) == ([each["text"] for each in found], refusals)
    inbox.read = {"escape": '"'}
    with pytest.raises(StopError, match="escape"):
        inbox.one(data)
