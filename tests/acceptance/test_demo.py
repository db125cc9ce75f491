"""The demo: what a new user sees first, and that a second run writes nothing."""

from __future__ import annotations

from pathlib import Path

from command_line import Answer, treaty, treaty_process

import treaty as api
from treaty.operations.workspace import find_workspace

TOUR = ("1. What was landed", "2. What is in quarantine", "3. One golden contact", "4. One of its values", "5. The proof", "What next")


def test_the_tour_shows_the_whole_path(demo: tuple[Path, Answer]) -> None:
    """The first run tells what landed, what is set aside, a shared contact, one value explained, and the proof, in that order."""
    _, answer = demo
    places = [answer.output.find(each) for each in TOUR]
    assert -1 not in places
    assert places == sorted(places)
    assert "Everything is accounted for." in answer.output
    assert "What is stored agrees." in answer.output


def test_the_shared_contact_is_told_by_two_systems(demo: tuple[Path, Answer]) -> None:
    """CRM and billing know the same people: one golden record each, with two sources."""
    folder, _ = demo
    rows = treaty("records", "contact", "--json", "--project", folder).lines
    shared = [frozenset(each["system"] for each in row["_sources"]) for row in rows if len(row["_sources"]) > 1]
    assert {frozenset({"crm", "billing"})} == set(shared)


def test_a_second_run_writes_nothing(demo: tuple[Path, Answer]) -> None:
    """No snapshot of the lake, no receipt, and no row of the ledger is new after a second run, which says so."""
    folder, _ = demo
    before = state_of(folder)
    again = treaty_process("demo", folder)
    assert again.status == 0
    assert "Nothing changed" in again.output
    assert before == state_of(folder)


def test_check_finds_nothing_and_is_fast(demo: tuple[Path, Answer]) -> None:
    """The demo has no problem."""
    folder, _ = demo
    answer = treaty("check", "--json", "--project", folder)
    assert answer.status == 0
    assert [] == answer.json["findings"]


def state_of(folder: Path) -> dict[str, object]:
    """Return what a run that writes would change: the lake's snapshots and receipts, and the versions of the ledger's rows."""
    workspace = find_workspace(folder)
    with workspace.open() as session:
        snapshots = session.duck.execute("select count(*), max(snapshot_id) from ducklake_snapshots('lake')").fetchone()
        receipts = session.duck.execute("select count(*) from lake.receipt").fetchone()
        from treaty.sessions.guests import guest_database

        url = guest_database(session.database, "ledger")
    import psycopg

    with psycopg.connect(url) as ledger:
        invoices = ledger.execute("select number, xmin::text, treaty_version from ledger.invoice order by 1, 2").fetchall()
        contacts = ledger.execute("select email, xmin::text, treaty_version from ledger.contact order by 1, 2").fetchall()
    return {"snapshots": snapshots, "receipts": receipts, "invoices": invoices, "contacts": contacts}


def test_the_public_functions_say_what_the_command_line_says(demo: tuple[Path, Answer]) -> None:
    """``treaty.records`` is an Arrow table with the rows that ``treaty records`` prints."""
    folder, _ = demo
    table = api.records("invoice", folder)
    assert table.num_rows == len(treaty("records", "invoice", "--json", "--project", folder).lines)


def test_coverage_speaks_of_every_model_and_client(demo: tuple[Path, Answer]) -> None:
    """Without a model named, all of them come, code lists within repeating groups included."""
    folder, _ = demo
    said = treaty("coverage", "--json", "--project", folder).json
    assert {"invoice", "contact"} <= {each["model"] for each in said["models"]}
    assert {("corva", "PF", 2)} <= {(each["client"], each["value"], each["records"]) for each in said["unmapped_values"]}


def test_records_are_a_table_that_fits(demo: tuple[Path, Answer]) -> None:
    """People see the first fields that are filled, those they name, or all; a field that is none is answered with the nearest."""
    folder, _ = demo
    asked = ((), ("--fields", "email,phone"), ("--fields", "all"))
    few, named, everything = (treaty("records", "contact", *more, "--project", folder).output.splitlines()[0].split("\t") for more in asked)
    assert 11 == len(few)
    assert ["client", "email", "phone", "sources", "findings"] == named
    assert "updated_at" in everything
    wrong = treaty("records", "contact", "--fields", "phon", "--project", folder)
    assert 2 == wrong.status
    assert "'phone'" in wrong.errors
