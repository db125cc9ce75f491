"""The connector `postgresql` against a real server, where the conformance suites do not look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from treaty.connectors.interface import DeliveryItem, Site, StreamRequest, WriteRequest
from treaty.connectors.postgresql import CONNECTOR, PostgresqlConnection
from treaty.connectors.postgresql.sink import PostgresqlSink
from treaty.connectors.registry import open_sink, open_source
from treaty.errors import RetryError, StopError
from treaty.project.declarations import Deletes, Limits, Stream, System
from treaty.sessions.clients import connect_client, parse_conninfo
from treaty.testing.databases import TestDatabase
from treaty.testing.sinks import item
from treaty.testing.sources import records_of


class Table:
    """A stream over one table, read as the lake reads."""

    def __init__(self, database: TestDatabase, limits: Limits | None = None, **read: Any) -> None:
        deletes = Deletes() if "cursor" in read else Deletes(mode="snapshot")
        self.stream = Stream(format="table", read={"table": f"{database.schema}.t", **read}, deletes=deletes)
        self.system = System(name="s", connector="postgresql", connection=database.settings, streams={"t": self.stream})
        self.limits = limits or Limits()
        self.cursor: Mapping[str, Any] = {}
        self.known: dict[str, str] = {}
        self.refusals: list[Any] = []
        self.complete: list[bool] = []

    def run(self) -> list[dict[str, Any]]:
        found = []
        request = StreamRequest("s", "t", "main", self.stream, self.cursor, self.known, self.limits)
        for arrival in open_source(self.system, Site(Path("/"))).read(request):
            found += records_of(arrival)
            self.refusals += arrival.refusals
            self.complete.append(arrival.complete_snapshot)
            self.cursor = json.loads(json.dumps(arrival.cursor))
            self.known[arrival.origin] = arrival.sha256
        return found


def test_every_type_is_text_to_the_digit(database: TestDatabase) -> None:
    """Numbers keep their digits, instants are ISO 8601 in UTC, arrays are JSON, null is null and an empty text is one."""
    digits = "1" * 40 + "." + "2" * 40 + "0"
    database.run(
        f"create table t (n numeric, f float8, at timestamptz, local timestamp, d date, b boolean, j json, a numeric[], e text, x text, raw bytea, i interval);"
        f"insert into t values ({digits}, 0.1, '2026-03-29 03:30+02', '2026-03-29 02:30', '0044-03-15 BC', true, "
        f"'{{\"b\": 1.10, \"a\":2}}', '{{1.10,NULL}}', '', null, '\\x00ff', '1 day 2 hours')"
    )
    (row,) = Table(database).run()
    assert {
        "_locator": 1, "n": digits, "f": "0.1", "at": "2026-03-29T01:30:00+00:00", "local": "2026-03-29T02:30:00", "d": "0044-03-15 BC",
        "b": "true", "j": '{"b": 1.10, "a":2}', "a": "[1.10,null]", "e": "", "x": None, "raw": "\\x00ff", "i": "P1DT2H",
    } == row  # fmt: skip


def test_a_snapshot_of_an_empty_table_is_complete(database: TestDatabase) -> None:
    """An empty table is an arrival without records, once."""
    database.run("create table t (id int primary key)")
    table = Table(database)
    assert [] == table.run() == table.run()
    assert [True] == table.complete


def test_a_row_that_commits_late_is_read(database: TestDatabase) -> None:
    """A transaction that began before the position was taken, and commits behind it, is not lost (C3)."""
    database.run("create table t (id int primary key, at timestamptz); insert into t values (1, '2026-01-01 10:00'), (3, '2026-01-01 10:02')")
    table = Table(database, cursor="at", overlap="5m")
    with connect_client(parse_conninfo(_conninfo(database))) as late:
        late.execute("begin")
        late.execute(f"insert into {database.schema}.t values (2, '2026-01-01 10:01')".encode())
        assert ["1", "3"] == [row["id"] for row in table.run()]
        late.execute("commit")
    assert "2" in [row["id"] for row in table.run()]
    assert [] == table.run()


def test_a_row_that_changes_within_the_overlap_is_read_again(database: TestDatabase) -> None:
    """An update that leaves its time stamp as it was is seen while it is within the overlap."""
    database.run("create table t (id int primary key, at timestamptz, v text); insert into t values (1, '2026-01-01', 'old'), (2, '2026-01-01', 'x')")
    table = Table(database, cursor="at")
    table.run()
    database.run("update t set v = 'new' where id = 1")
    assert ["new", "x"] == [row["v"] for row in table.run()]


def test_a_position_does_not_go_back(database: TestDatabase) -> None:
    """When the newest rows are deleted, the position stays where it was (I5)."""
    database.run("create table t (id int primary key); insert into t select generate_series(1, 10)")
    table = Table(database, cursor="id")
    table.run()
    before = table.cursor["after"]
    database.run("delete from t where id > 8")
    table.run()
    assert before == table.cursor["after"]
    database.run("insert into t values (11)")
    assert ["11"] == [row["id"] for row in table.run()][-1:]


@pytest.mark.parametrize("cursor", ["id", "n"])
def test_numbers_are_paged_as_numbers(database: TestDatabase, cursor: str) -> None:
    """Pages by a number, with a key and without, follow its value and not its text: 10 comes after 9, and no row is lost."""
    key = "primary key" if cursor == "id" else ""
    database.run(f"create table t (id int {key}, n numeric); insert into t select each, each from generate_series(1, 25) each")
    table = Table(database, cursor=cursor, page_rows=4)
    assert [str(number) for number in range(1, 26)] == [row["id"] for row in table.run()]
    assert [] == table.run()


def test_rows_without_a_position_are_read_too(database: TestDatabase) -> None:
    """A null or infinite cursor value loses no row (C4)."""
    database.run("create table t (id int primary key, at timestamptz); insert into t values (1, null), (2, 'infinity'), (3, '2026-01-01 00:00:00.000001')")
    table = Table(database, cursor="at")
    assert {"1", "2", "3"} == {row["id"] for row in table.run()}
    assert [] == table.run()


def test_positions_of_another_column_begin_anew(database: TestDatabase) -> None:
    """A stream that is declared by another cursor is read from its start; a broken position stops (C5)."""
    database.run("create table t (id int primary key, n bigint); insert into t values (1, 5), (2, 4)")
    table = Table(database, cursor="id")
    table.run()
    other = Table(database, cursor="n")
    other.cursor = table.cursor
    assert ["2", "1"] == [row["id"] for row in other.run()]
    other.cursor = {"after": 7, "by": "n"}
    with pytest.raises(StopError):
        other.run()


def test_a_row_beyond_the_limit_is_refused(database: TestDatabase) -> None:
    """Its neighbours pass, the refusal names the setting, and the snapshot is not complete."""
    database.run("create table t (id int primary key, v text); insert into t select n, case n when 2 then repeat('x', 6000000) else 'y' end from generate_series(1, 3) n")
    table = Table(database, Limits(record_bytes=1_000_000))
    assert ["1", "3"] == [row["id"] for row in table.run()]
    assert ["record-too-large"] == [each.reason for each in table.refusals]
    assert "limits.record_bytes" in table.refusals[0].message
    assert [False] == table.complete


def test_names_never_become_statements(database: TestDatabase) -> None:
    """Odd names work where they are in the catalogue and stop where they are not (E9)."""
    evil = 'x"; drop table t; -- %s {}'
    quoted = evil.replace('"', '""')
    database.run(f'create table t (id int primary key, "{quoted}" text); insert into t values (1, \'v\')')
    assert [{"_locator": 1, "id": "1", evil: "v"}] == Table(database).run()
    with pytest.raises(StopError, match="no column"):
        Table(database, cursor=evil[:5]).run()
    with pytest.raises(StopError, match="no table"):
        Table(database, table='t"; drop table t; --').run()
    assert [(1,)] == database.run("select count(*) from t")


def test_an_address_that_is_not_listed_is_not_connected_to(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the installation's leave, loopback is refused (E3)."""
    database.run("create table t (id int)")
    monkeypatch.delenv("TREATY_EGRESS_PRIVATE")
    with pytest.raises(StopError, match="private address"):
        Table(database).run()


