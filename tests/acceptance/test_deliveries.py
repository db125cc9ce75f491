"""Deliveries into a ledger in PostgreSQL: dead letters and their replay, a changed outbound mapping, a key that passes to another record."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import treaty
from small_project import IDENTITY, write_small_project

from treaty.operations.workspace import find_workspace

LEDGER = """\
connector: postgresql
connection: {embedded: ledger}
owner: tests
streams:
  things: {format: table, write: {table: ledger.thing, create: true}}
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
"""
SNAPSHOT = "    deletes: {mode: snapshot, guard: 100%}\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """A project whose embedded server runs as long as these tests."""
    root = Path(tempfile.mkdtemp(prefix="treaty-ledger-"))
    try:
        yield root
    finally:
        treaty("stop", "--project", root / "project")
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def ledger(server: Path) -> Iterator[Path]:
    """A small project that delivers to a ledger, not run yet."""
    folder = server / "project"
    write_small_project(folder)
    (folder / "treaty.yaml").write_text(
        "name: small\nowners: {tests: tests@example.com}\nenvironments:\n  local: {deliver: true}\n", encoding="utf-8"
    )
    (folder / "systems/ledger.yaml").write_text(LEDGER, encoding="utf-8")
    (folder / "mappings/thing.ledger.yaml").write_text(OUTBOUND, encoding="utf-8")
    (folder / "flows/things.yaml").write_text("mappings: [store.things, thing.ledger]\nowner: tests\n", encoding="utf-8")
    land(folder, "id;name;size\nA-1;ball;3\nA-2;box;4\n")
    yield folder
    query(folder, "drop schema if exists ledger cascade")
    lose_state(folder)
    for child in folder.iterdir():
        if child.name != ".treaty":
            shutil.rmtree(child) if child.is_dir() else child.unlink()


def lose_state(folder: Path) -> None:
    """Remove all that Treaty knows; the sinks stay."""
    with find_workspace(folder).open() as session, session.database.connect("admin") as connection:
        connection.execute("drop schema treaty_lake cascade")
        connection.execute("drop schema treaty cascade")
    for child in (folder / ".treaty").iterdir():
        if child.name not in ("postgres", "postgres.lock"):
            shutil.rmtree(child) if child.is_dir() else child.unlink()


def land(folder: Path, text: str, name: str = "things.csv") -> None:
    """Put a file into the inbox."""
    (folder / "inbox/store").mkdir(parents=True, exist_ok=True)
    (folder / "inbox/store" / name).write_text(text, encoding="utf-8")


def query(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement in the ledger's database."""
    from treaty.sessions.guests import guest_database

    with (
        find_workspace(folder).open() as session,
        psycopg.connect(guest_database(session.database, "ledger"), autocommit=True) as connection,
    ):
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


def run(folder: Path, *arguments: str) -> dict[str, int]:
    """Run the project; return what its one sink got."""
    answer = treaty("run", "--json", *arguments, "--project", folder)
    assert answer.status == 0, answer.errors + answer.output
    (delivery,) = answer.json["flows"][0]["deliveries"]
    return {name: number for name, number in delivery.items() if name != "sink" and number}


def test_dead_letters_are_listed_and_replayed(ledger: Path) -> None:
    """What the sink refuses is dead-lettered; once it is mended, a replay sends it with the same message id, and the audit log knows."""
    query(ledger, "create schema ledger")
    query(ledger, "create table ledger.thing (code text primary key, name text check (name <> 'box'), treaty_version bigint)")
    assert {"acknowledged": 1, "dead_lettered": 1} == run(ledger)
    (letter,) = treaty("deliveries", "list", "--json", "--project", ledger).json
    assert ("A-2", "dead-lettered", 1) == (letter["key"], letter["state"], letter["attempts"])
    assert "check constraint" in letter["message"]
    assert {} == run(ledger)
    assert treaty("deliveries", "replay", "A-1", "--project", ledger).status == 2
    query(ledger, "alter table ledger.thing drop constraint thing_name_check")
    assert {"waiting": 1, "overtaken": 0} == treaty(
        "deliveries", "replay", "--all", "--sink", "ledger/things", "--json", "--project", ledger
    ).json
    assert {"acknowledged": 1} == run(ledger)
    assert [("A-1", "ball", 1), ("A-2", "box", 1)] == query(ledger, "select code, name, treaty_version from ledger.thing order by 1")
    (sent,) = [
        each for each in treaty("deliveries", "list", "--state", "acknowledged", "--json", "--project", ledger).json if each["key"] == "A-2"
    ]
    assert letter["message_id"] == sent["message_id"]
    assert [] == treaty("deliveries", "list", "--json", "--project", ledger).json
    with find_workspace(ledger).open() as session:
        rows = session.as_client("main").execute("select action, subject, details from treaty.audit where client = 'main'").fetchall()
    assert [("deliveries-replay", "ledger/things", {"messages": [letter["message_id"]]})] == rows
    assert treaty("verify", "--project", ledger).status == 0


