"""The pack `order` as it is made by `treaty init`: UBL and EDIFACT orders written here, public X12 ones, run and verified."""

from __future__ import annotations

import re
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import treaty

EDI = Path(__file__).parents[3] / "shared" / "data" / "edi" / "edi.net"
pytestmark = pytest.mark.slow
X12 = ("x12.850.edi", "x12.850.issue135.edi", "x12.850a.edi")
UBL = """\
<?xml version="1.0" encoding="UTF-8"?>
<Order xmlns="urn:oasis:names:specification:ubl:schema:xsd:Order-2"
       xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
       xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <cbc:ID>{number}</cbc:ID>
  <cbc:IssueDate>2026-02-17</cbc:IssueDate>
  <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>
  <cbc:LineCountNumeric>{count}</cbc:LineCountNumeric>
  <cac:BuyerCustomerParty><cac:Party>
    <cac:PartyIdentification><cbc:ID schemeID="0088">4012345000009</cbc:ID></cac:PartyIdentification>
    <cac:PartyName><cbc:Name>Werk Nord</cbc:Name></cac:PartyName>
    <cac:PartyLegalEntity><cbc:RegistrationName>{buyer}</cbc:RegistrationName></cac:PartyLegalEntity>
  </cac:Party></cac:BuyerCustomerParty>
  <cac:SellerSupplierParty><cac:Party><cac:PartyName><cbc:Name>Schrauben Süd</cbc:Name></cac:PartyName></cac:Party></cac:SellerSupplierParty>
  <cac:Delivery>
    <cac:DeliveryLocation><cac:Address>
      <cbc:StreetName>Hafenstraße 4</cbc:StreetName><cbc:CityName>Kiel</cbc:CityName><cbc:PostalZone>24103</cbc:PostalZone>
      <cac:Country><cbc:IdentificationCode>DE</cbc:IdentificationCode></cac:Country>
    </cac:Address></cac:DeliveryLocation>
    <cac:RequestedDeliveryPeriod><cbc:EndDate>2026-03-02</cbc:EndDate></cac:RequestedDeliveryPeriod>
    <cac:DeliveryParty><cac:PartyName><cbc:Name>Lager Kiel</cbc:Name></cac:PartyName></cac:DeliveryParty>
  </cac:Delivery>
  <cac:AnticipatedMonetaryTotal><cbc:PayableAmount currencyID="EUR">{total}</cbc:PayableAmount></cac:AnticipatedMonetaryTotal>
{lines}</Order>
"""
UBL_LINE = """\
  <cac:OrderLine><cac:LineItem>
    <cbc:ID>{line_id}</cbc:ID><cbc:Quantity unitCode="C62">{quantity}</cbc:Quantity>
    <cac:Price><cbc:PriceAmount currencyID="EUR">{price}</cbc:PriceAmount></cac:Price>
    <cac:Item>
      <cbc:Name>Schraube M{line_id}</cbc:Name>
      <cac:BuyersItemIdentification><cbc:ID>B-{line_id}</cbc:ID></cac:BuyersItemIdentification>
      <cac:SellersItemIdentification><cbc:ID>S-{line_id}</cbc:ID></cac:SellersItemIdentification>
      <cac:StandardItemIdentification><cbc:ID schemeID="0160">4012345000016</cbc:ID></cac:StandardItemIdentification>
    </cac:Item>
  </cac:LineItem></cac:OrderLine>
"""
EDIFACT = (
    "UNA:+,? 'UNB+UNOC:3+4012345000009:14+4098765000004:14+260217:0900+77'UNH+1+ORDERS:D:96A:UN:EAN008'BGM+220+4500000003+9'"
    "DTM+137:20260217:102'DTM+2:20260302:102'NAD+BY+4012345000009::9++Werk Nord GmbH'NAD+SU+4098765000004::9'CUX+2:EUR:9'"
    "LIN+1++4012345000016:EN'PIA+1+S-1:SA'IMD+F++:::Schraube M1'QTY+21:2,5:KGM'PRI+AAA:10,4'UNS+S'MOA+86:26'CNT+2:1'UNT+16+1'UNZ+1+77'"
)


