"""A new generation of a mapping: when one begins, that it comes at once, and what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import treaty
from small_project import SYSTEM, write_small_project

from treaty.flows import conforming
from treaty.operations.workspace import find_workspace

REFERENCE = """\
  kinds:
    format: csv
    key: [kind]
    reference: true
    read: {files: "kinds/*.csv", delimiter: ";"}
"""
MAPPING = """\
from: store/things
to: thing
fields:
  code: id
  name: lookup('store/kinds', key=kind, field='name')
  size: to_integer(size)
"""


@pytest.fixture
def small(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project, not run yet."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    folder = tmp_path / "small"
    write_small_project(folder, database="env:TREATY_DATABASE")
    return folder


@pytest.fixture
def looking_up(small: Path) -> Path:
    """The small project with names that are looked up by kind, run once."""
    (small / "systems/store.yaml").write_text(SYSTEM.replace("FOLDER", "store") + REFERENCE, encoding="utf-8")
    (small / "mappings/store.things.yaml").write_text(MAPPING, encoding="utf-8")
    (small / "decisions/names-are-trimmed.md").unlink()
    land(small, "things.csv", "id;kind;size\nA-1;b;3\nA-2;x;4\n")
    land(small, "kinds/1.csv", "kind;name;colour\nb;ball;red\nc;crate;blue\n")
    run(small)
    return small


def land(folder: Path, name: str, text: str | bytes) -> None:
    """Put a file into the inbox."""
    path = folder / "inbox/store" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def run(folder: Path, *arguments: str) -> None:
    """Run the project, and prove its sums."""
    answer = treaty("run", "--json", *arguments, "--project", folder)
    assert answer.status == 0, answer.errors + answer.output
    assert treaty("verify", "--project", folder).status == 0, treaty("verify", "--project", folder).output


def names(folder: Path) -> dict[str, Any]:
    """Return the name of each record by its code."""
    return {row["code"]: row["name"] for row in treaty("records", "thing", "--json", "--project", folder).lines}


def ask(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """Query the lake."""
    with find_workspace(folder).open() as session:
        return session.duck.execute(statement).fetchall()


def generation(folder: Path) -> int:
    """Return the mapping's generation."""
    return int(ask(folder, "select max(_generation) from lake.generation where _mapping = 'store.things'")[0][0])


def change_names(folder: Path, into: str = "upper(text)") -> None:
    """Change the decision on names, and apply it."""
    path = folder / "decisions/names-are-trimmed.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("replace(trim(text), '|', '/')", into).replace('"a/b"', '" A|B "'), encoding="utf-8")
    run(folder, "--apply")


