"""What is proposed for a sample, what is asked, and what an answer changes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from treaty.matching.profiles import StreamProfile, profile_columns
from treaty.onboarding.proposing import Proposal, propose
from treaty.onboarding.questions import LEAVE, Answer, Topic
from treaty.onboarding.samples import SampleStream
from treaty.project.files import catalog_folder
from treaty.project.loading import Project, load_project, load_project_files

AT = datetime(2026, 11, 26, tzinfo=UTC)
PEOPLE = {
    "id": ["a1", "a2", "a3", "a4"], "email": [f"p{each}@example.com" for each in range(4)],
    "first_name": ["Ann", "Bo", "Cy", "Di"], "last_name": ["Arbor", "Berg", "Cole", "Dahl"],
}  # fmt: skip


@pytest.fixture(scope="module")
def project() -> Project:
    """The pack of people and companies as a project with one client."""
    return with_client(load_project(catalog_folder() / "party"))


@pytest.fixture(scope="module")
def invoices() -> Project:
    """The pack of invoices as a project with one client."""
    return with_client(load_project(catalog_folder() / "einvoice"))


def with_client(loaded: Project) -> Project:
    """Return a project that has the client corva."""
    return load_project_files({**loaded.files, "clients/corva/.gitkeep": b""})


def sample(columns: dict[str, list[str]], lists: frozenset[str] = frozenset(), name: str = "people") -> SampleStream:
    """Return a stream of a CRM with these columns."""
    below = [path for path in columns if any(path.startswith(f"{each}/") for each in lists)]
    profile: StreamProfile = profile_columns(name, columns, below)
    values = {path: Counter(each) for path, each in columns.items()}
    return SampleStream("crm", name, "files", {"folder": "inbox"}, {"format": "jsonl", "read": {"files": "*"}}, profile, values, lists)


def asked(proposal: Proposal) -> dict[str, Any]:
    """Return the open questions by what they are called."""
    return {each.topic.id: each for each in proposal.questions}


def cells(proposal: Proposal) -> dict[str | None, str | None]:
    """Return the cell of each target."""
    return {each.target: each.cell for each in proposal.streams[0].fields}


def answer(topic: Topic, value: str) -> Answer:
    """Return an answer to a topic."""
    return Answer(topic, value, "ada", AT)


def test_clear_columns_are_not_asked_about(project: Project) -> None:
    """Names, an address and an id: everything is adopted."""
    proposal = propose(project, "corva", [sample(PEOPLE)], [])
    assert () == proposal.questions
    assert ("contact", ("id",)) == (proposal.streams[0].model, proposal.streams[0].key)
    assert {"email": "contact_email(email)", "given_name": "person_name(first_name)"}.items() <= cells(proposal).items()


@pytest.mark.parametrize(
    ("values", "cell"),
    [
        (["2026-10-02T08:00:00Z"] * 4, "iso_timestamp(updated_at)"),
        (["1760000000"] * 4, "epoch_seconds(updated_at)"),
        (["1760000000123"] * 4, "epoch_millis(updated_at)"),
    ],
)
def test_an_instant_is_read_as_it_is_written(project: Project, values: list[str], cell: str) -> None:
    """A time that says its zone, or counts from 1970, needs no question."""
    proposal = propose(project, "corva", [sample({**PEOPLE, "updated_at": values})], [])
    assert (cell, ()) == (cells(proposal)["updated_at"], proposal.questions)
    assert cell == proposal.streams[0].version


def test_a_date_that_may_be_read_in_two_ways_is_asked_about(project: Project) -> None:
    """Where no value can have the day only first, or only second, both the order and the zone are asked; nothing is guessed."""
    given = sample({**PEOPLE, "updated_at": ["02/03/2026 08:00", "04/05/2026 09:30", "06/07/2026 10:00", "01/02/2026 11:00"]})
    questions = asked(propose(project, "corva", [given], []))
    assert {"dates:crm", "zone:crm"} == set(questions)
    assert questions["dates:crm"].proposal is None
    answers = [answer(questions["dates:crm"].topic, "month"), answer(questions["zone:crm"].topic, "Europe/London")]
    said = propose(project, "corva", [given], answers)
    assert "in_zone(local_timestamp_in(trim(updated_at), 'MM/DD/YYYY HH:MI'), 'Europe/London')" == cells(said)["updated_at"]


def test_a_list_where_one_value_is_wanted_is_asked_about(project: Project) -> None:
    """Of several numbers the one is taken that a person names, by what the elements say of themselves."""
    phones = {"phones/type": ["work", "mobile", "work", "work", "mobile"], "phones/number": ["+49 30 1", "+49 170 2", "+49 30 3", "+49 30 4", "+49 170 5"]}
    given = sample({**PEOPLE, **phones}, frozenset({"phones"}))
    question = asked(propose(project, "corva", [given], []))["pick:contact.phone:phones/number"]
    assert ["phones[type='work']/number", "phones[type='mobile']/number", "phones[1]/number"] == [each.value for each in question.options]
    said = propose(project, "corva", [given], [answer(question.topic, "phones[type='work']/number")])
    assert "phone_number(phones[type='work']/number, null)" == cells(said)["phone"]


def test_national_numbers_need_a_country(project: Project) -> None:
    """A number without its country's prefix is asked about where the sample has no country."""
    given = sample({**PEOPLE, "phone": ["030 1234567", "030 7654321", "+49 30 111111", "030 222222"]})
    question = asked(propose(project, "corva", [given], []))["country:crm"]
    said = propose(project, "corva", [given], [answer(question.topic, "DE")])
    assert "phone_number(phone, 'DE')" == cells(said)["phone"]


