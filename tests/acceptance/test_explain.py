"""Explain: it runs the path again from what landed, agrees with what is stored, and notices when it does not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import Answer, treaty

import treaty as api
from treaty.lake.names import contribution_table, golden_end_table, golden_table
from treaty.operations.workspace import find_workspace

Demo = tuple[Path, Answer]
STEPS = {"landed", "cell", "function", "decision", "edge-case", "contract", "survivorship", "delivery"}
DECISION_KEYS = {"id", "title", "reason", "rejected", "scope", "input", "output"}


@contextmanager
def hidden_tables(folder: Path) -> Iterator[None]:
    """Hide the contribution and golden tables of all models, and bring them back."""
    models = ("contact", "invoice")
    names = [make(model) for model in models for make in (contribution_table, golden_table, golden_end_table)]
    rename(folder, {name: f"hidden_{name}" for name in names})
    try:
        yield
    finally:
        rename(folder, {f"hidden_{name}": name for name in names})


def rename(folder: Path, names: dict[str, str]) -> None:
    """Rename tables of a project's lake."""
    with find_workspace(folder).open() as session:
        for old, new in names.items():
            session.duck.execute(f'alter table lake."{old}" rename to "{new}"')


def chosen(folder: Path, model: str, number: int) -> list[dict[str, object]]:
    """Return some golden records, the same on every run."""
    rows = api.records(model, folder).to_pylist()
    return random.Random(20261121).sample(rows, min(number, len(rows)))


@pytest.mark.parametrize(("model", "number"), [("contact", 4), ("invoice", 1)])
def test_every_field_agrees_with_what_is_stored(demo: Demo, model: str, number: int) -> None:
    """Each field of a record, worked out with contributions and golden records hidden, equals what is stored."""
    folder, _ = demo
    agree_everywhere(folder, model, number)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "number"), [("contact", 10), ("invoice", 20)])
def test_every_field_of_many_records_agrees(demo: Demo, model: str, number: int) -> None:
    """The same for as many records as the demo has, up to twenty."""
    folder, _ = demo
    agree_everywhere(folder, model, number)


def agree_everywhere(folder: Path, model: str, number: int) -> None:
    """Explain every field twice, with tables hidden and restored, and compare."""
    rows = chosen(folder, model, number)
    with hidden_tables(folder):
        hidden = {row["_id"]: api.explain_fields(model, str(row["_id"]), project=folder) for row in rows}
    assert {None} == {each.agrees for explained in hidden.values() for each in explained}
    for row in rows:
        restored = api.explain_fields(model, str(row["_id"]), project=folder)
        assert [] == [each.field for each in restored if each.agrees is not True]
        assert [each.value for each in restored] == [each.value for each in hidden[row["_id"]]]


def test_a_business_key_is_resolved_without_golden_records(demo: Demo) -> None:
    """A key that people know finds its record by the cross-reference alone."""
    folder, _ = demo
    row = chosen(folder, "contact", 1)[0]
    with hidden_tables(folder):
        explained = api.explain("contact", str(row["email"]), "email", project=folder)
    assert row["_id"] == explained.canonical_id
    assert row["email"] == explained.value


def test_a_stored_value_that_was_changed_is_noticed(demo: Demo) -> None:
    """One flipped value in the golden table, and explain says what it should be and what is there."""
    folder, _ = demo
    row = next(each for each in chosen(folder, "contact", 10) if each["city"])
    flip(folder, str(row["_id"]), "Nowhere")
    try:
        answer = treaty("explain", "contact", str(row["_id"]), "city", "--json", "--project", folder)
    finally:
        flip(folder, str(row["_id"]), str(row["city"]))
    assert answer.status == 1
    assert (row["city"], "Nowhere", False) == (answer.json["value"], answer.json["stored"], answer.json["agrees"])


def flip(folder: Path, canonical_id: str, city: str) -> None:
    """Change a stored value behind Treaty's back."""
    with find_workspace(folder).open() as session:
        session.duck.execute("update lake.golden_contact set city = ? where _canonical_id = ?::uuid", [city, canonical_id])


