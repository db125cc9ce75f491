"""The conformance suites over the connector `rest`, against an API in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from treaty.connectors.interface import Sink, Site, Source
from treaty.connectors.rest import MODES, open_rest_sink, open_rest_source
from treaty.project.declarations import Stream, System
from treaty.testing import SinkSubject, SinkSuite, SourceSubject, SourceSuite
from treaty.testing.api import FakeApi, run_api
from treaty.testing.sources import SECRET


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeApi]:
    """The server."""
    with run_api(tmp_path_factory.mktemp("api") / "log") as api:
        yield api


@pytest.fixture
def api(running: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The server, which holds nothing, on a network that the installation lists."""
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.1")
    monkeypatch.setenv("TREATY_TEST_SECRET", SECRET)
    running.restore([])
    return running


def system_of(api: FakeApi, stream: Stream) -> System:
    connection = {"url": api.address, "auth": "bearer", "secret": "env:TREATY_TEST_SECRET", "wait_seconds": 0}
    return System(name="s", connector="rest", connection=connection, streams={"s": stream})


class ApiSubject(SourceSubject):
    """An API; each `put` is a change at a later time."""

    bad_reasons = frozenset({"duplicate-key"})

    def __init__(self, api: FakeApi, **read: Any) -> None:
        self.api = api
        self.puts = 0
        self.stream = Stream(format="json", record="data", read={"path": "things", **read})

    def open(self) -> Source:
        return open_rest_source(system_of(self.api, self.stream), Site(Path("/")))

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        self.puts += 1
        self.api.put([{**each, "at": f"2026-01-01T{self.puts:02}:00:00Z"} for each in records])

    def put_bad(self) -> None:
        self.api.list_texts(['{"id": "before"}', '{"id": "bad", "\\u0069d": "bad"}', '{"id": "after"}'])


class TestPages(SourceSuite):
    """All records, page by page."""

    @pytest.fixture
    def subject(self, api: FakeApi) -> SourceSubject:
        return ApiSubject(api, pages="offset", parameter="offset", parameters={"limit": "4"})


class TestOneAnswer(SourceSuite):
    """All records in one answer."""

    @pytest.fixture
    def subject(self, api: FakeApi) -> SourceSubject:
        return ApiSubject(api)


class TestGrowth(SourceSuite):
    """What has grown since the last read, page by page."""

    gaps = dict.fromkeys(
        ("test_nothing_new_is_nothing", "test_stopping_anywhere_loses_nothing", "test_what_comes_later_is_read"),
        "an API may show more with the largest value seen later, so all that has it comes once more; the lake knows it by its content",
    )

    @pytest.fixture
    def subject(self, api: FakeApi) -> SourceSubject:
        return ApiSubject(api, pages="offset", parameter="offset", parameters={"limit": "4"}, since_field="at")


class PutSubject(SinkSubject):
    """An API that takes each record by its key, and keeps its version."""

    modes = MODES
    operations = frozenset({"upsert", "delete", "archive"})

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.stream = Stream(format="json", write={"path": "things", "version_field": "version", "archive": {"archived": "yes"}})

    def open(self) -> Sink:
        return open_rest_sink(system_of(self.api, self.stream), Site(Path("/")))

    def rows(self) -> list[dict[str, Any]]:
        def amount(row: Mapping[str, Any]) -> Decimal | None:
            return None if row.get("amount") is None else Decimal(row["amount"])

        return [{"id": row["id"], "text": row["text"], "amount": amount(row), "archived": row.get("archived") == "yes"} for row in self.api.things()]

    def put(self, id: str, text: str) -> None:
        self.api.put([{"id": id, "text": text}])


class TestPuts(SinkSuite):
    """Each record by PUT."""

    gaps = {
        "test_an_older_delete_changes_nothing": "a DELETE carries no version; the deliverer sends each key's in order, and never one that is overtaken",
        "test_an_unknown_column_stops_before_anything_is_written": "an API does not tell which fields it takes; names are JSON, and what is wrong it refuses item by item",
    }

    @pytest.fixture
    def subject(self, api: FakeApi) -> SinkSubject:
        return PutSubject(api)
