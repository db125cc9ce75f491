"""The matcher on small sides, and its parts."""

from __future__ import annotations

import itertools
import random
import time

import numpy as np
import pytest

from treaty.matching.assigning import assign
from treaty.matching.matcher import EarlierMapping, match_profiles
from treaty.matching.profiles import FieldProfile, StreamProfile, profile_columns
from treaty.matching.schemas import profile_schema


def described(name: str, *fields: str) -> StreamProfile:
    """Return a side of names alone."""
    return StreamProfile(name, tuple(FieldProfile(each) for each in fields))


def answers(source: StreamProfile, target: StreamProfile) -> dict[str, str | None]:
    """Return what is answered for each source field."""
    return {each.source: each.target for each in match_profiles(source, target)}


@pytest.mark.parametrize("seed", range(20))
def test_assignment_is_the_best_there_is(seed: int) -> None:
    """The sum of the scores equals that of the best of all assignments."""
    scores = np.random.default_rng(seed).random((4, 5)) - 0.3
    best = max(sum(max(scores[row, column], 0) for row, column in enumerate(columns)) for columns in itertools.permutations(range(5), 4))
    found = assign(scores)
    assert pytest.approx(best) == sum(scores[row, column] for row, column in enumerate(found) if column is not None)
    assert len({each for each in found if each is not None}) == sum(each is not None for each in found)


def test_names_of_another_language_are_matched() -> None:
    """A German export finds its English model by names alone."""
    expected = {"Rechnungsnummer": "invoice_number", "Rechnungsdatum": "issue_date", "Faelligkeitsdatum": "due_date", "Waehrung": "currency", "Nettobetrag": "net_amount"}
    assert expected == answers(described("Rechnung", *expected), described("invoice", *sorted(expected.values())))


def test_values_match_where_names_do_not() -> None:
    """Columns without telling names are matched by what they hold."""
    dice = random.Random(7)
    emails = [f"user{dice.randint(1, 999)}@example.com" for _ in range(40)]
    days = [f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}" for _ in range(40)]
    source = profile_columns("export", {"f1": days, "f2": emails})
    target = profile_columns("contact", {"email": emails, "signed_up": days})
    assert {"f1": "signed_up", "f2": "email"} == answers(source, target)


def test_amounts_in_cents_are_known_again() -> None:
    """An amount in cents has the same values as one in units."""
    cents = [str(each) for each in range(10_01, 90_01, 357)]
    source = profile_columns("export", {"c1": cents, "c2": [str(each) for each in range(len(cents))]})
    target = profile_columns("charge", {"value": [f"{int(each) / 100:.2f}" for each in cents], "position": [str(each) for each in range(len(cents))]})
    assert {"c1": "value", "c2": "position"} == answers(source, target)


def test_matcher_abstains() -> None:
    """A field that has no counterpart gets none, with the likelihood that this is right, and reasons."""
    found = {each.source: each for each in match_profiles(described("customer", "email", "favourite_colour"), described("contact", "email", "postal_code"))}
    assert found["email"].target == "email"
    assert found["favourite_colour"].target is None
    assert found["favourite_colour"].confidence > 0.5 and found["favourite_colour"].reasons


def test_the_date_of_a_document_is_that_of_its_issue() -> None:
    """An order's date is its date of issue in an order, and no date at all of an invoice."""
    dates = ("issue_date", "delivery_date")
    assert {"PO No": "number", "PO Date": "issue_date"} == answers(described("export", "PO No", "PO Date"), described("order", "number", *dates))
    others = ("currency", "buyer_name", "seller_name", "net_total", "payment_terms", "city", "country", "phone", "email", "quantity", "unit", "language", "status", "discount")
    source = described("export", "Invoice No", "Date", "PO Date", *others)
    invoice = answers(source, described("invoice", "number", *dates, "purchase_order_reference", *others))
    assert ("issue_date", None) == (invoice["Date"], invoice["PO Date"])


def test_what_both_names_say_alone_speaks_against() -> None:
    """The code of an account is none of a failure, though both are codes; and words of known meaning are not alike by their letters."""
    others = ("currency", "email", "phone", "city", "country", "quantity", "unit", "language", "status", "discount")
    alone = answers(described("export", "Account Code", "Net", *others), described("payment", "failure_text", "note", *others))
    assert (None, None, "city") == (alone["Account Code"], alone["Net"], alone["city"])


def test_a_party_whose_values_are_names_is_its_name() -> None:
    """A column `Kunde` that holds names is the buyer's name, and not a number of it."""
    source = profile_columns("export", {"Kunde": ["Alfa Beta", "Gamma Delta", "Northwind Trading", "Contoso Retail"], "Betrag": ["1.50", "2.50", "3.50", "4.50"]})
    assert "buyer_name" == answers(source, described("invoice", "buyer_vat", "buyer_name", "buyer_identifier", "amount_due"))["Kunde"]


