"""Onboarding: from a client's first file to its files in the project, to questions, answers, and the next client that is not asked again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import treaty
from tests.workbooks import sheet_of, workbook

from treaty.operations.onboard import onboard
from treaty.operations.onboarding import reaching
from treaty.operations.onboarding.recording import read_record
from treaty.operations.onboarding.tables import find_tables
from treaty.project.files import catalog_folder
from treaty.testing.api import run_api

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


PEOPLE = [
    {"id": f"cus_{number:03}", "object": "customer", "address": {"city": "Berlin", "country": "DE", "line1": f"Torstr. {number}", "postal_code": f"101{number}"},
     "created": 1_700_000_000 + number, "currency": "eur", "email": f"kunde{number}@example.com", "name": f"Erika Beispiel {number}", "phone": f"+49 30 555 01{number}"}
    for number in range(10, 35)
]  # fmt: skip


def test_a_rest_endpoint_is_looked_at_and_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records, key and pages of a Stripe-like list are found out by its answers, and all of it is delivered; a secret that is missing at the run is a problem, no defect."""
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.1")
    monkeypatch.setenv("SHOP_TOKEN", "sk_test")
    project = tmp_path / "books"
    treaty("init", project, "--pack", "party")
    with run_api(tmp_path / "log") as api:
        address = api.offer("customers", PEOPLE, "sk_test")
        asked = treaty("onboard", "nova", address, "--system", "shop", "--secret", "env:SHOP_TOKEN", "--deliver-to", "ledger", "--project", project, "--json").json
        assert ["model:shop/customers"] == [each["id"] for each in asked["questions"]]
        answers = ("--answer", "model:shop/customers=contact", "--answer", "field:customers:name=full_name")
        said = treaty("onboard", "nova", *answers, "--project", project, "--json").json
        assert ([], 25, ["id"]) == (said["questions"], said["rehearsals"][0]["canonical"], said["streams"][0]["key"])
        system = (project / "clients/nova/systems/shop.yaml").read_text(encoding="utf-8")
        assert "record: data" in system and "next_field: data/-1/id, parameter: starting_after" in system and "sk_test" not in system
        try:
            monkeypatch.delenv("SHOP_TOKEN")
            without = treaty("run", "--project", project)
            assert 1 == without.status and "SHOP_TOKEN" in without.output + without.errors
            monkeypatch.setenv("SHOP_TOKEN", "sk_test")
            assert 0 == treaty("run", "--project", project).status
            delivered = treaty("deliveries", "list", "--state", "acknowledged", "--project", project, "--json").json
            assert 25 == len(delivered)
        finally:
            treaty("stop", "--project", project)


def test_documents_that_a_pack_reads_need_no_mapping(tmp_path: Path) -> None:
    """A folder of UBL documents is known by their root elements: the client gets a folder of its own, and the pack's mappings are tried."""
    project = tmp_path / "books"
    treaty("init", project, "--pack", "einvoice")
    said = treaty("onboard", "acme", catalog_folder() / "demo/project/inbox/acme", "--project", project, "--json").json
    assert {("ubl/invoices", True, "invoice"), ("ubl/credit_notes", True, "invoice")} == {(each["stream"], each["shipped"], each["model"]) for each in said["streams"]}
    assert (["clients/acme/systems/ubl.yaml"], []) == (said["written"], said["references"])
    assert [("ubl.invoices", 7, 5, 2), ("ubl.credit_notes", 1, 1, 0)] == [(each["mapping"], each["records"], each["canonical"], each["quarantined"]) for each in said["rehearsals"]]


DESCRIPTION = """openapi: 3.0.3
info: {title: People API, version: "1"}
servers: [{url: "https://api.people.example/v1"}]
paths:
  /contacts:
    get:
      parameters: [{name: starting_after, in: query, schema: {type: string}}]
      responses:
        "200":
          content:
            application/json:
              schema:
                type: object
                properties:
                  data:
                    type: array
                    items:
                      type: object
                      properties:
                        id: {type: string}
                        email: {type: string, format: email}
                        first_name: {type: string}
                        last_name: {type: string}
                        updated_at: {type: string, format: date-time}
"""


