"""Reading a folder of files as the lake does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from treaty.connectors.files import CONNECTOR
from treaty.connectors.interface import Arrival, Refusal, Site, StreamRequest
from treaty.project.declarations import Deletes, Limits, Stream, System
from treaty.testing.sources import records_of


@dataclass
class Inbox:
    """A folder `inbox` and one stream over it."""

    root: Path
    read: dict[str, Any] = field(default_factory=dict)
    format: str = "csv"
    record: str | None = None
    namespaces: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    deletes: Deletes = field(default_factory=Deletes)
    known: dict[str, str] = field(default_factory=dict)
    stamps: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.root / "inbox"

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def arrivals(self, on: Callable[[Arrival], None] = lambda arrival: None) -> list[tuple[Arrival, list[dict[str, Any]]]]:
        """Read everything; `on` sees each arrival before its records are consumed."""
        stream = Stream(
            format=self.format, record=self.record, namespaces=self.namespaces, read={"files": "*", **self.read}, deletes=self.deletes  # type: ignore[arg-type]
        )
        system = System(name="s", connector="files", connection={"folder": "inbox"}, streams={"t": stream})
        assert CONNECTOR.open_source is not None
        found = []
        request = StreamRequest("s", "t", "main", stream, {}, self.known, self.limits, self.stamps)
        for arrival in CONNECTOR.open_source(system, Site(self.root)).read(request):
            on(arrival)
            found.append((arrival, records_of(arrival)))
            self.known[arrival.origin] = arrival.sha256
        return found

    def one(self, content: bytes | str, name: str = "file") -> tuple[list[dict[str, Any]], list[Refusal], Arrival]:
        """Read one file: its records without locators, its refusals, and the arrival."""
        self.write(name, content)
        ((arrival, records),) = self.arrivals()
        return [{key: value for key, value in each.items() if key != "_locator"} for each in records], arrival.refusals, arrival


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    """An empty folder and a CSV stream over all its files."""
    (tmp_path / "inbox").mkdir()
    return Inbox(tmp_path)
