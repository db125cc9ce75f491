"""The pack `billing` as it is made by `treaty init`: objects of Stripe's API, written here in its shapes, run and verified."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import treaty
from treaty.project.findings import Severity
from treaty.project.loading import load_project

NOON = 1_767_268_800  # 2026-01-01T12:00:00Z
LATER = NOON + 31 * 86_400

CUSTOMERS = [
    {
        "id": "cus_A", "object": "customer", "livemode": True, "created": NOON, "name": " Ada Berg GmbH ", "email": "Billing@Berg.example", "phone": "+49 30 1",
        "currency": "eur", "balance": -2550, "delinquent": False, "tax_exempt": "reverse", "tax_ids": {"data": [{"value": "DE811234001"}]},
        "address": {"line1": "Am Markt 1", "line2": None, "city": "Berlin", "postal_code": "10115", "state": None, "country": "de"},
    },
    {"id": "cus_B", "object": "customer", "livemode": True, "created": NOON, "name": "Kyoto Tea", "email": None, "currency": "jpy", "balance": 0, "delinquent": True},
    {"id": "cus_C", "object": "customer", "livemode": True, "created": NOON, "name": "Gone Ltd", "email": "gone@example.com"},
    {"id": "cus_T", "object": "customer", "livemode": False, "created": NOON, "name": "Test", "email": "test@example.com"},
    {"id": "cus_C", "object": "customer", "deleted": True},
]  # fmt: skip
ITEM = {"id": "si_1", "quantity": 3, "price": {
    "id": "price_1", "product": "prod_1", "currency": "eur", "unit_amount": None, "unit_amount_decimal": "1250.5", "recurring": {"interval": "month", "interval_count": 3},
}}  # fmt: skip
SUBSCRIPTIONS = [
    {
        "id": "sub_old", "livemode": True, "customer": "cus_A", "status": "active", "currency": "eur", "collection_method": "send_invoice", "days_until_due": 14,
        "start_date": NOON, "created": NOON, "current_period_start": NOON, "current_period_end": LATER, "cancel_at_period_end": False, "items": {"data": [ITEM]},
    },
    {
        "id": "sub_new", "livemode": True, "customer": "cus_later", "status": "canceled", "currency": "eur", "collection_method": "charge_automatically",
        "start_date": NOON, "created": NOON, "cancel_at_period_end": True, "canceled_at": NOON, "ended_at": LATER,
        "items": {"data": [{**ITEM, "current_period_start": NOON, "current_period_end": LATER}]},
    },
    {"id": "sub_odd", "livemode": True, "customer": "cus_A", "status": "frozen", "currency": "eur", "created": NOON, "items": {"data": []}},
]  # fmt: skip
INVOICES = [
    {
        "id": "in_old", "livemode": True, "number": "B-0001", "customer": "cus_A", "subscription": "sub_old", "status": "paid", "currency": "eur", "created": NOON,
        "due_date": NOON, "status_transitions": {"finalized_at": NOON, "paid_at": LATER}, "subtotal": 10_000, "total_excluding_tax": 10_000, "total": 11_900,
        "amount_due": 11_900, "amount_paid": 11_900, "amount_remaining": 0, "collection_method": "send_invoice",
        "lines": {"data": [
            {"id": "il_1", "amount": 7_500, "quantity": 3, "description": "Seats", "price": {"id": "price_1"}, "period": {"start": NOON, "end": LATER}},
            {"id": "il_2", "amount": 2_500, "quantity": 1, "description": "Setup", "pricing": {"price_details": {"price": "price_2"}}},
        ]},
    },
    {
        "id": "in_new", "livemode": True, "number": "K-0001", "customer": "cus_B", "parent": {"subscription_details": {"subscription": "sub_new"}}, "status": "open",
        "currency": "jpy", "created": NOON, "subtotal": 5_000, "total_excluding_tax": 5_000, "total": 5_500, "amount_due": 5_500, "amount_paid": 500,
        "amount_remaining": 5_000, "status_transitions": {"finalized_at": NOON}, "lines": {"data": []},
    },
    {
        "id": "in_draft", "livemode": True, "number": None, "customer": "cus_A", "status": "draft", "currency": "eur", "created": NOON, "subtotal": -100,
        "total_excluding_tax": -100, "total": -100, "amount_due": 0, "amount_paid": 0, "amount_remaining": 0,
        "lines": {"data": [{"id": "il_3", "amount": -90, "quantity": 1}]},
    },
]  # fmt: skip
CHARGE = {"livemode": True, "currency": "eur", "created": NOON, "amount_refunded": 0, "disputed": False, "payment_method_details": {"type": "card"}}
CHARGES = [
    {**CHARGE, "id": "ch_old", "customer": "cus_A", "invoice": "in_old", "status": "succeeded", "captured": True, "amount": 11_900, "amount_captured": 11_900},
    {**CHARGE, "id": "ch_new", "customer": "cus_B", "payment_intent": "pi_1", "status": "succeeded", "captured": True, "amount": 500, "currency": "jpy"},
    {**CHARGE, "id": "ch_held", "customer": None, "status": "succeeded", "captured": False, "amount": 1_000, "currency": "kwd", "amount_captured": 0},
    {**CHARGE, "id": "ch_failed", "customer": "cus_A", "status": "failed", "captured": False, "amount": 100, "failure_code": "card_declined",
     "payment_method_details": {"type": "carrier_pigeon"}},
]  # fmt: skip
INVOICE_PAYMENTS = [{"id": "inpay_1", "invoice": "in_new", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}}]
OBJECTS = {
    "customers": CUSTOMERS, "subscriptions": SUBSCRIPTIONS, "invoices": INVOICES, "charges": CHARGES, "invoice_payments": INVOICE_PAYMENTS,
}  # fmt: skip


SERVER = """
import http.server, json, sys, urllib.parse
lists = json.load(open(sys.argv[1], encoding="utf-8"))
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path); query = dict(urllib.parse.parse_qsl(url.query))
        found = lists[url.path.removeprefix("/v1/")] if self.headers.get("Authorization") == "Bearer key-of-a-test" else []
        begin = [each["id"] for each in found].index(query["starting_after"]) + 1 if "starting_after" in query else 0
        data = json.dumps({"object": "list", "data": found[begin:begin + 2], "has_more": begin + 2 < len(found)}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(data))); self.end_headers(); self.wfile.write(data)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""  # lists of Stripe's API, two objects a page


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `treaty init DIR --pack billing` makes it, with objects in its inbox, run once."""
    root = tmp_path_factory.mktemp("billing") / "p"
    treaty.init(root, packs=["billing"])
    for stream, objects in OBJECTS.items():
        lines = "".join(f"{json.dumps(each)}\n" for each in objects)
        (root / "inbox" / "stripe" / f"{stream}.jsonl").write_text(lines, encoding="utf-8")
    assert treaty.check(root).ok
    assert treaty.run(root).ok
    return root


def reading_the_api(root: Path) -> Path:
    """Make a project on the pack that reads Stripe's API, as the manual says."""
    manual = (Path(__file__).parents[2] / "docs/rest.md").read_text(encoding="utf-8")
    _, _, block = manual.partition("```yaml systems/stripe.yaml\n")
    treaty.init(root, packs=["billing"])
    (root / "systems/stripe.yaml").write_text(block.partition("```")[0], encoding="utf-8")
    return root


