"""What earlier clients' mappings say is evidence for the next client."""

from __future__ import annotations

from pathlib import Path

from treaty.matching.matcher import EarlierMapping
from treaty.onboarding.earlier import earlier_mappings
from treaty.project.loading import load_project

MODEL = """apiVersion: v3.1.0
kind: DataContract
id: person
version: 1.0.0
status: active
schema:
  - name: person
    logicalType: object
    physicalType: table
    properties:
      - {name: email, logicalType: string, physicalType: string}
      - {name: city, logicalType: string, physicalType: string}
"""


def write(folder: Path, file: str, text: str) -> None:
    """Write one file of a project."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text, encoding="utf-8")


def test_mappings_of_clients_are_evidence_once(tmp_path: Path) -> None:
    """A client's own mapping and its overrides count; what an overlay inherits is counted with the standard alone."""
    write(tmp_path, "treaty.yaml", "name: people\n")
    write(tmp_path, "models/person.yaml", MODEL)
    write(tmp_path, "mappings/crm.people.yaml", "from: crm/people\nto: person\nfields: {email: mail, city: town}\n")
    write(tmp_path, "clients/acme/mappings/crm.people.yaml", "reason: acme has another column\nfields: {city: {cell: trim(place), reason: its name}}\n")
    write(tmp_path, "clients/borealis/mappings/erp.kunden.yaml", "reason: its own ERP\nfrom: erp/kunden\nto: person\nfields: {city: trim(ort)}\n")
    expected = [("mail", "email"), ("ort", "city"), ("place", "city"), ("town", "city")]
    found = sorted(earlier_mappings(load_project(tmp_path), "person"), key=lambda each: each.source)
    assert [EarlierMapping(*each) for each in expected] == found
