"""A database for the connectors that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from treaty.testing.databases import TestDatabase, TestMariadb, temporary_mariadb, temporary_schema


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestDatabase]:
    """A schema of its own on the test server, which the installation lists for egress."""
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16")
    monkeypatch.setenv("TREATY_TEST_SECRET", "canary-2f9d41c7")
    with temporary_schema() as found:
        if isinstance(found, str):
            pytest.skip(found)
        yield found


@pytest.fixture
def mariadb(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestMariadb]:
    """A database of its own on the test server, which the installation lists for egress."""
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16")
    with temporary_mariadb() as found:
        if isinstance(found, str):
            pytest.skip(found)
        yield found