def test_an_openapi_description_is_mapped_without_data(tmp_path: Path) -> None:
    """Of a description the list that is like a model is mapped by what is said of its fields; there is nothing to try yet."""
    project = tmp_path / "books"
    treaty("init", project, "--pack", "party")
    (tmp_path / "people.yaml").write_text(DESCRIPTION, encoding="utf-8")
    said = treaty("onboard", "vega", tmp_path / "people.yaml", "--project", project, "--json").json
    stream = said["streams"][0]
    assert ("people/contacts", "contact", ["id"], []) == (stream["stream"], stream["model"], stream["key"], said["rehearsals"])
    assert {"email": "contact_email(email)", "updated_at": "iso_timestamp(updated_at)"}.items() <= {each["target"]: each["cell"] for each in stream["fields"]}.items()
    assert treaty("check", "--project", project).status == 0


def test_a_mapping_waits_for_what_is_required(tmp_path: Path) -> None:
    """What a model needs and a sample does not have is asked; until it is answered the mapping is not written, and the project stays sound."""
    project = tmp_path / "books"
    treaty("init", project, "--pack", "einvoice")
    text = "invoice_number;issue_date;currency;seller_name;net_total;gross_total;amount_due\n" + "".join(
        f"R-{number};2026-09-{number};EUR;Corva Werkzeuge GmbH;1.0{number},50;1.2{number},60;1.2{number},60\n" for number in range(10, 15)
    )
    (tmp_path / "invoices.csv").write_text(text, encoding="utf-8")
    asked = treaty("onboard", "corva", tmp_path / "invoices.csv", "--project", project, "--json").json
    assert {"amounts:files", "constant:invoice.type_code:invoices"} <= {each["id"] for each in asked["questions"]}
    assert "invoice.type_code" in asked["rehearsals"][0]["broken"]
    assert treaty("check", "--project", project).status == 0
    said = treaty("onboard", "corva", "--answer", "constant:invoice.type_code:invoices=380", "--accept", "--project", project, "--json").json
    assert [(5, 5, "")] == [(each["records"], each["canonical"], each["broken"]) for each in said["rehearsals"]]
    decision = (project / "clients/corva/decisions/corva-files-amount.md").read_text(encoding="utf-8")
    assert "invoice.gross_total" in decision and "returns: 1010.50" in decision
    assert treaty("check", "--project", project).status == 0