INVOICES = {
    "number": ["R1", "R2", "R3"], "issue_date": ["2026-10-01", "2026-10-02", "2026-10-03"], "type_code": ["380"] * 3, "currency": ["EUR"] * 3,
    "seller_name": ["Corva GmbH"] * 3, "net_total": ["120000", "34500", "99900"], "gross_total": ["142800", "41055", "118881"], "amount_due": ["142800", "41055", "118881"],
}  # fmt: skip


def test_whole_amounts_may_be_cents(invoices: Project) -> None:
    """Amounts without a point are asked about once for a system, and the answer holds for all of them."""
    given = sample(INVOICES, name="invoices")
    question = asked(propose(invoices, "corva", [given], []))["amounts:crm"]
    assert ("money", "cents") == (question.matters, question.proposal)
    said = cells(propose(invoices, "corva", [given], [answer(question.topic, "cents")]))
    assert {f"from_minor_units(to_integer({each}), 2)" for each in ("net_total", "gross_total", "amount_due")} <= set(said.values())


def test_elements_of_a_list_fill_a_group(invoices: Project) -> None:
    """Lines within a document become the model's lines: one mapping of each element, by paths from there."""
    lines = {"lines/line_id": ["1", "2", "1", "1"], "lines/quantity": ["2", "1", "5", "3"], "lines/net_amount": ["10.50", "3.00", "99.10", "12.00"]}
    columns = {name: values for name, values in INVOICES.items() if not name.endswith(("_total", "_due"))} | {"net_total": ["13.50", "99.10", "12.00"]}
    proposal = propose(invoices, "corva", [sample({**columns, **lines}, frozenset({"lines"}), "invoices")], [])
    found = cells(proposal)
    assert {"lines.line_id": "trim(line_id)", "lines.net_amount": "invoice_amount(net_amount)"}.items() <= found.items()
    assert "trim(number)" == found["number"]


def test_what_is_clear_may_be_answered_otherwise(project: Project) -> None:
    """Model, key and fields that nobody is asked about can be said all the same, and that is what holds."""
    given = sample({**PEOPLE, "memo": ["x", "y", "z", "w"]})
    optional = {each.topic.id: each.topic for each in propose(project, "corva", [given], []).optional}
    answers = [answer(optional["field:people:memo"], "job_title"), answer(optional["key:crm/people"], "email"), answer(optional["model:crm/people"], "contact")]
    said = propose(project, "corva", [given], answers)
    assert ("trim(memo)", ("email",), ()) == (cells(said)["job_title"], said.streams[0].key, said.questions)