def test_a_new_generation_comes_at_once(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many chunks it takes, a changed mapping is one commit: no record is away or half new in between, and none is rewritten twice."""
    land(small, "things.csv", "id;name;size\n" + "".join(f"A-{number};n{number};{number}\n" for number in range(1, 8)))
    run(small)
    monkeypatch.setattr(conforming, "ROWS_A_CHUNK", 2)
    change_names(small)
    assert {f"A-{number}": f"N{number}" for number in range(1, 8)} == names(small)
    assert 1 == len(ask(small, "select 1 from lake.batch where kind = 'conform' and generation = 2"))
    assert [(1, False, 7), (2, False, 7)] == ask(
        small, "select _version, _deleted, count(*) from lake.golden_thing group by all order by all"
    )


@pytest.mark.slow
def test_refused_records_stay_in_quarantine(small: Path) -> None:
    """What could not even be read keeps its state in a new generation: quarantined, or discarded."""
    land(small, "things.csv", "id;name;size\nA-1;ball;3\n")
    land(small, "broken.csv", b"id;name;size\nA-2;b\xff\xfex;4\nA-3;rod;5;6;7\n")
    run(small)
    before = treaty("quarantine", "list", "--json", "--project", small).json
    assert before
    change_names(small)
    assert before == treaty("quarantine", "list", "--json", "--project", small).json
    shown = treaty("quarantine", "show", before[0]["group"], "--json", "--project", small).lines
    assert len(shown) == before[0]["records"]
    treaty("quarantine", "discard", before[0]["group"], "--reason", "rubbish", "--project", small)
    after = treaty("quarantine", "list", "--json", "--project", small).json
    assert before[1:] == after
    change_names(small, "lower(text)")
    run(small, "--apply")
    assert after == treaty("quarantine", "list", "--json", "--project", small).json


@pytest.mark.slow
def test_what_a_steward_left_out_stays_out(small: Path) -> None:
    """A record that was discarded from quarantine is not quarantined again by a new generation."""
    land(small, "things.csv", "id;name;size\nA-1;ball;3\nA-2;box;many\n")
    run(small)
    (group,) = treaty("quarantine", "list", "--json", "--project", small).json
    treaty("quarantine", "discard", group["group"], "--reason", "rubbish", "--project", small)
    change_names(small)
    assert [] == treaty("quarantine", "list", "--json", "--project", small).json
    assert [("filtered", "discarded: rubbish")] == ask(small, "select state, reason from lake.disposition where _generation = 2")


def test_a_changed_reference_reaches_its_readers(looking_up: Path) -> None:
    """A value that a record looks up changes, comes or goes: the record is conformed again."""
    assert {"A-1": "ball", "A-2": None} == names(looking_up)
    land(looking_up, "kinds/1.csv", "kind;name;colour\nb;globe;red\nc;crate;blue\n")
    run(looking_up)
    assert ({"A-1": "globe", "A-2": None}, 2) == (names(looking_up), generation(looking_up))
    land(looking_up, "kinds/2.csv", "kind;name;colour\nx;axe;red\n")
    run(looking_up)
    assert ({"A-1": "globe", "A-2": "axe"}, 3) == (names(looking_up), generation(looking_up))


@pytest.mark.slow
def test_a_reference_that_nobody_reads_differently_changes_nothing(looking_up: Path) -> None:
    """Another column, or a key that no record has, makes nothing be conformed again."""
    land(looking_up, "kinds/1.csv", "kind;name;colour\nb;ball;green\nc;chest;blue\n")
    land(looking_up, "kinds/2.csv", "kind;name;colour\nd;door;red\n")
    run(looking_up)
    assert 1 == generation(looking_up)
    land(looking_up, "more.csv", "id;kind;size\nA-3;d;5\n")
    run(looking_up)
    assert ({"A-1": "ball", "A-2": None, "A-3": "door"}, 1) == (names(looking_up), generation(looking_up))


PARTS = """\
      - name: parts
        logicalType: array
        physicalType: list<struct<label:string>>
        items:
          logicalType: object
          physicalType: struct<label:string>
          properties:
            - {name: label, logicalType: string, physicalType: string}
"""
JOINED = """\
from: store/things
to: thing
fields:
  code: id
  size: to_integer(size)
  parts:
    with: store/parts
    on: {thing: id}
    expect: many
    fields: {label: label}
"""


@pytest.fixture
def joining(small: Path) -> Path:
    """The small project with parts that are joined, and one thing that has landed."""
    model = small / "models/thing.yaml"
    model.write_text(model.read_text(encoding="utf-8") + PARTS, encoding="utf-8")
    (small / "systems/store.yaml").write_text(
        SYSTEM.replace("FOLDER", "store")
        + REFERENCE.replace("kinds", "parts").replace("kind", "part").replace("    reference: true\n", ""),
        encoding="utf-8",
    )
    (small / "mappings/store.things.yaml").write_text(JOINED, encoding="utf-8")
    (small / "decisions/names-are-trimmed.md").unlink()
    land(small, "1.csv", "id;size\nA-1;3\n")
    return small


def labels(folder: Path) -> dict[str, list[str | None]]:
    """Return the labels of each record's parts by its code."""
    rows = treaty("records", "thing", "--json", "--project", folder).lines
    return {row["code"]: [each["label"] for each in row["parts"]] for row in rows}


def test_new_children_of_new_records_change_nothing_else(joining: Path) -> None:
    """Rows that join records of their own day make nothing be conformed again; a row for an older record does."""
    small = joining
    land(small, "parts/1.csv", "part;thing;label\n1;A-1;lid\n")
    run(small)
    land(small, "2.csv", "id;size\nA-2;4\n")
    land(small, "parts/2.csv", "part;thing;label\n2;A-2;leg\n3;A-2;top\n")
    run(small)
    assert 1 == generation(small)
    land(small, "parts/3.csv", "part;thing;label\n4;A-1;base\n")
    run(small)
    assert 2 == generation(small)
    assert {"A-1": ["lid", "base"], "A-2": ["leg", "top"]} == labels(small)


def test_children_without_a_column_that_is_read(joining: Path) -> None:
    """Before anything of a joined stream has landed there are no children; a column that its files do not have is null in each."""
    run(joining)
    assert {"A-1": []} == labels(joining)
    land(joining, "parts/1.csv", "part;thing\n1;A-1\n")
    run(joining)
    assert {"A-1": [None]} == labels(joining)


def test_an_empty_text_that_is_looked_up_is_null(looking_up: Path) -> None:
    """Empty texts of a reference are null, as those of any stream are that does not say otherwise."""
    land(looking_up, "kinds/1.csv", "kind;name;colour\nb;;red\n")
    run(looking_up)
    assert {"A-1": None, "A-2": None} == names(looking_up)
