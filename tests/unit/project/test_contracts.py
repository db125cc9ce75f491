"""Data contracts: the standard's JSON Schema decides, and the quick check never lets through what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft201909Validator

from treaty.project import contracts
from treaty.project.findings import Findings
from treaty.project.yaml import MapNode, parse_yaml

ROOT = Path(__file__).parents[3]
CONTRACT = ROOT / "tests" / "cases" / "projects" / "ledger" / "models" / "invoice.yaml"
WRONG: tuple[Any, ...] = (None, 1, -1, 1.5, True, "text", [], {}, ["a"], {"a": 1}, [{}], [{"name": "n"}])


def node_of(value: Any) -> MapNode:
    """Return a contract given as JSON as nodes."""
    node = parse_yaml(json.dumps(value), "m.yaml", Findings())
    assert isinstance(node, MapNode)
    return node


def contract() -> Any:
    """Return the case project's contract, with options of every kind, as JSON."""
    node = parse_yaml(CONTRACT.read_bytes(), "m.yaml", Findings())
    assert node is not None
    value = node.value
    value["description"] = {"purpose": "to test"}
    value["schema"][0]["properties"][0]["logicalTypeOptions"] = {"pattern": "^[A-Z]"}
    value["schema"][0]["properties"][4]["logicalTypeOptions"] = {"minimum": 0, "maximum": 5}
    return value


def mutants(value: Any) -> Iterator[Any]:
    """Yield the value with each part left out, renamed, or replaced by something else."""
    if isinstance(value, dict):
        for key in value:
            rest = {name: each for name, each in value.items() if name != key}
            yield rest
            yield {**rest, f"{key}x": value[key]}
            for other in (*WRONG, *mutants(value[key])):
                yield {**value, key: other}
    elif isinstance(value, list):
        for number, item in enumerate(value):
            for other in (*WRONG, *mutants(item)):
                yield [*value[:number], other, *value[number + 1 :]]


def test_quick_check_accepts_what_ships() -> None:
    """The contracts of the packs and of the case project take the quick way."""
    for path in (CONTRACT, *sorted((ROOT / "src" / "treaty" / "catalog").glob("*/models/*.yaml"))):
        node = parse_yaml(path.read_bytes(), path.name, Findings())
        assert isinstance(node, MapNode)
        assert contracts._plain_contract(node), path


def test_quick_check_is_never_laxer_than_the_standard() -> None:
    """Of all single changes to a contract, the quick check accepts none that the standard's JSON Schema refuses."""
    validator = Draft201909Validator(contracts.contract_schema())
    accepted = [each for each in mutants(contract()) if contracts._plain_contract(node_of(each))]
    assert len(accepted) > 50
    assert [] == [each for each in accepted if not validator.is_valid(each)]


def test_findings_instead_of_crashes() -> None:
    """A single change to a contract leaves a model, or a finding that says why not."""
    for number, each in enumerate(mutants(contract())):
        if number % 20 == 0:
            findings = Findings()
            read = contracts.read_contract(node_of(each), "m.yaml", findings)
            assert read or [*findings], each


def test_unknown_custom_property_has_the_nearest() -> None:
    """A misspelt custom property of Treaty's is found, with what was meant."""
    findings = Findings()
    text = CONTRACT.read_text().replace("treaty.currency", "treaty.curency", 1)
    contracts.read_contract(node_of(parse_yaml(text, "m.yaml", Findings()).value), "m.yaml", findings)  # type: ignore[union-attr]
    assert [("unknown-setting", "Write 'treaty.currency'.")] == [(each.code, each.remedy) for each in findings]
