"""``treaty onboard`` on tables of a real PostgreSQL, named by the reference of a connection string."""

from __future__ import annotations

from pathlib import Path

import pytest

import treaty
from treaty.testing.databases import temporary_schema

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
