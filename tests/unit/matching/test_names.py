"""Names as meanings."""

from __future__ import annotations

import pytest

from treaty.matching.names import alike, differ, find_meanings, find_opposites, split_words


@pytest.mark.parametrize(
    ("name", "words"),
    [("custAddr2", ("cust", "addr", "2")), ("HTTPStatusCode", ("http", "status", "code")), ("Fälligkeit", ("faelligkeit",)), ("cbc:IssueDate", ("issue", "date"))],
)
def test_names_are_split_into_words(name: str, words: tuple[str, ...]) -> None:
    """Case, digits and punctuation part words; accents, umlauts and XML prefixes do not matter."""
    assert words == split_words(name)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Rechnungsnummer", "invoice_no"), ("PLZ", "zip"), ("USt-IdNr", "vat_number"), ("prénom", "first_name"), ("Nachname", "surname"),
        ("fecha_vencimiento", "dueDate"), ("partita_iva", "taxId"), ("hoeveelheid", "Qty"), ("createdate", "created_at"), ("numéro_facture", "InvoiceNumber"),
    ],
)  # fmt: skip
def test_names_of_several_languages_mean_the_same(one: str, two: str) -> None:
    """Abbreviations and words of six languages lead to one meaning."""
    meant, other = set(find_meanings(one)), set(find_meanings(two))
    assert meant <= other | {"date"} and meant & other


@pytest.mark.parametrize(
    ("name", "meanings"),
    [
        ("Data modyfikacji", "updated"), ("Termin płatności", "due date"), ("PSČ", "postal code"), ("Číslo faktury", "invoice number"), ("Irányítószám", "postal code"),
        ("Fizetési határidő", "due date"), ("Förfallodatum", "due date"), ("Forfallodatum", "due date"), ("Momsregistreringsnummer", "tax-id"), ("Ændret", "updated"),
        ("BELØB", "amount"), ("Etternavn", "last name"), ("Sähköposti", "email"), ("Eräpäivä", "due date"), ("Morada", "address"), ("NIF do cliente", "tax-id customer"),
        ("Ragione sociale", "company name"), ("Te betalen", "amount due"), ("Stand", "updated"), ("Bestelldatum", "order date"), ("currency_rate", "exchange rate"),
    ],
)  # fmt: skip
def test_headers_of_many_languages(name: str, meanings: str) -> None:
    """Headers of exports mean what they say there, with signs, without, or written out; one word may say two things."""
    assert tuple(meanings.split()) == find_meanings(name)


@pytest.mark.parametrize("name", ["refund", "context", "margin", "discount", "customer", "member"])
def test_short_words_make_no_compounds(name: str) -> None:
    """An English word is not taken apart into words of other languages."""
    assert 1 == len(find_meanings(name))


def test_a_word_that_only_looks_like_a_compound_is_one_word() -> None:
    """A report is no agent's city."""
    assert ("report",) == find_meanings("Report") == find_meanings("Bericht")


def test_hidden_words_are_taken_as_they_stand() -> None:
    """A word whose meaning is hidden stays itself: fitting must not lean on the word list."""
    assert ("rechnungsnummer",) == find_meanings("Rechnungsnummer", skip=frozenset({"rechnungsnummer"}))


def test_unknown_abbreviations_are_alike() -> None:
    """Prefixes and left-out vowels count; digits do not."""
    assert 0.85 == alike("wareh", "warehouseman")
    assert 0.75 == alike("cstmr", "customer")
    assert 0.0 == alike("1", "12")


def test_words_of_known_meaning_are_not_alike_by_their_letters() -> None:
    """A net is no note, and a count no country."""
    assert [0.0, 0.0] == [alike("net", "note"), alike("count", "country")]


def test_opposites_differ() -> None:
    """Start and end, billing and shipping are not the same thing, however alike the rest is."""
    start, end, date = (find_opposites(each) for each in (("period", "start"), ("period", "end"), ("start", "date")))
    assert differ(start, end)
    assert differ(find_opposites(("billing", "city")), find_opposites(("shipping", "city")))
    assert not differ(start, date)
    assert differ(find_opposites(("order", "date")), find_opposites(("shipping", "date")))
    assert not differ(find_opposites(("order", "number")), find_opposites(("shipping", "date")))
