"""Hostile input for each format, with the state that each record must end in (reliability, D1 to D17): one module a format, one line a case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# `canonical` or the values of a canonical record; `null: REASON` where an optional field failed; `superseded`; the reason of a quarantine
Outcome = str | dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Case:
    """One file: which danger it stands for, its bytes, and what becomes of its records in their order (a whole file that is refused is one)."""

    name: str
    tests: str  # the dangers by their letters
    content: bytes | str
    expected: Sequence[Outcome]
    stream: str = ""  # of the format, where it is not the first
    suffix: str = ""  # of the file, where it is not that of the format
    golden: int | None = None  # how many golden records its records come to, where that is not one for each that is canonical


@dataclass(frozen=True, slots=True)
class Format:
    """The streams of one format (what each says beside its files), how their fields are mapped, and the cases."""

    name: str
    suffix: str
    streams: dict[str, str]
    fields: dict[str, str]
    cases: Sequence[Case]

    def stream_of(self, case: Case) -> str:
        """Return the name of a case's stream."""
        return case.stream or next(iter(self.streams))

    def file_of(self, case: Case) -> str:
        """Return the path of a case's file below the inbox."""
        return f"{self.stream_of(case)}/{case.name}.{case.suffix or self.suffix}"


def good(**values: Any) -> Outcome:
    """Return the outcome of a canonical record with these values, as texts."""
    return {name: None if value is None else str(value) for name, value in values.items()}
