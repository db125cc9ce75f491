"""``schema``: JSON Schemas of a project's files, for editors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treaty.errors import UsageError
from treaty.project.findings import nearest
from treaty.project.schemas import json_schemas


@dataclass(frozen=True, slots=True)
class SchemaResult:
    """The schemas by the kind of file they are for, and the files they were written to."""

    schemas: Mapping[str, Mapping[str, Any]]
    written: tuple[str, ...] = ()

    def to_json(self) -> Any:
        """The documented shape: the schemas by kind, or the files where they were written."""
        return {"written": self.written} if self.written else self.schemas


def schema(kind: str | None = None, *, to: Path | str | None = None) -> SchemaResult:
    """Return the JSON Schemas, or that of one kind of file; with ``to``, write ``KIND.schema.json`` into that folder.

    Raises:
        UsageError: there is no such kind of file.
    """
    schemas = json_schemas()
    if kind is not None:
        if kind not in schemas:
            found = nearest(kind, schemas)
            remedy = f"Did you mean {found!r}?" if found else f"Kinds: {', '.join(sorted(schemas))}."
            raise UsageError(f"No kind of file is called {kind!r}.", remedy=remedy)
        schemas = {kind: schemas[kind]}
    written = []
    if to is not None:
        folder = Path(to)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in schemas.items():
            path = folder / f"{name}.schema.json"
            path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            written.append(str(path))
    return SchemaResult(schemas, tuple(written))
