"""The connector `singer`: a real process, a tap of our own, and the streams that break Singer targets."""

from __future__ import annotations

import hashlib
import json
import stat
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from treaty.connectors.interface import Site, Source, StreamRequest
from treaty.connectors.singer import open_singer_source as open_source
from treaty.errors import StopError, TreatyError
from treaty.project.declarations import Deletes, Limits, Stream, System
from treaty.testing import SourceSubject, SourceSuite
from treaty.testing.sources import SECRET, records_of

MATERIAL = Path(__file__).parents[2] / "../shared/data/conformance/singer-target-streams"

# A tap over a folder of JSON files: its state is the number of files told; with --discover it tells its catalog.
TAP = """
import argparse, json, os, pathlib, stat, sys
parser = argparse.ArgumentParser()
parser.add_argument("--config"); parser.add_argument("--catalog"); parser.add_argument("--state"); parser.add_argument("--discover", action="store_true")
arguments = parser.parse_args()
assert stat.S_IMODE(os.stat(arguments.config).st_mode) == 0o600
config = json.loads(pathlib.Path(arguments.config).read_text())
assert config["token"] == "canary-2f9d41c7" and "TREATY_TEST_SECRET" not in os.environ
schema = {"type": "object", "properties": {"id": {"type": "string"}, "text": {"type": "string"}}}
if arguments.discover:
    print(json.dumps({"streams": [{"tap_stream_id": "person", "stream": "person", "schema": schema, "metadata": []}]}))
    sys.exit()
assert json.loads(pathlib.Path(arguments.catalog).read_text())["streams"][0]["metadata"][0]["metadata"]["selected"] is True
done = json.loads(pathlib.Path(arguments.state).read_text())["done"] if arguments.state else 0
print(json.dumps({"type": "SCHEMA", "stream": "person", "schema": schema, "key_properties": ["id"]}))
for number, path in enumerate(sorted(pathlib.Path(config["folder"]).glob("*.json")), 1):
    if number > done:
        for record in json.loads(path.read_text()):
            print(json.dumps({"type": "RECORD", "stream": "person", "record": record}))
        print(json.dumps({"type": "STATE", "value": {"done": number}}))
"""


def write_tap(root: Path, body: str) -> None:
    path = root / "tap"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(body)}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


class TapSubject(SourceSubject):
    """A tap that runs as a process; each `put` is a file that it reads."""

    stream = Stream(format="jsonl", read={"stream": "person", "page_rows": 1})
    bad_reasons = frozenset({"missing-key"})

    def __init__(self, root: Path) -> None:
        self.root = root
        self.puts = 0
        (root / "data").mkdir()
        write_tap(root, TAP)

    def open(self) -> Source:
        connection = {"command": ["tap"], "config": {"folder": "data", "token": "env:TREATY_TEST_SECRET"}}
        return open_source(System(name="s", connector="singer", connection=connection, streams={"s": self.stream}), Site(self.root))

    def put(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.puts += 1
        (self.root / "data" / f"{self.puts:04}.json").write_text(json.dumps(list(records)))

    def put_bad(self) -> None:
        self.put([{"id": "before"}, {"text": "no id"}, {"id": "after"}])


class TestTap(SourceSuite):
    """A tap with state."""

    @pytest.fixture
    def subject(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceSubject:
        monkeypatch.setenv("TREATY_TEST_SECRET", SECRET)
        return TapSubject(tmp_path)


def read(
    root: Path, body: str, stream: str = "s", cursor: Mapping[str, Any] | None = None, **settings: Any
) -> tuple[list[dict[str, Any]], list[Any], Any, str]:
    """Run a tap; return records, refusals, the last cursor, and the error that ended it."""
    write_tap(root, body)
    declared = Stream(format="jsonl", read={"stream": stream, **settings})
    system = System(
        name="t", connector="singer", connection={"command": ["tap"], "catalog": "none", "silent_seconds": 2}, streams={"t": declared}
    )
    records: list[dict[str, Any]] = []
    refusals: list[Any] = []
    last: Any = None
    told = ""
    try:
        for arrival in open_source(system, Site(root)).read(StreamRequest("t", "t", "main", declared, cursor or {}, {}, Limits())):
            records += [{key: value for key, value in each.items() if key != "_locator"} for each in records_of(arrival)]
            refusals += [each.reason for each in arrival.refusals]
            last = arrival.cursor
    except TreatyError as error:
        told = f"{type(error).__name__}: {error}"
    return records, refusals, last, told


SCHEMA = """print('{"type":"SCHEMA","stream":"s","schema":{},"key_properties":["id"]}', flush=True)\n"""
ONE = """print('{"type":"RECORD","stream":"s","record":{"id":1}}\\n{"type":"STATE","value":{"at":1}}\\n{"type":"RECORD","stream":"s","record":{"id":2}}', flush=True)\n"""


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("import sys; sys.exit('no rights')", "RetryError: the tap ended with status 1. It said: no rights."),
        ("print('Traceback: oh')", "StopError: the tap wrote a line that is no Singer message"),
        ("import time; time.sleep(60)", "RetryError: the tap said nothing for 2 seconds"),
        ("""print('{"type":"BATCH","stream":"s","manifest":["file:///etc/passwd"]}')""", "StopError: the tap sends BATCH messages"),
    ],
)
def test_what_landed_before_an_end_stays(tmp_path: Path, ending: str, said: str) -> None:
    """A tap that fails, prints garbage, hangs or names files: what its last state covered has arrived with that state, and the error is clear."""
    records, _, cursor, told = read(tmp_path, SCHEMA + ONE + ending, page_rows=1)
    assert [{"id": 1}] == records
    assert {"state": {"at": 1}} == cursor
    assert told.startswith(said), told


