"""Broken files are refused by the loader and by the JSON Schemas alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from treaty.project.findings import Findings
from treaty.project.loading import load_project
from treaty.project.markdown import parse_decision
from treaty.project.schemas import json_schemas
from treaty.project.yaml import parse_yaml

CASES = Path(__file__).parents[2] / "cases" / "projects"
INVALID = sorted(each for each in (CASES / "invalid").iterdir() if each.is_dir())
SCHEMAS = json_schemas()
KINDS = {"systems": "system", "models": "model", "decisions": "decision", "mappings": "mapping", "flows": "flow"}


def file_value(path: Path) -> Any:
    """Return what a project file declares, as JSON."""
    findings = Findings()
    if path.suffix == ".md":
        decision = parse_decision(path.read_bytes(), path.name, findings)
        assert decision is not None
        return decision.settings.value
    node = parse_yaml(path.read_bytes(), path.name, findings)
    assert node is not None
    return node.value


def schema_errors(name: str, value: Any) -> list[str]:
    """Return what the JSON Schema of one kind of file says against a value."""
    schema = SCHEMAS[name]
    return [each.message for each in validator_for(schema)(schema).iter_errors(value)]


def test_there_are_thirty_broken_files() -> None:
    """The suite holds at least thirty broken files."""
    assert len(INVALID) >= 30


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.name)
def test_loader_and_schema_refuse(case: Path) -> None:
    """The loader reports exactly the expected problems at their places, with a remedy, and the schema refuses the file too."""
    expected = yaml.safe_load((case / "expected.yaml").read_text())
    found = load_project(case).findings
    assert [(each["code"], expected["file"], each["line"], each["column"]) for each in expected["findings"]] == [
        (each.code, each.position.file, each.position.line, each.position.column) for each in found
    ]
    assert all(each.remedy and each.message for each in found)
    assert schema_errors(expected["schema"], file_value(case / expected["file"]))


def valid_files() -> list[Path]:
    """Return the files of the projects that are meant to be right, and of the packs that ship."""
    catalog = Path(__file__).parents[3] / "src" / "treaty" / "catalog"
    roots = [CASES / "ledger", *(each for each in catalog.iterdir() if (each / "treaty.yaml").is_file())]
    return [path for root in roots for path in sorted(root.rglob("*")) if path.name == "treaty.yaml" or path.parent.name in KINDS]


@pytest.mark.parametrize("path", valid_files(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_schemas_accept_what_loads(path: Path) -> None:
    """Every file of the good projects and of the shipped packs validates against its schema."""
    overlay = "overlay-" if "clients" in path.parts else ""
    name = "treaty" if path.name == "treaty.yaml" else f"{overlay}{KINDS[path.parent.name]}"
    assert [] == schema_errors(name, file_value(path))


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schemas_are_schemas(name: str) -> None:
    """Each schema is itself valid JSON Schema."""
    validator_for(SCHEMAS[name]).check_schema(SCHEMAS[name])
