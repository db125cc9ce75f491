"""Every error Treaty raises, grouped by what the caller does about it.

A message says what went wrong and where; ``remedy`` says what to do next.
"""

from __future__ import annotations


class TreatyError(Exception):
    """The root of the tree: a message and its remedy."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class UsageError(TreatyError):
    """The caller asked for something that cannot be: the command line exits with status 2."""


class StopError(TreatyError):
    """The run cannot go on until somebody acts: a missing secret, a full disk, a refused connection."""


class RetryError(TreatyError):
    """Trying the same thing again later may work: a lost connection, a fence that another worker took."""


class SetAsideError(TreatyError):
    """One record, row or file cannot be taken: it is quarantined with this reason and the rest passes."""

    def __init__(self, reason: str, message: str, *, remedy: str = "", place: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason
        self.place = place


class DefectError(TreatyError):
    """Treaty broke a promise to itself; the message names it so that it can be reported."""