def test_an_overtaken_dead_letter_is_not_sent(ledger: Path) -> None:
    """A dead letter whose record has a newer delivery is closed by a replay."""
    query(ledger, "create schema ledger")
    query(ledger, "create table ledger.thing (code text primary key, name text check (name <> 'box'), treaty_version bigint)")
    run(ledger)
    land(ledger, "id;name;size\nA-2;crate;4\n", "more.csv")
    assert {"acknowledged": 1} == run(ledger)
    assert {"waiting": 0, "overtaken": 1} == treaty("deliveries", "replay", "--all", "--json", "--project", ledger).json
    assert [("A-1", "ball", 1), ("A-2", "crate", 2)] == query(ledger, "select code, name, treaty_version from ledger.thing order by 1")


def test_an_ambiguous_message_is_sent_twice_only_on_demand(ledger: Path) -> None:
    """Where the sink takes messages at least once, an ambiguous one needs --yes."""
    (ledger / "mappings/thing.ledger.yaml").write_text(
        OUTBOUND.replace("upsert", "at-least-once").replace("delete: send\n", ""), encoding="utf-8"
    )
    run(ledger)
    with find_workspace(ledger).open() as session:
        session.as_client("main").execute("update treaty.delivery set state = 'ambiguous' where key = 'A-1'")
    refused = treaty("deliveries", "replay", "--all", "--project", ledger)
    assert (2, True) == (refused.status, "--yes" in refused.errors)
    assert {"waiting": 1, "overtaken": 0} == treaty("deliveries", "replay", "A-1", "--yes", "--json", "--project", ledger).json
    assert {"acknowledged": 1} == run(ledger)


def test_a_changed_mapping_is_sent(ledger: Path) -> None:
    """When what the sink takes changes, every record is sent again above the version that the sink has; later versions stay above that."""
    run(ledger)
    (ledger / "mappings/thing.ledger.yaml").write_text(OUTBOUND.replace("name: name", "name: shouted(name)"), encoding="utf-8")
    decision = (
        IDENTITY.replace("kind: identity", "kind: transformation")
        .replace("same-thing", "ledger-names-are-capitals")
        .replace("[thing]", "[thing.name]")
    )
    before, _, after = decision.partition("keys:")
    told = 'function: "shouted(text: string) -> string"\nexpression: upper(text)\nexamples:\n  - {text: a, returns: A}\n---\n'
    (ledger / "decisions/ledger-names-are-capitals.md").write_text(before + told + after.partition("---\n")[2], encoding="utf-8")
    assert {} == run(ledger)
    assert {"acknowledged": 2} == run(ledger, "--apply")
    assert [("A-1", "BALL", 2), ("A-2", "BOX", 2)] == query(ledger, "select code, name, treaty_version from ledger.thing order by 1")
    land(ledger, "id;name;size\nA-1;globe;3\n", "more.csv")
    assert {"acknowledged": 1} == run(ledger)
    assert [("A-1", "GLOBE", 3), ("A-2", "BOX", 2)] == query(ledger, "select code, name, treaty_version from ledger.thing order by 1")
    explained = treaty("explain", "thing", "A-1", "name", "--json", "--project", ledger).json
    step = explained["steps"][-1]
    assert ("delivery", "acknowledged", 2, "GLOBE") == (step["step"], step["state"], step["version"], step["value"])
    assert {} == run(ledger)
    assert treaty("verify", "--project", ledger).status == 0


