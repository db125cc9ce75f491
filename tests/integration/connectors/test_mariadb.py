"""The connector `mariadb` against a real server, where the conformance suites do not look."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from treaty.connectors.interface import DeliveryItem, ItemResult, Site, StreamRequest, WriteRequest
from treaty.connectors.registry import open_sink, open_source
from treaty.errors import RetryError, StopError
from treaty.project.declarations import Deletes, Limits, Stream, System
from treaty.testing.databases import TestMariadb
from treaty.testing.sinks import item
from treaty.testing.sources import records_of


class Table:
    """A stream over one table, read as the lake reads."""

    def __init__(self, mariadb: TestMariadb, **read: Any) -> None:
        deletes = Deletes() if "cursor" in read else Deletes(mode="snapshot")
        self.stream = Stream(format="table", read={"table": "t", **read}, deletes=deletes)
        self.system = System(name="s", connector="mariadb", connection=mariadb.settings, streams={"t": self.stream})
        self.cursor: Mapping[str, Any] = {}
        self.known: dict[str, str] = {}

    def run(self) -> list[dict[str, Any]]:
        found = []
        request = StreamRequest("s", "t", "main", self.stream, self.cursor, self.known, Limits())
        for arrival in open_source(self.system, Site(Path("/"))).read(request):
            found += records_of(arrival)
            self.cursor = json.loads(json.dumps(arrival.cursor))
            self.known[arrival.origin] = arrival.sha256
        return found


def write(mariadb: TestMariadb, items: list[DeliveryItem], columns: Mapping[str, str], key: tuple[str, ...] = ("id",), **settings: Any) -> list[ItemResult]:
    stream = Stream(format="table", write={"table": "t", **settings})
    system = System(name="s", connector="mariadb", connection={**mariadb.settings, "lock_seconds": 5}, streams={"t": stream})
    return list(open_sink(system, Site(Path("/"))).write(WriteRequest("s", "t", "main", stream, key, "upsert", columns), items))


def row(version: int, **fields: Any) -> DeliveryItem:
    return DeliveryItem(str(fields["id"]), version, "upsert", f"m-{fields['id']}-{version}", fields)


def test_every_type_is_text_to_the_digit(mariadb: TestMariadb) -> None:
    """Numbers keep their digits, instants are UTC with their zone, local times have none, bytes are hexadecimal, zero dates stay to be judged."""
    mariadb.run(
        "create table t (n decimal(38,10), u bigint unsigned, f double, at timestamp(6) null, local datetime, d date, b boolean, bits bit(12), "
        "j json, e varchar(5), x text, raw varbinary(4), kind enum('b','a'), y year, span time)"
    )
    mariadb.run("set sql_mode = ''")
    mariadb.run(
        "insert into t values (1234567890123456789012345678.1234567890, 18446744073709551615, 0.1, '2026-03-29 01:30:00.5', '2026-03-29 02:30:00', "
        "'0000-00-00', true, b'101000000001', '{\"b\": 1.10, \"a\":2}', '', null, x'00ff5c22', 'a', 2026, '-838:59:59')"
    )
    (found,) = Table(mariadb).run()
    assert {
        "_locator": 1, "n": "1234567890123456789012345678.1234567890", "u": "18446744073709551615", "f": "0.1", "at": "2026-03-29T01:30:00.500000+00:00",
        "local": "2026-03-29T02:30:00", "d": "0000-00-00", "b": "1", "bits": "2561", "j": '{"b": 1.10, "a":2}', "e": "", "x": None, "raw": "\\x00ff5c22",
        "kind": "a", "y": "2026", "span": "-838:59:59",
    } == found  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bigint unsigned", ["9007199254740993", "9007199254740994", "18446744073709551614", "18446744073709551615"]),
        ("varbinary(8)", ["x'00'", "x'0025'", "x'5c27'", "x'ff'"]),
        ("enum('z','a','m','b')", ["'z'", "'a'", "'m'", "'b'"]),
        ("decimal(30,10)", ["0.0000000001", "0.0000000002", "12345678901234567890.1", "12345678901234567890.2"]),
        ("varchar(9) character set latin1 collate latin1_german1_ci", ["'ä'", "'B'", "'%s'", "'\\\\'"]),
    ],
)
def test_keys_of_every_type_part_pages(mariadb: TestMariadb, kind: str, values: list[str]) -> None:
    """With one row a page no row is lost or doubled, whatever type the key has: large numbers are not compared as floats."""
    mariadb.run(f"create table t (id {kind} primary key, at datetime not null)")
    mariadb.run("insert into t values " + ", ".join(f"({value}, '2026-01-01')" for value in values))
    table = Table(mariadb, cursor="at", page_rows=1)
    assert 4 == len({each["id"] for each in table.run()})
    assert [] == table.run()


def test_late_and_changed_rows_in_the_overlap_are_read(mariadb: TestMariadb) -> None:
    """A row that appears below the position, or changes without a new time stamp, is read while it is within the overlap."""
    mariadb.run("create table t (id int primary key, at timestamp(3) null, v text);\ninsert into t values (1, '2026-01-01 10:00', 'a'), (3, '2026-01-01 10:02', 'c')")
    table = Table(mariadb, cursor="at", overlap="5m")
    assert ["1", "3"] == [each["id"] for each in table.run()]
    mariadb.run("insert into t values (2, '2026-01-01 10:01', 'b');\nupdate t set at = at, v = 'new' where id = 1")
    assert ["new", "b", "c"] == [each["v"] for each in table.run()]
    assert [] == table.run()


def test_rows_without_a_position_are_read_and_it_does_not_go_back(mariadb: TestMariadb) -> None:
    """Null and zero dates lose no row; when the newest rows are deleted, the position stays."""
    mariadb.run("set sql_mode = '';\ncreate table t (id int primary key, at datetime);\ninsert into t values (1, null), (2, '0000-00-00'), (3, '2026-01-01'), (4, '2026-01-02')")
    table = Table(mariadb, cursor="at")
    assert {"1", "2", "3", "4"} == {each["id"] for each in table.run()}
    assert [] == table.run()
    before = table.cursor["after"]
    mariadb.run("delete from t where id = 4")
    table.run()
    assert before == table.cursor["after"]


def test_names_never_become_statements(mariadb: TestMariadb) -> None:
    """Odd names work where they are in the catalogue and stop where they are not (E9)."""
    evil = 'x`; drop table t; -- %s {} "'
    quoted = evil.replace("`", "``")
    mariadb.run(f"create table t (id int primary key, `{quoted}` text);\ninsert into t values (1, 'v')")
    assert [{"_locator": 1, "id": "1", evil: "v"}] == Table(mariadb, cursor="id").run()
    mariadb.run("alter table t add treaty_version bigint")
    assert ["acknowledged"] == [each.state for each in write(mariadb, [row(1, id=1, **{evil: "w"})], {"id": "integer", evil: "string"})]
    assert [("w",)] == mariadb.run(f"select `{quoted}` from t")
    with pytest.raises(StopError, match="no column"):
        Table(mariadb, cursor=evil[:5]).run()
    with pytest.raises(StopError, match="no table"):
        Table(mariadb, table="t`; drop table t; --").run()


def test_what_does_not_fit_is_rejected_never_cut(mariadb: TestMariadb) -> None:
    """Long texts, four-byte letters in a three-byte column, ranges, dates and nulls: each bad row by itself, also where the server is lax."""
    mariadb.run("create table t (id int primary key, s varchar(3), u varchar(9) character set utf8mb3, n tinyint, d date, must int not null, treaty_version bigint)")
    good = {"s": "abc", "u": "é", "n": 1, "d": "2026-01-01", "must": 1}
    bad = [{"s": "abcd"}, {"u": "🙂"}, {"n": 300}, {"d": "2026-02-30"}, {"d": "0000-00-00"}, {"must": None}, {"s": "a\0"}, {"n": "x"}]
    items = [row(1, id=0, **good), *(row(1, id=number, **{**good, **each}) for number, each in enumerate(bad, 1)), row(1, id=9, **good)]
    results = write(mariadb, items, dict.fromkeys(("id", *good), "string"))
    assert ["acknowledged", *["rejected"] * len(bad), "acknowledged"] == [each.state for each in results]
    assert [("0",), ("9",)] == mariadb.run("select id from t order by id")


def test_values_of_every_type_are_written(mariadb: TestMariadb) -> None:
    """With `create: true` the table is made, and an instant is in UTC, a decimal exact, bytes bytes, a list JSON."""
    from datetime import UTC, datetime, timedelta, timezone

    at = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    columns = {"id": "string", "amount": "decimal(38,10)", "at": "timestamp", "yes": "boolean", "raw": "bytes", "tags": "list<string>"}
    item_ = row(1, id="ä'\\%s", amount=Decimal("1234567890123456789012345678.0000000001"), at=at, yes=True, raw=b"\0\xff'\\", tags=["a", "漢"])
    assert ["acknowledged"] == [each.state for each in write(mariadb, [item_], columns, create=True)]
    (found,) = mariadb.run("select id, amount, at, yes, hex(raw), tags, treaty_version from t")
    assert ("ä'\\%s", "1234567890123456789012345678.0000000001", "2026-07-01 10:00:00.123456", "1", "00FF275C", '["a", "漢"]', "1") == found
    assert at.astimezone(UTC).hour == 10


def test_a_second_unique_column_never_lets_a_row_overwrite_another(mariadb: TestMariadb) -> None:
    """A record whose e-mail is another row's is rejected, and the other row stays as it was."""
    mariadb.run("create table t (id int primary key, mail varchar(50) unique, treaty_version bigint)")
    columns = {"id": "integer", "mail": "string"}
    write(mariadb, [row(1, id=1, mail="a@x")], columns)
    assert ["rejected", "acknowledged"] == [each.state for each in write(mariadb, [row(1, id=2, mail="a@x"), row(1, id=3, mail="c@x")], columns)]
    assert [("1", "a@x"), ("3", "c@x")] == mariadb.run("select id, mail from t order by id")


