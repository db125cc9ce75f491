"""The conformance suites over the connector `mariadb`, in each of its ways to read and to keep versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from treaty.connectors.interface import Sink, Site, Source
from treaty.connectors.mariadb import CONNECTOR
from treaty.project.declarations import Deletes, Stream, System
from treaty.testing import SinkSubject, SinkSuite, SourceSubject, SourceSuite
from treaty.testing.databases import TestMariadb


def system_of(mariadb: TestMariadb, stream: Stream) -> System:
    return System(name="s", connector="mariadb", connection=mariadb.settings, streams={"s": stream})


class TableSubject(SourceSubject):
    """A table to which each `put` adds rows with one time stamp."""

    def __init__(self, mariadb: TestMariadb, root: Path, **read: Any) -> None:
        self.mariadb = mariadb
        self.root = root
        self.puts = 0
        key = read.pop("primary_key", "primary key")
        mariadb.run(f"create table person (id varchar(40) {key}, text longtext, changed_at datetime)")
        deletes = Deletes() if "cursor" in read else Deletes(mode="snapshot")
        self.stream = Stream(format="table", read={"table": f"{mariadb.schema}.person", **read}, deletes=deletes)

    def open(self) -> Source:
        assert CONNECTOR.open_source is not None
        return CONNECTOR.open_source(system_of(self.mariadb, self.stream), Site(self.root))

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        self.puts += 1
        for each in records:
            self.mariadb.run("insert into person values (%s, %s, '2026-01-01' + interval %s hour)", (each["id"], each["text"], self.puts))


class TestSnapshots(SourceSuite):
    """A whole table at a time."""

    gaps = {"test_stopping_anywhere_loses_nothing": "a snapshot is one arrival that holds all records each time"}

    @pytest.fixture
    def subject(self, mariadb: TestMariadb, tmp_path: Path) -> SourceSubject:
        return TableSubject(mariadb, tmp_path)


class TestGrowthByKey(SourceSuite):
    """Pages that end within ties, parted by the primary key."""

    @pytest.fixture
    def subject(self, mariadb: TestMariadb, tmp_path: Path) -> SourceSubject:
        return TableSubject(mariadb, tmp_path, cursor="changed_at", page_rows=4)


class TestGrowthWithoutKey(SourceSuite):
    """Pages that end where the cursor's value does."""

    @pytest.fixture
    def subject(self, mariadb: TestMariadb, tmp_path: Path) -> SourceSubject:
        return TableSubject(mariadb, tmp_path, cursor="changed_at", page_rows=4, primary_key="")


class UpsertSubject(SinkSubject):
    """A table with a version column, or with its versions in a side table."""

    modes = frozenset({"upsert", "at-least-once"})
    operations = frozenset({"upsert", "delete", "archive"})

    def __init__(self, mariadb: TestMariadb, root: Path, *, side: bool) -> None:
        self.mariadb = mariadb
        self.root = root
        self.guards_deletes = side
        version = "" if side else "treaty_version bigint,"
        mariadb.run(f"create table person (id varchar(40), text longtext, amount decimal(18,2), {version} archived boolean default false, unique key by_id (id))")
        write = {"table": f"{mariadb.schema}.person"}
        if side:
            mariadb.run("create table delivered (delivery_key varbinary(700) primary key, version bigint not null, deleted boolean not null)")
            write["side_table"] = f"{mariadb.schema}.delivered"
        self.stream = Stream(format="table", write=write)

    def open(self) -> Sink:
        assert CONNECTOR.open_sink is not None
        return CONNECTOR.open_sink(system_of(self.mariadb, self.stream), Site(self.root))

    def rows(self) -> list[dict[str, Any]]:
        found = self.mariadb.run("select id, text, amount, archived from person order by id")
        return [
            {"id": id, "text": text, "amount": None if amount is None else Decimal(amount), "archived": archived == "1"}
            for id, text, amount, archived in found
        ]

    def put(self, id: str, text: str) -> None:
        self.mariadb.run("insert into person (id, text) values (%s, %s)", (id, text))

    def request(self, mode: str = "upsert") -> Any:
        if mode == "at-least-once":
            self.mariadb.run("alter table person drop key by_id")
        return super().request(mode)


class TestVersionColumn(SinkSuite):
    """The version stands in the row."""

    @pytest.fixture
    def subject(self, mariadb: TestMariadb, tmp_path: Path) -> SinkSubject:
        return UpsertSubject(mariadb, tmp_path, side=False)


class TestSideTable(SinkSuite):
    """The version stands beside, and outlives the row."""

    @pytest.fixture
    def subject(self, mariadb: TestMariadb, tmp_path: Path) -> SinkSubject:
        return UpsertSubject(mariadb, tmp_path, side=True)