@pytest.mark.slow
def test_a_narrower_where_takes_records_back(ledger: Path) -> None:
    """A record that the changed mapping leaves out is deleted from the sink, and comes back when it is let in again."""
    run(ledger)
    narrow = OUTBOUND.replace("key: [code]", "where: size > 3\nkey: [code]")
    (ledger / "mappings/thing.ledger.yaml").write_text(narrow, encoding="utf-8")
    assert {"acknowledged": 1} == run(ledger, "--apply")
    assert [("A-2",)] == query(ledger, "select code from ledger.thing order by 1")
    (ledger / "mappings/thing.ledger.yaml").write_text(OUTBOUND, encoding="utf-8")
    assert {"acknowledged": 1} == run(ledger, "--apply")
    assert [("A-1", 3), ("A-2", 1)] == query(ledger, "select code, treaty_version from ledger.thing order by 1")


def test_what_waits_is_not_lost_when_a_later_version_looks_the_same(ledger: Path) -> None:
    """A version that was never sent is not taken for what the sink has."""
    run(ledger, "--dry")
    land(ledger, "id;name;size\nA-1;ball;9\n", "more.csv")  # the sink does not take the size
    assert {"acknowledged": 2} == {name: number for name, number in run(ledger).items() if name == "acknowledged"}
    assert [("A-1", "ball"), ("A-2", "box")] == query(ledger, "select code, name from ledger.thing order by 1")
    land(ledger, "id;name;size\nA-1;ball;10\n", "again.csv")
    assert {"coalesced": 1} == run(ledger)


@pytest.mark.slow
def test_a_key_that_passes_to_another_record(ledger: Path) -> None:
    """The sink's row of a key goes to the record that has the key now, above the version that the other record left behind."""
    (ledger / "systems/store.yaml").write_text((ledger / "systems/store.yaml").read_text(encoding="utf-8") + SNAPSHOT, encoding="utf-8")
    (ledger / "mappings/thing.ledger.yaml").write_text(OUTBOUND.replace("key: [code]", "key: [name]"), encoding="utf-8")
    run(ledger)
    for size in (5, 6):
        land(ledger, f"id;name;size\nA-1;ball;{size}\nA-2;crate;4\n")
        run(ledger)
    land(ledger, "id;name;size\nA-3;ball;1\nA-2;crate;4\n")
    run(ledger)
    assert [("A-3", "ball")] == query(ledger, "select code, name from ledger.thing where name = 'ball'")
    assert [] == treaty("deliveries", "list", "--json", "--project", ledger).json
    assert treaty("verify", "--project", ledger).status == 0


def test_a_changed_key_leaves_no_row_behind(ledger: Path) -> None:
    """Where a record's own key in the sink changes, its old row is deleted and the new one written, even if the key in between was never sent."""
    (ledger / "mappings/thing.ledger.yaml").write_text(OUTBOUND.replace("key: [code]", "key: [name]"), encoding="utf-8")
    shown = "select code, name from ledger.thing order by 1"
    assert {"acknowledged": 2} == run(ledger)
    land(ledger, "id;name;size\nA-1;orb;3\n", "more.csv")
    assert {"acknowledged": 2} == run(ledger)
    assert [("A-1", "orb"), ("A-2", "box")] == query(ledger, shown)
    for name in ("globe", "sphere"):
        land(ledger, f"id;name;size\nA-1;{name};3\n", f"{name}.csv")
        run(ledger, "--dry")
    run(ledger)
    assert [("A-1", "sphere"), ("A-2", "box")] == query(ledger, shown)
    land(ledger, "id;name;size\nA-1;box;3\nA-2;crate;3\n", "passed.csv")  # A-1 takes what A-2 leaves
    run(ledger)
    assert [("A-1", "box"), ("A-2", "crate")] == query(ledger, shown)
    assert {} == run(ledger)
    assert [] == treaty("deliveries", "list", "--json", "--project", ledger).json
    assert treaty("verify", "--project", ledger).status == 0