def test_the_shape_is_the_documented_one(demo: Demo) -> None:
    """The machine shape has value, stored, agrees, steps and ends; steps are of known kinds, and decisions say why."""
    folder, _ = demo
    row = next(each for each in chosen(folder, "contact", 10) if len(each["_sources"]) > 1)  # type: ignore[arg-type]
    answer = treaty("explain", "contact", str(row["_id"]), "phone", "--json", "--project", folder)
    assert answer.status == 0
    explained = answer.json
    assert {"value", "stored", "agrees", "steps", "ends"} <= set(explained)
    kinds = [each["step"] for each in explained["steps"]]
    assert set(kinds) <= STEPS
    assert kinds[0] == "landed"
    assert kinds[-2:] == ["survivorship", "delivery"]
    assert [] == [each["id"] for each in explained["steps"] if each["step"] == "decision" and DECISION_KEYS - set(each)]


def test_a_landed_step_says_where_the_bytes_are(demo: Demo) -> None:
    """The place is the file, its line and byte: the record's own text begins there."""
    folder, _ = demo
    explained = api.explain("contact", source="crm/contacts/C-501", field="email", project=folder)
    landed = explained.steps[0]
    content = next((folder / "inbox" / "corva" / "crm").glob(landed["origin"])).read_bytes()
    assert b"C-501" in content[landed["byte"] :].splitlines()[0]


def test_why_not_a_quarantined_record(demo: Demo) -> None:
    """A record in quarantine is explained up to what is wrong with it."""
    folder, _ = demo
    group = next(each for each in api.quarantine_groups(folder) if each.reason == "not-a-date")
    row = api.quarantine_records(group.group, folder).to_pylist()[0]
    source = f"{row['system']}/{row['stream']}/{row['source_key']}"
    explained = api.explain(group.model, source=source, field=group.field, project=folder, client=row["client"])
    assert (None, None, True) == (explained.value, explained.stored, explained.agrees)
    assert "quarantine" in explained.ends
    assert "not-a-date" in explained.ends
    assert any(each.get("fails") == "not-a-date" for each in explained.steps)


def test_why_not_an_absent_record(demo: Demo) -> None:
    """A key that nothing carries is answered with that, not with an error."""
    folder, _ = demo
    explained = api.explain("contact", "nobody@example.com", "phone", project=folder)
    assert (None, None, True) == (explained.value, explained.stored, explained.agrees)
    assert "No record has this key" in explained.ends


def test_why_not_an_empty_field(demo: Demo) -> None:
    """An empty field says which path of the source is empty, or that nothing fills it."""
    folder, _ = demo
    rows = chosen(folder, "contact", 10)
    unmapped = api.explain("contact", str(rows[0]["_id"]), "region", project=folder)
    assert "nothing fills contact.region" in unmapped.ends
    row = next(each for each in rows if (each["job_title"] is None and each["_sources"][0]["system"] == "crm") or each["language"] is None)  # type: ignore[index]
    field = "language" if row["language"] is None else "job_title"
    explained = api.explain("contact", str(row["_id"]), field, project=folder)
    assert explained.value is None
    assert explained.ends.startswith("The chain ends at the")


def test_an_ambiguous_key_lists_what_it_means(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that two clients have exits with 2 and names both."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    project = tmp_path / "two"
    two_clients(project)
    answer = treaty("explain", "thing", "A-1", "name", "--project", project)
    assert answer.status == 2
    assert "means 2 records of thing" in answer.errors
    assert "of north" in answer.errors
    assert "of south" in answer.errors
    one = treaty("explain", "thing", "A-1", "name", "--client", "south", "--json", "--project", project)
    assert (0, "south thing") == (one.status, one.json["value"])


def two_clients(project: Path) -> None:
    """Make and run a project in which two clients have a record with the same key."""
    from small_project import write_small_project

    write_small_project(project, clients=("north", "south"), database="env:TREATY_DATABASE")
    for client in ("north", "south"):
        inbox = project / "inbox" / client
        inbox.mkdir(parents=True)
        (inbox / "things.csv").write_text(f"id;name;size\nA-1;{client} thing;3\n", encoding="utf-8")
    answer = treaty("run", "--project", project)
    assert answer.status == 0, answer.errors + answer.output


def test_an_unknown_field_names_the_nearest(demo: Demo) -> None:
    """A mistyped field is answered with the one that was meant."""
    folder, _ = demo
    answer = treaty("explain", "contact", "C-501", "fone", "--project", folder)
    assert (2, True) == (answer.status, "Did you mean 'phone'?" in answer.errors)
