"""One embedded PostgreSQL for the whole test session; a lake of its own, copied from a template, for each test that asks."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The superuser's connection string of an embedded server that lives as long as the tests."""
    from treaty.sessions.embedded import ensure_embedded, stop_embedded
    from treaty.settings import RuntimeSettings

    state = Path(tempfile.mkdtemp(prefix="treaty-test-"))
    try:
        yield ensure_embedded(state, RuntimeSettings())
    finally:
        stop_embedded(state, at_once=True)
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="session")
def lake_template(postgres: str) -> str:
    """A database with the app schema and an empty lake, to copy."""
    from psycopg.conninfo import make_conninfo

    from treaty.lake.schema import prepare_lake
    from treaty.project.declarations import Limits
    from treaty.sessions import open_session

    make_database(postgres, "lake_template")
    folder = Path(tempfile.mkdtemp(prefix="treaty-template-"))
    try:
        with open_session(folder, make_conninfo(postgres, dbname="lake_template"), Limits()) as session:
            prepare_lake(session)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return "lake_template"


@pytest.fixture
def new_database(make_new_database: Callable[[], str]) -> Callable[[], str]:
    """Make an empty database; return its connection string."""
    return make_new_database


@pytest.fixture(scope="session")
def make_new_database(postgres: str) -> Callable[..., str]:
    """The same for fixtures that outlive a test; where the connection string of another database is given, a copy of that."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    def make(copied_from: str | None = None) -> str:
        name = f"empty_{next(_numbers)}"
        make_database(postgres, name, str(conninfo_to_dict(copied_from)["dbname"]) if copied_from else "template1")
        return make_conninfo(postgres, dbname=name)

    return make


@pytest.fixture
def lake_url(postgres: str, lake_template: str) -> str:
    """The connection string of a database with an empty lake of its own."""
    from psycopg.conninfo import make_conninfo

    name = f"lake_{next(_numbers)}"
    make_database(postgres, name, lake_template)
    return make_conninfo(postgres, dbname=name)


@pytest.fixture
def session(lake_url: str, tmp_path: Path) -> Iterator[Any]:
    """An open session on an empty lake."""
    from treaty.project.declarations import Limits
    from treaty.sessions import open_session

    with open_session(tmp_path / "state", lake_url, Limits()) as opened:
        yield opened


def make_database(postgres: str, name: str, template: str = "template1") -> None:
    """Make a database on the test server."""
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{template}"'.encode())
