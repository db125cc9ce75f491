"""``treaty match`` on a table of a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

import treaty
from treaty.testing.databases import temporary_schema


def test_table_by_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table named by the reference of a connection string is profiled from its rows and matched."""
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16")
    (tmp_path / "export.csv").write_text("mail,ort\na@example.com,Gent\nb@example.com,Lyon\n", encoding="utf-8")
    with temporary_schema() as database:
        if isinstance(database, str):
            pytest.skip(database)
        database.run("create table customer (id bigint, email text, city text); insert into customer values (1, 'a@example.com', 'Gent'), (2, 'b@example.com', 'Lyon')")
        at = database.settings
        monkeypatch.setenv("SHOP_URL", f"postgresql://{at['user']}@{at['host']}:{at['port']}/{at['database']}")
        found = treaty.match(str(tmp_path / "export.csv"), f"env:SHOP_URL#{database.schema}.customer")
    assert {"mail": "email", "ort": "city"} == {each.source: each.target for each in found.correspondences}
    assert 2 == found.target.profile.records
