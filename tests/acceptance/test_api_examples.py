"""Examples of two public APIs as records of `billing` and `party`: Stripe's fixtures, and the answers in Xero's OpenAPI description.

The project is `api_examples/`: the packs' models and Stripe mapping, and mappings of Xero and of people.
"""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

import treaty
from treaty.project.findings import Severity

PROJECT = Path(__file__).parent / "api_examples"
MATERIAL = Path(__file__).parents[3] / "shared" / "data" / "api"
STRIPE = {
    "customers": "customer", "subscriptions": "subscription", "invoices": "invoice", "charges": "charge", "invoice_payments": "invoice_payment",
    "payment_methods": "payment_method",
}  # fmt: skip
XERO = ("Contacts", "Invoices", "Payments")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not MATERIAL.is_dir(), reason="the public examples of ../shared/data are not here")


@pytest.fixture(scope="module")
def stripe() -> dict[str, Any]:
    """Stripe's fixtures: one object of each resource."""
    return dict(json.loads((MATERIAL / "stripe-fixtures/openapi/fixtures3.json").read_text(encoding="utf-8"))["resources"])


@pytest.fixture(scope="module")
def xero() -> dict[str, Any]:
    """The answers of Xero's lists, as its description shows them, by what they list."""
    described = yaml.load((MATERIAL / "xero-openapi/xero_accounting.yaml").read_bytes(), Loader=yaml.CSafeLoader)
    return {name: described["paths"][f"/{name}"]["get"]["responses"]["200"]["content"]["application/json"]["example"] for name in XERO}