@pytest.mark.parametrize("missing", ["null", pytest.param("quarantine after 1s", marks=pytest.mark.slow)])
def test_a_missing_target(ledger: Path, missing: str) -> None:
    """A reference without a target is sent and shown as its relationship says, and as it is once the target comes."""
    decision = (
        IDENTITY.replace("kind: identity", "kind: relationship").replace("same-thing", "names-are-codes").replace("[thing]", "[thing.name]")
    )
    before, _, after = decision.partition("keys:")
    told = f"references: thing.code\nmissing: {missing}\n---\n"
    path = ledger / "decisions/names-are-codes.md"
    path.write_text((before + told + after.partition("---\n")[2]).replace("after 1s", "after 1h"), encoding="utf-8")
    land(ledger, "id;name;size\nA-1;A-2;3\nA-2;A-9;4\nA-3;;4\n")
    shown = "select code, name from ledger.thing order by 1"
    found = {"null": [("A-1", "A-2"), ("A-2", None), ("A-3", None)], "quarantine after 1s": [("A-1", "A-2"), ("A-3", None)]}
    run(ledger)
    if missing != "null":
        assert ("A-2", "A-9") in recorded(ledger)
        path.write_text(path.read_text(encoding="utf-8").replace("after 1h", "after 1s"), encoding="utf-8")
        time.sleep(1)
        assert {"acknowledged": 1} == run(ledger, "--apply")
    assert (found[missing], found[missing]) == (query(ledger, shown), recorded(ledger))
    assert {} == run(ledger)
    land(ledger, "id;name;size\nA-9;;3\n", "more.csv")
    assert {"acknowledged": 2} == run(ledger)
    whole = [("A-1", "A-2"), ("A-2", "A-9"), ("A-3", None), ("A-9", None)]
    assert (whole, whole) == (query(ledger, shown), recorded(ledger))
    assert {} == run(ledger)
    assert treaty("verify", "--project", ledger).status == 0


def test_a_stub_stands_for_a_missing_target(ledger: Path) -> None:
    """A reference without a target makes one, with nothing but the value: it is sent, becomes the target under the same id, and goes with its reference."""
    decision = (
        IDENTITY.replace("kind: identity", "kind: relationship").replace("same-thing", "names-are-codes").replace("[thing]", "[thing.name]")
    )
    before, _, after = decision.partition("keys:")
    told = "references: thing.code\nmissing: stub\n---\n"
    (ledger / "decisions/names-are-codes.md").write_text(before + told + after.partition("---\n")[2], encoding="utf-8")
    system = ledger / "systems/store.yaml"
    system.write_text(system.read_text(encoding="utf-8") + SNAPSHOT, encoding="utf-8")
    land(ledger, "id;name;size\nA-1;A-2;3\nA-2;A-9;4\nA-3;A-9;4\nA-4;A-8;4\n")
    shown = "select code, name from ledger.thing order by 1"

    def known() -> dict[str, tuple[str, int | None]]:
        return {row["code"]: (row["_id"], row["size"]) for row in treaty("records", "thing", "--json", "--project", ledger).lines}

    assert {"acknowledged": 6} == run(ledger)
    first = known()
    assert (None, None) == (first["A-8"][1], first["A-9"][1])
    assert [("A-1", "A-2"), ("A-2", "A-9"), ("A-3", "A-9"), ("A-4", "A-8"), ("A-8", None), ("A-9", None)] == query(ledger, shown)
    assert {} == run(ledger)
    assert treaty("verify", "--project", ledger).status == 0
    stub = treaty("explain", "thing", "A-9", "code", "--json", "--project", ledger).json
    assert ("A-9", "stub", True) == (stub["value"], stub["steps"][0]["system"], stub["agrees"])
    land(ledger, "id;name;size\nA-1;A-2;3\nA-2;A-9;4\nA-3;A-9;4\nA-4;;4\nA-9;;7\n")
    assert {"acknowledged": 2, "coalesced": 1} == run(ledger)  # of A-9 the sink takes nothing that is new
    assert (first["A-9"][0], 7) == known()["A-9"]
    assert [("A-1", "A-2"), ("A-2", "A-9"), ("A-3", "A-9"), ("A-4", None), ("A-9", None)] == query(ledger, shown)
    assert {} == run(ledger)
    assert treaty("verify", "--project", ledger).status == 0
    assert treaty("check", "--project", ledger).status == 0


def recorded(folder: Path) -> list[tuple[str, str | None]]:
    """Return code and name of each golden record."""
    return sorted((row["code"], row["name"]) for row in treaty("records", "thing", "--json", "--project", folder).lines)


