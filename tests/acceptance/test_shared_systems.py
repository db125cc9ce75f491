"""A system that several clients share: each record reaches its own client, and no other; what nobody owns is set aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_project import write_small_project

import treaty
from treaty.faults import InjectedFault, forget_hits

SYSTEM = """\
connector: files
connection: {folder: inbox}
owner: tests
shared: true
streams:
  things:
    format: csv
    key: [id]
    client: client_code
    read: {files: "*.csv", delimiter: ";"}
"""
CLIENTS = """\
---
id: clients-by-code
title: Codes name clients
status: accepted
date: 2026-11-21
decision-makers: [tests]
kind: value-map
function: "client_named(code: string) -> string"
map: {acme: acme, borealis: acme}
otherwise: quarantine
---

## Considered options

- as written
- by a list

## Outcome

By a list: Acme has bought Borealis.
"""
HEADER = "id;name;size;client_code\n"


@pytest.fixture
def shared(tmp_path: Path, lake_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two clients, and one CSV folder for both."""
    monkeypatch.setenv("TREATY_DATABASE", lake_url)
    write_small_project(tmp_path, ("acme", "borealis"), database="env:TREATY_DATABASE")
    (tmp_path / "systems" / "store.yaml").write_text(SYSTEM)
    (tmp_path / "inbox").mkdir()
    return tmp_path


def write(project: Path, text: str, name: str = "things.csv") -> None:
    """Put a file into the shared folder."""
    (project / "inbox" / name).write_text(text)


def send(project: Path, rows: str, name: str = "things.csv") -> treaty.RunResult:
    """Put rows into the shared folder and run."""
    write(project, HEADER + rows, name)
    return treaty.run(project)


def held(project: Path) -> dict[tuple[str, str], str]:
    """Return the names of the golden things, by client and code."""
    return {(row["_client"], row["code"]): row["name"] for row in treaty.records("thing", project=project).to_pylist()}


