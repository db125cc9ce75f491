"""The packs `einvoice` and `order` in one project: their documents side by side in the inboxes, each read once by the stream that it is of."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from tests.acceptance.packs_bench import SHARED
from tests.acceptance.test_pack_order import EDIFACT as ORDERS
from tests.acceptance.test_pack_order import ubl_order

import treaty
from treaty.operations.workspace import find_workspace

EDI = SHARED.parent / "edi" / "edi.net"
UBL = {name: SHARED / f"en16931/ubl/examples/ubl-tc434-example{number}.xml" for name, number in (("1.xml", 1), ("2.xml", 2))}
UBL["note.xml"] = SHARED / "phax-cii2ubl/ubl21/CII_example1-CreditNote-ubl.xml"
INVOIC = SHARED / "en16931/edifact/examples/EDIFACT_EXAMPLE1.TXT"
X12 = ("x12.810a.edi", "x12.850.edi")
CATALOGUE = '<Catalogue xmlns="urn:oasis:names:specification:ubl:schema:xsd:Catalogue-2"><ID>1</ID></Catalogue>'

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SHARED.is_dir() and EDI.is_dir()), reason="the public documents of ../shared/data are not beside this checkout"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of both packs as `treaty init` makes it, run once over invoices, credit notes and orders, and over what is neither."""
    root = tmp_path_factory.mktemp("both") / "p"
    treaty.init(root, packs=["einvoice", "order"])
    for name, path in UBL.items():
        shutil.copy(path, root / "inbox/ubl" / name)
    (root / "inbox/ubl/order.xml").write_text(ubl_order("4500000001", ("2", "10.50"), count=1), encoding="utf-8")
    (root / "inbox/ubl/catalogue.xml").write_text(CATALOGUE, encoding="utf-8")
    (root / "inbox/ubl/broken.xml").write_text("<Invoice><ID>1</ID>", encoding="utf-8")
    shutil.copy(INVOIC, root / "inbox/edifact/invoic.edi")
    mixed = ORDERS.replace("UNZ+1+77'", "UNH+2+DESADV:D:96A:UN'BGM+351+1+9'UNT+3+2'UNH+3+CONTRL:D:3:UN'UCI+1'UNT+3+3'UNZ+3+77'")
    (root / "inbox/edifact/mixed.edi").write_text(mixed, encoding="utf-8")
    for name in X12:
        shutil.copy(EDI / name, root / "inbox/x12")
    advice = (EDI / "x12.850.edi").read_text(encoding="utf-8-sig").replace("ST*850", "ST*855")
    (root / "inbox/x12/855.edi").write_text(advice, encoding="utf-8")
    assert treaty.check(root).ok
    assert treaty.run(root).ok
    return root


def written(project: Path) -> tuple[object, ...]:
    """Return what every commit moves on: how many snapshots the lake has, and the newest."""
    with find_workspace(project, None).open() as session:
        row = session.duck.execute("select count(*), max(snapshot_id) from ducklake_snapshots('lake')").fetchone()
        assert row is not None
        return tuple(row)


def test_each_document_is_a_record_of_its_model(project: Path) -> None:
    """Invoices and credit notes are invoices (that of EDIFACT is one of UBL's, said again), orders of all syntaxes orders."""
    assert treaty.verify(project).ok
    invoices = Counter(each["type_code"] for each in treaty.records("invoice", project).to_pylist())
    orders = {each["number"] for each in treaty.records("order", project).to_pylist()}
    x12 = re.search(r"BEG\*\d+\*\w+\*([^*~]+)", (EDI / "x12.850.edi").read_text(encoding="utf-8-sig"))
    assert x12 is not None
    assert ({"4500000001", "4500000003", x12[1]}, 4, 1) == (orders, invoices.total(), invoices["381"])


def test_what_is_neither_is_in_quarantine_once(project: Path) -> None:
    """A document that no stream takes is in quarantine once, with what it is and what is taken; a broken file too."""
    found = {}
    for group in treaty.quarantine_groups(project):
        for row in treaty.quarantine_records(group.group, project).to_pylist():
            told = json.loads(row["fields"])
            place = (told["origin"], group.reason)
            assert place not in found
            found[place] = told["message"]
    public = {("invoic.edi", "wrong-control-number"), ("x12.850.edi", "wrong-control-number"), ("855.edi", "wrong-control-number")}  # theirs are wrong
    neither = {("catalogue.xml", "no-records"), ("broken.xml", "bad-xml"), ("mixed.edi", "other-message"), ("855.edi", "other-message")}
    assert public | neither == set(found)
    assert "Catalogue is not, and holds no, 'inv:Invoice' or 'cn:CreditNote' or 'ord:Order'." in found["catalogue.xml", "no-records"]
    assert "type DESADV is there, and what is taken of this file is INVOIC or ORDERS." in found["mixed.edi", "other-message"]
    assert "type 855 is there, and what is taken of this file is 810 or 850." in found["855.edi", "other-message"]


def test_a_second_run_writes_nothing(project: Path) -> None:
    """With the same documents in the inboxes nothing is landed, conformed or committed."""
    before = written(project)
    assert not treaty.run(project).changed
    assert before == written(project)
