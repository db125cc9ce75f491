"""``treaty onboard`` on tables of a real PostgreSQL, named by the reference of a connection string."""

from __future__ import annotations

from pathlib import Path

import pytest

import treaty
from treaty.testing.databases import TestDatabase, TestMariadb, temporary_schema

ROWS = "(1, 'Ann@example.com', 'Ann', 'Arbor', '2026-10-01 08:00:00+00'), (2, 'bo@example.com', 'Bo', 'Berg', '2026-10-02 09:30:00+00')"


def test_table_becomes_a_system_with_a_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table is profiled, mapped and tried; the system has the reference, and never the password."""
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16")
    treaty.init(tmp_path / "books", ["party"])
    with temporary_schema() as database:
        if isinstance(database, str):
            pytest.skip(database)
        database.run(f"create table people (id bigint primary key, email text, first_name text, last_name text, updated_at timestamptz); insert into people values {ROWS}")
        at = database.settings
        monkeypatch.setenv("CRM_URL", f"postgresql://{at['user']}@{at['host']}:{at['port']}/{at['database']}")
        sample = f"env:CRM_URL#{database.schema}.people"
        result = treaty.onboard("corva", [sample], project=tmp_path / "books", system="crm")
        read = list(treaty.read_stream("crm/people", project=tmp_path / "books", client="corva"))
    assert () == result.questions
    assert {"email", "given_name", "family_name", "updated_at"} <= {each.target for each in result.streams[0].fields}
    assert [(2, 2, "")] == [(each.records, each.canonical, each.broken) for each in result.rehearsals]
    text = (tmp_path / "books/clients/corva/systems/crm.yaml").read_text(encoding="utf-8")
    assert "url: env:CRM_URL" in text and "version: iso_timestamp(updated_at)" in text
    assert 2 == sum(isinstance(each, treaty.ReadRecord) for each in read)
    assert treaty.check(tmp_path / "books").ok


def test_the_primary_key_tells_records_apart(database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table's own key is the stream's, though one column of it differs in every record of the sample; a table is found by its name alone."""
    treaty.init(tmp_path / "books", ["party"])
    database.run(
        "create table persons (company integer, no text, email text, first_name text, last_name text, primary key (company, no));"
        "insert into persons select 1 + i % 2, 'R' || i, 'a' || i || '@x.example', 'Ann', 'Arbor' from generate_series(1, 9) i"
    )
    at = database.settings
    monkeypatch.setenv("CRM_URL", f"postgresql://{at['user']}@{at['host']}:{at['port']}/{at['database']}")
    result = treaty.onboard("corva", [f"env:CRM_URL#{database.schema}"], project=tmp_path / "books", system="crm")
    assert [("crm/persons", ("company", "no"))] == [(each.sample.place, each.key) for each in result.streams]
    with pytest.raises(treaty.UsageError, match="'person' among the tables"):
        treaty.onboard("corva", ["env:CRM_URL#person"], project=tmp_path / "books", system="crm")


def test_a_table_of_mariadb_becomes_a_system_too(mariadb: TestMariadb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands behind the reference tells the connector; records are read by it in a run, and a table is a side of a match."""
    treaty.init(tmp_path / "books", ["party"])
    mariadb.run("create table people (id bigint primary key, email varchar(80), first_name varchar(40), last_name varchar(40), updated_at datetime)")
    mariadb.run(f"insert into people values {ROWS.replace('+00', '')}")
    at = mariadb.settings
    monkeypatch.setenv("SHOP_URL", f"mysql://{at['user']}@{at['host']}:{at['port']}/{at['database']}")
    result = treaty.onboard("corva", ["env:SHOP_URL"], project=tmp_path / "books", system="shop")
    assert [("shop/people", ("id",))] == [(each.sample.place, each.key) for each in result.streams]
    assert [(2, 2, "")] == [(each.records, each.canonical, each.broken) for each in result.rehearsals]
    text = (tmp_path / "books/clients/corva/systems/shop.yaml").read_text(encoding="utf-8")
    assert "connector: mariadb" in text and "url: env:SHOP_URL" in text
    assert 2 == sum(isinstance(each, treaty.ReadRecord) for each in treaty.read_stream("shop/people", project=tmp_path / "books", client="corva"))
    found = treaty.match("env:SHOP_URL#people", "party/contact")
    assert {"email": "email", "first_name": "given_name"}.items() <= {each.source: each.target for each in found.correspondences}.items()
    (tmp_path / "books/systems").mkdir(exist_ok=True)
    both = f"connector: mariadb\nconnection: {{url: env:SHOP_URL, host: {at['host']}}}\nowner: tests\nstreams:\n  people: {{format: table, key: [id], read: {{table: people}}}}\n"
    (tmp_path / "books/clients/corva/systems/shop.yaml").write_text(both, encoding="utf-8")
    with pytest.raises(treaty.TreatyError, match="parts of it are given too"):
        list(treaty.read_stream("shop/people", project=tmp_path / "books", client="corva"))


def test_an_address_with_a_password_is_not_taken(tmp_path: Path) -> None:
    """A database is named by a reference; what is refused is not said again, for it may hold a password."""
    treaty.init(tmp_path / "books", ["party"])
    with pytest.raises(treaty.UsageError, match="postgresql address is not taken") as refused:
        treaty.onboard("corva", ["postgresql://me:canary@db.example/crm"], project=tmp_path / "books")
    assert "canary" not in f"{refused.value.message}{refused.value.remedy}"
