"""XML: what a payload looks like, and that nothing in a document reaches out or grows."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from treaty.connectors.files import FilesConnection, FilesSource
from treaty.connectors.interface import Site, StreamRequest
from treaty.project.declarations import Limits, Stream
from treaty.testing.sources import records_of

ATTACKS = Path(__file__).parents[4] / "shared/data/conformance/xml-attacks"
PAIRS = Path(__file__).parents[4] / "shared/data/einvoice/pairs.jsonl"
UBL = "urn:oasis:names:specification:ubl:schema:xsd"
NAMESPACES = {"inv": f"{UBL}:Invoice-2", "cac": f"{UBL}:CommonAggregateComponents-2", "cbc": f"{UBL}:CommonBasicComponents-2"}


@pytest.fixture
def documents(inbox: Any) -> Any:
    """An XML stream whose records are the elements `r`."""
    inbox.format, inbox.record = "xml", "r"
    return inbox


def test_the_shape_of_a_payload(documents: Any) -> None:
    """Attributes, text, lists of one, mixed text, exact white space in leaves, and the record's own name."""
    rows, refusals, _ = documents.one(
        '<r a="1">\n  <b>  x </b>\n  <c/>\n  <b d="2">y<!-- no --><![CDATA[<z>]]></b>\n  <e> \n</e> mixed <f>1</f> text</r>'
    )
    assert [] == refusals
    assert [
        {
            "@@name": "r", "@a": "1", "b": [{"#": "  x "}, {"@d": "2", "#": "y<z>"}], "c": [{}], "e": [{"#": " \n"}], "f": [{"#": "1"}],
            "#": " mixed  text",
        }
    ] == rows  # fmt: skip


def test_prefixes_are_the_streams(documents: Any) -> None:
    """Whatever the document calls a namespace; undeclared ones are spelled out, `xsi` and `xml` are known."""
    documents.record, documents.namespaces = "p:r", {"p": "urn:p", "q": "urn:q"}
    document = (
        '<x:r xmlns:x="urn:p" xmlns="urn:q" xmlns:u="urn:u" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<a x:b="1" u:c="2" d="3" xsi:nil="true" xml:lang="de"/><u:e/></x:r>'
    )
    ((row,), _, _) = documents.one(document)
    assert {"@@name": "p:r", "q:a": [{"@p:b": "1", "@{urn:u}c": "2", "@d": "3", "@xsi:nil": "true", "@xml:lang": "de"}], "{urn:u}e": [{}]} == row


def test_alternatives_and_paths_of_records(documents: Any) -> None:
    """`|` parts names; a path says what stands above; a record within a record is none."""
    documents.record = "list/a | b"
    rows, _, _ = documents.one("<all><list><a>1<a>inner</a></a><other><a>no</a></other></list><b>2</b><a>no</a></all>")
    assert ["a", "b"] == [row["@@name"] for row in rows]


@pytest.mark.parametrize("repeat", [1, 40_000])
def test_large_files_are_read_in_pieces(repeat: int, documents: Any) -> None:
    """A file beyond what is held in memory gives the same records."""
    rows, refusals, _ = documents.one("<all>" + "".join(f"<r><n>{n}</n><t>é &amp; x</t></r>\n" for n in range(repeat)) + "</all>")
    assert [str(n) for n in range(repeat)] == [row["n"][0]["#"] for row in rows]
    assert [] == refusals


@pytest.mark.parametrize("repeat", [3, 40_000])
def test_a_cut_file_gives_what_stood_before(repeat: int, documents: Any) -> None:
    """Records before the fault pass, the rest is refused with line and column (C11)."""
    rows, (refusal,), _ = documents.one("<all>" + "<r><n>1</n></r>\n" * repeat + "<r><n>")
    assert repeat == len(rows)
    assert (repeat + 1, "bad-xml") == (refusal.locator, refusal.reason)
    assert "line" in refusal.message


@pytest.mark.skipif(not ATTACKS.is_dir(), reason="the attack files are not there")
@pytest.mark.parametrize("name", sorted(path.name for path in ATTACKS.glob("*.xml")))
def test_attacks_are_refused_fast(name: str, documents: Any) -> None:
    """Each document with a DOCTYPE is refused for it, at once (D8, D9)."""
    data = (ATTACKS / name).read_bytes()
    began = time.process_time()
    _, refusals, _ = documents.one(data)
    assert time.process_time() - began < 1
    assert ["doctype" if b"<!DOCTYPE" in data else "no-records"] == [each.reason for each in refusals]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_doctype_does_not_hide_in_an_encoding(encoding: str, documents: Any) -> None:
    """Nor behind comments and instructions."""
    _, (refusal,), _ = documents.one("<?x y?><!-- > --><!DOCTYPE r><r/>".encode(encoding))
    assert "doctype" == refusal.reason


@pytest.mark.parametrize("name", ["utf-7", "ebcdic-us", "ucs-4", "x-unknown"])
def test_other_encodings_are_refused(name: str, documents: Any) -> None:
    """An encoding in which a DOCTYPE could hide is not read."""
    _, (refusal,), _ = documents.one(f'<?xml version="1.0" encoding="{name}"?><r/>')
    assert "bad-encoding" == refusal.reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_declared_encodings_are_read(encoding: str, documents: Any) -> None:
    """Those of the field (D5)."""
    declared = encoding.removesuffix("-sig")
    rows, _, _ = documents.one(f'<?xml version="1.0" encoding="{declared}"?><r>é</r>'.encode(encoding))
    assert [{"@@name": "r", "#": "é"}] == rows


