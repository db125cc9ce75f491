"""A sample: what was read, by column, with which of its paths are lists."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from treaty.matching.profiles import FieldProfile, StreamProfile, profile_values
from treaty.operations.reading import Event, ReadArrival, ReadRecord, ReadRefusal


@dataclass(slots=True)
class Sample:
    """Records by column: tables by name, documents by ``/`` path, in the order in which fields first came.

    ``lists`` are the paths at which a record has several elements.
    """

    columns: dict[str, list[str | None]] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    arrivals: list[ReadArrival] = field(default_factory=list)
    records: int = 0

    def profile(self, name: str) -> StreamProfile:
        """Profile every column; fields that a record lacks are nulls."""
        fields = []
        for path, values in self.columns.items():
            repeated = self.repeated(path)
            missing = 0 if repeated else max(self.records - len(values), 0)
            fields.append(profile_values(path, [*values, *([None] * missing)], described=FieldProfile(path, repeated=repeated)))
        return StreamProfile(name, tuple(fields), self.records)

    def repeated(self, path: str) -> bool:
        """Whether a path is below a list of several elements, or one."""
        return any(path == each or path.startswith(f"{each}/") for each in self.lists)

    def values(self) -> Mapping[str, Counter[str]]:
        """Count the raw texts of each column."""
        return {path: Counter(each for each in values if each is not None) for path, values in self.columns.items()}


def collect_sample(events: Iterable[Event]) -> Sample:
    """Read events into one sample. Deleted records say nothing of fields; they are counted."""
    sample = Sample()
    known: list[str] = []
    for event in events:
        if isinstance(event, ReadRefusal):
            sample.refused.append(event.message)
        elif isinstance(event, ReadArrival):
            sample.arrivals.append(event)
            known += event.columns or ()
        elif isinstance(event, ReadRecord):
            sample.records += 1
            if not event.deleted:
                for path, value in _leaves(json.loads(event.text), "", sample.lists):
                    sample.columns.setdefault(path, []).append(value)
    for each in known:
        sample.columns.setdefault(each, [])
    return sample


def _leaves(value: Any, path: str, lists: set[str]) -> Iterator[tuple[str, str | None]]:
    """Yield (path, text) for each value of a record; XML texts (``#``) stand at their element."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            if name == "#":
                if str(below).strip():
                    yield path, str(below)
            elif not name.startswith("@@"):
                yield from _leaves(below, f"{path}/{name}" if path else name, lists)
    elif isinstance(value, list):
        if len(value) > 1:
            lists.add(path)
        for below in value:
            yield from _leaves(below, path, lists)
    elif path:
        yield path, None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
