"""Drift: every path that came, went or changed its kind is told, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import treaty
from small_project import write_small_project

DATA = Path(__file__).parents[3] / "shared" / "data" / "drift"
SYSTEM = """\
connector: files
connection: {{folder: inbox}}
owner: tests
streams:
  objects: {{format: json, {record}read: {{files: "*.json"}}}}
  texts: {{format: csv, key: [id], read: {{files: "*.csv", delimiter: ";"}}}}
  papers: {{format: xml, record: paper, key: [id], read: {{files: "*.xml"}}}}
"""
MAPPING = "from: api/{stream}\nto: thing\nfields:\n  code: {code}\n  name: thing_name({name})\n  size: '1'\n"
KINDS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "obj": "object", "list": "array", "null": "null"}


@pytest.fixture
def landed(project: Path) -> Callable[..., list[Any]]:
    """Write versions of a file one after the other, or all at once, and return what `treaty drift --json` says."""

    def land(versions: dict[str, str], *, stream: str = "objects", record: str = "", file: str = "", at_once: bool = False, **mapping: str) -> list[Any]:
        write_small_project(project)
        (project / "systems" / "store.yaml").unlink()
        (project / "mappings" / "store.things.yaml").unlink()
        (project / "systems" / "api.yaml").write_text(SYSTEM.format(record=record))
        text = MAPPING.format(stream=stream, **{"code": "./'id'", "name": "./'name'", **mapping})
        (project / "mappings" / f"api.{stream}.yaml").write_text(text)
        (project / "flows" / "things.yaml").write_text(f"mappings: [api.{stream}]\nowner: tests\n")
        (project / "inbox").mkdir(exist_ok=True)
        for place, (name, content) in enumerate(versions.items(), 1):
            (project / "inbox" / (file or name)).write_text(content, encoding="utf-8")
            if not at_once or place == len(versions):
                answer = treaty("run", "--project", project, "--json")
                assert answer.status == 0, answer.output + answer.errors
        answer = treaty("drift", f"api/{stream}", "--project", project, "--json")
        assert answer.status == 0, answer.errors
        return list(answer.json)

    return land


def truth_of(folder: str) -> list[dict[str, Any]]:
    """Return what is known of a folder's drift."""
    if not (DATA / folder).is_dir():
        pytest.skip("../shared/data/drift is not there")
    return list(json.loads((DATA / folder / "drift_truth.json").read_text()))


def spelled(paths: list[str]) -> set[str]:
    """Spell paths as the truth does: steps parted by dots."""
    return {path.replace("/", ".") for path in paths}


@pytest.mark.parametrize("at_once", [pytest.param(False, id="one-file-rewritten", marks=pytest.mark.slow), pytest.param(True, id="many-files-in-one-run")])
def test_real_payloads(landed: Callable[..., list[Any]], at_once: bool) -> None:
    """Nine versions of real payloads: each path added, removed or changed is reported with its kinds, and none is invented."""
    truth = truth_of("stripe-fixtures")
    files = sorted(each.name for each in (DATA / "stripe-fixtures").glob("*.fixtures3.json"))
    versions = {name: (DATA / "stripe-fixtures" / name).read_text() for name in files}
    found = landed(versions, record="record: resources, ", file="" if at_once else "fixtures.json", at_once=at_once, code="account/id")
    assert len(truth) == len(found)
    for expected, entry in zip(truth, found, strict=True):
        assert set(expected["added"]) == spelled(entry["added"])
        assert set(expected["removed"]) == spelled(entry["removed"])
        changed = {path: tuple(" or ".join(sorted(KINDS[kind] for kind in kinds)) for kinds in (was, is_)) for path, was, is_ in expected["type_changed"]}
        assert changed == {each["path"].replace("/", "."): (each["was"], each["is"]) for each in entry["changed"]}


def example_of(schema: dict[str, Any]) -> Any:
    """Return the smallest payload that a property's schema describes: a value of its kind."""
    values: dict[Any, Any] = {"string": "a", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
    return values[schema.get("type", "object")]


def payload_of(path: Path) -> dict[str, Any]:
    """Return one object for each schema of an OpenAPI file, with a value for each property."""
    schemas = yaml.load(path.read_text(), yaml.CSafeLoader)["components"]["schemas"]
    return {name: {key: example_of(each) for key, each in (schema.get("properties") or {}).items()} for name, schema in schemas.items()}


@pytest.mark.slow
def test_real_schemas(landed: Callable[..., list[Any]]) -> None:
    """Five versions of a real interface: payloads made by its schemas differ in just the paths that the schemas do, and in the kinds that JSON has.

    A change of an enumeration or of a text's format (`uuid`) leaves a payload's shape as it is.
    """
    truth = truth_of("xero-accounting")
    files = sorted((DATA / "xero-accounting").glob("*.yaml"))
    versions = {each.stem: json.dumps(payload_of(each)) for each in files}
    found = landed(versions, file="schemas.json", code="Account/AccountID")
    assert len(truth) == len(found)
    for expected, entry in zip(truth, found, strict=True):
        assert set(expected["added"]) == spelled(entry["added"])
        assert set(expected["removed"]) == spelled(entry["removed"])
        kinds = {path: (json_kind(was), json_kind(is_)) for path, was, is_ in expected["type_changed"]}
        visible = {path: pair for path, pair in kinds.items() if pair[0] != pair[1]}
        assert visible == {each["path"].replace("/", "."): (each["was"], each["is"]) for each in entry["changed"]}


def json_kind(kinds: list[str]) -> str:
    """Return the JSON kind of a truth's description of a schema."""
    told = next(each for each in kinds if not each.startswith("enum="))
    return "object" if told.startswith("ref:") else told.partition(":")[0]


def test_table_and_mapped(landed: Callable[..., list[Any]]) -> None:
    """A table's columns come and go; those that a mapping reads are named, and an unchanged arrival says nothing."""
    versions = {"a.csv": "id;name;size\n1;one;1\n", "b.csv": "id;name;size\n2;two;2\n", "c.csv": "id;size;colour\n3;3;red\n"}
    (entry,) = landed(versions, stream="texts", code="id", name="name")
    assert (["colour"], ["name"], [], ["name"]) == (entry["added"], entry["removed"], entry["changed"], entry["mapped"])
    assert entry["from"].startswith("b.csv @ ") and entry["to"].startswith("c.csv @ ")


def test_xml(landed: Callable[..., list[Any]]) -> None:
    """XML: elements and attributes by path, nested and repeated ones, records that said nothing new included."""
    head = "<papers><paper><id>1</id><line no='1'><text>x</text></line></paper>"
    versions = {"1": f"{head}</papers>", "2": f"{head}<paper><id>2</id><line no='1'><text>x</text><unit>kg</unit></line><line/></paper></papers>"}
    (entry,) = landed(versions, stream="papers", file="papers.xml", code="id")
    assert (["line/unit"], [], []) == (entry["added"], entry["removed"], entry["changed"])
