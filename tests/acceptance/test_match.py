"""``treaty match``: every kind of side, its JSON and its table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Answer, treaty
from tests.workbooks import sheet_of, workbook

CSV = "Kundennummer;Firma;E-Mail;PLZ;Ort;Bemerkung\nK-1;Alpha GmbH;a@example.com;10115;Berlin;x\nK-2;Beta AG;b@example.de;50667;Köln;y\n"
RECORDS: list[dict[str, Any]] = [
    {"id": "cus_1a2b3c4d5e", "name": "Alpha GmbH", "contact": {"email": "a@example.com"}, "address": {"city": "Berlin", "zip": "10115"}},
    {"id": "cus_2b3c4d5e6f", "name": "Beta AG", "contact": {"email": "b@example.de"}, "address": {"city": "Köln", "zip": "50667"}},
]
XML = """<customers xmlns="urn:example:customers">
  <customer id="K-1"><name>Alpha GmbH</name><email>a@example.com</email><city>Berlin</city></customer>
  <customer id="K-2"><name>Beta AG</name><email>b@example.de</email><city>Köln</city></customer>
</customers>"""
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "customer_number": {"type": "string"},
        "company_name": {"type": "string"},
        "email": {"type": "string", "format": "email"},
        "address": {"type": "object", "properties": {"postal_code": {"type": "string"}, "city": {"type": "string"}}},
    },
}
OPENAPI = {
    "openapi": "3.1.0",
    "components": {
        "schemas": {
            "Customer": {"type": "object", "properties": {"id": {"type": "string"}, "email": {"type": "string"}, "place": {"$ref": "#/components/schemas/Place"}}},
            "Place": {"type": "object", "properties": {"city": {"type": "string"}, "postcode": {"type": "string"}}},
        }
    },
}
XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:c" targetNamespace="urn:c">
  <xs:element name="Customer"><xs:complexType><xs:sequence>
    <xs:element name="CompanyName" type="xs:string"/>
    <xs:element name="EMail" type="xs:string" minOccurs="0"><xs:annotation><xs:documentation>Where letters go</xs:documentation></xs:annotation></xs:element>
    <xs:element name="Address" type="AddressType"/>
  </xs:sequence><xs:attribute name="number" type="xs:string" use="required"/></xs:complexType></xs:element>
  <xs:complexType name="AddressType"><xs:sequence>
    <xs:element name="City" type="xs:string"/><xs:element name="PostalCode" type="xs:string"/>
  </xs:sequence></xs:complexType>
</xs:schema>"""
WANTED = {"customer_number": "Kundennummer", "company_name": "Firma", "email": "E-Mail", "address/postal_code": "PLZ", "address/city": "Ort"}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with one file of each kind."""
    (tmp_path / "export.csv").write_text(CSV, encoding="utf-8")
    (tmp_path / "records.json").write_text(json.dumps(RECORDS), encoding="utf-8")
    (tmp_path / "records.jsonl").write_text("\n".join(json.dumps(each) for each in RECORDS), encoding="utf-8")
    (tmp_path / "records.xml").write_text(XML, encoding="utf-8")
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    (tmp_path / "api.json").write_text(json.dumps(OPENAPI), encoding="utf-8")
    (tmp_path / "customer.xsd").write_text(XSD, encoding="utf-8")
    return tmp_path


def targets(answer: Answer) -> dict[str, str]:
    """Return what was answered."""
    assert answer.status == 0, answer.errors
    return {each["source"]: each["target"] for each in answer.json if each["target"]}


def test_sample_against_json_schema(files: Path) -> None:
    """A CSV export in German finds the fields of a JSON Schema, nested ones by path; what has no counterpart is left open."""
    answer = treaty("match", files / "export.csv", files / "schema.json", "--json")
    assert {source: target for target, source in WANTED.items()} == targets(answer)
    found = {each["source"]: each for each in answer.json}
    assert found["Bemerkung"]["target"] is None
    assert {"source", "target", "confidence", "reasons", "alternatives"} == set(found["PLZ"])
    assert all(0 <= each["confidence"] <= 1 for each in answer.json)


@pytest.mark.parametrize("name", ["records.json", "records.jsonl"])
def test_nested_samples(files: Path, name: str) -> None:
    """Nested JSON is matched by `/` paths with the values of a table."""
    found = targets(treaty("match", files / name, files / "export.csv", "--json"))
    assert {"name": "Firma", "contact/email": "E-Mail", "address/city": "Ort", "address/zip": "PLZ"}.items() <= found.items()


def test_xml_sample(files: Path) -> None:
    """The elements and attributes of an XML sample are fields."""
    found = targets(treaty("match", files / "records.xml", files / "export.csv", "--json"))
    assert {"Firma", "E-Mail", "Ort"} <= set(found.values())


def test_openapi_schema_by_pointer_and_by_option(files: Path) -> None:
    """A schema of an OpenAPI description is named by pointer, by name or by option; references are followed."""
    expected = {"E-Mail": "email", "Ort": "place/city", "PLZ": "place/postcode"}
    for way in ([f"{files / 'api.json'}#/components/schemas/Customer"], [f"{files / 'api.json'}#Customer"], [files / "api.json", "--target-part", "customer"]):
        assert expected.items() <= targets(treaty("match", files / "export.csv", *way, "--json")).items()


def test_openapi_without_a_part_lists_its_schemas(files: Path) -> None:
    """Where several schemas could be meant, the error names them."""
    answer = treaty("match", files / "export.csv", files / "api.json")
    assert 2 == answer.status
    assert "Customer, Place" in answer.errors


def test_xml_schema(files: Path) -> None:
    """The elements below an XML Schema's root are targets, attributes with `@`."""
    found = targets(treaty("match", files / "export.csv", files / "customer.xsd", "--json"))
    assert {"Firma": "CompanyName", "E-Mail": "EMail", "Ort": "Address/City", "PLZ": "Address/PostalCode"}.items() <= found.items()