def test_keys_that_a_collation_takes_for_one_are_told_apart(mariadb: TestMariadb) -> None:
    """`a` and `A` are two records: the second is rejected where the table cannot hold both, and does not overwrite the first."""
    mariadb.run("create table t (id varchar(9) collate utf8mb4_general_ci primary key, v text, treaty_version bigint)")
    columns = {"id": "string", "v": "string"}
    assert ["acknowledged", "rejected"] == [each.state for each in write(mariadb, [row(1, id="a", v="1"), row(1, id="A", v="2")], columns)]
    assert ["rejected"] == [each.state for each in write(mariadb, [row(9, id="A", v="2")], columns)]
    assert [("a", "1", "1")] == mariadb.run("select * from t")


def test_tables_that_cannot_keep_the_promise_are_refused(mariadb: TestMariadb) -> None:
    """No transactions, no unique key, a side table whose key is not exact: each stops with its remedy."""
    columns = {"id": "string"}
    mariadb.run("create table t (id varchar(9) primary key, treaty_version bigint) engine = MyISAM")
    with pytest.raises(StopError, match="InnoDB"):
        write(mariadb, [row(1, id="a")], columns)
    mariadb.run("alter table t engine = InnoDB, drop primary key")
    with pytest.raises(StopError, match="no unique index"):
        write(mariadb, [row(1, id="a")], columns)
    mariadb.run("alter table t add primary key (id);\ncreate table side (delivery_key varchar(99) primary key, version bigint, deleted boolean)")
    with pytest.raises(StopError, match="varbinary"):
        write(mariadb, [row(1, id="a")], columns, side_table="side")