@pytest.mark.parametrize("key", ["service", "passfile", "options", "sslkey", "hostaddr", "dsn", "socket"])
def test_other_parameters_of_the_driver_cannot_be_set(key: str) -> None:
    """Only the declared keys are taken (E7)."""
    system = System(name="s", connector="postgresql", connection={"host": "h", "database": "d", key: "x"}, streams={})
    with pytest.raises(StopError, match="unknown setting"):
        open_source(system, Site(Path("/")))


def test_a_host_that_is_a_socket_is_refused(tmp_path: Path) -> None:
    """The unix socket is for `embedded` alone (E7)."""
    system = System(name="s", connector="postgresql", connection={"host": "/var/run/postgresql", "database": "postgres"}, streams={})
    with pytest.raises(StopError, match="not the plain name"):
        open_source(system, Site(tmp_path)).check()


def test_a_wrong_database_stops_and_a_dead_server_is_tried_again(database: TestDatabase) -> None:
    """Errors are grouped by what can be done about them."""
    for change, kind in (({"database": "nowhere"}, StopError), ({"port": 9}, RetryError)):
        system = System(name="s", connector="postgresql", connection={**database.settings, **change}, streams={})
        with pytest.raises(kind):
            open_source(system, Site(Path("/"))).check()


def _conninfo(database: TestDatabase) -> str:
    settings = database.settings
    return f"host={settings['host']} port={settings['port']} dbname={settings['database']} user={settings['user']}"


# ---- sink