def ubl_order(number: str, *lines: tuple[str, str], count: int, buyer: str = "Werk Nord GmbH", total: str = "36.00") -> str:
    """Return a UBL order with a line for each quantity and price."""
    written = "".join(UBL_LINE.format(line_id=place, quantity=quantity, price=price) for place, (quantity, price) in enumerate(lines, 1))
    return UBL.format(number=number, count=count, buyer=buyer, total=total, lines=written)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `treaty init DIR --pack order` makes it, with orders in its inboxes, run once."""
    root = tmp_path_factory.mktemp("order") / "p"
    treaty.init(root, packs=["order"])
    orders = {
        "ubl/1.xml": ubl_order("4500000001", ("2", "10.50"), ("3.0", "5"), count=2),
        "ubl/2.xml": ubl_order("4500000002", count=3),
        "ubl/3.xml": ubl_order("4500000004", ("1", "1"), count=1).replace("2026-02-17", "17.02.2026"),
        "edifact/1.edi": EDIFACT,
    }
    for name, text in orders.items():
        (root / "inbox" / name).write_text(text, encoding="utf-8")
    for name in X12 if EDI.is_dir() else ():
        shutil.copy(EDI / name, root / "inbox/x12")
    assert treaty.check(root).ok
    assert treaty.run(root).ok
    return root


def orders_of(project: Path) -> dict[str, dict[str, Any]]:
    """Return the golden orders by number."""
    return {each["number"]: each for each in treaty.records("order", project).to_pylist()}


def test_everything_is_accounted_for(project: Path) -> None:
    """What landed is canonical or quarantined, an order with a date that is none among the latter."""
    assert treaty.verify(project).ok
    found = orders_of(project)
    assert {"4500000001", "4500000002", "4500000003"} <= set(found)
    assert "4500000004" not in found
    assert ("issue_date", "not-a-date") in [(each.field, each.reason) for each in treaty.quarantine_groups(project)]


def test_orders_in_ubl(project: Path) -> None:
    """Every field of a UBL order is where the standard has it; an order without its lines is taken, and marked."""
    whole, header = orders_of(project)["4500000001"], orders_of(project)["4500000002"]
    wanted = {
        "issue_date": date(2026, 2, 17), "currency": "EUR", "buyer_name": "Werk Nord GmbH", "buyer_identifier": "4012345000009", "seller_name": "Schrauben Süd",
        "deliver_to_name": "Lager Kiel", "deliver_to_street": "Hafenstraße 4", "deliver_to_city": "Kiel", "deliver_to_postal_code": "24103",
        "deliver_to_country": "DE", "delivery_date": date(2026, 3, 2), "stated_line_count": 2, "stated_total": Decimal(36),
    }  # fmt: skip
    assert wanted == {name: whole[name] for name in wanted}
    assert [(Decimal(2), Decimal("10.5")), (Decimal(3), Decimal(5))] == [(line["quantity"], line["unit_price"]) for line in whole["lines"]]
    line = {"line_id": "2", "item_name": "Schraube M2", "seller_item_id": "S-2", "buyer_item_id": "B-2", "standard_item_id": "4012345000016", "unit": "C62"}
    assert line == {name: whole["lines"][1][name] for name in line}
    assert [] == header["lines"]


def test_orders_in_edifact(project: Path) -> None:
    """An ORDERS message with decimal commas is the same order as it would be in UBL."""
    order = orders_of(project)["4500000003"]
    assert (date(2026, 3, 2), "Werk Nord GmbH", "4098765000004", Decimal(26)) == tuple(
        order[name] for name in ("delivery_date", "buyer_name", "seller_name", "stated_total")
    )
    assert [(Decimal("2.5"), "KGM", Decimal("10.4"), "Schraube M1")] == [
        (line["quantity"], line["unit"], line["unit_price"], line["item_name"]) for line in order["lines"]
    ]


@pytest.mark.skipif(not EDI.is_dir(), reason="the public EDI messages of ../shared/data are not here")
def test_orders_in_x12(project: Path) -> None:
    """Each public 850 that is whole is an order with its number, and as many lines as it says."""
    found = orders_of(project)
    for name in X12:
        text = (EDI / name).read_text(encoding="utf-8-sig")
        last = text[text.rindex("ST*850") :]
        number, count = (re.search(pattern, last) for pattern in (r"BEG\*\d+\*\w+\*([^*~]+)", r"CTT\*(\d+)"))
        assert number is not None
        assert count is not None
        assert int(count[1]) == found[number[1]]["stated_line_count"] == len(found[number[1]]["lines"])