def test_objects_that_a_pack_maps_are_known_by_their_paths(tmp_path: Path) -> None:
    """A file of JSON Lines with what the pack's mapping reads is its stream, whatever it is called."""
    project = tmp_path / "books"
    treaty("init", project, "--pack", "billing")
    lines = [json.dumps({**each, "delinquent": False, "balance": 0, "tax_exempt": "none", "livemode": True}) for each in PEOPLE]
    (tmp_path / "cust_export.jsonl").write_text("\n".join(lines), encoding="utf-8")
    said = treaty("onboard", "nova", tmp_path / "cust_export.jsonl", "--project", project, "--json").json
    assert [("stripe/customers", "customer", True)] == [(each["stream"], each["model"], each["shipped"]) for each in said["streams"]]
    assert (25, 25) == (said["rehearsals"][0]["records"], said["rehearsals"][0]["canonical"])
    assert "cust_export.jsonl" in (project / "clients/nova/systems/stripe.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_project_whose_records_have_no_client_takes_none(tmp_path: Path) -> None:
    """Where records of the unnamed client are in the lake, a first named client is refused: it would take their place."""
    project = tmp_path / "books"
    treaty("init", project, "--pack", "einvoice")
    shutil.copy(catalog_folder() / "demo/project/inbox/acme/AW-2026-0711.xml", project / "inbox/ubl")
    try:
        assert 0 == treaty("run", "--project", project).status
        refused = treaty("onboard", "acme", catalog_folder() / "demo/project/inbox/acme", "--project", project)
        assert 2 == refused.status and "take its place" in refused.errors
        assert not (project / "clients").exists() or not list((project / "clients").iterdir())
    finally:
        treaty("stop", "--project", project)


def test_a_list_whose_objects_a_pack_maps_is_of_the_packs_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of a Stripe-like list in a project with the pack: its own mapping reads it over HTTP, and its other lists are left out until they are given."""
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.1")
    monkeypatch.setenv("SHOP_TOKEN", "sk_test")
    project = tmp_path / "books"
    treaty("init", project, "--pack", "billing")
    customers = [{**each, "delinquent": False, "balance": 0, "tax_exempt": "none", "livemode": True} for each in PEOPLE]
    with run_api(tmp_path / "log") as api:
        address = api.offer("customers", customers, "sk_test")
        said = treaty("onboard", "nova", address, "--system", "shop", "--secret", "env:SHOP_TOKEN", "--project", project, "--json").json
        assert [("stripe/customers", "customer", True, "stripe.customers")] == [(each["stream"], each["model"], each["shipped"], each["mapping"]) for each in said["streams"]]
        assert ([], 25, 25) == (said["questions"], said["rehearsals"][0]["records"], said["rehearsals"][0]["canonical"])
        assert ["clients/nova/flows/billing.yaml", "clients/nova/systems/stripe.yaml"] == sorted(said["written"])
        assert 0 == treaty("check", "--project", project).status
        try:
            ran = treaty("run", "--project", project, "--json").json
            assert [("stripe/customers", 25)] == [(each["stream"], each["landed"]) for flow in ran["flows"] for each in flow["streams"]]
        finally:
            treaty("stop", "--project", project)


def test_a_description_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large description takes seconds to parse: what was parsed when it was taken is what is proposed from."""
    project, parsed = tmp_path / "books", []
    treaty("init", project, "--pack", "party")
    (tmp_path / "people.yaml").write_text(DESCRIPTION, encoding="utf-8")
    once = reaching.describe_document
    monkeypatch.setattr(reaching, "describe_document", lambda file, name: parsed.append(file) or once(file, name))
    assert ["contact"] == [each.model for each in onboard("vega", [tmp_path / "people.yaml"], project=project).streams]
    assert [tmp_path / "people.yaml"] == parsed


def test_each_table_of_a_workbook_is_a_stream(tmp_path: Path) -> None:
    """Of a workbook each sheet with a table is a stream, read from the row that names its columns; a title page is none."""
    project = make(tmp_path)
    people = [["Customers, as of November"], ["Customer No.", "First name", "Last name", "E-mail", "City"]]
    people += [[str(1000 + each), "Ann", f"Smith {each}", f"ann{each}@x.example", "Gent"] for each in range(5)]
    orders = [["Order No.", "Customer No."], *[[str(each), str(1000 + each)] for each in range(5)]]
    sheets = [sheet_of(rows) for rows in ([["Made by the ERP"], ["Ask: it@x.example"]], people, orders, orders)]
    (tmp_path / "export-2026-11.xlsx").write_bytes(workbook(*sheets, names=["About", "Customers", "Orders", "Old"], hidden=["Old"]))
    said = treaty("onboard", "acme", tmp_path / "export-2026-11.xlsx", "--project", project, "--answer", "model:files/export_orders=-", "--json").json
    assert ["files/export_customers", "files/export_orders"] == [each["stream"] for each in said["streams"]]
    assert [(5, 5)] == [(each["records"], each["canonical"]) for each in said["rehearsals"]]
    assert "read: {files: export*.xlsx, sheet: Customers, skip_rows: 1}" in (project / "clients/acme/systems/files.yaml").read_text(encoding="utf-8")


def test_one_table_of_a_workbook_needs_no_name(tmp_path: Path) -> None:
    """A workbook whose first sheet is its only table is read so: the next one's sheet may have another name."""
    project = make(tmp_path)
    rows = [["First name", "Last name", "E-mail"], *[["Ann", f"Smith {each}", f"ann{each}@x.example"] for each in range(5)]]
    (tmp_path / "people.xlsx").write_bytes(workbook(sheet_of(rows), sheet_of([["Legend"]]), names=["November 2026", "Legend"]))
    treaty("onboard", "acme", tmp_path / "people.xlsx", "--project", project, "--json")
    assert "read: {files: people*.xlsx}" in (project / "clients/acme/systems/files.yaml").read_text(encoding="utf-8")


def test_what_is_like_no_model_is_said_so(tmp_path: Path) -> None:
    """Where nothing of a sample can be mapped, the next step is no run."""
    project = make(tmp_path)
    (tmp_path / "odd.csv").write_text("Wert\n1\n2\n", encoding="utf-8")
    said = treaty("onboard", "acme", tmp_path / "odd.csv", "--project", project, "--answer", "model:files/odd=-").output
    assert "Nothing of it is like a model of this project" in said and "treaty run" not in said


def test_what_a_decision_leaves_out_is_no_problem(tmp_path: Path) -> None:
    """The dry run counts a record that a decision rejects as filtered, and lists nothing of it as quarantined."""
    project = make(tmp_path)
    (tmp_path / "kunden-2026-11.csv").write_bytes(KUNDEN.replace("maria@alpen.example", "keine").encode("cp1252"))
    front = "id: no-mail\ntitle: Contacts without an address are left out\nstatus: accepted\ndate: 2026-11-27\ndecision-makers: [us]\nkind: edge-case\ngoverns: [contact.email]"
    (project / "decisions").mkdir(exist_ok=True)
    (project / "decisions/no-mail.md").write_text(f"---\n{front}\nwhen: failed(email)\ntreatment: reject\n---\n\n## Context\n\nNobody can be written to.\n", encoding="utf-8")
    said = treaty("onboard", "corva", tmp_path / "kunden-2026-11.csv", "--project", project, "--json").json
    (tried,) = said["rehearsals"]
    assert (3, 1, []) == (tried["canonical"], tried["filtered"], [each for each in tried["problems"] if each["fatal"]])


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_titles_above_a_table_of_text_are_left_out(encoding: str, tmp_path: Path) -> None:
    """Lines above the one that names the columns are skipped, in the encoding of the file; `match` reads it so too."""
    project = make(tmp_path)
    (tmp_path / "export.csv").write_bytes(f"Export der Kunden für Müller\nStand: 26.11.2026\n\n{KUNDEN}".encode(encoding))
    said = treaty("onboard", "acme", tmp_path / "export.csv", "--project", project, "--json").json
    assert [(4, "contact")] == [(each["records"], each["model"]) for each in said["streams"]]
    assert "skip_lines: 3" in (project / "clients/acme/systems/files.yaml").read_text(encoding="utf-8")
    if encoding == "utf-8":
        assert "Vorname" in [each["source"] for each in treaty("match", tmp_path / "export.csv", "party/contact", "--json").json]


def test_a_file_without_titles_is_read_from_its_first_line(tmp_path: Path) -> None:
    """One column, or rows that are too long, make no title of the names."""
    for number, text in enumerate(("Wert\n1\n2\n", "a;b\n1;2\n3;4;5\n6;7\n", "a;b\n1;2\n")):
        (tmp_path / f"{number}.csv").write_text(text, encoding="utf-8")
    assert [[{}], [{}], [{}]] == [[each.settings for each in find_tables(tmp_path / f"{number}.csv")] for number in range(3)]