def test_what_is_required_is_a_field_or_a_value(invoices: Project) -> None:
    """A required field that was not found is asked for once, and the answer may name a column or give what every record has."""
    columns = {name: each for name, each in INVOICES.items() if name not in ("number", "seller_name")} | {"belegnr": ["R1", "R2", "R3"]}
    given = sample(columns, name="invoices")
    questions = asked(propose(invoices, "corva", [given], []))
    number, seller = questions["constant:invoice.number:invoices"], questions["constant:invoice.seller_name:invoices"]
    assert "belegnr" in [each.value for each in number.options]
    said = propose(invoices, "corva", [given], [answer(number.topic, "belegnr"), answer(seller.topic, "Corva GmbH")])
    assert ("trim(belegnr)", {"seller_name": "'Corva GmbH'"}) == (cells(said)["number"], said.streams[0].constants)


def test_what_is_left_out_on_purpose_is_no_question_again(project: Project) -> None:
    """The answer that leaves a value open is an answer: the question is closed, and no row is written."""
    given = sample({**PEOPLE, "status": ["active", "active", "active", "on hold"]})
    question = asked(propose(project, "corva", [given], []))["value:contact.status:on hold"]
    said = propose(project, "corva", [given], [answer(question.topic, LEAVE)])
    assert ((), {}) == (said.questions, said.drafts.rows)


def test_an_earlier_clients_answer_holds_for_the_same_thing_alone(project: Project) -> None:
    """The same value of the same field is not asked again; another value is."""
    given = sample({**PEOPLE, "status": ["active", "on hold", "on hold", "paused"]})
    earlier = [("acme", answer(Topic("value", "contact.status", "ON HOLD", "on hold"), "inactive"))]
    proposal = propose(project, "corva", [given], [], earlier)
    assert ["value:contact.status:paused"] == list(asked(proposal))
    assert [("acme", "inactive")] == [(each.inherited, each.value) for each in proposal.answers]
    assert {"on hold"} == set(proposal.drafts.rows["contact-status-words"])


def test_an_earlier_clients_key_holds_where_there_is_such_a_field(project: Project) -> None:
    """What tells records apart is asked again where the other client's column is not there."""
    columns = {**{name: each for name, each in PEOPLE.items() if name != "id"}, "customer_no": ["1", "2", "3", "4"], "contract_no": ["7", "8", "9", "10"]}
    topic = asked(propose(project, "corva", [sample(columns)], []))["key:crm/people"].topic
    there = propose(project, "corva", [sample(columns)], [], [("acme", answer(topic, "contract_no"))])
    gone = propose(project, "corva", [sample(columns)], [], [("acme", answer(topic, "kundennr"))])
    assert (("contract_no",), []) == (there.streams[0].key, list(asked(there)))
    assert ["key:crm/people"] == list(asked(gone))


def test_the_same_answers_give_the_same_proposal(project: Project) -> None:
    """A proposal depends on samples and answers alone."""
    given = [sample({**PEOPLE, "status": ["active", "on hold", "on hold", "paused"]})]
    assert propose(project, "corva", given, []).questions == propose(project, "corva", given, []).questions


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("field:people:first_name=given_nam", "Did you mean 'given_name'?"),
        ("key:crm/people=emial", "Did you mean 'email'?"),
        ("key:crm/people=email,nothing", "Answer with one such as id, or -."),
        ("zone:crm=Europe/Pariss", "Did you mean 'Europe/Paris'?"),
        ("value:contact.status:gesperrt=inactiv", "Answer with one of: active, inactive, -."),
    ],
)
def test_a_text_that_is_no_answer_is_refused(project: Project, said: str, remedy: str) -> None:
    """A mistyped field, column, zone or code is told, with the nearest that there is; what is right is taken, and what is left out too."""
    columns = {**PEOPLE, "updated_at": ["2026-10-02 08:00:00"] * 4, "status": ["active", "gesperrt", "active", "active"]}
    first = propose(project, "corva", [sample(columns)], [])
    topic, _, value = said.partition("=")
    question = next(each for each in (*first.questions, *first.optional) if topic == each.topic.id)
    assert remedy == question.refuse(value)
    assert question.options and all(question.refuse(each.value) is None for each in question.options)
    answered = propose(project, "corva", [sample(columns)], [answer(question.topic, LEAVE)])
    assert [remedy] == [each.refuse(value) for each in answered.closed]
    assert question.refuse(LEAVE) is None


def test_a_required_amount_is_a_field_or_a_number(invoices: Project) -> None:
    """A text that is neither is refused, with how a number is written."""
    proposal = propose(invoices, "corva", [sample({"number": ["a", "b", "c"], "issue_date": ["2026-10-02"] * 3, "extra": ["1", "2", "3"]}, name="invoices")], [])
    question = asked(proposal)["constant:invoice.net_total:invoices"]
    assert ("Write a number: 12.50.", None, None) == (question.refuse("twelve"), question.refuse("12.50"), question.refuse("extra"))


