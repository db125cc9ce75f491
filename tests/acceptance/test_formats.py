"""Parquet, Excel, archives and the public suites from their files into the lake, with everything accounted for."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_project import MAPPING, write_small_project
from tests.workbooks import sheet_of, workbook

import treaty

CONFORMANCE = Path(__file__).parents[3] / "shared/data/conformance"
STREAMS = """
  table: {format: parquet, key: [id], read: {files: "*.parquet"}}
  book: {format: excel, key: [id], read: {files: "*.xlsx"}}
  documents: {format: json, read: {files: "json/*.json"}}
  attacks: {format: xml, record: root, read: {files: "xml/*.xml"}}
"""


def test_every_format_reaches_the_lake(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of each format become canonical, what is hostile is quarantined with its reason, a second run lands nothing, and all adds up."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, database="env:TREATY_DATABASE")
    inbox = tmp_path / "inbox" / "store"
    inbox.mkdir(parents=True)
    system = tmp_path / "systems" / "store.yaml"
    system.write_text(system.read_text(encoding="utf-8").replace('"*.csv"', '"*.zip"').rstrip() + STREAMS, encoding="utf-8")
    flow = next((tmp_path / "flows").glob("*.yaml"))
    for name in ("table", "book", "documents", "attacks"):
        mapping = MAPPING.replace("store/things", f"store/{name}")
        if name in ("documents", "attacks"):
            mapping = mapping.replace("  name: thing_name(name)\n", "").replace("to_integer(size)", "1").replace("code: id", "code: ./no_such")
        (tmp_path / "mappings" / f"store.{name}.yaml").write_text(mapping, encoding="utf-8")
    flow.write_text(flow.read_text(encoding="utf-8").replace("store.things", "store.things, store.table, store.book, store.documents, store.attacks"), encoding="utf-8")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "id;name;size\nZ-1;ball;3\n")
        archive.writestr("../b.csv", "id;name;size\nZ-2;ball;3\n")
    (inbox / "in.zip").write_bytes(packed.getvalue())
    pq.write_table(pa.table({"id": ["P-1"], "name": ["p"], "size": pa.array([7], pa.int8())}), inbox / "t.parquet")
    (inbox / "half.parquet").write_bytes((inbox / "t.parquet").read_bytes()[:-9])
    (inbox / "t.xlsx").write_bytes(workbook(sheet_of([["id", "name", "size"], ["X-1", "x", "9"]])))
    (inbox / "half.xlsx").write_bytes((inbox / "t.xlsx").read_bytes()[:-90])
    suites = {"json": CONFORMANCE.glob("json-test-suite/test_parsing/*.json"), "xml": CONFORMANCE.glob("xml-attacks/*.xml")}
    for folder, files in suites.items():
        (inbox / folder).mkdir()
        for path in files:
            (inbox / folder / path.name).write_bytes(path.read_bytes())
    assert treaty.run(tmp_path).ok
    assert {"Z-1", "P-1", "X-1"} == set(treaty.records("thing", tmp_path).column("code").to_pylist())
    reasons = {each.reason for each in treaty.quarantine_groups(tmp_path)}
    assert {"bad-member-name", "bad-parquet", "bad-excel"} <= reasons
    if any((inbox / "xml").iterdir()):
        assert {"doctype", "bad-json", "duplicate-key"} <= reasons
    assert treaty.verify(tmp_path).ok
    again = treaty.run(tmp_path)
    assert 0 == sum(stream.landed for flow in again.flows for stream in flow.streams)
    assert treaty.verify(tmp_path).ok
