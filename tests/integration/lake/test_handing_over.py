"""Shared streams at random: whatever versions come, moves, deletes and unknown clients included, each record is where its newest known version says."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from treaty.compiler.handing_over import HAND_OVER
from treaty.connectors.interface import Site
from treaty.flows.handing_over import SharedReading, receive
from treaty.flows.references import newest_landed
from treaty.lake.quarantine import quarantine_groups
from treaty.lake.scope import AllClients, OneClient
from treaty.lake.verify import MappedStream, verify
from treaty.project.loading import load_project
from treaty.project.overlays import SHARED, client_project
from treaty.sessions import Session

CLIENTS = ("acme", "borealis", "corva")
SYSTEM = """\
connector: files
connection: {folder: inbox}
owner: tests
shared: true
streams:
  things:
    format: FORMAT
    key: [id]
    client: client
    deletes: {tombstone: {when: "source('gone') = 'yes'"}}
    read: {files: "*.FORMAT"}
"""
TABLE = """\
connector: postgresql
connection: {embedded: store}
owner: tests
shared: true
streams:
  things:
    format: table
    key: [id]
    client: tenant_name(tenant)
    read: {table: public.thing}
"""
TENANTS = """\
---
id: tenants
title: Numbers of tenants name clients
status: accepted
date: 2026-11-21
decision-makers: [tests]
kind: value-map
function: "tenant_name(number: string) -> string"
map: {"1": acme, "2": borealis}
otherwise: quarantine
---

## Considered options

- the number
- the name

## Outcome

The name.
"""
COLUMNS = ("id", "name", "client", "gone")
RUNS = 4
Row = Mapping[str, str]


class Expected:
    """What is to be where, worked out one record after the other: by key its holder and what it says."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Row]] = {}

    def take(self, row: Row) -> None:
        """Take the next version of a record; what is as the one before is none."""
        known = self.versions.setdefault(row["id"], [])
        if not known or known[-1] != row:
            known.append(row)

    def held(self, clients: tuple[str, ...]) -> dict[str, dict[str, str]]:
        """Return, by client, what it holds: names by key."""
        found: dict[str, dict[str, str]] = {client: {} for client in clients}
        for key, versions in self.versions.items():
            holder, name = "", ""
            for row in versions:
                if row["gone"]:
                    name = ""
                elif row["client"] in clients:
                    holder, name = row["client"], row["name"]
            if holder and name:
                found[holder][key] = name
        return found


