"""``treaty read``: what a file is read as before any mapping, and the public suites through it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from treaty.cli.main import main
from treaty.errors import UsageError
from treaty.operations.reading import ReadArrival, ReadRecord, ReadRefusal, read_bytes, read_file, read_stream

CONFORMANCE = Path(__file__).parents[4] / "shared/data/conformance"
SPECTRUM = sorted((CONFORMANCE / "csv-spectrum/csvs").glob("*.csv"))
JSON_SUITE = sorted((CONFORMANCE / "json-test-suite/test_parsing").glob("*.json"))
ATTACKS = sorted((CONFORMANCE / "xml-attacks").glob("*.xml"))


def told(events: Any) -> tuple[list[Any], list[str], list[ReadArrival]]:
    """Sort events: the records, the reasons of refusals, the arrivals."""
    records: list[Any] = []
    reasons: list[str] = []
    arrivals: list[ReadArrival] = []
    for each in events:
        if isinstance(each, ReadRecord):
            records.append(json.loads(each.text))
        elif isinstance(each, ReadRefusal):
            reasons.append(each.reason)
        else:
            arrivals.append(each)
    return records, reasons, arrivals


@pytest.mark.skipif(not SPECTRUM, reason="csv-spectrum is not there")
@pytest.mark.parametrize("path", SPECTRUM, ids=lambda path: path.stem)
def test_csv_spectrum_equals_its_json(path: Path) -> None:
    """Each of the twelve files gives the records of its JSON; two of the copy disagree with theirs (see ``test_csv.py``)."""
    expected = json.loads((path.parents[1] / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
    content = path.read_bytes()
    if path.stem.endswith("_crlf"):
        content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if path.stem == "location_coordinates":
        expected = [{**expected, "Contact Phone Number": "2095257564"}]
    assert (expected, []) == told(read_bytes(content, name=path.name))[:2]


@pytest.mark.skipif(not JSON_SUITE, reason="JSONTestSuite is not there")
def test_json_test_suite_through_read() -> None:
    """Every `y_` is read and every `n_` refused; only doubled keys and NUL are refused beyond the suite, as D13 and D4 ask."""
    outcomes = {path.stem: told(read_file(path, format="json"))[1] for path in JSON_SUITE}
    assert {"duplicate-key", "nul-character"} == {each for name, reasons in outcomes.items() if name.startswith("y_") for each in reasons}
    assert [] == [name for name, reasons in outcomes.items() if name.startswith("n_") and not reasons]


@pytest.mark.skipif(not ATTACKS, reason="xml-attacks is not there")
@pytest.mark.parametrize("path", ATTACKS, ids=lambda path: path.stem)
def test_xml_attacks_are_refused_at_once(path: Path) -> None:
    """A document with a DOCTYPE is refused in a moment; the two harmless ones of the folder are read."""
    began = time.process_time()
    _, reasons, _ = told(read_file(path))
    assert time.process_time() - began < 2
    assert ([] if path.stem.startswith("simple") else ["doctype"]) == reasons


def test_no_entity_is_fetched(tmp_path: Path) -> None:
    """A document that names a server or a file is refused without reaching for either."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        caught: list[object] = []
        listener = threading.Thread(target=lambda: _accept(server, caught))
        listener.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        content = f'<!DOCTYPE r [<!ENTITY e SYSTEM "{address}">]><r>&e;</r>'.encode()
        records, reasons, _ = told(read_bytes(content))
        listener.join()
    assert ([], ["doctype"], []) == (records, reasons, caught)


def _accept(server: socket.socket, caught: list[object]) -> None:
    with contextlib.suppress(TimeoutError):
        caught.append(server.accept())


def test_xml_needs_no_settings() -> None:
    """The root is the record where none is named, and the document's own prefixes spell its names."""
    records, _, (arrival,) = told(read_bytes(b"<a:r xmlns:a='urn:a' xmlns='urn:b'><x>1</x></a:r>"))
    assert [{"@@name": "a:r", "x": [{"#": "1"}]}] == records
    assert ("a:r", {"a": "urn:a", "": "urn:b"}) == (arrival.record, arrival.namespaces)