def test_a_sink_that_is_ahead_is_told_of_and_written_over_on_demand(ledger: Path) -> None:
    """After the state was lost, what the sink's guard keeps out is dead-lettered, an issue and doctor say so, and a replay goes above it."""
    shown = "select code, name, treaty_version from ledger.thing order by 1"
    run(ledger)
    land(ledger, "id;name;size\nA-1;globe;3\n", "more.csv")
    run(ledger)
    lose_state(ledger)
    (ledger / "inbox/store/more.csv").unlink()
    land(ledger, "id;name;size\nA-1;ball;3\nA-2;crate;4\nA-3;rod;5\n")
    answer = treaty("run", "--json", "--project", ledger)
    (flow,) = answer.json["flows"]
    assert (0, 1, 2) == (answer.status, flow["deliveries"][0]["acknowledged"], flow["deliveries"][0]["dead_lettered"])
    assert [("A-1", "globe", 2), ("A-2", "box", 1), ("A-3", "rod", 1)] == query(ledger, shown)
    (issue,) = flow["issues"]
    assert ("sink-ahead", "ledger/things", True) == (issue["kind"], issue["subject"], "A-1 (it has 2, 1 was to be sent)" in issue["message"])
    assert "treaty deliveries replay --all --sink ledger/things" in issue["remedy"]
    doctor = treaty("doctor", "--json", "--project", ledger)
    assert (1, [issue["message"]]) == (doctor.status, [each["detail"] for each in doctor.json["checks"] if not each["ok"]])
    assert {"waiting": 2, "overtaken": 0} == treaty("deliveries", "replay", "--all", "--json", "--project", ledger).json
    assert {"acknowledged": 2} == run(ledger)
    assert [("A-1", "ball", 3), ("A-2", "crate", 2), ("A-3", "rod", 1)] == query(ledger, shown)
    land(ledger, "id;name;size\nA-1;orb;3\n", "again.csv")
    after = treaty("run", "--json", "--project", ledger).json["flows"][0]
    assert (1, None) == (after["deliveries"][0]["acknowledged"], after.get("issues"))
    assert ("A-1", "orb", 4) == query(ledger, shown)[0]
    assert treaty("verify", "--project", ledger).status == 0
    assert treaty("doctor", "--project", ledger).status == 0


def test_a_baseline_takes_what_the_sink_has_as_delivered(ledger: Path) -> None:
    """At the first load only what the sink has not is sent; what it has stays as it is until its record changes, and then goes above it."""
    shown = "select code, name, treaty_version from ledger.thing order by 1"
    query(ledger, "create schema ledger")
    query(ledger, "create table ledger.thing (code text primary key, name text, treaty_version bigint)")
    query(ledger, "insert into ledger.thing values ('A-1', 'theirs', 5), ('A-2', 'theirs too', null), ('A-9', 'not ours', null)")
    (ledger / "mappings/thing.ledger.yaml").write_text(OUTBOUND + "baseline: true\n", encoding="utf-8")
    land(ledger, "id;name;size\nA-1;ball;3\nA-2;box;4\nA-3;rod;5\n")
    assert {"waiting": 3} == run(ledger, "--dry")
    assert {"acknowledged": 1, "baseline": 2} == run(ledger)
    assert [("A-1", "theirs", 5), ("A-2", "theirs too", None), ("A-3", "rod", 1), ("A-9", "not ours", None)] == query(ledger, shown)
    assert {} == run(ledger)
    land(ledger, "id;name;size\nA-1;globe;3\nA-2;crate;4\nA-4;axe;4\n", "more.csv")
    assert {"acknowledged": 3} == run(ledger)
    whole = [("A-1", "globe", 6), ("A-2", "crate", 2), ("A-3", "rod", 1), ("A-4", "axe", 1), ("A-9", "not ours", None)]
    assert whole == query(ledger, shown)
    assert treaty("verify", "--project", ledger).status == 0


