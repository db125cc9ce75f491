"""The EDI mappings of the packs against public messages: totals equal to the messages' own, and to their twins in XML."""

from __future__ import annotations

import json
import re
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.packs_bench import SHARED, conform_folder

from treaty.project.declarations import ClientProject
from treaty.project.files import catalog_folder
from treaty.project.loading import load_project
from treaty.project.overlays import client_project

EDI = SHARED.parent / "edi" / "edi.net"
TERMS = {
    "BT-1 number": "number", "BT-5 currency": "currency", "BT-27 seller": "seller_name", "BT-44 buyer": "buyer_name",
    "BT-106 sum lines": "sum_of_lines", "BT-109 net": "net_total", "BT-112 gross": "gross_total", "BT-115 due": "amount_due",
}  # fmt: skip
LINE = ("line_id", "quantity", "net_amount", "unit_price", "item_name")

pytestmark = pytest.mark.skipif(not EDI.is_dir(), reason="the public EDI messages of ../shared/data are not here")


@pytest.fixture(scope="module")
def einvoice() -> ClientProject:
    """The pack einvoice as a project."""
    return client_project(load_project(catalog_folder() / "einvoice"), "main")


def test_edifact_invoices_equal_their_twins(einvoice: ClientProject, tmp_path: Path) -> None:
    """The three public invoices that are in EDIFACT too have the golden terms of their UBL and CII twins."""
    pairs = [each for each in map(json.loads, (SHARED / "pairs.jsonl").read_text(encoding="utf-8").splitlines()) if each.get("edifact")]
    for pair in pairs:
        shutil.copy(SHARED / pair["edifact"], tmp_path / f"{pair['id']}.edi")
    found = conform_folder(einvoice, "edifact.invoices", tmp_path)
    assert 3 == len(found.rows)
    assert {"wrong-control-number"} == {each.reason for each in found.refusals}  # UNZ repeats the number of the message, not that of UNB
    for pair in pairs:
        row, golden = found.rows[f"{pair['id']}.edi"], pair["golden"]
        assert golden["BT-2 issue date"] == row["issue_date"].strftime("%Y%m%d")
        assert {field: comparable(golden[term]) for term, field in TERMS.items()} == {field: comparable(row[field]) for field in TERMS.values()}
        lines = [[comparable(value) for value in line] for line in golden.get("lines", [])]
        if lines:
            assert lines == [[comparable(line[name]) for name in LINE] for line in row["lines"]]


def test_x12_invoices_have_their_own_totals(einvoice: ClientProject, tmp_path: Path) -> None:
    """Each public 810 has the number, the total of its TDS in cents, and as many lines as its CTT says."""
    names = [f"x12.810{letter}.edi" for letter in "abcd"]
    for name in names:
        shutil.copy(EDI / name, tmp_path)
    found = conform_folder(einvoice, "x12.invoices", tmp_path)
    assert ((), names) == (found.refusals, sorted(found.rows))
    for name, row in found.rows.items():
        text = (EDI / name).read_text(encoding="utf-8-sig")
        assert Decimal(stated(text, r"TDS\*(\d+)")) / 100 == row["amount_due"] == row["gross_total"]
        assert stated(text, r"BIG\*\d+\*([^*~]+)") == row["number"]
        assert Decimal(stated(text, r"AMT\*1\*([\d.]+)")) == row["sum_of_lines"] == sum(line["net_amount"] for line in row["lines"])
        assert int(stated(text, r"CTT\*(\d+)")) == len(row["lines"])


def test_x12_orders_have_as_many_lines_as_they_say(tmp_path: Path) -> None:
    """Each public 850 that is whole has its number, and as many lines as its CTT says; the one that lost a terminator is refused."""
    names = ["x12.850.edi", "x12.850.issue135.edi", "x12.850a.edi"]
    for name in names:
        shutil.copy(EDI / name, tmp_path)
    found = conform_folder(client_project(load_project(catalog_folder() / "order"), "main"), "x12.orders", tmp_path)
    assert names == sorted(found.rows)
    assert ["wrong-control-number", "wrong-control-number", "wrong-count"] == sorted(each.reason for each in found.refusals)
    for name, row in found.rows.items():
        text = (EDI / name).read_text(encoding="utf-8-sig")
        text = text[text.rindex("ST*850") :]
        assert ("good", stated(text, r"BEG\*\d+\*\w+\*([^*~]+)")) == (row["_state"], row["number"])
        assert int(stated(text, r"CTT\*(\d+)")) == row["stated_line_count"] == len(row["lines"])


def comparable(value: Any) -> Any:
    """Return a number for what looks like one."""
    try:
        return Decimal(str(value)).normalize()
    except ArithmeticError:
        return str(value)


def stated(text: str, pattern: str) -> str:
    """Return what a message says of itself."""
    found = re.search(pattern, text)
    assert found is not None, pattern
    return found.group(1)
