"""Problems found in a project, as data: one Finding serves the terminal, the page and CI."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters: an error stops ``run``, a warning does not, a note only informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a project file: path relative to the project's root, line and column counted from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: its code, how severe, where, what is wrong, and what to do."""

    code: str
    severity: Severity
    message: str
    remedy: str
    position: Position


class Findings(list[Finding]):
    """A list that problems are reported to while reading goes on."""

    def error(self, code: str, message: str, remedy: str, position: Position) -> None:
        """Report a problem that stops ``run``."""
        self.append(Finding(code, Severity.ERROR, message, remedy, position))

    def warning(self, code: str, message: str, remedy: str, position: Position) -> None:
        """Report a problem that does not stop ``run``."""
        self.append(Finding(code, Severity.WARNING, message, remedy, position))


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings without repeats, by file, line, column and code."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda each: (each.position, each.code, each.message)))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the known name that is most like ``name``, or None where none is like it."""
    known = list(names)
    lowered = {each.lower(): each for each in known}
    if name.lower() in lowered:
        return lowered[name.lower()]
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return found[0] if found else None


def suggest(name: str, names: Iterable[str], otherwise: str) -> str:
    """Return a remedy that names the nearest known name, or else ``otherwise``."""
    known = list(names)
    found = nearest(name, known)
    if found:
        return f"Write {found!r}."
    if known and len(known) <= 12:
        return f"{otherwise} Known: {', '.join(sorted(known))}."
    return otherwise
