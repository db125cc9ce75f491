"""From MariaDB through a model back to MariaDB: rows that are new, changed, gone and bad, over several runs of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import treaty
from small_project import write_small_project

from treaty.testing.databases import TestMariadb, temporary_mariadb

SHOP = """\
connector: mariadb
connection: {{host: {host}, port: {port}, database: {database}, user: {user}{password}}}
owner: tests
streams:
  things:
    format: table
    key: [id]
    version: changed_at
    deletes: {{tombstone: {{when: "source('gone') = '1'"}}}}
    read: {{table: thing, cursor: changed_at, overlap: 0s}}
"""
LEDGER = """\
connector: mariadb
connection: {{host: {host}, port: {port}, database: {database}, user: {user}{password}}}
owner: tests
streams:
  things: {{format: table, write: {{table: ledger, create: true}}}}
"""
OUTBOUND = """\
from: thing
to: ledger/things
key: [code]
mode: upsert
delete: send
fields:
  code: code
  name: name
  size: size
"""
ROWS = """\
create table thing (id varchar(40) primary key, name text, size varchar(20), gone boolean not null default false, changed_at datetime(6));
insert into thing values ('A-1', 'bäll 🙂', '3', false, '2026-01-01 10:00:00'), ('A-2', 'box', '4', false, '2026-01-01 10:00:00'),
 ('A-3', 'bad', 'many', false, '2026-01-01 10:00:01')
"""


@pytest.fixture
def mariadb(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestMariadb]:
    """A database of its own on the test server, which the installation lists for egress."""
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16")
    with temporary_mariadb() as found:
        if isinstance(found, str):
            pytest.skip(found)
        yield found


def run(folder: Path) -> dict[str, int]:
    """Run the project; return what the ledger got."""
    answer = treaty("run", "--json", "--project", folder)
    assert answer.status == 0, answer.errors + answer.output
    (delivery,) = answer.json["flows"][0]["deliveries"]
    return {name: number for name, number in delivery.items() if name != "sink" and number}


@pytest.mark.slow
def test_a_ledger_follows_a_shop(mariadb: TestMariadb, project: Path) -> None:
    """New rows are written, changed ones updated, tombstones deleted, a bad one set aside; a run without news writes nothing, and verify holds."""
    password = f", password: {mariadb.settings['password']}" if "password" in mariadb.settings else ""
    write_small_project(project)
    (project / "treaty.yaml").write_text("name: small\nowners: {tests: tests@example.com}\nenvironments:\n  local: {deliver: true}\n", encoding="utf-8")
    (project / "systems/store.yaml").write_text(SHOP.format(**{**mariadb.settings, "password": password}), encoding="utf-8")
    (project / "systems/ledger.yaml").write_text(LEDGER.format(**{**mariadb.settings, "password": password}), encoding="utf-8")
    (project / "mappings/thing.ledger.yaml").write_text(OUTBOUND, encoding="utf-8")
    (project / "flows/things.yaml").write_text("mappings: [store.things, thing.ledger]\nowner: tests\n", encoding="utf-8")
    mariadb.run(ROWS)
    ledger = "select code, name, size from ledger order by code"

    assert 2 == run(project)["acknowledged"]
    assert [("A-1", "bäll 🙂", "3"), ("A-2", "box", "4")] == [tuple(map(str, row)) for row in mariadb.run(ledger)]
    assert {} == run(project)

    mariadb.run("update thing set name = 'cube', changed_at = '2026-01-02' where id = 'A-2';\nupdate thing set gone = true, changed_at = '2026-01-02' where id = 'A-1'")
    mariadb.run("update thing set size = '5', changed_at = '2026-01-02 00:00:01' where id = 'A-3'")
    run(project)
    assert [("A-2", "cube", "4"), ("A-3", "bad", "5")] == [tuple(map(str, row)) for row in mariadb.run(ledger)]
    assert 0 == treaty("verify", "--project", project).status
