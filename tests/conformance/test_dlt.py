"""The connector `dlt`: a resource of our own with an incremental cursor, in a real process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from treaty.connectors.dlt import CONNECTOR
from treaty.connectors.interface import Site, Source, StreamRequest
from treaty.errors import StopError
from treaty.project.declarations import Limits, Stream, System
from treaty.testing import SourceSubject, SourceSuite
from treaty.testing.sources import SECRET, Reader, records_of

pytest.importorskip("dlt", reason="treaty[dlt] is not installed")

# A resource over a folder of JSON files, incremental by the number of the file; and ones of other shapes.
SOURCE = """
import json, os, pathlib
from datetime import date
from decimal import Decimal
import dlt, pyarrow

@dlt.source
def crm(folder, token):
    assert token == "canary-2f9d41c7" and "TREATY_TEST_SECRET" not in os.environ
    print("not a message")

    @dlt.resource(primary_key="id")
    def person(number=dlt.sources.incremental("number", initial_value=0, primary_key="number")):
        for path in sorted(pathlib.Path(folder).glob("*.json")):
            if int(path.stem) >= number.last_value:
                yield [{"number": int(path.stem), **each} for each in json.loads(path.read_text())]

    @dlt.resource
    def odd():
        yield {"amount": Decimal("12345678901234567890.10"), "on": date(2026, 1, 31), "nested": [{"a": None}], "Name With Spaces": "ß"}
        yield pyarrow.table({"amount": [Decimal("1.50")]})

    @dlt.transformer(data_from=odd)
    def names(item):
        if isinstance(item, dict):
            yield {"name": item["Name With Spaces"]}

    return person, odd, names

@dlt.resource
def alone(rows=3):
    yield from ({"row": row} for row in range(rows))
"""


def open_source(root: Path, source: str = "crm.py:crm", arguments: Mapping[str, Any] | None = None) -> Source:
    assert CONNECTOR.open_source is not None
    given = {"folder": "data", "token": "env:TREATY_TEST_SECRET"} if arguments is None else arguments
    return CONNECTOR.open_source(
        System(name="s", connector="dlt", connection={"source": source, "arguments": given}, streams={}), Site(root)
    )


def read(source: Source, resource: str) -> list[dict[str, Any]]:
    stream = Stream(format="jsonl", read={"resource": resource})
    return [each for arrival in source.read(StreamRequest("s", "s", "main", stream, {}, {}, Limits())) for each in records_of(arrival)]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the source's file."""
    monkeypatch.setenv("TREATY_TEST_SECRET", SECRET)
    (tmp_path / "data").mkdir()
    (tmp_path / "crm.py").write_text(SOURCE)
    return tmp_path


class DltSubject(SourceSubject):
    """A resource that runs as a process; each `put` is a file that it reads."""

    bad_reasons = frozenset({"missing-key"})

    def __init__(self, root: Path) -> None:
        self.root = root
        self.puts = 0
        self.stream = Stream(format="jsonl", read={"resource": "person"})

    def open(self) -> Source:
        return open_source(self.root)

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        self.puts += 1
        (self.root / "data" / f"{self.puts:04}.json").write_text(json.dumps(list(records)))

    def put_bad(self) -> None:
        self.put([{"id": "before"}, {"text": "no id"}, {"id": "after"}])


@pytest.mark.slow
class TestDlt(SourceSuite):
    """A resource with an incremental cursor."""

    @pytest.fixture
    def subject(self, project: Path) -> SourceSubject:
        return DltSubject(project)


def test_a_resource_goes_on_from_its_cursor(project: Path) -> None:
    """The state of dlt is the stream's cursor: what came is not asked for again, what is new comes."""
    subject = DltSubject(project)
    subject.put([{"id": "1"}, {"id": "2"}])
    reader = Reader(subject)
    reader.run()
    subject.put([{"id": "3"}])
    reader.run()
    assert ["1", "2", "3"] == reader.ids()


@pytest.mark.slow
def test_values_keep_their_digits_and_names_their_letters(project: Path) -> None:
    """Records come as the resource yields them, tables of Arrow row by row; nothing is renamed, flattened or rounded."""
    first, second = read(open_source(project), "odd")
    assert {
        "amount": "12345678901234567890.10", "on": "2026-01-31", "nested": [{"a": None}], "Name With Spaces": "ß", "_locator": 1,
    } == first  # fmt: skip
    assert "1.50" == second["amount"]


@pytest.mark.slow
def test_sources_of_every_kind_are_run(project: Path) -> None:
    """A transformer comes with what it reads from; a resource may stand alone, and take arguments; all are discovered."""
    assert ["ß"] == [each["name"] for each in read(open_source(project), "names")]
    assert 2 == len(read(open_source(project, "crm.py:alone", {"rows": 2}), "alone"))
    assert ["person", "odd", "names"] == [each.name for each in open_source(project).discover()]


@pytest.mark.slow
def test_a_json_api_needs_no_python(project: Path) -> None:
    """A ready-made source is named by its module and set up by its arguments alone, as the manual shows."""
    (project / "people").write_text('[{"id": 1, "name": "Ada"}]')
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().split()[5]
        config = {"client": {"base_url": f"http://127.0.0.1:{port}", "auth": {"type": "bearer", "token": "env:TREATY_TEST_SECRET"}}, "resources": ["people"]}
        found = read(open_source(project, "dlt.sources.rest_api:rest_api_source", {"config": config}), "people")
        server.kill()
    assert [("Ada", 1)] == [(each["name"], each["id"]) for each in found]


@pytest.mark.slow
def test_what_cannot_be_run_is_told(project: Path) -> None:
    """A file outside the project, a name that is none, a function that fails and a resource that is not offered are clear errors."""
    for source in ("../crm.py:crm", "no.py:crm", "crm.py", "crm:not a name"):
        with pytest.raises(StopError, match=r"connection\.source"):
            open_source(project, source)
    with pytest.raises(StopError, match="missing a required argument: 'token'"):
        open_source(project, arguments={"folder": "data"}).check()
    with pytest.raises(StopError, match="offers no resource 'persons', but person, odd, names"):
        read(open_source(project), "persons")