def test_a_line_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    """A line that never seems to end costs no memory, and its neighbours pass."""
    body = SCHEMA + ONE + """print('{"type":"RECORD","stream":"s","record":{"id":3,"x":"' + "x" * 30_000_000 + '"}}')\n""" + ONE
    records, refusals, _, told = read(tmp_path, body)
    assert "" == told
    assert [1, 2, 1, 2] == [each["id"] for each in records]
    assert ["record-too-large"] == refusals


def test_a_snapshot_is_spooled_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot beyond memory arrives whole, from a file; one beyond the limit of a file ends with what to do, and nothing of it arrives."""
    body = SCHEMA + 'for i in range(2_000): print(\'{"type":"RECORD","stream":"s","record":{"id":%d,"x":"%s"}}\' % (i, \'y\' * 1_000))\n'
    write_tap(tmp_path, body)
    declared = Stream(format="jsonl", read={"stream": "s"}, deletes=Deletes(mode="snapshot"))
    source = open_source(
        System(name="t", connector="singer", connection={"command": ["tap"], "catalog": "none"}, streams={"t": declared}), Site(tmp_path)
    )
    for arrival in source.read(StreamRequest("t", "t", "main", declared, {}, {}, Limits(), spool=tmp_path)):
        assert isinstance(arrival.content, Path) and arrival.complete_snapshot
        assert hashlib.sha256(arrival.content.read_bytes()).hexdigest() == arrival.sha256
        assert list(range(2_000)) == [each["id"] for each in records_of(arrival)]
    with pytest.raises(StopError, match="limits.file_bytes"):
        list(source.read(StreamRequest("t", "t", "main", declared, {}, {}, Limits(file_bytes=1_000_000), spool=tmp_path)))
    assert [tmp_path / "tap"] == list(tmp_path.iterdir())


def test_a_state_advances_though_the_page_repeats(tmp_path: Path) -> None:
    """The same records under a new state arrive again, a new state without records arrives by itself, and what is wholly the same does not."""
    stream = Stream(format="jsonl", read={"stream": "s", "page_rows": 1})
    system = System(name="t", connector="singer", connection={"command": ["tap"], "catalog": "none"}, streams={"t": stream})
    record, state = '{"type":"RECORD","stream":"s","record":{"id":1}}', '{"type":"STATE","value":{"at":%d}}'
    cursor: Mapping[str, Any] = {}
    known: dict[str, str] = {}
    told = []
    for said in ([record, state % 1], [record, state % 1], [record, state % 2], [state % 3], [state % 3], []):
        write_tap(tmp_path, SCHEMA + "".join(f"print({each!r})\n" for each in said))
        arrivals = list(open_source(system, Site(tmp_path)).read(StreamRequest("t", "t", "main", stream, cursor, known, Limits())))
        for arrival in arrivals:
            cursor, known[arrival.origin] = arrival.cursor, arrival.sha256
        told.append((len(arrivals), cursor["state"]["at"]))
    assert [(1, 1), (0, 1), (1, 2), (1, 3), (0, 3), (0, 3)] == told


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    """A decimal is not read through a float."""
    body = SCHEMA + """print('{"type":"RECORD","stream":"s","record":{"id":1,"n":12345678901234567890.10}}')"""
    assert [{"id": 1, "n": "12345678901234567890.10"}] == read(tmp_path, body)[0]


def test_a_command_is_no_shell_text_and_stays_at_home(tmp_path: Path) -> None:
    """Nothing outside the project or the installed programs is started."""
    stream = Stream(format="jsonl", read={"stream": "s"})
    for command in (["../evil"], ["tap; touch owned"], [], ["/bin/sh"]):
        system = System(name="t", connector="singer", connection={"command": command}, streams={"t": stream})
        with pytest.raises(StopError):
            open_source(system, Site(tmp_path)).check()


# stream of each file → ids or counts that arrive, and the reasons of what is refused
EXPECTED: dict[str, list[tuple[str, int, list[str]]]] = {
    "array_data": [("test_array_data", 4, [])],
    "camelcase": [("TestCamelcase", 2, [])],
    "encoded_string_data": [
        ("test_strings", 10, ["nul-character"]),
        ("test_strings_in_arrays", 5, ["nul-character"]),
        ("test_strings_in_objects", 10, ["nul-character"]),
    ],
    "duplicate_records": [("test_duplicate_records", 5, [])],
    "invalid_schema": [("test_invalid_schema", 0, [])],
    "no_primary_keys": [("test_no_pk", 3, [])],
    "no_primary_keys_append": [("test_no_pk", 5, [])],
    "optional_attributes": [("test_optional_attributes", 4, [])],
    "pk_updates": [("example_stream", 2, [])],
    "record_before_schema": [("test_record_before_schema", 1, ["record-before-schema"])],
    "record_missing_fields": [("record_missing_fields", 2, [])],
    "record_missing_key_property": [("test_record_missing_key_property", 0, ["missing-key"])],
    "record_missing_required_property": [
        ("test_record_missing_required_property", 1, [])
    ],  # the contract judges what a source calls required
    "schema_no_properties": [("test_object_schema_with_properties", 2, []), ("test_object_schema_no_properties", 2, [])],
    "special_chars_in_attributes": [("test:SpecialChars!in?attributes", 1, [])],
}


@pytest.mark.parametrize("name", sorted(path.stem for path in MATERIAL.glob("*.singer")) or ["absent"])
def test_streams_that_break_targets(tmp_path: Path, name: str) -> None:
    """Each is read with its outcome: every record arrives as it was said or is refused with its reason, and the last state is kept."""
    file = MATERIAL / f"{name}.singer"
    if not file.is_file():
        pytest.skip("../shared/data is not here")
    messages = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    sent = {each["stream"] for each in messages if "stream" in each}
    expected = EXPECTED.get(name) or [
        (stream, sum(each["type"] == "RECORD" and each["stream"] == stream for each in messages), []) for stream in sorted(sent)
    ]
    for stream, count, reasons in expected:
        records, refusals, cursor, told = read(
            tmp_path, f"import sys; sys.stdout.write(open({str(file.resolve())!r}, encoding='utf-8').read())", stream
        )
        assert ("", count, reasons) == (told, len(records), refusals)
        said = [each["record"] for each in messages if each["type"] == "RECORD" and each["stream"] == stream]
        assert all(any(set(record) == set(each) for each in said) for record in records)
        states = [each["value"] for each in messages if each["type"] == "STATE"]
        if states and records:
            assert {"state": states[-1]} == cursor
