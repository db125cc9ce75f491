"""The conformance suites over the connector `postgresql`, in each of its ways to read and to keep versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from treaty.connectors.interface import Sink, Site, Source
from treaty.connectors.postgresql import CONNECTOR
from treaty.project.declarations import Deletes, Stream, System
from treaty.sessions.clients import sql
from treaty.testing import SinkSubject, SinkSuite, SourceSubject, SourceSuite
from treaty.testing.databases import TestDatabase


def system_of(database: TestDatabase, stream: Stream) -> System:
    connection = {**database.settings, "password": "env:TREATY_TEST_SECRET"}
    return System(name="s", connector="postgresql", connection=connection, streams={"s": stream})


class TableSubject(SourceSubject):
    """A table to which each `put` adds rows with one time stamp."""

    def __init__(self, database: TestDatabase, root: Path, **read: Any) -> None:
        self.database = database
        self.root = root
        self.puts = 0
        key = read.pop("primary_key", "primary key")
        database.run(f"create table person (id text {key}, text text, changed_at timestamptz)")
        deletes = Deletes() if "cursor" in read else Deletes(mode="snapshot")
        self.stream = Stream(format="table", read={"table": f"{database.schema}.person", **read}, deletes=deletes)

    def open(self) -> Source:
        assert CONNECTOR.open_source is not None
        return CONNECTOR.open_source(system_of(self.database, self.stream), Site(self.root))

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        self.puts += 1
        with self.database.connection.cursor() as cursor:
            cursor.executemany(
                "insert into person values (%s, %s, timestamptz '2026-01-01' + %s * interval '1 hour')",
                [(each["id"], each["text"], self.puts) for each in records],
            )


class TestSnapshots(SourceSuite):
    """A whole table at a time."""

    gaps = {"test_stopping_anywhere_loses_nothing": "a snapshot is one arrival that holds all records each time"}

    @pytest.fixture
    def subject(self, database: TestDatabase, tmp_path: Path) -> SourceSubject:
        return TableSubject(database, tmp_path)


class TestGrowthByKey(SourceSuite):
    """Pages that end within ties, parted by the primary key."""

    @pytest.fixture
    def subject(self, database: TestDatabase, tmp_path: Path) -> SourceSubject:
        return TableSubject(database, tmp_path, cursor="changed_at", page_rows=4)


class TestGrowthWithoutKey(SourceSuite):
    """Pages that end where the cursor's value does."""

    @pytest.fixture
    def subject(self, database: TestDatabase, tmp_path: Path) -> SourceSubject:
        return TableSubject(database, tmp_path, cursor="changed_at", page_rows=4, primary_key="")


class UpsertSubject(SinkSubject):
    """A table with a version column, or with its versions in a side table."""

    modes = frozenset({"upsert", "at-least-once"})
    operations = frozenset({"upsert", "delete", "archive"})

    def __init__(self, database: TestDatabase, root: Path, *, side: bool) -> None:
        self.database = database
        self.root = root
        self.guards_deletes = side
        version = "" if side else "treaty_version bigint,"
        database.run(f"create table person (id text unique, text text, amount numeric(18,2), {version} archived boolean default false)")
        write = {"table": f"{database.schema}.person"}
        if side:
            database.run("create table delivered (delivery_key text primary key, version bigint not null, deleted boolean not null)")
            write["side_table"] = f"{database.schema}.delivered"
        self.stream = Stream(format="table", write=write)

    def open(self) -> Sink:
        assert CONNECTOR.open_sink is not None
        return CONNECTOR.open_sink(system_of(self.database, self.stream), Site(self.root))

    def rows(self) -> list[dict[str, Any]]:
        found = self.database.run("select id, text, amount, archived from person order by id")
        return [dict(zip(("id", "text", "amount", "archived"), row, strict=True)) for row in found]

    def put(self, id: str, text: str) -> None:
        self.database.connection.execute(sql.SQL("insert into person (id, text) values (%s, %s)"), (id, text))

    def request(self, mode: str = "upsert") -> Any:
        if mode == "at-least-once":
            self.database.run("alter table person drop constraint person_id_key")
        return super().request(mode)


class TestVersionColumn(SinkSuite):
    """The version stands in the row."""

    @pytest.fixture
    def subject(self, database: TestDatabase, tmp_path: Path) -> SinkSubject:
        return UpsertSubject(database, tmp_path, side=False)


class TestSideTable(SinkSuite):
    """The version stands beside, and outlives the row."""

    @pytest.fixture
    def subject(self, database: TestDatabase, tmp_path: Path) -> SinkSubject:
        return UpsertSubject(database, tmp_path, side=True)
