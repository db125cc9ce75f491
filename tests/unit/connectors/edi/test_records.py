"""EDIFACT and X12: what is taken, what is refused and why; nothing else ever comes out of the parser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treaty.connectors.edi.records import Wanted, read_edi
from treaty.connectors.edi.syntaxes import SYNTAXES
from treaty.connectors.folders import Copy
from treaty.connectors.interface import Refusal
from treaty.errors import SetAsideError
from treaty.project.declarations import Limits

ALL = Wanted(None, (), None, marks=False)
SHARED = Path(__file__).parents[5] / "shared/data/edi/edi.net"

ORDERS = (
    b"UNA:+.? '\r\nUNB+UNOC:3+4000001000005:14+4000001000012:14+260105:0915+77'\r\n"
    b"UNH+1+ORDERS:D:96A:UN'BGM+220+PO-1+9'DTM+137:20260105:102'NAD+BY+4000001000005::9++M\xfcller ?+ Sohn'CTA+OC+:A. Weber'\r\n"
    b"NAD+SU+4000001000012::9'LIN+1++4012345000016:EN'QTY+21:10:PCE'PRI+AAA:2.50'LIN+2'QTY+21:4'UNS+S'CNT+2:2'UNT+14+1'\r\nUNZ+1+77'\r\n"
)
PURCHASE = (
    b"ISA*00*          *00*          *ZZ*BUYER          *ZZ*SELLER         *260105*0915*U*00401*000000077*0*P*>~\n"
    b"GS*PO*BUYER*SELLER*20260105*0915*7*X*004010~\nST*850*0001~\nBEG*00*SA*PO-1**20260105~\nN1*BY*Mueller Inc~\nN3*1 Main St~\n"
    b"PO1*1*10*EA*2.50**VP*AB-1~\nPID*F****Bolt~\nPO1*2*4*EA*1~\nCTT*2~\nSE*9*0001~\nGE*1*7~\nIEA*1*000000077~\n"
)


def read(content: bytes, syntax: str = "edifact", wanted: Wanted = ALL, limits: Limits | None = None, encoding: str | None = None) -> tuple[list[Any], list[str]]:
    """Return the records and the reasons of what was refused, in their order."""
    refusals: list[Refusal] = []
    copy = Copy(content, "0", len(content), "")
    try:
        rows, _ = read_edi(copy, Path(), SYNTAXES[syntax], wanted=wanted, encoding=encoding, limits=limits or Limits(), refusals=refusals)
        records = [orjson.loads(each) for batch in rows.batches for each in batch.column("payload").to_pylist()]
    except SetAsideError as error:
        return [], [error.reason]
    return records, [each.reason for each in refusals]


def test_a_message_is_a_record_whose_groups_hold_their_segments() -> None:
    """A segment that opens a group holds the group's segments; the first component of an element has the element's name."""
    (record,), refused = read(ORDERS)
    assert [] == refused
    assert ["UNB", "UNH", "BGM", "DTM", "NAD", "LIN", "UNS", "UNT"] == [each for each in record if each.isupper()]
    assert {"NAD01": "BY", "NAD02": "4000001000005", "NAD02-3": "9", "NAD04": "Müller + Sohn", "CTA": [{"CTA01": "OC", "CTA02-2": "A. Weber"}]} == record["NAD"][0]
    assert [{"QTY01": "21", "QTY01-2": "10", "QTY01-3": "PCE"}] == record["LIN"][0]["QTY"]
    assert [{"UNS01": "S", "CNT": [{"CNT01": "2", "CNT01-2": "2"}]}] == record["UNS"]
    assert "77" == record["UNB"][0]["UNB05"]


def test_a_transaction_set_is_a_record() -> None:
    """X12 has the names that its users give: BEG03, N102, PO107."""
    (record,), refused = read(PURCHASE, "x12")
    assert [] == refused
    assert "PO-1" == record["BEG"][0]["BEG03"]
    assert {"N101": "BY", "N102": "Mueller Inc", "N3": [{"N301": "1 Main St"}]} == record["N1"][0]
    assert [("1", "AB-1"), ("2", None)] == [(each["PO101"], each.get("PO107")) for each in record["PO1"]]
    assert ("000000077", "7", "0001") == (record["ISA"][0]["ISA13"], record["GS"][0]["GS06"], record["SE"][0]["SE02"])


def test_repeats_are_lists_of_one_length() -> None:
    """Where a repetition character is declared, repeated elements are lists, null where a repeat lacks a component."""
    content = b"UNA:+.?*'UNB+UNOW:4+A+B+260105:0915+1'UNH+1+TEST'ABC+1:2*3*:4+x'UNT+3+1'UNZ+1+1'"
    assert [{"ABC01": ["1", "3", None], "ABC01-2": ["2", None, "4"], "ABC02": "x"}] == read(content)[0][0]["ABC"]
    content = PURCHASE.replace(b"*U*00401*", b"*^*00501*").replace(b"BEG*00*SA", b"BEG*00*SA^NE")
    assert ["SA", "NE"] == read(content, "x12")[0][0]["BEG"][0]["BEG02"]


INTERCHANGE = b"UNB+UNOA:3+A+B+260105:0915+1'%sUNZ+%d+1'"
MESSAGE = b"UNH+%d+TEST:D:96A:UN'BGM+1+x'UNT+3+%d'"
TWO = INTERCHANGE % (MESSAGE % (1, 1) + MESSAGE % (2, 2), 2)

# name → (what comes in, how many records are taken, what is refused and why)
HOSTILE: dict[str, tuple[bytes, int, list[str]]] = {
    "empty": (b"", 0, ["empty-file"]),
    "blanks alone": (b" \r\n\t\n", 0, ["empty-file"]),
    "NUL bytes alone": (b"\0" * 100, 0, ["empty-file"]),
    "something else": (b"Dear Sirs, please find enclosed", 0, ["no-envelope"]),
    "TRADACOMS": (b"STX=ANA:1+5000000000000:A+5000000000001:B+260105:091500+1'MHD=1+ORDHDR:9'", 0, ["tradacoms"]),
    "the other syntax": (PURCHASE, 0, ["other-format"]),
    "a message without interchange": (MESSAGE % (1, 1), 0, ["no-envelope"]),
    "two messages": (TWO, 2, []),
    "two interchanges": (TWO + b"\r\n" + TWO, 4, []),
    "an empty interchange": (INTERCHANGE % (b"", 0), 0, []),
    "byte order mark": (b"\xef\xbb\xbf" + TWO, 2, []),
    "UTF-16": (TWO.decode().encode("utf-16"), 2, []),
    "fill after the end": (TWO + b"\r\n\x1a\0\0\0", 2, []),
    "text after the end": (TWO + b"and so on", 2, ["no-envelope"]),
    "a line end after each segment": (TWO.replace(b"'", b"'\r\n"), 2, []),
    "line ends instead of terminators": (TWO.replace(b"'", b"\n"), 2, []),
    "CRLF instead of terminators": (TWO.replace(b"'", b"\r\n"), 2, []),
    "a count too high": (TWO.replace(b"UNT+3+1", b"UNT+4+1"), 1, ["wrong-count"]),
    "a count that is no number": (TWO.replace(b"UNT+3+1", b"UNT+three+1"), 1, ["wrong-count"]),
    "a count of 5,000 digits": (TWO.replace(b"UNT+3+1", b"UNT+" + b"9" * 5000 + b"+1"), 1, ["wrong-count"]),
    "no count": (TWO.replace(b"UNT+3+1", b"UNT++1"), 1, ["wrong-count"]),
    "a message lost": (INTERCHANGE % (MESSAGE % (1, 1), 2), 1, ["wrong-count"]),
    "control numbers of a message differ": (TWO.replace(b"UNT+3+1", b"UNT+3+7"), 1, ["wrong-control-number"]),
    "control numbers of the interchange differ": (TWO.replace(b"UNZ+2+1", b"UNZ+2+7"), 2, ["wrong-control-number"]),
    "UNZ missing": (TWO[: -len(b"UNZ+2+1'")], 2, ["truncated"]),
    "UNZ without its terminator": (TWO[:-1], 2, []),
    "UNT missing": (TWO.replace(b"UNT+3+1'", b""), 1, ["envelope-not-closed", "wrong-count"]),
    "the last UNT missing": (TWO.replace(b"UNT+3+2'", b""), 1, ["envelope-not-closed", "wrong-count"]),
    "an interchange in an interchange": (TWO[: -len(b"UNZ+2+1'")] + TWO, 4, ["envelope-not-closed"]),
    "a group without end": (INTERCHANGE % (b"UNG+A+B+C+D+5'" + MESSAGE % (1, 1), 1), 1, ["envelope-not-closed"]),
    "a group's count wrong": (INTERCHANGE % (b"UNG+A+B+C+D+5'" + MESSAGE % (1, 1) + b"UNE+2+5'", 1), 1, ["wrong-count"]),
    "an end of a group that did not begin": (INTERCHANGE % (MESSAGE % (1, 1) + b"UNE+1+5'", 1), 1, ["stray-segment"]),
    "segments between messages": (INTERCHANGE % (MESSAGE % (1, 1) + b"ABC+1'DEF+2'" + MESSAGE % (2, 2), 2), 2, ["stray-segment"]),
    "a quote within a text": (TWO.replace(b"BGM+1+x", b"BGM+1+O'Neill", 1), 1, ["bad-segment"]),
    "a released quote": (TWO.replace(b"BGM+1+x", b"BGM+1+O?'Neill ??", 1), 2, []),
    "releases before the end": (TWO.replace(b"BGM+1+x", b"BGM+1+" + b"?" * 100_000, 1), 2, []),
    "an odd release swallows the end": (TWO.replace(b"BGM+1+x", b"BGM+1+x?", 1), 1, ["envelope-not-closed", "wrong-count"]),
    "a NUL in a text": (TWO.replace(b"+x", b"+x\0y", 1), 1, ["nul-character"]),
    "bytes of another encoding": (TWO.replace(b"+x", b"+M\xfcller", 1), 1, ["bad-encoding"]),
    "the same bytes in UNOC": (TWO.replace(b"UNOA", b"UNOC").replace(b"+x", b"+M\xfcller", 1), 2, []),
    "an encoding left open": (TWO.replace(b"UNOA", b"UNOY"), 0, ["bad-encoding"]),
    "UNA with one character for two": (b"UNA++.? '" + TWO, 0, ["bad-envelope"]),
    "UNA alone": (b"UNA:+.? '", 0, ["no-envelope"]),
    "UNA with other characters": (b"UNA|*,! ~" + TWO.replace(b"+", b"*").replace(b":", b"|").replace(b"'", b"~"), 2, []),
    "a lower-case tag": (TWO.replace(b"BGM+1+x", b"bgm+1+x", 1), 1, ["bad-segment"]),
    "a decimal comma": (b"UNA:+,? '" + TWO, 2, []),
    "an object between messages": (INTERCHANGE % (MESSAGE % (1, 1) + b"UNO+1+1+1+7'a'b+c?'UNP+7+1'" + MESSAGE % (2, 2), 2), 2, []),
    "an object longer than the file": (INTERCHANGE % (MESSAGE % (1, 1) + b"UNO+1+1+1+999'abc", 1), 1, ["truncated"]),
    "an object without a length": (INTERCHANGE % (MESSAGE % (1, 1) + b"UNO+1'", 1), 1, ["truncated"]),
    "many elements": (TWO.replace(b"+x", b"+x" * 20_000, 1), 1, ["too-many-fields"]),
    "many components": (TWO.replace(b"+x", b"+" + b":x" * 20_000, 1), 1, ["too-many-fields"]),
    "a huge element": (TWO.replace(b"+x", b"+" + b"x" * 230_000, 1), 1, ["record-too-large"]),
    "a segment without end": (TWO.replace(b"BGM+1+x'", b"BGM+" + b"x" * 3_000_000, 1), 0, ["truncated", "record-too-large"]),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_edifact(name: str) -> None:
    """Each odd interchange comes to its written-down end: so many records, and these reasons."""
    content, records, reasons = HOSTILE[name]
    taken, refused = read(content, limits=replace(Limits(), record_bytes=200_000))
    assert (records, reasons) == (len(taken), refused)


HOSTILE_X12: dict[str, tuple[bytes, int, list[str]]] = {
    "as it should be": (PURCHASE, 1, []),
    "blanks of ISA collapsed": (PURCHASE.replace(b"          ", b" "), 1, []),
    "line ends instead of terminators": (PURCHASE.replace(b"~", b""), 1, []),
    "CRLF instead of terminators": (PURCHASE.replace(b"~\n", b"\r\n"), 1, []),
    "no line ends": (PURCHASE.replace(b"\n", b""), 1, []),
    "no component separator": (PURCHASE.replace(b"*P*>~", b"*P*~"), 1, []),
    "the terminator of IEA cut off": (PURCHASE.rstrip(b"~\n"), 1, []),
    "one terminator lost": (PURCHASE.replace(b"Bolt~", b"Bolt"), 0, ["wrong-count"]),
    "a count wrong": (PURCHASE.replace(b"SE*9", b"SE*8"), 0, ["wrong-count"]),
    "the group's count wrong": (PURCHASE.replace(b"GE*1", b"GE*2"), 1, ["wrong-count"]),
    "the interchange's count wrong": (PURCHASE.replace(b"IEA*1", b"IEA*2"), 1, ["wrong-count"]),
    "control numbers with and without zeros": (PURCHASE.replace(b"SE*9*0001", b"SE*9*1"), 1, []),
    "another control number": (PURCHASE.replace(b"IEA*1*000000077", b"IEA*1*000000078"), 1, ["wrong-control-number"]),
    "GE missing": (PURCHASE.replace(b"GE*1*7~\n", b""), 1, ["envelope-not-closed"]),
    "SE missing": (PURCHASE.replace(b"SE*9*0001~\n", b""), 0, ["envelope-not-closed", "wrong-count"]),
    "IEA missing": (PURCHASE[: PURCHASE.index(b"IEA")], 1, ["truncated"]),
    "ISA cut": (PURCHASE[:80], 0, ["bad-envelope"]),
    "ISA alone": (PURCHASE[:106], 0, ["truncated"]),
    "letters for delimiters": (b"ISAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, ["bad-envelope"]),
    "EDIFACT": (ORDERS, 0, ["other-format"]),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_X12)
def test_hostile_x12(name: str) -> None:
    """Each odd X12 interchange comes to its written-down end."""
    content, records, reasons = HOSTILE_X12[name]
    taken, refused = read(content, "x12")
    assert (records, reasons) == (len(taken), refused)


@pytest.mark.parametrize(("content", "syntax"), [(ORDERS, "edifact"), (PURCHASE, "x12")])
def test_a_cut_is_never_silent(content: bytes, syntax: str) -> None:
    """Cut at any byte, an interchange gives a refusal, unless all that is lost is what closes its last segment."""
    whole = content.rstrip(b"\r\n")
    for at in range(len(whole) - 1):
        taken, refused = read(whole[:at], syntax)
        assert refused, at
        assert len(taken) == int(at >= whole.rindex(b"UNZ" if syntax == "edifact" else b"\nGE") - 2 and len(taken)), at


def test_wrong_counts_can_be_marked() -> None:
    """With `counts: mark` the message is taken, and says in `problems` what is wrong with it."""
    (record,), refused = read(ORDERS.replace(b"UNT+14+1", b"UNT+15+2"), wanted=replace(ALL, marks=True))
    assert [] == refused
    assert ["wrong-count", "wrong-control-number"] == [each["reason"] for each in record["problems"]]


def test_messages_of_another_type_are_the_other_streams() -> None:
    """A stream takes the type that it names; another type is left out where it is named, and refused where it is not."""
    assert ([], ["other-message"]) == read(ORDERS, wanted=replace(ALL, record="INVOIC"))
    assert ([], []) == read(ORDERS, wanted=replace(ALL, record="INVOIC", others=("ORDERS",)))
    assert ([], []) == read(ORDERS, wanted=replace(ALL, record="INVOIC", theirs=("ORDERS",)))
    assert (1, []) == (len(read(ORDERS, wanted=replace(ALL, record="ORDERS"))[0]), [])


def test_a_million_segments_are_read_in_bounded_memory() -> None:
    """A message of a million segments beyond `record_bytes` is refused alone; those around it are taken."""
    huge = b"UNH+2+TEST'" + b"ABC+1'" * 1_000_000 + b"UNT+1000002+2'"
    content = INTERCHANGE % (MESSAGE % (1, 1) + huge + MESSAGE % (3, 3), 3)
    taken, refused = read(content, limits=replace(Limits(), record_bytes=1_000_000))
    assert (2, ["record-too-large"]) == (len(taken), refused)


PIECES = st.sampled_from(
    [b"UNA:+.? '", b"UNB+UNOA:3+A+B+1:2+1'", b"UNZ+1+1'", b"UNH+1+ORDERS'", b"UNT+2+1'", b"LIN+1'", b"NAD+BY'", b"UNO+1+1+1+3'", b"UNP+1'", b"UNS+S'",
     b"UNG+1+2+3+4+5'", b"UNE+1+5'", b"'", b"+", b":", b"?", b"*", b"~", b"\n", b"\0", b"\xff", PURCHASE[:106], b"GS*PO*A*B*C*D*7~", b"ST*850*1~", b"SE*2*1~",
     b"GE*1*7~", b"IEA*1*000000077~", b"PO1*1~"]
)  # fmt: skip


@given(st.lists(PIECES | st.binary(max_size=12), max_size=30), st.sampled_from(["edifact", "x12"]), st.booleans())
@settings(max_examples=400, deadline=None)
def test_nothing_but_refusals_comes_out(pieces: list[bytes], syntax: str, marks: bool) -> None:
    """Whatever the bytes are, the parser gives records and refusals, and takes no message without its end."""
    content = b"".join(pieces)
    taken, _ = read(content, syntax, replace(ALL, marks=marks), replace(Limits(), record_bytes=500))
    assert len(taken) <= content.count(b"UNT" if syntax == "edifact" else b"SE")


@given(st.sampled_from([(ORDERS, "edifact"), (PURCHASE, "x12")]), st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=6))
@settings(max_examples=300, deadline=None)
def test_changed_bytes_never_end_a_run(sample: tuple[bytes, str], changes: list[tuple[int, int]]) -> None:
    """Changed bytes of a good interchange give records and refusals, nothing else."""
    content = bytearray(sample[0])
    for at, value in changes:
        content[at % len(content)] = value
    taken, refused = read(bytes(content), sample[1])
    assert len(taken) + len(refused) >= 1 or b"UN" in content[:9]


# ---- messages not written by this project

CLOSES = {"edifact": "UNT", "x12": "SE"}


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_public_messages_agree_with_their_own_counts() -> None:
    """Each message of the public samples is taken where its counts are right, refused where they are wrong, and none is lost."""
    kept = 0
    for path in sorted(SHARED.iterdir()):
        content = path.read_bytes()
        syntax = "x12" if b"ISA*" in content[:8] else "edifact"
        opens = b"ST*" if syntax == "x12" else b"UNH+"
        if path.suffix == ".xml" or path.name == "LICENSE":
            continue
        taken, refused = read(content, syntax)
        if path.name.startswith("tradacoms"):
            assert ["tradacoms"] == refused, path.name
            continue
        marked, _ = read(content, syntax, replace(ALL, marks=True))
        expected = sum(line.lstrip(b" \t\xef\xbb\xbf").startswith(opens) for line in content.replace(b"'", b"\n").replace(b"~", b"\n").splitlines())
        if refused != ["no-envelope"]:
            assert expected == len(marked), path.name
        for record in taken:
            closes = CLOSES[syntax]
            assert int(record[closes][0][f"{closes}01"]) == _segments(record), path.name
            kept += 1
        assert len(marked) - len(taken) <= len(refused), path.name
    assert kept >= 14


def _segments(record: dict[str, Any]) -> int:
    around = {"UNB", "UNG", "ISA", "GS"}
    return sum(1 + _segments(each) for tag, found in record.items() if tag not in around and isinstance(found, list) for each in found if isinstance(each, dict))


def test_a_file_of_the_other_syntax_is_left_to_the_stream_that_reads_it() -> None:
    """It is refused where nobody else reads it, and is nothing of this stream's where a stream of the other syntax does."""
    assert ([], ["other-format"]) == read(PURCHASE, "edifact")
    beside = replace(ALL, other_syntax=True)
    assert ([], []) == read(PURCHASE, "edifact", beside) == read(ORDERS, "x12", beside)
    assert ([], ["no-envelope"]) == read(b"hello", "x12", beside)