def test_an_echo_is_not_the_word_of_the_system_that_gives_it_back(ledger: Path) -> None:
    """Rows of a sink that is read too: as delivered they are duplicates; what people change there is theirs, and is not sent in circles."""
    (ledger / "systems/ledger.yaml").write_text(
        LEDGER.replace("{format: table, write:", "{format: table, key: [code], read: {table: ledger.thing}, write:"), encoding="utf-8"
    )
    (ledger / "mappings/ledger.things.yaml").write_text("from: ledger/things\nto: thing\nfields: {code: code, name: name}\n", encoding="utf-8")
    query(ledger, "create schema ledger")
    query(ledger, "create table ledger.thing (code text primary key, name text, treaty_version bigint)")
    (ledger / "flows/things.yaml").write_text("mappings: [store.things, ledger.things, thing.ledger]\nowner: tests\n", encoding="utf-8")
    assert {"acknowledged": 2} == run(ledger)
    sizes = "select code, size from lake.golden_thing g anti join lake.golden_end_thing e using (_canonical_id, _version) order by 1"
    assert {} == run(ledger)
    with find_workspace(ledger).open() as session:
        told = session.duck.execute("select state, reason, count(*) from lake.disposition where _mapping = 'ledger.things' group by all").fetchall()
        assert ([("duplicate", "echo", 2)], [("A-1", 3), ("A-2", 4)]) == (told, session.duck.execute(sizes).fetchall())
    query(ledger, "update ledger.thing set name = 'globe' where code = 'A-1'")
    run(ledger)
    assert ("A-1", "globe") == recorded(ledger)[0]
    assert {} == run(ledger)
    assert {} == run(ledger)
    assert treaty("verify", "--project", ledger).status == 0


def test_a_merge_and_an_unmerge_send_what_they_change(ledger: Path) -> None:
    """Two records that become one leave one row in the sink; when they part again, both are there as they were, under their old ids."""
    identity = ledger / "decisions/same-thing.md"
    identity.write_text(IDENTITY.replace("[code]", "[name]"), encoding="utf-8")
    (ledger / "mappings/thing.ledger.yaml").write_text(
        OUTBOUND.replace("key: [code]", "key: [name]").replace("  code: code\n", "  size: size\n"), encoding="utf-8"
    )
    shown = "select name, size from ledger.thing order by 1"

    def known() -> dict[str, str]:
        return {row["name"]: row["_id"] for row in treaty("records", "thing", "--json", "--project", ledger).lines}

    assert {"acknowledged": 2} == run(ledger)
    first = known()
    land(ledger, "id;name;size\nA-2;ball;4\n", "merged.csv")
    assert {"acknowledged": 2} == run(ledger)
    assert ({"ball": first["ball"]}, [("ball", 4)]) == (known(), query(ledger, shown))
    land(ledger, "id;name;size\nA-2;box;4\n", "parted.csv")
    assert {"acknowledged": 2} == run(ledger)
    assert (first, [("ball", 3), ("box", 4)]) == (known(), query(ledger, shown))
    assert {} == run(ledger)
    assert treaty("verify", "--project", ledger).status == 0


def test_late_and_disordered_versions_never_go_back(ledger: Path) -> None:
    """Versions count, not the order in which they come: within a file, in a late one, and in the sink."""
    system = ledger / "systems/store.yaml"
    system.write_text(system.read_text(encoding="utf-8").replace("    key: [id]\n", "    key: [id]\n    version: to_integer(v)\n"), encoding="utf-8")
    (ledger / "inbox/store/things.csv").unlink()
    land(ledger, "id;name;size;v\nA-1;third;3;3\nA-1;first;1;1\nA-2;second;2;2\n", "1.csv")
    assert {"acknowledged": 2} == run(ledger)
    shown = "select code, name, treaty_version from ledger.thing order by 1"
    assert [("A-1", "third", 1), ("A-2", "second", 1)] == query(ledger, shown)
    land(ledger, "id;name;size;v\nA-1;second;2;2\nA-2;third;3;3\nA-2;first;1;1\n", "2.csv")
    assert {"acknowledged": 1} == run(ledger)
    assert [("A-1", "third", 1), ("A-2", "third", 2)] == query(ledger, shown)
    land(ledger, "id;name;size;v\nA-1;fourth;4;4\n", "3.csv")
    assert {"acknowledged": 1} == run(ledger)
    assert [("A-1", "fourth", 2), ("A-2", "third", 2)] == query(ledger, shown)
    sums = treaty("verify", "--json", "--project", ledger).json
    (told,) = [each for each in sums["streams"] if each["stream"] == "store/things"]
    assert (True, 2, 5) == (sums["ok"], told["canonical"], told["superseded"])