def sums(project: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what ``verify`` counts, by client and stream; it must hold."""
    found = treaty.verify(project)
    assert found.problems == ()
    return {(each.client, each.mapping): dict(each.dispositions) for each in found.streams}


def test_records_go_to_their_clients(shared: Path) -> None:
    """Each client has its own records; one of nobody known is quarantined with its reason; a second run writes nothing."""
    result = send(shared, "a;one;1;acme\nb;two;2;borealis\nc;three;3;corva\nd;four;4;\n")
    assert result.ok, result
    assert {("acme", "a"): "one", ("borealis", "b"): "two"} == held(shared)
    assert {
        ("@shared", "hand-over"): {"canonical": 2, "quarantined": 2},
        ("acme", "store.things"): {"canonical": 1},
        ("borealis", "store.things"): {"canonical": 1},
    } == sums(shared)
    assert {("unknown-client", ("corva",), 1), ("required", (), 1)} == {
        (each.reason, each.sample_values, each.records) for each in treaty.quarantine_groups(shared)
    }
    assert not treaty.run(shared).changed


def test_a_record_moves_with_its_client(shared: Path) -> None:
    """What names another client leaves the one and comes to the other; what names nobody known stays where it was, and the source is told."""
    send(shared, "a;one;1;acme\nb;two;2;borealis\n")
    result = send(shared, "a;one more;1;borealis\nb;two more;2;corva\n")
    assert result.ok, result
    assert {("borealis", "a"): "one more", ("borealis", "b"): "two"} == held(shared)
    assert {
        ("@shared", "hand-over"): {"canonical": 3, "quarantined": 1},
        ("acme", "store.things"): {"canonical": 1, "superseded": 1},
        ("borealis", "store.things"): {"canonical": 2},
    } == sums(shared)
    send(shared, "a;one again;1;acme\nb;two again;2;borealis\n")
    assert {("acme", "a"): "one again", ("borealis", "b"): "two again"} == held(shared)
    assert {"canonical": 5, "superseded": 1} == sums(shared)["@shared", "hand-over"]
    assert () == treaty.quarantine_groups(shared)


def test_a_client_that_comes_later_gets_its_records(shared: Path) -> None:
    """Records of a client that nobody knew leave quarantine by themselves once it is there, with every version."""
    send(shared, "a;one;1;acme\nc;three;3;corva\n")
    send(shared, "a;one;1;acme\nc;three more;3;corva\n")
    (shared / "clients/corva").mkdir()
    (shared / "clients/corva/.gitkeep").touch()
    (added,) = [each for each in treaty.plan(shared).changes if each.id.startswith("corva")]
    assert ("additive", "at the next run, of the records of store/things, 1 go to corva") == (added.change_class, added.notes[-1])
    assert treaty.run(shared, apply=True).ok
    assert {("acme", "a"): "one", ("corva", "c"): "three more"} == held(shared)
    counted = sums(shared)
    assert {"canonical": 3} == counted["@shared", "hand-over"]
    assert {"canonical": 1, "superseded": 1} == counted["corva", "store.things"]
    assert () == treaty.quarantine_groups(shared)
    assert not treaty.run(shared).changed


def test_a_cell_that_tells_otherwise_moves_records(shared: Path) -> None:
    """Once the cell of the client means something else, what has landed goes to whom it names now."""
    send(shared, "a;one;1;acme\nb;two;2;borealis\n")
    system = shared / "systems/store.yaml"
    system.write_text(system.read_text().replace("client: client_code", "client: client_named(client_code)"))
    (shared / "decisions/clients-by-code.md").write_text(CLIENTS)
    planned = treaty.plan(shared)
    notes = {note for each in planned.changes for note in each.notes if "at the next run" in note}
    assert {"at the next run, of the records of store/things, 1 go to acme, 1 leave borealis"} == notes, planned
    assert planned.fails
    assert treaty.run(shared, apply=True).ok
    assert {("acme", "a"): "one", ("acme", "b"): "two"} == held(shared)
    sums(shared)


@pytest.mark.parametrize("deletes", ["{tombstone: {when: \"source('gone') = 'yes'\"}}", "{snapshot: {guard: 70%}}"])
def test_deletes_reach_the_holder(shared: Path, deletes: str) -> None:
    """A delete goes to the client that has the record, though a tombstone or a snapshot does not name it."""
    system = shared / "systems/store.yaml"
    system.write_text(system.read_text().replace("    key: [id]\n", f"    key: [id]\n    deletes: {deletes}\n"))
    write(shared, "id;name;size;client_code;gone\na;one;1;acme;\nb;two;2;borealis;\nc;three;3;corva;\n")
    assert treaty.run(shared).ok
    tombstones = "a;;;;yes\nc;;;;yes\n" if "tombstone" in deletes else ""
    write(shared, f"id;name;size;client_code;gone\n{tombstones}b;two;2;borealis;\n")
    assert treaty.run(shared).ok
    assert {("borealis", "b"): "two"} == held(shared)
    counted = sums(shared)
    assert {"canonical": 3, "quarantined": 2} == counted["@shared", "hand-over"]
    assert {"canonical": 1, "superseded": 1} == counted["acme", "store.things"]


@pytest.mark.parametrize("point", ["hand_over.pre_commit", "hand_over.post_commit", "land.pre_commit:2", "land.post_commit:2", "conform.pre_commit"])
def test_a_kill_on_the_way_loses_nothing(shared: Path, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """Whatever was committed when a run died is not done again, and the rest is done by the next."""
    name, _, hit = point.partition(":")
    monkeypatch.setenv("TREATY_FAULT", f"{name}:{hit or 1}:raise")
    forget_hits()
    with pytest.raises(InjectedFault):
        send(shared, "a;one;1;acme\nb;two;2;borealis\nc;three;3;corva\n")
    monkeypatch.delenv("TREATY_FAULT")
    assert treaty.run(shared).ok
    assert {("acme", "a"): "one", ("borealis", "b"): "two"} == held(shared)
    assert {"canonical": 2, "quarantined": 1} == sums(shared)["@shared", "hand-over"]
    assert not treaty.run(shared).changed


def test_explain_leads_back_to_the_shared_file(shared: Path) -> None:
    """The place of a handed-over record is that of the shared record: its file and line; why one was not handed over is told."""
    send(shared, "a;one;1;acme\nb;two;2;borealis\nc;three;3;corva\n")
    told = treaty.explain("thing", "b", "name", project=shared)
    assert told.agrees and told.client == "borealis"
    (landed,) = [each for each in told.steps if each["step"] == "landed"]
    assert ("things.csv", 3) == (landed["handed_over"]["origin"], landed["handed_over"]["line"])
    told = treaty.explain("thing", source="store/things/c", project=shared)
    assert "unknown-client" in told.ends and "corva" in told.ends


def test_a_steward_works_on_what_belongs_to_nobody(shared: Path) -> None:
    """Groups of the shared stream are shown, replayed and discarded as others are."""
    send(shared, "a;one;1;acme\nc;three;3;corva\nd;four;4;\n")
    (unknown,) = [each for each in treaty.quarantine_groups(shared, client="@shared") if each.reason == "unknown-client"]
    assert ["store", "c", "corva"] == [treaty.quarantine_records(unknown.group, shared).to_pylist()[0][each] for each in ("system", "source_key", "value")]
    assert (1, 1) == ((replayed := treaty.replay(unknown.group, shared)).records, replayed.remaining)
    assert 1 == treaty.discard(unknown.group, "a client of the past", shared).records
    assert {"canonical": 1, "quarantined": 1, "filtered": 1} == sums(shared)["@shared", "hand-over"]
    assert not treaty.run(shared).changed


def test_a_version_that_cannot_be_read_is_handed_over_to_nobody(shared: Path) -> None:
    """It is quarantined with its value until a version is handed over that landed after it; who holds the record keeps it."""
    system = shared / "systems/store.yaml"
    system.write_text(SYSTEM.replace("    key: [id]\n", "    key: [id]\n    version: iso_timestamp(at)\n"))
    head = "id;name;size;client_code;at\n"
    write(shared, head + "A;ball;3;acme;2026-01-05T00:00:00Z\n", "1.csv")
    assert treaty.run(shared).ok
    write(shared, head + "A;globe;3;acme;soon\nB;box;3;acme;later\n", "2.csv")
    assert treaty.run(shared).ok
    assert {("acme", "A"): "ball"} == held(shared)
    assert [("@shared", "unreadable-version", ("later", "soon"), 2)] == waiting(shared)
    write(shared, head + "A;older;3;borealis;2026-01-03T00:00:00Z\n", "3.csv")
    assert treaty.run(shared).ok
    assert [2] == [each[3] for each in waiting(shared)]
    write(shared, head + "A;ball;4;acme;2026-01-06T00:00:00Z\nB;box;3;borealis;2026-01-06T00:00:00Z\n", "4.csv")
    assert treaty.run(shared).ok
    assert {("acme", "A"): "ball", ("borealis", "B"): "box"} == held(shared)
    assert [] == waiting(shared)
    sums(shared)


def waiting(project: Path) -> list[tuple[str, str, tuple[str, ...], int]]:
    """Return whose records are in quarantine, by reason, with their values and their number."""
    return [(each.clients[0], each.reason, each.sample_values, each.records) for each in treaty.quarantine_groups(project)]
