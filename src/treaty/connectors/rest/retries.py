"""When a request is sent again: after what the Retry-After header says (RFC 9110, section 10.2.3), else after waits that grow, with jitter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter
from tenacity.wait import wait_base

Answered = TypeVar("Answered")


class NotNowError(Exception):
    """The API did nothing, or nothing that sending again would double; it may later."""

    def __init__(self, problem: str, retry_after: str | None = None) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


class WaitAsTold(wait_base):
    """Waits as the error's Retry-After says, else longer each time; never beyond ``most_seconds``."""

    def __init__(self, most_seconds: float) -> None:
        self._most_seconds = most_seconds
        self._growing = wait_exponential_jitter(max=most_seconds)

    def __call__(self, state: RetryCallState) -> float:
        """Return the seconds until the next attempt."""
        error = state.outcome.exception() if state.outcome is not None else None
        told = seconds_told(error.retry_after) if isinstance(error, NotNowError) else None
        return self._growing(state) if told is None else min(max(told, 0.0), self._most_seconds)


def seconds_told(header: str | None) -> float | None:
    """Return what a Retry-After header says in seconds or as a date, negative for a past one; None where it says nothing."""
    if header is None:
        return None
    try:
        if header.strip().removeprefix("-").isdigit():
            return float(int(header))
        return (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


def try_again(attempt: Callable[[], Answered], attempts: int, most_seconds: float) -> Answered:
    """Call until it does not raise NotNowError, at most so many times; the last one is raised."""
    retrying = Retrying(
        retry=retry_if_exception_type(NotNowError), stop=stop_after_attempt(max(attempts, 1)), wait=WaitAsTold(most_seconds), reraise=True
    )
    return retrying(attempt)