def test_wrong_bytes_are_refused(documents: Any) -> None:
    """A document that is not what it declares (D5)."""
    _, (refusal,), _ = documents.one(b'<?xml version="1.0" encoding="utf-8"?><r>\xe9\xe9</r>')
    assert refusal.reason in ("bad-encoding", "bad-xml")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<r>&undefined;</r>", "bad-xml"), ("", "empty-file"), ("not xml", "bad-xml"), ("<r>", "bad-xml"), ("<r/><r/>", "bad-xml"),
        ("<r a='1' a='2'/>", "bad-xml"), ("<r>\x00</r>", "bad-xml"), ("<r>&#0;</r>", "bad-xml"), ("<r><p:a/></r>", "bad-xml"), ("<r p:a='1'/>", "bad-xml"), ("<p:r/>", "bad-xml"),
        ("<r>" + "<d>" * 150 + "</d>" * 150 + "</r>", "too-deep"), ("<r>" + "<d>" * 100_000 + "</d>" * 100_000 + "</r>", "too-deep"),
    ],
)  # fmt: skip
def test_broken_documents_are_refused(content: str, reason: str, documents: Any) -> None:
    """With a reason, and nothing crashes (D3)."""
    rows, refusals, _ = documents.one(content)
    assert [] == rows
    assert {reason} == {each.reason for each in refusals}


def test_nothing_is_fetched(documents: Any, tmp_path: Path) -> None:
    """XInclude and schema locations are data like any other (D8)."""
    secret = tmp_path / "secret"
    secret.write_text("canary")
    rows, _, _ = documents.one(f'<r xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file://{secret}" parse="text"/></r>')
    assert "canary" not in json.dumps(rows)


@pytest.mark.parametrize("where", ["text", "attribute", "name", "many"])
def test_a_huge_record_is_refused_with_flat_memory(where: str, documents: Any) -> None:
    """A record of 40 MB is refused as soon as the limit is met (D1, D2)."""
    many = {"text": f"<r>{'x' * 40_000_000}</r>", "attribute": f"<r a='{'x' * 40_000_000}'/>", "name": f"<r><{'x' * 40_000_000}/></r>"}
    document = many.get(where) or f"<r>{'<a>x</a>' * 5_000_000}</r>"
    documents.limits = Limits(record_bytes=4_000_000)
    rows, (refusal,), _ = documents.one(document)
    assert ([], "record-too-large") == (rows, refusal.reason)
    assert "limits.record_bytes" in refusal.message


@pytest.mark.skipif(not PAIRS.is_file(), reason="the invoices are not there")
def test_invoices_keep_every_text(documents: Any) -> None:
    """Each of the UBL invoices gives one record, with the number that is known to be right."""
    documents.record, documents.namespaces = "inv:Invoice|cn:CreditNote", {**NAMESPACES, "cn": f"{UBL}:CreditNote-2"}
    pairs = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    for number, pair in enumerate(pairs):
        documents.write(f"{number:03}.xml", (PAIRS.parent / pair["ubl"]).read_bytes())
    found = documents.arrivals()
    assert [] == [refusal for arrival, _ in found for refusal in arrival.refusals]
    assert [pair["golden"]["BT-1 number"] for pair in pairs] == [record["cbc:ID"][0]["#"].strip() for _, (record,) in found]


def test_each_stream_takes_its_own_documents(tmp_path: Path) -> None:
    """Of streams that read the same files each takes its own; what none takes is refused, unless one of them names it under `others`."""
    write = {"a.xml": "<a/>", "b.xml": "<b/>", "c.xml": "<c/>", "d.xml": '<d xmlns="urn:d"/>', "in/b.xml": "<b/>"}
    (tmp_path / "in").mkdir()
    for name, content in write.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("a.xml", "<a/>")
        archive.writestr("b.xml", "<b/>")
    first = Stream(format="xml", record="a", namespaces={"x": "urn:d"}, read={"files": ["**/*.xml", "*.zip"], "others": ["x:d"]})
    second = Stream(format="xml", record="b", read={"files": ["*.xml", "*.zip"], "members": "a.xml"})
    source = FilesSource(FilesConnection(folder="."), Site(tmp_path), (first, second))
    assert (["a.xml", "z.zip!a.xml"], ["c.xml", "in/b.xml", "z.zip!b.xml"]) == taken(source, first)
    assert (["b.xml"], ["c.xml"]) == taken(source, second)


def taken(source: FilesSource, stream: Stream) -> tuple[list[str], list[str]]:
    """Return the files that a stream has records of, and those that it refuses."""
    records, refused = [], []
    for arrival in source.read(StreamRequest("s", "t", "main", stream, {}, {}, Limits())):
        records += [arrival.origin] * len(records_of(arrival))
        refused += [arrival.origin] * len(arrival.refusals)
    return records, refused


def test_what_is_wrong_with_a_document_is_named(documents: Any) -> None:
    """The refusal says what the parser met first, not what it came to in the end."""
    _, (refusal,), _ = documents.one("<r>&nbsp;</r>")
    assert "Entity 'nbsp' not defined, line 1" in refusal.message