def _write_request(database: TestDatabase, mode: str = "upsert", **write: Any) -> tuple[System, WriteRequest]:
    stream = Stream(format="table", write={"table": f"{database.schema}.t", **write})
    system = System(name="s", connector="postgresql", connection=database.settings, streams={"t": stream})
    return system, WriteRequest("s", "t", "main", stream, ("id",), mode, {"id": "string", "text": "string", "amount": "decimal(18,2)"})


def test_a_missing_table_can_be_made(database: TestDatabase) -> None:
    """With `create: true` the table is made, with its key and version column."""
    system, request = _write_request(database, create=True)
    results = open_sink(system, Site(Path("/"))).write(request, [item("1", 3, "x", Decimal("1.50"))])
    assert ["acknowledged"] == [each.state for each in results]
    assert [("1", "x", Decimal("1.50"), 3)] == database.run("select id, text, amount, treaty_version from t")


def test_the_sinks_own_id_is_given_back(database: TestDatabase) -> None:
    """The id of each row comes back with its result."""
    database.run("create table t (no serial, id text primary key, text text, amount numeric, treaty_version bigint)")
    system, request = _write_request(database, id_column="no")
    results = open_sink(system, Site(Path("/"))).write(request, [item("a", 1), item("b", 1)])
    assert ["1", "2"] == [each.remote_id for each in results]


def test_a_second_message_changes_nothing_where_ids_are_unique(database: TestDatabase) -> None:
    """At least once becomes effectively once in a table with a unique message id."""
    database.run("create table t (id text, text text, amount numeric, message_id text unique)")
    system, request = _write_request(database, "at-least-once")
    for _ in range(2):
        assert ["acknowledged"] == [each.state for each in open_sink(system, Site(Path("/"))).write(request, [item("1", 1)])]
    assert [("message-1-1",)] == database.run("select message_id from t")


def test_an_upsert_without_a_unique_index_stops(database: TestDatabase) -> None:
    """The remedy names the columns."""
    database.run("create table t (id text, text text, amount numeric, treaty_version bigint)")
    system, request = _write_request(database)
    with pytest.raises(StopError, match="unique index"):
        open_sink(system, Site(Path("/"))).write(request, [item("1", 1)])


def test_a_locked_row_is_tried_again_and_nothing_was_applied(database: TestDatabase) -> None:
    """Another's lock ends in RetryError after `lock_seconds` (B11)."""
    database.run("create table t (id text primary key, text text, amount numeric, treaty_version bigint); insert into t values ('2', 'theirs')")
    system, request = _write_request(database)
    system = System(name="s", connector="postgresql", connection={**database.settings, "lock_seconds": 1}, streams=system.streams)
    with connect_client(parse_conninfo(_conninfo(database))) as other:
        other.execute("begin")
        other.execute(f"update {database.schema}.t set text = 'locked' where id = '2'".encode())
        with pytest.raises(RetryError):
            open_sink(system, Site(Path("/"))).write(request, [item("1", 1), item("2", 1)])
        other.execute("rollback")
    assert [("theirs",)] == database.run("select text from t")


def test_a_connection_lost_at_commit_is_asked_for(database: TestDatabase) -> None:
    """The server tells what became of the transaction; where nobody can tell, the items are ambiguous (A7)."""
    database.run(
        "create table t (id text primary key, text text, amount numeric, treaty_version bigint);"
        "create function kill() returns trigger language plpgsql as $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;"
        "create constraint trigger at_commit after insert on t deferrable initially deferred for each row execute function kill()"
    )
    system, request = _write_request(database)
    with pytest.raises(RetryError):
        open_sink(system, Site(Path("/"))).write(request, [item("1", 1)])
    assert [] == database.run("select * from t")

    class Unreachable(PostgresqlSink):
        """A sink whose server cannot be asked after the commit."""

        def _outcome_of(self, transaction: str | None) -> str:
            assert transaction
            return "unknown"

    assert CONNECTOR.open_sink is not None
    settings = database.settings
    sink = Unreachable(PostgresqlConnection(**{**settings, "password": None}), Site(Path("/")))
    assert ["ambiguous"] == [each.state for each in sink.write(request, [item("1", 1)])]


def test_many_rows_take_one_statement_each_kind(database: TestDatabase) -> None:
    """Ten thousand rows with three bad ones: the bad ones alone are rejected."""
    database.run("create table t (id text primary key, text text, amount numeric(18,2) check (amount <> 13), treaty_version bigint)")
    system, request = _write_request(database)
    items = [DeliveryItem(str(n), 1, "upsert", str(n), {"id": str(n), "text": "x", "amount": Decimal(n)}) for n in range(2_000)]
    items[13] = item("13", 1, "x", Decimal(13))
    results = open_sink(system, Site(Path("/"))).write(request, items)
    assert ["13"] == [each.delivery_key for each in results if each.state == "rejected"]
    assert "23514" in next(each.message for each in results if each.state == "rejected")
    assert [(1_999,)] == database.run("select count(*) from t")