def test_a_name_beside_a_given_name_is_the_family_name(project: Project) -> None:
    """Prénom and Nom, as French files have them: what is proposed for Nom is the family name."""
    columns = {"courriel": PEOPLE["email"], "Prénom": PEOPLE["first_name"], "Nom": PEOPLE["last_name"]}
    proposal = propose(project, "corva", [sample(columns)], [])
    question = asked(proposal).get("field:people:Nom")
    assert "family_name" == (question.proposal if question else next(each.target for each in proposal.streams[0].fields if each.source == "Nom"))


def test_a_whole_name_is_no_family_name_because_another_clients_was() -> None:
    """At the first client Nom stood beside Prénom; a name of several words that stands alone is asked about, and the full name is proposed."""
    earlier = b"reason: its own\nfrom: crm/people\nto: contact\nfields: {email: contact_email(courriel), given_name: person_name(Vorname), family_name: person_name(Nom)}\n"
    system = b"reason: its own\nconnector: files\nconnection: {folder: inbox}\nstreams: {people: {format: csv, read: {files: p*.csv}}}\n"
    files = {"clients/abel/systems/crm.yaml": system, "clients/abel/mappings/crm.people.yaml": earlier}
    loaded = with_client(load_project_files({**load_project(catalog_folder() / "party").files, **files}))
    columns = {"id": PEOPLE["id"], "email": PEOPLE["email"], "name": ["Ann Arbor", "Bo Berg", "Cy Cole", "Di Dahl"]}
    proposal = propose(loaded, "corva", [sample(columns)], [answer(Topic("model", "crm/people"), "contact")])
    question = asked(proposal)["field:people:name"]
    assert "full_name" == question.proposal
    assert "family_name" in [each.value for each in question.options]


@pytest.mark.parametrize(
    ("amounts", "said", "body"),
    [
        (["1.234,50", "12,00", "(3,10)"], "comma", "plain_decimal(replace(replace(trim(text), '.', ''), ',', '.'))"),
        (["1 234,50", "12,00", "8 820,23"], "comma", "plain_decimal(replace(replace(replace(trim(text), ' ', ''), '.', ''), ',', '.'))"),
        (["1,234.50", "12.00", "8,820.23"], "point", "plain_decimal(replace(trim(text), ',', ''))"),
        (["$1,234.50", "$12.00", "$3.10"], "point", "plain_decimal(replace(replace(trim(text), '$', ''), ',', ''))"),
        (["1'234.50", "12.00", "8'820.23"], "point", "plain_decimal(replace(replace(trim(text), '''', ''), ',', ''))"),
    ],
)
def test_amounts_are_read_as_countries_write_them(invoices: Project, amounts: list[str], said: str, body: str) -> None:
    """Points, commas, blanks and apostrophes between thousands, and signs of currencies: what is proposed fits the values."""
    columns = {"number": ["R1", "R2", "R3"], "net_total": amounts, "issue_date": ["2026-10-02", "2026-10-03", "2026-10-04"]}
    first = propose(invoices, "corva", [sample(columns, name="invoices")], [])
    question = asked(first)["amounts:crm"]
    assert said == question.proposal
    then = propose(invoices, "corva", [sample(columns, name="invoices")], [answer(question.topic, said)])
    assert body == next(iter(then.drafts.made.values())).body["otherwise"]


def test_an_amount_with_its_minus_behind_is_owed() -> None:
    """SAP writes 12,50- for what is credited: the decision has a case and an example of it."""
    columns = {"number": ["R1", "R2", "R3"], "net_total": ["1.234,50-", "12,00", "3,10"]}
    project = with_client(load_project(catalog_folder() / "einvoice"))
    question = asked(propose(project, "corva", [sample(columns, name="invoices")], []))["amounts:crm"]
    made = next(iter(propose(project, "corva", [sample(columns, name="invoices")], [answer(question.topic, "comma")]).drafts.made.values()))
    assert "ends_with(trim(text), '-')" in [each["when"] for each in made.body["cases"]]
    assert {"text": "1.234,50-", "returns": Decimal("-1234.50")} in made.examples
