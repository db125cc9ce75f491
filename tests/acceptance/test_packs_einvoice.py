"""The pack `einvoice` against public documents: 76 invoices in both syntaxes, and 236 cases of the standard's rules."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from tests.acceptance.packs_bench import SHARED, Conformed, conform_folder

from treaty.project.declarations import ClientProject
from treaty.project.files import catalog_folder
from treaty.project.loading import load_project
from treaty.project.overlays import client_project

TERMS = {
    "BT-1 number": "number", "BT-2 issue date": "issue_date", "BT-5 currency": "currency", "BT-27 seller": "seller_name", "BT-44 buyer": "buyer_name",
    "BT-106 sum lines": "sum_of_lines", "BT-109 net": "net_total", "BT-112 gross": "gross_total", "BT-115 due": "amount_due",
}  # fmt: skip
LINE = ("line_id", "quantity", "net_amount", "unit_price", "item_name")
MAPPINGS = {"Invoice": "ubl.invoices", "CreditNote": "ubl.credit_notes", "CrossIndustryInvoice": "cii.invoices"}

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the public e-invoicing documents are not beside this checkout")


@pytest.fixture(scope="module")
def project() -> ClientProject:
    """The pack as a project of its own."""
    return client_project(load_project(catalog_folder() / "einvoice"), "main")


@pytest.fixture(scope="module")
def pairs() -> list[dict[str, Any]]:
    """The public pairs with their known terms."""
    return [json.loads(line) for line in (SHARED / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def conformed(project: ClientProject, pairs: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Conformed]:
    """All documents of the pairs, by syntax; each file is named by the pair's place in the list."""
    folder = tmp_path_factory.mktemp("pairs")
    for syntax in ("ubl", "cii"):
        (folder / syntax).mkdir()
        for place, pair in enumerate(pairs):
            shutil.copy(SHARED / pair[syntax], folder / syntax / f"{place:03}.xml")
    invoices = conform_folder(project, "ubl.invoices", folder / "ubl")
    notes = conform_folder(project, "ubl.credit_notes", folder / "ubl")
    ubl = Conformed({**invoices.rows, **notes.rows}, invoices.refusals + notes.refusals)
    return {"ubl": ubl, "cii": conform_folder(project, "cii.invoices", folder / "cii")}


@pytest.mark.parametrize("syntax", ["ubl", "cii"])
def test_every_document_conforms(conformed: dict[str, Conformed], pairs: list[dict[str, Any]], syntax: str) -> None:
    """Every public document becomes one invoice; none is refused or quarantined, and no field fails."""
    rows = conformed[syntax].rows
    assert (len(pairs), ()) == (len(rows), conformed[syntax].refusals)
    assert [] == [(name, row["_state"], row["_notes"]) for name, row in rows.items() if row["_state"] != "good" or row["_notes"]]


@pytest.mark.parametrize("syntax", ["ubl", "cii"])
def test_terms_equal_the_known_ones(conformed: dict[str, Conformed], pairs: list[dict[str, Any]], syntax: str) -> None:
    """Every known term on which the two documents agree is what the mapping makes of it."""
    wrong = []
    for place, pair in enumerate(pairs):
        row = conformed[syntax].rows[f"{place:03}.xml"]
        for term, known in pair["golden"].items():
            if term not in pair["disagree"] and not equal(known, found(row, term)):
                wrong.append((pair["id"], term, known, found(row, term)))
    assert [] == wrong


def found(row: dict[str, Any], term: str) -> Any:
    """Return what the canonical record has for a known term."""
    if term in TERMS:
        return row[TERMS[term]]
    return [[line[name] for name in LINE] for line in row["lines"]]


def equal(known: Any, value: Any) -> bool:
    """Return whether a value is the known one: numbers as numbers, dates without hyphens."""
    if isinstance(known, list):
        return len(known) == len(value) and all(equal(a, b) for a, b in zip(known, value, strict=True))
    if isinstance(value, Decimal):
        return Decimal(known) == value
    return bool(known in (value, str(value).replace("-", "")))


def test_both_syntaxes_share_a_match_key(conformed: dict[str, Conformed], pairs: list[dict[str, Any]]) -> None:
    """The two documents of a pair are one invoice: they share at least one of their match keys."""
    apart = []
    for place, pair in enumerate(pairs):
        ubl, cii = ({key for key in conformed[syntax].rows[f"{place:03}.xml"]["_keys"] if key} for syntax in ("ubl", "cii"))
        if not ubl & cii:
            apart.append(pair["id"])
    assert [] == apart


def rule_cases() -> list[dict[str, Any]]:
    """Return the public cases of the standard's rules."""
    path = SHARED / "en16931" / "rule_cases.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def fragments(cases: list[dict[str, Any]]) -> Iterator[bytes]:
    """Yield the document of each case out of its file of tests."""
    files: dict[str, Any] = {}
    for case in cases:
        root = files.setdefault(case["file"], etree.parse(str(SHARED / "en16931" / case["file"])).getroot())
        test = [each for each in root if isinstance(each.tag, str) and etree.QName(each).localname == "test"][case["test"]]
        yield etree.tostring(next(each for each in test if isinstance(each.tag, str) and etree.QName(each).localname == case["root"]))


def test_rules_judge_as_the_standard_says(project: ClientProject, tmp_path: Path) -> None:
    """Each rule marks the fragments that it must mark, and no other, whatever else is wrong with them."""
    cases = rule_cases()
    for place, (case, content) in enumerate(zip(cases, fragments(cases), strict=True)):
        folder = tmp_path / case["root"]
        folder.mkdir(exist_ok=True)
        (folder / f"{place:03}.xml").write_bytes(content)
    rows: dict[str, dict[str, Any]] = {}
    for root, mapping in MAPPINGS.items():
        rows |= conform_folder(project, mapping, tmp_path / root).rows
    wrong = []
    for place, case in enumerate(cases):
        marked = set(rows[f"{place:03}.xml"]["_findings"] or ())
        wrong += [(case["file"], case["test"], rule) for rule, outcome in case["expected"].items() if (rule in marked) != (outcome == "error")]
    assert [] == wrong


def test_documents_of_the_other_kind_are_no_refusals(project: ClientProject, tmp_path: Path) -> None:
    """Invoices and credit notes lie in one folder: each stream takes its own, and refuses what is neither, which the lake quarantines once."""
    shutil.copy(SHARED / "phax-cii2ubl/ubl21/CII_example1-CreditNote-ubl.xml", tmp_path / "note.xml")
    shutil.copy(SHARED / "phax-cii2ubl/ubl21/CII_example1-ubl.xml", tmp_path / "invoice.xml")
    (tmp_path / "other.xml").write_text("<order/>", encoding="utf-8")
    invoices, notes = (conform_folder(project, mapping, tmp_path) for mapping in ("ubl.invoices", "ubl.credit_notes"))
    assert (["invoice.xml"], ["note.xml"]) == (list(invoices.rows), list(notes.rows))
    (refused,), (again,) = invoices.refusals, notes.refusals
    assert ("no-records", "no-records", refused.excerpt) == (refused.reason, again.reason, again.excerpt)
