"""Onboarding: from a client's first file to its files in the project, to questions, answers, and the next client that is not asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import treaty

from treaty.operations.onboarding.recording import read_record

KUNDEN = """Kundennr;Firma;Vorname;Nachname;E-Mail;Telefon;Ort;Land;Status;Geändert
1001;Präzision Müller;Sabine;Müller;sabine@pm.example;07361 / 55 01 20;Aalen;Deutschland;aktiv;2026-10-02 09:12:00
1002;Nordwind AG;Jens;Petersen;j.petersen@nordwind.example;+49 40 555 0177;Hamburg;Deutschland;aktiv;2026-10-05 14:00:31
1003;Alpen Technik;Maria;Huber;maria@alpen.example;0043 1 555 0123;Wien;Österreich;gesperrt;2026-09-17 08:30:00
1004;Rhein Logistik;Peter;Schmitz;PETER@rhein.example;0221 555 0199;Köln;Deutschland;aktiv;2026-10-11 11:45:10
"""
OTHERS = KUNDEN.replace("1001", "7").replace("1002", "8").replace("Jens", "Nils").replace("pm.example", "other.example")


def make(root: Path) -> Path:
    """Make a project with the model of contacts, and two clients' exports beside it."""
    project = root / "books"
    assert 0 == treaty("init", project, "--pack", "party").status
    (root / "kunden-2026-11.csv").write_bytes(KUNDEN.encode("cp1252"))
    (root / "kunden.csv").write_text(OTHERS, encoding="utf-8")
    return project


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A project into which one client's export was taken, and what was said."""
    root = tmp_path_factory.mktemp("onboard")
    project = make(root)
    answer = treaty("onboard", "corva", root / "kunden-2026-11.csv", "--project", project, "--json", "--who", "ada")
    return project, answer.json


def test_the_stream_is_profiled_and_its_model_proposed(first: tuple[Path, Any]) -> None:
    """The sample's model, key and fields are found, each with confidence and reasons."""
    _, said = first
    stream = said["streams"][0]
    assert ("files/kunden", "contact", 4, ["Kundennr"]) == (stream["stream"], stream["model"], stream["records"], stream["key"])
    fields = {each["source"]: each for each in stream["fields"]}
    assert ("email", "contact_email(E-Mail)") == (fields["E-Mail"]["target"], fields["E-Mail"]["cell"])
    assert "phone_number(Telefon, party_country(Land))" == fields["Telefon"]["cell"]
    assert fields["E-Mail"]["confidence"] > 0.9 and fields["E-Mail"]["reasons"]
    assert (4, 0, {"email": 1.0}) == tuple(fields["E-Mail"]["profile"][each] for each in ("distinct", "nulls", "shapes"))


def test_only_what_the_values_leave_open_is_asked(first: tuple[Path, Any]) -> None:
    """An unknown code and a time without zone are questions; columns that are clear are not."""
    _, said = first
    assert ["value:contact.status:gesperrt", "zone:files"] == sorted(each["id"] for each in said["questions"])
    zone = next(each for each in said["questions"] if each["kind"] == "zone")
    assert ("Europe/Berlin", "dates") == (zone["proposal"], zone["matters"])


def test_what_is_written_runs_and_is_tried(first: tuple[Path, Any]) -> None:
    """The files have no problem, the export's code page is found out, and the dry run says what the records would become."""
    project, said = first
    assert [] == [each for each in treaty("check", "--project", project, "--json").json["findings"] if each["code"] != "idle-mapping"]
    assert "encoding: cp1252" in (project / "clients/corva/systems/files.yaml").read_text(encoding="utf-8")
    rehearsal = said["rehearsals"][0]
    assert (4, 4) == (rehearsal["records"], rehearsal["canonical"])
    assert [("status", "unmapped-value", 1, "gesperrt")] == [(each["field"], each["rule"], each["records"], each["example"]) for each in rehearsal["problems"]]


def test_an_answer_is_a_decision_and_is_inherited(tmp_path: Path) -> None:
    """An answer becomes a row of the code list or a line of the mapping, with who and why; the next client is not asked the same."""
    project = make(tmp_path)
    answers = ("--answer", "value:contact.status:gesperrt=inactive", "--answer", "zone:files=Europe/Berlin", "--who", "ada")
    answered = treaty("onboard", "corva", tmp_path / "kunden-2026-11.csv", *answers, "--project", project, "--json")
    assert (0, []) == (answered.status, answered.json["questions"])
    decision = (project / "clients/corva/decisions/contact-status-words.md").read_text(encoding="utf-8")
    assert "gesperrt: inactive" in decision and "ada answered" in decision and "1 of 4 records have it" in decision
    assert "in_zone(local_timestamp(Geändert), 'Europe/Berlin')" in (project / "clients/corva/mappings/files.kunden.yaml").read_text(encoding="utf-8")
    kept = read_record(project, "corva").answers
    assert {("value", "inactive", "ada"), ("zone", "Europe/Berlin", "ada")} == {(each.topic.kind, each.value, each.who) for each in kept}
    second = treaty("onboard", "delta", tmp_path / "kunden.csv", "--project", project, "--json").json
    assert [] == second["questions"]
    assert {"corva"} == {each["inherited"] for each in second["answers"]}
    reasons = {each["source"]: each["reasons"] for each in second["streams"][0]["fields"]}
    assert "mapped so before in this project" in reasons["E-Mail"]


def test_a_file_changed_by_hand_is_kept(tmp_path: Path) -> None:
    """What a person changed since is never written over, and that is said; everything else is proposed again."""
    project = make(tmp_path)
    treaty("onboard", "corva", tmp_path / "kunden.csv", "--project", project, "--json")
    mapping = project / "clients/corva/mappings/files.kunden.yaml"
    mine = mapping.read_text(encoding="utf-8").replace("trim(Ort)", "collapse_spaces(Ort)")
    mapping.write_text(mine, encoding="utf-8")
    again = treaty("onboard", "corva", "--accept", "--project", project, "--json").json
    assert ["clients/corva/mappings/files.kunden.yaml"] == again["kept"]
    assert mine == mapping.read_text(encoding="utf-8")


def test_wrong_answers_are_refused(first: tuple[Path, Any]) -> None:
    """A topic that there is not, and a value that is no option, are wrong use, with what to do."""
    project, _ = first
    unknown = treaty("onboard", "corva", "--answer", "zone:file=UTC", "--project", project)
    assert 2 == unknown.status and "zone:files" in unknown.errors
    wrong = treaty("onboard", "corva", "--answer", "value:contact.status:gesperrt=gone", "--project", project)
    assert 2 == wrong.status and "active, inactive" in wrong.errors
