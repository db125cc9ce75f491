"""Secrets are references in a project, and are shown nowhere."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest

from treaty.connectors.configuration import check_configuration, read_configuration
from treaty.connectors.postgresql import PostgresqlConnection
from treaty.connectors.secrets import Secret, redact
from treaty.errors import StopError

CANARY = 'canary-"9f&'


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Secret:
    """A secret in the environment."""
    monkeypatch.setenv("TREATY_TEST_CANARY", CANARY)
    return Secret("env:TREATY_TEST_CANARY")


def test_a_secret_is_read_and_never_shown(secret: Secret) -> None:
    """No way of printing, copying or writing it gives its text (E10)."""
    assert CANARY == secret.reveal()
    shown = f"{secret} {secret!r} {secret!s} {[secret]} {vars(type(secret))} {copy.deepcopy(secret)}"
    assert CANARY not in shown
    assert CANARY.encode() not in pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_a_rotated_secret_is_taken_up(secret: Secret, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each use reads it anew (F9)."""
    secret.reveal()
    monkeypatch.setenv("TREATY_TEST_CANARY", "next")
    assert "next" == secret.reveal()


@pytest.mark.parametrize("reference", ["env:", "hunter2", "env:no such", "env:TREATY_TEST_NOT_SET", "file:relative", "file:/nowhere", "keyring:x", "vault:x"])
def test_what_is_no_secret_stops(reference: str) -> None:
    """A literal, an unknown kind or a missing one names what to write, and shows no value."""
    with pytest.raises(StopError) as caught:
        Secret(reference).reveal()
    assert caught.value.remedy
    assert "hunter2" not in str(caught.value)


def test_files(tmp_path: Path) -> None:
    """A file's text without its last line end; not an empty or a huge one."""
    path = tmp_path / "secret"
    path.write_text("line one\nline two\n")
    assert "line one\nline two" == Secret(f"file:{path}").reveal()
    for content in ("\n", "x" * 70_000):
        path.write_text(content)
        with pytest.raises(StopError):
            Secret(f"file:{path}").reveal()


def test_errors_are_redacted(secret: Secret) -> None:
    """A revealed secret is blotted out in its usual spellings."""
    secret.reveal()
    for spelling in (CANARY, "canary-%229f%26", json.dumps(CANARY), "Y2FuYXJ5LSI5ZiY="):
        assert "9f" not in redact(f"failed: {spelling}!").replace("[secret]", "")


def test_configuration_refuses_literals_and_names_the_nearest() -> None:
    """All problems at once, the literal itself not among them."""
    values = {"hots": "h", "password": "hunter2", "port": "abc", "sslmode": "none"}
    problems = check_configuration(PostgresqlConnection, values)
    assert ["hots", "password", "port", "sslmode"] == [each.key for each in problems]
    assert "'host'" in problems[0].remedy
    assert "hunter2" not in str(problems)
    with pytest.raises(StopError, match="hots"):
        read_configuration(PostgresqlConnection, values, "systems/x")


def test_references_in_other_settings_are_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host or user may differ by environment."""
    monkeypatch.setenv("TREATY_TEST_HOST", "db.example.com")
    assert "db.example.com" == read_configuration(PostgresqlConnection, {"host": "env:TREATY_TEST_HOST"}, "x").host
    assert [] == check_configuration(PostgresqlConnection, {"host": "env:TREATY_TEST_NOT_SET"})
