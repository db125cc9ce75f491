"""Documents that no stream takes, in folders that several streams read: in quarantine once, until a stream takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from command_line import treaty
from small_project import write_small_project

SYSTEM = """\
connector: files
connection: {folder: inbox}
owner: tests
streams:
  edifact: {format: edifact, record: INVOIC, key: [BGM/BGM02], read: {files: "**/*.edi"}}
  x12: {format: x12, record: "810", key: [BIG/BIG02], read: {files: "**/*.edi"}}
  xml: {format: xml, record: Invoice, key: [ID], read: {files: "**/*.xml"}}
"""
ORDERS = """\
  orders: {format: xml, record: Order, key: [ID], read: {files: "**/*.xml"}}
  edi_orders: {format: edifact, record: ORDERS, key: [BGM/BGM02], read: {files: "**/*.edi"}}
"""
CODES = {"edifact": "BGM/BGM02", "x12": "BIG/BIG02", "xml": "ID", "orders": "ID", "edi_orders": "BGM/BGM02"}
FILES = {
    "a.edi": "UNB+UNOC:3+A+B+260105:0915+77'UNH+1+INVOIC:D:96A:UN'BGM+380+I-1+9'UNT+3+1'UNH+2+ORDERS:D:96A:UN'BGM+220+PO-1+9'UNT+3+2'UNZ+2+77'",
    "b.edi": "ISA*00*          *00*          *ZZ*BUYER          *ZZ*SELLER         *260105*0915*U*00401*000000077*0*P*>~"
    "GS*IN*BUYER*SELLER*20260105*0915*7*X*004010~ST*810*0001~BIG*20260105*I-2~SE*3*0001~GE*1*7~IEA*1*000000077~",
    "c.edi": "hello",
    "invoice.xml": "<Invoice><ID>I-3</ID></Invoice>",
    "nameless.xml": "<Invoice><Note>no number</Note></Invoice>",
    "order.xml": "<Order><ID>PO-2</ID></Order>",
}


def write_project(root: Path, streams: str) -> None:
    """Write the system with these streams, and a mapping for each of them."""
    write_small_project(root)
    (root / "mappings" / "store.things.yaml").unlink()
    (root / "systems" / "store.yaml").write_text(streams)
    names = [name for name in CODES if f"\n  {name}:" in streams]
    for name in names:
        (root / "mappings" / f"store.{name}.yaml").write_text(f'from: store/{name}\nto: thing\nfields: {{code: "{CODES[name]}"}}\n')
    (root / "flows" / "things.yaml").write_text(f"mappings: [{', '.join(f'store.{each}' for each in names)}]\nowner: tests\n")


def refused(root: Path) -> list[tuple[str, str]]:
    """Return what is in quarantine: the file and the reason of each, which are where the list says."""
    found = []
    for group in treaty("quarantine", "list", "--project", root, "--json").json:
        rows: list[Any] = treaty("quarantine", "show", group["group"], "--project", root, "--json").lines
        found += [(row["origin"], row["rule"]) for row in rows]
        assert {group["mapping"]} == {row["mapping"] for row in rows}
        assert group["files"] == ([] if group["field"] else sorted({row["origin"] for row in rows}))
    return sorted(found)


def test_a_document_leaves_quarantine_when_a_stream_takes_it(project: Path) -> None:
    """EDIFACT and X12 lie in one folder, each read by its own stream; orders are refused once, and are records once there is a stream for them."""
    write_project(project, SYSTEM)
    (project / "inbox").mkdir()
    for name, content in FILES.items():
        (project / "inbox" / name).write_text(content)
    assert 0 == treaty("run", "--project", project).status
    assert [("a.edi", "other-message"), ("c.edi", "no-envelope"), ("nameless.xml", "required"), ("order.xml", "no-records")] == refused(project)
    groups = {each["reason"]: each["group"] for each in treaty("quarantine", "list", "--project", project, "--json").json}
    assert "nameless.xml record 1" in treaty("quarantine", "show", groups["required"], "--project", project).output
    (nameless,) = treaty("quarantine", "show", groups["required"], "--project", project, "--json").lines
    explained = treaty("explain", "thing", "--source", f"store/xml/{nameless['landed_id']}", "--project", project).output
    assert "missing-key (the key of its stream is made of ID, and there is none" in explained, explained
    replayed = treaty("quarantine", "replay", groups["other-message"], "--project", project)
    assert (1, True) == (replayed.status, "reads it again" in replayed.output), replayed.output

    write_project(project, SYSTEM + ORDERS)
    assert 0 == treaty("run", "--project", project, "--apply").status
    assert [("c.edi", "no-envelope"), ("nameless.xml", "required")] == refused(project)
    records = treaty("records", "thing", "--project", project, "--json").lines
    assert ["I-1", "I-2", "I-3", "PO-1", "PO-2"] == sorted(each["code"] for each in records)
    assert treaty("verify", "--project", project, "--json").json["ok"]
    assert "Nothing changed" in treaty("run", "--project", project).output