@pytest.mark.parametrize("side", [False, True])
def test_the_guard_holds_among_concurrent_writers(mariadb: TestMariadb, side: bool) -> None:
    """Four writers send the versions of the same keys in different orders; each key ends at its highest version, no row stands twice."""
    mariadb.run("create table t (id varchar(9) primary key, text text, treaty_version bigint)")
    settings = {}
    if side:
        mariadb.run("create table side (delivery_key varbinary(700) primary key, version bigint not null, deleted boolean not null)")
        settings["side_table"] = "side"
    keys = [f"k{number}" for number in range(8)]
    states: list[str] = []
    failures: list[BaseException] = []

    def send(writer: int) -> None:
        try:
            for version in [(writer * 3 + step * 5) % 16 + 1 for step in range(16)]:
                waiting = [row(version, id=key, text=f"v{version}") for key in (keys if writer % 2 else reversed(keys))]
                for _ in range(200):
                    try:
                        results = write(mariadb, waiting, {"id": "string", "text": "string"}, **settings)
                    except RetryError:
                        continue
                    states.extend(each.state for each in results)
                    waiting = [each for each, result in zip(waiting, results, strict=True) if result.state == "retry"]
                    if not waiting:
                        break
                else:
                    raise AssertionError("a batch never came through")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=send, args=(writer,)) for writer in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [] == failures
    assert {"acknowledged", "coalesced"} == {state for state in states if state != "retry"}
    assert [(key, "v16") for key in keys] == mariadb.run("select id, text from t order by id")