@pytest.fixture(scope="module")
def project(stripe: dict[str, Any], xero: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, run once over the examples of both."""
    root = tmp_path_factory.mktemp("examples") / "p"
    shutil.copytree(PROJECT, root)
    for folder in ("stripe", "xero"):
        (root / "inbox" / folder).mkdir(parents=True)
    for stream, resource in STRIPE.items():
        (root / f"inbox/stripe/{stream}.jsonl").write_text(json.dumps(stripe[resource]) + "\n", encoding="utf-8")
    for name, answer in xero.items():
        (root / f"inbox/xero/{name.lower()}.json").write_text(json.dumps(answer, default=str), encoding="utf-8")
    assert treaty.run(root).ok
    return root


def found(project: Path, model: str, system: str) -> dict[str, dict[str, Any]]:
    """Return the golden records of one billing system by identifier."""
    return {each["identifier"]: each for each in treaty.records(model, project).to_pylist() if each["billing_system"] == system}


def has(record: dict[str, Any], **wanted: Any) -> bool:
    """Return whether a record has these values: amounts as decimals, times as instants."""
    assert wanted == {name: record[name] for name in wanted}
    return True


def xero_time(text: str | None) -> datetime | None:
    """Return the instant of a time as Xero writes it."""
    stated = re.search(r"\d+", text) if text else None
    return EPOCH + timedelta(milliseconds=int(stated.group())) if stated else None


def cents(amount: int) -> Decimal:
    """Return dollars."""
    return Decimal(amount) / 100


def test_project_is_right() -> None:
    """The project has no errors on the packs that it is made of."""
    assert [] == [str(each) for each in treaty.check(PROJECT).findings if each.severity is Severity.ERROR]


@pytest.mark.slow
def test_everything_is_accounted_for(project: Path) -> None:
    """Each example has one state in each mapping that reads it."""
    assert treaty.verify(project).ok


@pytest.mark.slow
def test_stripe_is_billing(project: Path, stripe: dict[str, Any]) -> None:
    """The customer, subscription, invoice and charge of Stripe are one record of `billing` each, with their amounts, times and references."""
    [customer], [subscription] = found(project, "customer", "stripe").values(), found(project, "subscription", "stripe").values()
    [invoice], [payment] = found(project, "invoice", "stripe").values(), found(project, "payment", "stripe").values()
    created = EPOCH + timedelta(seconds=stripe["customer"]["created"])
    assert has(customer, identifier=stripe["customer"]["id"], balance=Decimal(0), currency="USD", tax_status="taxable", created_at=created)
    item = stripe["subscription"]["items"]["data"][0]
    assert has(
        subscription, customer_identifier=customer["identifier"], status="active", cancels_at_period_end=True, collection="automatic"
    )
    assert has(subscription, current_period_end=EPOCH + timedelta(seconds=item["current_period_end"]))
    assert has(subscription["items"][0], item_identifier=item["id"], unit_price=Decimal(20), interval="month", quantity=Decimal(1))
    raw = stripe["invoice"]
    assert has(invoice, number=None, status="draft", customer_identifier=customer["identifier"], subscription_identifier="subscription")
    assert has(
        invoice,
        **{name: cents(raw[name]) for name in ("total", "amount_due", "amount_paid", "amount_remaining")},
        sum_of_lines=cents(raw["subtotal"]),
    )
    assert [(cents(1000), "My First Invoice Item (created for API docs)")] == [
        (line["amount"], line["description"]) for line in invoice["lines"]
    ]
    assert has(
        payment, status="authorised", amount=cents(stripe["charge"]["amount"]), currency="USD", method="card", invoice_identifier=None
    )


@pytest.mark.slow
def test_xero_is_billing(project: Path, xero: dict[str, Any]) -> None:
    """Each sales invoice, its payments and the contacts of Xero are records of `billing`, each field as the example says; the rest is left out."""
    invoices, payments, customers = (found(project, model, "xero") for model in ("invoice", "payment", "customer"))
    sales = {each["InvoiceID"]: each for each in xero["Invoices"]["Invoices"] if each["Type"] == "ACCREC"}
    assert (len(sales) > 0, set(sales)) == (True, set(invoices))
    for identifier, raw in sales.items():
        amounts = {
            "net_total": "SubTotal",
            "tax_total": "TotalTax",
            "total": "Total",
            "amount_paid": "AmountPaid",
            "amount_remaining": "AmountDue",
        }
        assert has(
            invoices[identifier], **{name: Decimal(str(raw[theirs])) for name, theirs in amounts.items()}, number=raw["InvoiceNumber"]
        )
        assert has(
            invoices[identifier],
            currency=raw["CurrencyCode"],
            customer_identifier=raw["Contact"]["ContactID"],
            issued_at=xero_time(raw["Date"]),
        )
        assert has(invoices[identifier], due_date=xero_time(raw["DueDate"]).date(), paid_at=xero_time(raw.get("FullyPaidOnDate")))  # type: ignore[union-attr]
        assert has(invoices[identifier], status={"VOIDED": "void", "PAID": "paid", "AUTHORISED": "open", "DRAFT": "draft"}[raw["Status"]])
        assert len(raw["LineItems"]) == len(invoices[identifier]["lines"])
    [raw] = [each for each in xero["Payments"]["Payments"] if each["PaymentType"] == "ACCRECPAYMENT"]
    assert [raw["PaymentID"]] == list(payments)
    assert has(
        payments[raw["PaymentID"]],
        amount=Decimal(str(raw["Amount"])),
        invoice_identifier=raw["Invoice"]["InvoiceID"],
        created_at=xero_time(raw["Date"]),
    )
    contacts = {each["ContactID"]: each for each in xero["Contacts"]["Contacts"]}
    assert {identifier: (each["Name"], each["EmailAddress"]) for identifier, each in contacts.items()} == {
        identifier: (each["name"], each["email"]) for identifier, each in customers.items()
    }


@pytest.mark.slow
def test_both_are_people(project: Path) -> None:
    """Who pays is a contact of `party` with telephone number and country; a customer who cannot be reached is quarantined, as the pack decides."""
    people = {each["email"]: each for each in treaty.records("contact", project).to_pylist()}
    assert {"jenny@example.com", "kat.warren@clampett.com", "lparker@parkerandco.com"} == set(people)
    assert has(people["jenny@example.com"], phone="+15555555555", city="San Francisco", country="US", postal_code="94102")
    assert has(
        people["kat.warren@clampett.com"], full_name="Katherine Warren", phone="+16268471294", country="US", region="CA", status="active"
    )
    assert has(people["lparker@parkerandco.com"], family_name="Parker", phone="+15102663583", city="Anchorage")
    assert ["contact-without-any-address-is-quarantined"] == [
        each.reason for each in treaty.quarantine_groups(project) if each.model == "contact"
    ]