def write_project(folder: Path, form: str, clients: tuple[str, ...]) -> None:
    """Write a project with nothing but the shared system and its clients."""
    for name, text in {
        "treaty.yaml": "name: shared\nowners: {tests: tests@example.com}\n",
        "systems/store.yaml": SYSTEM.replace("FORMAT", form),
        **{f"clients/{client}/.gitkeep": "" for client in clients},
        "inbox/.gitkeep": "",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def send(folder: Path, form: str, rows: list[dict[str, Any]], number: int, columns: tuple[str, ...]) -> None:
    """Put records into the shared folder, now and then with a column more."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if form == "csv":
        text = "".join(",".join(str(row.get(each, "")) for each in columns) + "\n" for row in [dict(zip(columns, columns, strict=True)), *rows])
    if form == "xml":
        text = "<all>" + "".join("<thing>" + "".join(f"<{each}>{row[each]}</{each}>" for each in COLUMNS if row[each]) + "</thing>" for row in rows) + "</all>"
    (folder / "inbox" / f"{number:03}.{form}").write_text(text)


def run(session: Session, folder: Path, database: str = "") -> None:
    """Read the shared stream and let each client land what is its own."""
    project = load_project(folder)
    assert not project.findings
    reading = SharedReading(session, project, Site(folder, lambda name: database), "applied", "2026-01-01", lambda text: None)
    reading.ensure_read("store/things", "evolve")
    assert all(not each.problems for each in reading.results())
    for client in sorted(project.overlays):
        receive(session, client_project(project, client), "store/things", ())


def told(session: Session, form: str, clients: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Return what each client holds: the names of its newest landed records by key."""
    name = {"csv": "c_name", "jsonl": "json_extract_string(payload, '$.name')", "xml": """json_extract_string(payload, '$.name[0]."#"')"""}[form]
    found = {}
    for client in clients:
        newest = newest_landed(session, client, "store/things")
        found[client] = dict(session.duck.execute(f"select _source_key, {name} from ({newest})").fetchall()) if newest else {}
    return found


def test_a_table_of_a_database_is_shared(session: Session, tmp_path: Path, new_database: Callable[[], str]) -> None:
    """Rows of a table go to the clients that a column names, and with it when it changes."""
    write_project(tmp_path, "csv", CLIENTS)
    (tmp_path / "systems/store.yaml").write_text(TABLE)
    database = new_database()
    with psycopg.connect(database, autocommit=True) as server:
        server.execute("create table thing (id text primary key, name text, tenant int)")
        server.execute("insert into thing values ('a', 'one', 1), ('b', 'two', 2), ('c', 'three', 9)")
        (tmp_path / "decisions").mkdir()
        (tmp_path / "decisions/tenants.md").write_text(TENANTS)
        run(session, tmp_path, database)
        assert {"acme": {"a": "one"}, "borealis": {"b": "two"}, "corva": {}} == told(session, "csv", CLIENTS)
        server.execute("update thing set tenant = 2, name = 'one more' where id = 'a'")
        run(session, tmp_path, database)
    assert {"acme": {}, "borealis": {"a": "one more", "b": "two"}, "corva": {}} == told(session, "csv", CLIENTS)
    (group,) = quarantine_groups(session, OneClient(SHARED))
    assert (1, "unmapped-value", ("9",)) == (group.records, group.reason, group.sample_values)


MORE = [pytest.param(form, seed, marks=pytest.mark.slow) for form in ("csv", "jsonl", "xml") for seed in range(10, 16)]


@pytest.mark.parametrize(("form", "seed"), [("csv", 1), ("jsonl", 2), ("xml", 3), *MORE])
def test_every_record_is_where_its_versions_say(session: Session, tmp_path: Path, form: str, seed: int) -> None:
    """After each of several runs the clients hold what a plain reading of all versions says, and the sums hold; the last client comes late."""
    chance = random.Random(seed)
    expected = Expected()
    for number in range(RUNS):
        clients = CLIENTS if number >= RUNS - 2 else CLIENTS[:2]
        write_project(tmp_path, form, clients)
        if form == "xml":
            system = tmp_path / "systems/store.yaml"
            system.write_text(system.read_text().replace("    key:", "    record: thing\n    key:"))
        rows = []
        for _ in range(chance.randint(1, 8)):
            gone = "yes" if chance.random() < 0.2 else ""
            client = "" if gone and chance.random() < 0.7 else chance.choice((*CLIENTS, "nobody", ""))
            rows.append({"id": f"k{chance.randint(1, 5)}", "name": f"n{chance.randint(1, 99)}", "client": client, "gone": gone})
        send(tmp_path, form, rows, number, (*COLUMNS, "more") if number == 1 else COLUMNS)
        for row in rows:
            expected.take(row | ({"more": ""} if number == 1 and form == "csv" else {}))
        run(session, tmp_path)
        assert expected.held(clients) == told(session, form, clients), (number, rows)
        mapped = [MappedStream(SHARED, "store/things", HAND_OVER, handed_over=True, clients=clients)]
        found = verify(session, AllClients("test"), mapped)
        assert () == found.problems
        before = session.duck.execute("select max(_batch) from lake.batch").fetchone()
        run(session, tmp_path)
        assert before == session.duck.execute("select max(_batch) from lake.batch").fetchone()
