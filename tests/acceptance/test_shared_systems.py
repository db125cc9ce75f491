"""A system that several clients share: each record reaches its own client, and no other; what nobody owns is set aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_project import write_small_project

import treaty

SYSTEM = """\
connector: files
connection: {folder: inbox}
owner: tests
shared: true
streams:
  things:
    format: csv
    key: [id]
    client: client_code
    read: {files: "*.csv", delimiter: ";"}
"""
HEADER = "id;name;size;client_code\n"


@pytest.fixture
def shared(tmp_path: Path, lake_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two clients, and one CSV folder for both."""
    monkeypatch.setenv("TREATY_DATABASE", lake_url)
    write_small_project(tmp_path, ("acme", "borealis"), database="env:TREATY_DATABASE")
    (tmp_path / "systems" / "store.yaml").write_text(SYSTEM)
    (tmp_path / "inbox").mkdir()
    return tmp_path


def send(project: Path, rows: str, name: str = "things.csv") -> treaty.RunResult:
    """Put a file into the shared folder and run."""
    (project / "inbox" / name).write_text(HEADER + rows)
    return treaty.run(project)


def held(project: Path) -> dict[tuple[str, str], str]:
    """Return the names of the golden things, by client and code."""
    return {(row["_client"], row["code"]): row["name"] for row in treaty.records("thing", project=project).to_pylist()}


def sums(project: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what ``verify`` counts, by client and stream; it must hold."""
    found = treaty.verify(project)
    assert found.problems == ()
    return {(each.client, each.mapping): dict(each.dispositions) for each in found.streams}


def test_records_go_to_their_clients(shared: Path) -> None:
    """Each client has its own records; one of nobody known is quarantined with its reason; a second run writes nothing."""
    result = send(shared, "a;one;1;acme\nb;two;2;borealis\nc;three;3;corva\nd;four;4;\n")
    assert result.ok, result
    assert {("acme", "a"): "one", ("borealis", "b"): "two"} == held(shared)
    assert {
        ("@shared", "hand-over"): {"canonical": 2, "quarantined": 2},
        ("acme", "store.things"): {"canonical": 1},
        ("borealis", "store.things"): {"canonical": 1},
    } == sums(shared)
    assert {("unknown-client", ("corva",), 1), ("required", (), 1)} == {
        (each.reason, each.sample_values, each.records) for each in treaty.quarantine_groups(shared)
    }
    assert not treaty.run(shared).changed
