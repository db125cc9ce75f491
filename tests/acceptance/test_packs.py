"""The shipped packs as files: valid, complete, and each decision with its reasons."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft201909Validator

from treaty.operations.check import check
from treaty.project.contracts import contract_schema
from treaty.project.declarations import DataContract, SchemaProperty
from treaty.project.files import catalog_folder
from treaty.project.loading import Project, load_project

CATALOG = catalog_folder()
APIDECK = Path(__file__).parents[3] / "shared" / "data" / "canonical-models" / "apideck"
PLACES = {
    "accounting.yml": {
        "Customer": {"id": "billing/customer.identifier"},
        "LinkedParentCustomer": {"id": "billing/customer.identifier"},
        "Payment": {"id": "billing/payment.identifier", "total_amount": "billing/payment.amount", "transaction_date": "billing/payment.created_at"},
        "CreditNote": {"id": "billing/invoice.identifier", "total_amount": "billing/invoice.total"},
        "SalesReceipt": {"id": "billing/invoice.identifier", "total_amount": "billing/invoice.total"},
        "Company": {"name": "party/company.name"},
        "Invoice": {},
        "InvoiceLineItem": {},
    },
    "crm.yml": {
        "Company": {"name": "party/company.name"},
        "Contact": {},
        "Lead": {"name": "party/contact.full_name"},
        "Email": {"email": "party/contact.email"},
        "PhoneNumber": {"number": "party/contact.phone"},
        "Website": {"url": "party/company.domain"},
    },
    "ecommerce.yml": {
        "EcommerceCustomer": {"id": "billing/customer.identifier"},
        "EcommerceOrder": {"id": "order/order.number"},
        "EcommerceOrderLineItem": {"quantity": "order/order.lines.quantity"},
    },
}  # where our packs keep what Apideck's unified models require, of the resources that both know
PROJECTS = ("billing", "einvoice", "order", "party", "demo/project")
BUSINESS_TERMS = {f"BT-{number}" for number in range(1, 166)} - {"BT-4"}  # the standard has no BT-4
FIXED_NAMES = {
    "number": "BT-1", "issue_date": "BT-2", "type_code": "BT-3", "currency": "BT-5", "seller_name": "BT-27", "buyer_name": "BT-44",
    "sum_of_lines": "BT-106", "net_total": "BT-109", "gross_total": "BT-112", "amount_due": "BT-115", "lines.line_id": "BT-126",
    "lines.quantity": "BT-129", "lines.net_amount": "BT-131", "lines.unit_price": "BT-146", "lines.item_name": "BT-153",
}  # fmt: skip


def load(name: str) -> Project:
    """Load a shipped project or pack."""
    return load_project(CATALOG / name)


def properties_of(contract: DataContract) -> list[SchemaProperty]:
    """Return all properties of a contract, those of groups included."""
    found: list[SchemaProperty] = []
    waiting = list(contract.properties)
    while waiting:
        each = waiting.pop()
        found.append(each)
        waiting.extend(each.properties)
    return found


@pytest.mark.parametrize("path", sorted(CATALOG.glob("*/models/*.yaml")), ids=lambda path: path.stem)
def test_contract_is_valid(path: Path) -> None:
    """Every shipped contract passes the JSON Schema of the Open Data Contract Standard, which refuses unknown keys."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [] == [error.message for error in Draft201909Validator(contract_schema()).iter_errors(content)]


@pytest.mark.parametrize("name", PROJECTS)
def test_loads_without_findings(name: str) -> None:
    """The loader has nothing to say about what ships."""
    assert [] == [str(each) for each in load(name).findings]


@pytest.mark.parametrize("name", PROJECTS)
def test_check_finds_nothing(name: str) -> None:
    """Rules, compiler and the examples of all decisions have nothing to say about what ships."""
    result = check(CATALOG / name, as_of=date(2026, 11, 21))
    assert (True, []) == (result.ok, [str(each) for each in result.findings])


@pytest.mark.parametrize("name", PROJECTS)
def test_decisions_say_why(name: str) -> None:
    """Every shipped decision has its context, at least two options, an outcome and consequences; every function has examples."""
    project = load(name)
    decisions = [*project.decisions.values(), *(each for overlay in project.overlays.values() for each in overlay.decisions.values())]
    lacking = [each.id for each in decisions if not all(each.sections.get(part) for part in ("context", "outcome", "consequences"))]
    lacking += [each.id for each in decisions if len(each.options) < 2]
    lacking += [each.id for each in decisions if each.function and not each.examples]
    assert [] == lacking


def test_edge_cases_are_decided() -> None:
    """The edge cases that a model lists are the edge-case decisions that there are."""
    for name in ("billing", "einvoice", "order", "party"):
        project = load(name)
        listed = {each for model in project.models.values() for each in model.edge_cases}
        assert {each.id for each in project.decisions.values() if each.kind == "edge-case"} == listed


def test_invoice_covers_the_standard() -> None:
    """The invoice names every business term of the core of EN 16931."""
    terms = " ".join(each.business_term for each in properties_of(load("einvoice").models["invoice"]))
    assert BUSINESS_TERMS == {term for term in re.findall(r"BT-\d+\b", terms) if term in BUSINESS_TERMS}


def test_invoice_has_the_fixed_names() -> None:
    """The fields that other tools rely on keep their names and terms."""
    contract = load("einvoice").models["invoice"]
    found = {name: contract.find(name) for name in FIXED_NAMES}
    assert {name: each.business_term for name, each in found.items() if each} == FIXED_NAMES


def test_amounts_name_their_currency() -> None:
    """Every amount of the invoice names the property that holds its currency, and that property is there."""
    contract = load("einvoice").models["invoice"]
    unknown = [each.name for each in properties_of(contract) if each.currency and contract.find(each.currency) is None]
    amounts = [each for each in properties_of(contract) if each.type == "decimal(18,4)"]
    assert ([], []) == (unknown, [each.name for each in amounts if not each.currency])


def test_mapped_fields_are_those_of_the_model() -> None:
    """UBL and CII map the same fields: all that the model has, but for those that only a decision fills."""
    project = load("einvoice")
    model = {each.name for each in project.models["invoice"].properties}
    for mapping in (each for each in project.mappings.values() if each.name.startswith(("ubl", "cii"))):
        assert model - {"vat_total", "vat_total_accounting"} == set(mapping.fields), mapping.name


@pytest.mark.skipif(not APIDECK.is_dir(), reason="the unified models of ../shared/data are not here")
@pytest.mark.parametrize("file", PLACES)
def test_what_unified_models_require_has_a_place(file: str) -> None:
    """Each property that Apideck requires of a resource which our packs know too has a place in one of our models."""
    described = yaml.load((APIDECK / file).read_bytes(), Loader=yaml.CSafeLoader)["components"]["schemas"]
    assert {name: set(described[name].get("required", ())) for name in PLACES[file]} == {name: set(places) for name, places in PLACES[file].items()}
    for place in (place for places in PLACES[file].values() for place in places.values()):
        pack, _, path = place.partition("/")
        model, _, field = path.partition(".")
        assert load(pack).models[model].find(field) is not None, place


def test_rules_of_the_standard_are_there() -> None:
    """The quality rules BR-01 to BR-30 and BR-CO-10, 13, 15 and 16 are in the contract, each with its wording."""
    rules = {each.id: each for each in load("einvoice").models["invoice"].quality}
    wanted = {f"BR-{number:02}" for number in range(1, 31)} | {"BR-CO-10", "BR-CO-13", "BR-CO-15", "BR-CO-16"}
    assert (set(), []) == (wanted - set(rules), [each.id for each in rules.values() if not each.description])
