"""A small project of one model and one CSV stream, for tests that change things."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

MODEL = """\
apiVersion: v3.1.0
kind: DataContract
id: thing
version: 1.0.0
status: active
schema:
  - name: thing
    logicalType: object
    physicalType: table
    customProperties:
      - {property: treaty.edgeCases, value: [things-without-size-are-small]}
    quality:
      - {name: TH-01, type: custom, engine: treaty, implementation: size < 100, description: A thing is smaller than 100.}
    properties:
      - {name: code, logicalType: string, physicalType: string, required: true}
      - {name: name, logicalType: string, physicalType: string}
      - {name: size, logicalType: integer, physicalType: integer, required: true}
"""

SYSTEM = """\
connector: files
connection: {folder: "inbox/FOLDER"}
owner: tests
streams:
  things:
    format: csv
    key: [id]
    read: {files: "*.csv", delimiter: ";"}
"""

MAPPING = """\
from: store/things
to: thing
fields:
  code: id
  name: thing_name(name)
  size: to_integer(size)
"""

IDENTITY = """\
---
id: same-thing
title: Things are the same where their codes are
status: accepted
date: 2026-11-21
decision-makers: [tests]
kind: identity
governs: [thing]
keys:
  - {parts: [code]}
---

## Considered options

- by name: names are not unique
- by code

## Outcome

By code.
"""

NAME = """\
---
id: names-are-trimmed
title: Names have no blanks around them, and pipes are slashes
status: accepted
date: 2026-11-21
decision-makers: [tests]
kind: transformation
governs: [thing.name]
function: "thing_name(text: string) -> string"
expression: replace(trim(text), '|', '/')
examples:
  - {text: " a|b ", returns: "a/b"}
---

## Considered options

- as written: two spellings of one name
- trimmed, with slashes

## Outcome

Trimmed, with slashes.
"""

EDGE_CASE = """\
---
id: things-without-size-are-small
title: A thing without a size has size 1
status: accepted
date: 2026-11-21
decision-makers: [tests]
kind: edge-case
governs: [thing.size]
when: size is null and not failed(size)
treatment: normalise
set: {size: "1"}
---

## Considered options

- quarantine: most things are small
- size 1

## Outcome

Size 1.
"""


def write_small_project(folder: Path, clients: Sequence[str] = (), database: str = "") -> None:
    """Write the project; with clients, each has an inbox of its own. ``database`` is a reference to a server's URL, else it is embedded."""
    environment = f"{{deliver: false, database: {database}}}" if database else "{deliver: false}"
    files = {
        "treaty.yaml": "name: small\nowners: {tests: tests@example.com}\nenvironments:\n  local: " + environment + "\n",
        "models/thing.yaml": MODEL,
        "systems/store.yaml": SYSTEM.replace("FOLDER", "{client}" if clients else "store"),
        "mappings/store.things.yaml": MAPPING,
        "decisions/same-thing.md": IDENTITY,
        "decisions/names-are-trimmed.md": NAME,
        "decisions/things-without-size-are-small.md": EDGE_CASE,
        "flows/things.yaml": "mappings: [store.things]\nowner: tests\n",
        **{f"clients/{client}/.gitkeep": "" for client in clients},
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