@pytest.mark.parametrize(
    ("content", "format"),
    [(b'{"a": 1}', "json"), (b'{"a": 1}\n{"a": 2}\n', "jsonl"), (b'\xef\xbb\xbf[{"a": 1}]', "json"), (b"<r/>", "xml"), (b"a;b\n1;2\n", "csv")],
)
def test_the_format_is_found_out(content: bytes, format: str) -> None:
    """A file whose name tells nothing is read by its first bytes."""
    assert [format] == [each.format for each in told(read_bytes(content))[2]]


def test_a_limit_stops_the_reading() -> None:
    """So many records and no more are read, and the arrival says that it was not all."""
    records, _, (arrival,) = told(read_bytes(b"a,b\n1,2\n3,4\n5,6\n", limit=2))
    assert ([{"a": "1", "b": "2"}, {"a": "3", "b": "4"}], False, 2) == (records, arrival.whole, arrival.records)


def test_records_and_refusals_do_not_mix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json records alone are on standard output; refusals and sums are JSON Lines on standard error, and the status is 1."""
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3\n")
    assert main(["read", str(path), "--json"]) == 1
    printed = capsys.readouterr()
    assert [{"a": "1", "b": "2"}] == [json.loads(line) for line in printed.out.splitlines()]
    refusal, arrival, total = (json.loads(line) for line in printed.err.splitlines())
    assert ("refusal", 2, "ragged-row") == (refusal["kind"], refusal["locator"], refusal["reason"])
    assert ("arrival", 1, 1, ",") == (arrival["kind"], arrival["records"], arrival["refused"], arrival["details"]["delimiter"])
    assert {"kind": "total", "ok": False, "arrivals": 1, "records": 1, "refused": 1, "whole": True} == total


@pytest.mark.parametrize(("format", "settings"), [("table", {}), ("exel", {}), ("csv", {"delimeter": ";"}), ("csv", {"delimiter": ";;"})])
def test_wrong_use_is_told(format: str, settings: dict[str, str]) -> None:
    """An unknown format or setting is the caller's mistake, told with what is meant."""
    with pytest.raises(UsageError):
        told(read_bytes(b"a,b\n1,2\n", format=format, **settings))


def test_a_stream_is_read_through_its_connector(tmp_path: Path) -> None:
    """``system/stream`` is read as a run would, and nothing is landed."""
    (tmp_path / "treaty.yaml").write_text("name: t\n")
    (tmp_path / "systems").mkdir()
    (tmp_path / "systems/s.yaml").write_text("connector: files\nconnection: {folder: inbox}\nstreams:\n  t: {format: csv, read: {files: '*.csv', delimiter: ';'}}\n")
    (tmp_path / "inbox").mkdir()
    for name in ("b", "a"):
        (tmp_path / f"inbox/{name}.csv").write_text(f"n;x,y\n{name};1\n")
    records, reasons, arrivals = told(read_stream("s/t", project=tmp_path))
    assert ([{"n": "a", "x,y": "1"}, {"n": "b", "x,y": "1"}], [], ["a.csv", "b.csv"]) == (records, reasons, [each.origin for each in arrivals])
    assert not (tmp_path / ".treaty").exists()
    with pytest.raises(UsageError, match="no file and no stream"):
        told(read_stream("s/u", project=tmp_path))


def test_each_member_of_an_archive_is_read_as_what_it_is(tmp_path: Path) -> None:
    """A zip of several formats is read whole; what cannot be had of it is told, and the limit is one for all of it."""
    path = tmp_path / "mixed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "id;name\n1;ball\n2;box\n")
        archive.writestr("b.json", '{"id": 3}')
        archive.writestr("c.xml", "<thing><id>4</id></thing>")
    records, refusals, arrivals = told(read_file(path))
    assert [{"id": "1", "name": "ball"}, {"id": "2", "name": "box"}, {"id": 3}] == records[:3]
    assert (4, []) == (len(records), refusals)
    assert ["mixed.zip!a.csv", "mixed.zip!b.json", "mixed.zip!c.xml", "mixed.zip"] == [each.origin for each in arrivals]
    assert ["csv", "json", "xml"] == [each.format for each in arrivals[:3]]
    records, _, arrivals = told(read_file(path, limit=3))
    assert (3, ["csv", "json"]) == (len(records), [each.format for each in arrivals])