def test_the_api_may_be_read_instead(tmp_path: Path) -> None:
    """The manual's system for Stripe's API takes the place of the pack's files, and the project has no problem."""
    root = reading_the_api(tmp_path / "p")
    assert [] == [str(each) for each in treaty.check(root).findings if each.severity is Severity.ERROR]
    assert set(OBJECTS) == set(load_project(root).systems["stripe"].streams)


@pytest.mark.slow
def test_the_api_gives_the_same_records(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same objects, page by page from an API in a process of its own, become the same records as from files."""
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.1")
    monkeypatch.setenv("STRIPE_KEY", "key-of-a-test")
    root = reading_the_api(tmp_path / "p")
    (tmp_path / "lists.json").write_text(json.dumps({**OBJECTS, "customers": CUSTOMERS[:-1]}), encoding="utf-8")
    with subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path / "lists.json")], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        system = root / "systems/stripe.yaml"
        address = f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        system.write_text(system.read_text(encoding="utf-8").replace("https://api.stripe.com/v1", address), encoding="utf-8")
        try:
            assert treaty.run(root).ok
        finally:
            process.terminate()
    assert treaty.verify(root).ok
    assert {"cus_A", "cus_B", "cus_C"} == set(found(root, "customer"))  # the list says nothing of the deleted one
    for model in ("subscription", "invoice", "payment"):
        assert said(project, model) == said(root, model)


def said(project: Path, model: str) -> dict[str, dict[str, Any]]:
    """Return what the golden records of a model say, by identifier, without what Treaty says of them."""
    return {key: {name: value for name, value in each.items() if not name.startswith("_")} for key, each in found(project, model).items()}


def found(project: Path, model: str) -> dict[str, dict[str, Any]]:
    """Return the golden records of a model by identifier."""
    return {each["identifier"]: each for each in treaty.records(model, project).to_pylist()}


def has(record: Mapping[str, Any], **wanted: Any) -> bool:
    """Return whether a record has these values, each compared as text."""
    assert {name: str(value) for name, value in wanted.items()} == {name: str(plain(record[name])) for name in wanted}
    return True


def plain(value: Any) -> Any:
    """Return a decimal without the zeros behind it, an instant as seconds since 1970."""
    if hasattr(value, "normalize"):
        return f"{value.normalize():f}"
    return int(value.timestamp()) if hasattr(value, "timestamp") else value


def test_everything_is_accounted_for(project: Path) -> None:
    """All that landed is canonical, superseded, quarantined or filtered, and a test object is filtered."""
    result = treaty.verify(project)
    assert result.ok
    assert ["cus_A", "cus_B"] == sorted(found(project, "customer"))


def test_customers(project: Path) -> None:
    """Customers have their balance in their currency, and words that are not Stripe's."""
    customers = found(project, "customer")
    assert has(customers["cus_A"], name="Ada Berg GmbH", email="billing@berg.example", balance="-25.5", currency="EUR", tax_status="reverse_charge")
    assert has(customers["cus_A"], tax_number="DE811234001", country="DE", created_at=NOON, is_delinquent=False)
    assert has(customers["cus_B"], email=None, balance="0", currency="JPY", tax_status="taxable", is_delinquent=True)


def test_subscriptions(project: Path) -> None:
    """Subscriptions of both versions of the API have their period, and prices keep fractions of a cent."""
    subscriptions = found(project, "subscription")
    assert ["sub_new", "sub_old"] == sorted(subscriptions)
    for each in subscriptions.values():
        assert has(each, current_period_start=NOON, current_period_end=LATER)
        assert has(each["items"][0], unit_price="12.505", quantity="3", interval="month", interval_count=3)
    assert has(subscriptions["sub_old"], status="active", collection="invoice", payment_days=14)
    assert has(subscriptions["sub_new"], status="ended", collection="automatic", ended_at=LATER)
    assert [("status", "unmapped-value")] == [(each.field, each.reason) for each in treaty.quarantine_groups(project) if each.model == "subscription"]


def test_invoices(project: Path) -> None:
    """Invoices have tax, subscription and amounts of their currency; a draft is taken."""
    invoices = found(project, "invoice")
    assert has(invoices["in_old"], number="B-0001", status="paid", total="119", tax_total="19", subscription_identifier="sub_old", due_date=date(2026, 1, 1))
    assert ["75", "25"] == [plain(line["amount"]) for line in invoices["in_old"]["lines"]]
    assert ["price_1", "price_2"] == [line["price"] for line in invoices["in_old"]["lines"]]
    assert has(invoices["in_new"], total="5500", amount_remaining="5000", subscription_identifier="sub_new", issued_at=NOON)
    assert has(invoices["in_draft"], number=None, status="draft", total="-1")


def test_payments(project: Path) -> None:
    """Payments find their invoice through the intent, and money that is only reserved is not taken."""
    payments = found(project, "payment")
    assert has(payments["ch_old"], status="succeeded", amount="119", captured_amount="119", invoice_identifier="in_old", method="card")
    assert has(payments["ch_new"], status="succeeded", amount="500", invoice_identifier="in_new")
    assert has(payments["ch_held"], status="authorised", amount="1", currency="KWD", customer_identifier=None)
    assert has(payments["ch_failed"], status="failed", failure_code="card_declined", method=None)