def test_the_state_of_an_address_is_a_region() -> None:
    """Beside a city, `State` is no status; alone, or of words such as `active`, it is."""
    target = described("company", "status", "region", "city")
    assert "region" == answers(described("export", "City", "State", "Zip"), target)["State"]
    assert "region" == answers(described("export", "address/city", "address/state", "status"), target)["address/state"]
    assert "status" == answers(described("export", "Number", "State"), target)["State"]
    words = profile_columns("export", {"City": ["Gent", "Lyon", "Bonn"], "State": ["active", "closed", "active"]})
    assert "status" == answers(words, target)["State"]


def test_an_exemption_is_no_number_of_a_payer() -> None:
    """What tells records apart, and how a customer is taxed, are no VAT numbers; a column `VAT` of such numbers is."""
    numbers = ["DE136695976", "FR40303265045", "BE0417497106"]
    source = profile_columns("customers", {"id": ["cus_1x", "cus_2y", "cus_3z"], "tax_exempt": ["none", "reverse", "none"], "VAT": numbers})
    assert {"id": None, "tax_exempt": None, "VAT": "company_vat"} == answers(source, described("contact", "email", "company_vat", "full_name", "phone"))


def test_a_schema_keeps_its_own_fields() -> None:
    """Where records hold each other, what is left out is deep below, and never the schema's own fields."""
    many = {f"field{each}": {"type": "string"} for each in range(60)}
    schemas = {name: {"type": "object", "properties": {**{other: {"$ref": f"#/components/schemas/{other}"} for other in "ABCD" if other != name}, **many}} for name in "ABCD"}
    profile = profile_schema({"openapi": "3.0.0", "components": {"schemas": schemas}}, "A", schemas["A"])
    assert {f"field{each}" for each in range(60)} <= {each.path for each in profile.fields}
    assert len(profile.fields) <= 2000


def test_no_target_is_answered_twice() -> None:
    """The assignment is one to one, and alternatives are never the answer itself."""
    found = match_profiles(described("a", "email", "email_address", "e_mail"), described("b", "email", "phone"))
    targets = [each.target for each in found if each.target]
    assert len(targets) == len(set(targets))
    assert all(each.target not in {other.target for other in each.alternatives} for each in found)


def test_opposites_are_not_matched() -> None:
    """The shipping address is not the billing address, and the end not the start."""
    found = answers(described("order", "shipping_city", "period_end"), described("order", "billing_city", "period_start"))
    assert {"shipping_city": None, "period_end": None} == found


def test_earlier_mappings_are_evidence() -> None:
    """What was decided before is proposed again, with that as its reason."""
    source, target = described("export", "kd_wert_7"), described("customer", "segment", "city")
    assert match_profiles(source, target)[0].target is None
    found = match_profiles(source, target, earlier=(EarlierMapping("KD_WERT_7", "segment", times=3),))[0]
    assert "segment" == found.target
    assert "mapped so before in this project" in found.reasons


def test_first_and_last_name_make_a_name() -> None:
    """Parts of a composed target name it as an alternative, with the reason."""
    found = {each.source: each for each in match_profiles(described("contact", "first_name", "last_name"), described("person", "full_name", "email"))}
    assert any("first_name + last_name together make full_name" in each for each in found["first_name"].reasons)
    assert "full_name" in [*(each.target for each in found["last_name"].alternatives), found["last_name"].target]


def test_side_without_fields_has_no_answers() -> None:
    """An empty target gives no target for any field."""
    assert [None] == [each.target for each in match_profiles(described("a", "x"), described("b"))]


def test_descriptions_speak() -> None:
    """A terse name finds its target by what the descriptions say."""
    source = StreamProfile("s", (FieldProfile("BT-9", description="Payment due date of the invoice"), FieldProfile("BT-5", description="Invoice currency code")))
    target = StreamProfile("t", (FieldProfile("due_date", description="The date when the payment is due"), FieldProfile("currency", description="Currency of the invoice")))
    assert {"BT-9": "due_date", "BT-5": "currency"} == answers(source, target)


@pytest.mark.slow
def test_hundred_fields_take_about_a_second() -> None:
    """100 × 100 fields with a thousand records each are profiled and matched in a few seconds of processor time, on a busy machine too."""
    dice = random.Random(3)
    columns = {f"field_{number}": [f"{dice.randint(1, 10**9)}" for _ in range(1000)] for number in range(100)}
    began = time.process_time()
    left, right = profile_columns("a", columns), profile_columns("b", {f"column_{name[6:]}": values for name, values in columns.items()})
    match_profiles(left, right)
    assert time.process_time() - began < 4
