"""Coverage moves with the project and the data: in exactly the lines that a change concerns."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from command_line import treaty
from small_project import write_small_project

from treaty.operations.demo import make_demo
from treaty.project.files import catalog_folder

CATALOG = catalog_folder()
CODE_OF_NO_LIST = (
    '{"id": "C-990", "first_name": "Zoe", "last_name": "Zorn", "emails": [{"type": "work", "value": "zoe@zorn.example"}], '
    '"status": "on the moon", "updated_at": "2026-10-01T00:00:00Z"}\n'
)


def lines_of(folder: Path) -> dict[tuple[str, ...], Any]:
    """Return everything that coverage says, by what it says it of."""
    said = treaty("coverage", "--json", "--project", folder).json
    lines: dict[tuple[str, ...], Any] = {
        (model["model"], model["client"], field["field"]): (field["state"], tuple(field["decisions"]), tuple(field["mappings"]))
        for model in said["models"]
        for field in model["fields"]
    }
    lines |= {("unmapped", each["client"], each["decision"], each["value"]): (each["records"], each["otherwise"]) for each in said["unmapped_values"]}
    return lines | {("never", each["client"], each["decision"]): True for each in said["never_fired"]}


def changed(before: dict[tuple[str, ...], Any], after: dict[tuple[str, ...], Any]) -> dict[tuple[str, ...], tuple[Any, Any]]:
    """Return the lines that differ."""
    return {key: (before.get(key), after.get(key)) for key in {*before, *after} if before.get(key) != after.get(key)}


def test_a_deleted_decision_leaves_its_field_ungoverned(tmp_path: Path) -> None:
    """Without corva's units the unit of its lines is ungoverned, the group loses that decision, and nothing else changes."""
    folder = tmp_path / "demo"
    shutil.copytree(CATALOG / "demo" / "project", folder)
    before = lines_of(folder)
    (folder / "clients/corva/decisions/what-corvas-units-mean.md").unlink()
    found = changed(before, lines_of(folder))
    assert {("invoice", "corva", "lines"), ("invoice", "corva", "lines.unit")} == set(found)
    assert ("governed", "ungoverned") == tuple(each[0] for each in found["invoice", "corva", "lines.unit"])
    was, now = (set(each[1]) for each in found["invoice", "corva", "lines"])
    assert {"what-corvas-units-mean"} == was - now
    assert now <= was


def test_a_new_field_is_ungoverned(tmp_path: Path) -> None:
    """A property that no mapping fills adds one line for each client that maps its model: corva alone has contacts."""
    folder = tmp_path / "demo"
    shutil.copytree(CATALOG / "demo" / "project", folder)
    before = lines_of(folder)
    contract = (CATALOG / "party/models/contact.yaml").read_text(encoding="utf-8")
    added = "    properties:\n      - {name: nickname, logicalType: string, physicalType: string, description: What friends say.}\n"
    contract = contract.replace("    properties:\n", added, 1)
    contract = contract.replace("    customProperties:\n", "    customProperties:\n      - {property: treaty.reason, value: the demo needs nicknames}\n", 1)
    (folder / "models").mkdir()
    (folder / "models/contact.yaml").write_text(contract, encoding="utf-8")
    found = changed(before, lines_of(folder))
    assert {("contact", "corva", "nickname"): (None, ("ungoverned", (), ()))} == found


def test_a_model_is_told_of_for_the_clients_that_map_it(tmp_path: Path) -> None:
    """A client without a mapping of a model has no gaps in it; a model that nobody maps is a gap of everybody's."""
    write_small_project(tmp_path, ("ada", "bob"))
    system = tmp_path / "systems/store.yaml"
    (tmp_path / "clients/ada/systems").mkdir(parents=True)
    system.rename(tmp_path / "clients/ada/systems/store.yaml")
    contract = (tmp_path / "models/thing.yaml").read_text(encoding="utf-8").partition("    customProperties:")[0].replace("thing", "place")
    contract += "    properties:\n      - {name: code, logicalType: string, physicalType: string}\n"
    (tmp_path / "models/place.yaml").write_text(contract, encoding="utf-8")
    told = {(each["model"], each["client"]) for each in treaty("coverage", "--json", "--project", tmp_path).json["models"]}
    assert {("thing", "ada"), ("place", "ada"), ("place", "bob")} == told


def test_an_unmapped_code_is_counted_by_its_value(project: Path) -> None:
    """A status that no code list names adds one line, with its value and how many records say so."""
    make_demo(project)
    assert treaty("run", "--client", "corva", "--flow", "contacts", "--project", project).status == 0
    before = lines_of(project)
    (project / "inbox/corva/crm/late.jsonl").write_text(CODE_OF_NO_LIST, encoding="utf-8")
    assert treaty("run", "--client", "corva", "--flow", "contacts", "--project", project).status == 0
    assert {("unmapped", "corva", "contact-status-words", "on the moon"): (None, (1, "quarantine"))} == changed(before, lines_of(project))


def test_odd_cases_that_nobody_decided_are_listed(project: Path) -> None:
    """Placeholders, zeros, negatives and records alike but for their key are counted by client; what a decision governs is said to be decided."""
    write_small_project(project, ("ada", "bob"))
    for client, more in (("ada", "T4;N/A;0\nT5;box;-3\n"), ("bob", "")):
        (project / "inbox" / client).mkdir(parents=True)
        (project / "inbox" / client / "things.csv").write_text("id;name;size\nT1;ball;2\nT2;ball;2\nT3;house;7\n" + more, encoding="utf-8")
    assert treaty("run", "--project", project).status == 0
    found = treaty("coverage", "--json", "--project", project).json["edge_cases"]
    told = {(each["client"], each["field"], each["case"], each["records"], tuple(each["decisions"])) for each in found}
    decided = ("things-without-size-are-small",)
    assert {
        ("ada", "name", "placeholder", 1, ()), ("ada", "size", "zero", 1, decided), ("ada", "size", "negative", 1, decided),
        ("ada", "", "duplicate", 2, ()), ("bob", "", "duplicate", 2, ()),
    } == told  # fmt: skip
    assert ["N/A"] == next(each["sample_values"] for each in found if each["case"] == "placeholder")