def test_model_of_a_pack_and_contract_file(files: Path) -> None:
    """A model is named by its pack, by its file, or in a project by its name."""
    (files / "people.csv").write_text("Vorname,Nachname,E-Mail\nAnn,Lee,a@example.com\n", encoding="utf-8")
    expected = {"Vorname": "given_name", "Nachname": "family_name", "E-Mail": "email"}
    assert expected == targets(treaty("match", files / "people.csv", "party/contact", "--json"))
    assert 0 == treaty("init", files / "project", "--pack", "party").status
    assert expected == targets(treaty("match", files / "people.csv", "contact", "--project", files / "project", "--json"))


def test_table_for_people(files: Path) -> None:
    """Without --json there is one line a field, and a summary."""
    answer = treaty("match", files / "export.csv", files / "schema.json")
    assert "source\ttarget\tconfidence\treasons\talternatives" == answer.output.splitlines()[0]
    assert "5 of 6 fields of export have a target in schema." == answer.output.splitlines()[-1]


def test_stream_of_a_project_and_earlier_mappings(files: Path) -> None:
    """A stream of the project is read through its connector, and what the project maps already is a reason."""
    root = files / "project"
    assert 0 == treaty("init", root, "--pack", "party").status
    (root / "systems" / "shop.yaml").write_text(
        "connector: files\nconnection: {folder: inbox}\nowner: tests\nstreams:\n  people: {format: csv, read: {files: '*.csv'}}\n", encoding="utf-8"
    )
    (root / "mappings" / "shop.people.yaml").write_text("from: shop/people\nto: contact\nfields:\n  email: kanal_7\n", encoding="utf-8")
    (root / "inbox").mkdir()
    (root / "inbox" / "a.csv").write_text("kanal_7,Vorname\nx1,Ann\n", encoding="utf-8")
    answer = treaty("match", "shop/people", "contact", "--project", root, "--json")
    found = {each["source"]: each for each in answer.json}
    assert ("email", "given_name") == (found["kanal_7"]["target"], found["Vorname"]["target"])
    assert "mapped so before in this project" in found["kanal_7"]["reasons"]


def test_unknown_side_says_what_can_be_named(files: Path) -> None:
    """A side that is not there is wrong use, with the forms that there are."""
    answer = treaty("match", files / "export.csv", "no-such-model")
    assert 2 == answer.status
    assert "PACK/MODEL" in answer.errors


def test_table_reference_needs_its_variable(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference whose variable holds no URL says so, and a password never shows."""
    monkeypatch.setenv("SHOP_URL", "oracle://u:hush-hush@127.0.0.1/x")
    answer = treaty("match", files / "export.csv", "env:SHOP_URL#customer")
    assert 2 == answer.status
    assert "holds no PostgreSQL or MariaDB URL" in answer.errors and "hush" not in answer.errors


def test_a_side_is_a_table_of_a_workbook(tmp_path: Path) -> None:
    """Of a workbook the first sheet with a table is meant, read from the row that names its columns; another by FILE#SHEET."""
    people = [["Customers, as of November"], ["No.", "First name", "Last name", "E-mail"], ["1", "Ann", "Smith", "a@x.example"], ["2", "Bo", "Berg", "b@x.example"]]
    sheets = [["Ask the ERP team"]], people, [["Order", "Customer"], ["7", "1"]]
    (tmp_path / "export.xlsx").write_bytes(workbook(*map(sheet_of, sheets), names=["About", "People", "Orders"]))
    found = treaty("match", tmp_path / "export.xlsx", "party/contact", "--json").json
    assert {"First name": "given_name", "Last name": "family_name", "E-mail": "email", "No.": None} == {each["source"]: each["target"] for each in found}
    assert ["Order", "Customer"] == [each["source"] for each in treaty("match", f"{tmp_path / 'export.xlsx'}#orders", "party/contact", "--json").json]