def test_another_s_lock_is_for_later(mariadb: TestMariadb) -> None:
    """A lock that is not given up in time raises RetryError: nothing was applied, no row is blamed."""
    mariadb.run("create table t (id varchar(9) primary key, text text, amount int, treaty_version bigint);\ninsert into t values ('1', 'theirs', 0, 1)")
    mariadb.connection.begin()
    mariadb.run("select * from t for update")
    stream = Stream(format="table", write={"table": "t"})
    system = System(name="s", connector="mariadb", connection={**mariadb.settings, "lock_seconds": 1}, streams={"t": stream})
    request = WriteRequest("s", "t", "main", stream, ("id",), "upsert", {"id": "string", "text": "string"})
    with pytest.raises(RetryError, match="1205"):
        open_sink(system, Site(Path("/"))).write(request, [item("1", 2)])
    mariadb.connection.rollback()


def test_only_listed_settings_reach_the_driver(mariadb: TestMariadb) -> None:
    """Driver options that read or send files are unknown settings, and a private address needs the installation's word (E7, E3)."""
    stream = Stream(format="table", read={"table": "t"})
    for evil in ({"local_infile": True}, {"unix_socket": "/run/mysqld/mysqld.sock"}, {"read_default_file": "/etc/my.cnf"}, {"init_command": "x"}):
        with pytest.raises(StopError, match="unknown setting"):
            open_source(System(name="s", connector="mariadb", connection={**mariadb.settings, **evil}, streams={"t": stream}), Site(Path("/")))


def test_tls_that_is_required_is_never_left_out(mariadb: TestMariadb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where TLS must be verified, a server without it, or with a certificate of its own, is refused before a password is sent."""
    stream = Stream(format="table", read={"table": "t"})
    system = System(name="s", connector="mariadb", connection={**mariadb.settings, "tls": "verify-full"}, streams={"t": stream})
    with pytest.raises(StopError, match=r"(?i)certificate|SSL"):
        open_source(system, Site(tmp_path)).check()
    monkeypatch.delenv("TREATY_EGRESS_PRIVATE")
    with pytest.raises(StopError, match="private address"):
        open_source(system, Site(tmp_path)).check()
