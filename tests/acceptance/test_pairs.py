"""76 public invoices, each in UBL and in CII: each syntax alone gives the golden terms, both together give one golden record."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import treaty

MATERIAL = Path(__file__).parents[3] / "shared" / "data" / "einvoice"
TERMS = {
    "BT-1 number": "number",
    "BT-2 issue date": "issue_date",
    "BT-5 currency": "currency",
    "BT-27 seller": "seller_name",
    "BT-44 buyer": "buyer_name",
    "BT-106 sum lines": "sum_of_lines",
    "BT-109 net": "net_total",
    "BT-112 gross": "gross_total",
    "BT-115 due": "amount_due",
}
NUMBERS = {"sum_of_lines", "net_total", "gross_total", "amount_due"}
pytestmark = pytest.mark.skipif(not (MATERIAL / "pairs.jsonl").exists(), reason="the public invoices of ../shared/data are not here")


def pairs() -> list[dict[str, Any]]:
    """Return the pairs, in order."""
    return [json.loads(line) for line in (MATERIAL / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]


def add_client(root: Path, client: str, pair: dict[str, Any], syntaxes: tuple[str, ...]) -> None:
    """Give a client an inbox of its own for each syntax, with the pair's document in it."""
    for syntax in syntaxes:
        inbox = root / "inbox" / client / syntax
        inbox.mkdir(parents=True)
        (inbox / "invoice.xml").write_bytes((MATERIAL / pair[syntax]).read_bytes())
        system = root / "clients" / client / "systems" / f"{syntax}.yaml"
        system.parent.mkdir(parents=True, exist_ok=True)
        system.write_text(f"connection: {{folder: inbox/{client}/{syntax}}}\nreason: this client's own inbox\n", encoding="utf-8")


def wrong_terms(record: dict[str, Any], pair: dict[str, Any]) -> list[str]:
    """Return the golden terms that a record does not have."""
    wrong = []
    for term, field in TERMS.items():
        if term not in pair["golden"] or term in pair["disagree"]:
            continue
        wanted, found = pair["golden"][term], record[field]
        if field == "issue_date":
            wanted = f"{wanted[:4]}-{wanted[4:6]}-{wanted[6:]}"
        same = found is not None and Decimal(str(found)) == Decimal(wanted) if field in NUMBERS else str(found) == wanted
        if not same:
            wrong.append(f"{pair['id']} {term}: {found!r} is not {wanted!r}")
    if "lines" in pair["golden"] and "lines" not in pair["disagree"]:
        lines = {line["line_id"]: line for line in record["lines"]}
        for line_id, quantity, net_amount, unit_price, item_name in pair["golden"]["lines"]:
            found = lines[line_id]
            numbers = {"quantity": quantity, "net_amount": net_amount, "unit_price": unit_price}
            wrong += [f"{pair['id']} line {line_id} {each}" for each, wanted in numbers.items() if Decimal(str(found[each])) != Decimal(wanted)]
            wrong += [f"{pair['id']} line {line_id} item_name"] if found["item_name"] != item_name else []
    return wrong


def run_pairs(root: Path, chosen: list[dict[str, Any]]) -> list[str]:
    """Run each pair as two clients and as one; return everything that is not as it should be."""
    treaty.init(root, packs=["einvoice"])
    for number, pair in enumerate(chosen):
        add_client(root, f"u{number:02}", pair, ("ubl",))
        add_client(root, f"c{number:02}", pair, ("cii",))
        add_client(root, f"b{number:02}", pair, ("ubl", "cii"))
    assert treaty.run(root).ok
    wrong = []
    for number, pair in enumerate(chosen):
        for client, members in ((f"u{number:02}", 1), (f"c{number:02}", 1), (f"b{number:02}", 2)):
            records = treaty.records("invoice", root, client=client).to_pylist()
            if len(records) != 1 or len(records[0]["_sources"]) != members:
                wrong.append(f"{pair['id']} {client}: {len(records)} records, {[len(each['_sources']) for each in records]} members")
                continue
            wrong += [f"{client} {each}" for each in wrong_terms(records[0], pair)]
    assert treaty.verify(root).ok
    return wrong


def test_pairs_of_each_set_agree(tmp_path: Path) -> None:
    """A pair of each set gives its golden terms, alone and together."""
    every = pairs()
    assert run_pairs(tmp_path / "p", [every[0], every[3]]) == []


@pytest.mark.slow
def test_every_pair_agrees(tmp_path: Path) -> None:
    """All 76 pairs give their golden terms, alone and together."""
    assert run_pairs(tmp_path / "p", pairs()) == []
