"""What a change of shape does under each of the four policies: the stated result, and nothing lost on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import treaty
from small_project import write_small_project

SYSTEM = """\
connector: files
connection: {folder: inbox}
owner: tests
streams:
  documents: {format: json, key: [id], read: {files: "*.json"}}
  tables: {format: csv, key: [id], read: {files: "*.csv", delimiter: ";"}}
"""
MAPPING = "from: store/{stream}\nto: thing\nfields:\n  code: id\n  name: thing_name(name)\n  size: to_integer(size)\n"
BEFORE = [{"id": "a", "name": "one", "size": 1, "tags": [{"k": "x"}]}, {"id": "b", "name": "two", "size": 2, "tags": []}]
AFTER = [
    {"id": "a", "name": "one more", "size": 3, "tags": [{"k": "y"}]},
    {"id": "b", "name": {"de": "zwei"}, "size": 2, "tags": []},
    {"id": "c", "name": "three", "size": 3, "tags": [{"k": "z", "new": True}]},
]
POLICIES = ("evolve", "freeze", "discard_value", "quarantine")


@pytest.fixture
def run(project: Path) -> Callable[..., dict[str, Any]]:
    """Write the project with both streams, the flow's policy and both files, run it, and return what the run said of its flow."""

    def run(policy: str, documents: list[Any], table: str) -> dict[str, Any]:
        if not project.exists():
            write_small_project(project)
            (project / "mappings" / "store.things.yaml").unlink()
            (project / "systems" / "store.yaml").write_text(SYSTEM)
            for stream in ("documents", "tables"):
                (project / "mappings" / f"store.{stream}.yaml").write_text(MAPPING.format(stream=stream))
            (project / "inbox").mkdir()
        flow = f"mappings: [store.documents, store.tables]\nowner: tests\ndrift: {policy}\n"
        (project / "flows" / "things.yaml").write_text(flow)
        (project / "inbox" / "things.json").write_text(json.dumps(documents))
        (project / "inbox" / "things.csv").write_text(table)
        answer = treaty("run", "--project", project, "--apply", "--json")
        assert answer.output, answer.errors
        (told,) = answer.json["flows"]
        assert (answer.status == 0) == ("problems" not in told), answer.output
        return dict(told)

    return run


def states(told: dict[str, Any]) -> list[dict[str, int]]:
    """Return the dispositions of the two streams."""
    return [each["dispositions"] for each in told["streams"]]


def names(project: Path) -> dict[str, str]:
    """Return the names of the golden things by their code."""
    return {each["code"]: each["name"] for each in treaty("records", "thing", "--project", project, "--json").lines}


BEFORE_TABLE = "id;name;size\nk;kay;1\nl;ell;2\n"
AFTER_TABLE = "id;name;size;colour\nk;kay again;1;\nl;ell again;2;red\n"
EXPECTED = {
    "evolve": {"a": "one more", "b": None, "c": "three", "k": "kay again", "l": "ell again"},
    "freeze": {"a": "one", "b": "two", "k": "kay", "l": "ell"},
    "discard_value": {"a": "one more", "b": None, "c": "three", "k": "kay again", "l": "ell again"},
    "quarantine": {"a": "one more", "b": "two", "k": "kay again", "l": "ell"},
}


@pytest.mark.parametrize("policy", [pytest.param(each, marks=() if each in ("quarantine", "freeze") else pytest.mark.slow) for each in POLICIES])
def test_policy(run: Callable[..., dict[str, Any]], project: Path, policy: str) -> None:
    """A new path and a value of a new kind: what each policy lands, that it says so, that the sums hold, and that evolving later brings all in."""
    run(policy, BEFORE, BEFORE_TABLE)
    told = run(policy, AFTER, AFTER_TABLE)
    assert EXPECTED[policy] == {key: value if value is None or not value.startswith("{") else None for key, value in names(project).items()}
    kinds = {each["kind"] for each in told.get("issues", ())}
    assert ({"drift"} if policy != "evolve" else set()) == kinds
    assert (policy == "freeze") == ("problems" in told)
    assert treaty("verify", "--project", project).status == 0
    groups = treaty("quarantine", "list", "--project", project, "--json").json
    assert ({"drift": 3} if policy == "quarantine" else {}) == {
        reason: sum(each["records"] for each in groups if each["reason"] == reason) for reason in {each["reason"] for each in groups}
    }
    told = run("evolve", AFTER, AFTER_TABLE)
    assert set(EXPECTED["evolve"]) == set(names(project))
    assert [] == told.get("issues", [])
    assert [] == treaty("quarantine", "list", "--project", project, "--json").json
    assert treaty("verify", "--project", project).status == 0
    again = run("evolve", AFTER, AFTER_TABLE)
    assert [0, 0] == [each["landed"] for each in again["streams"]]


def test_removed_path(run: Callable[..., dict[str, Any]], project: Path) -> None:
    """A path and a column that a mapping reads and that are there no more raise an issue each, which closes when they come back."""
    run("evolve", BEFORE, BEFORE_TABLE)
    told = run("evolve", [{"id": "a", "size": 1, "title": "one"}], "id;size\nk;1\n")
    issues = {each["subject"]: each["message"] for each in told["issues"]}
    assert {"store/documents in store.documents", "store/tables in store.tables"} == set(issues)
    assert all("'name'" in message for message in issues.values())
    drifted = treaty("drift", "--project", project, "--json").json
    assert [["name", "tags"], ["name"]] == [[path for path in each["removed"] if "[" not in path] for each in drifted]
    assert [["name"], ["name"]] == [each["mapped"] for each in drifted]
    told = run("evolve", BEFORE, BEFORE_TABLE)
    assert [] == told.get("issues", [])
