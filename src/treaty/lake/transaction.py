"""One lake transaction: under the lake's lock, begun after the lock is held, tried again on a conflict.

The lock spares work; it does not carry correctness alone. DuckLake numbers its snapshots, and its own retries are switched off, so a
transaction that began before another one committed always fails, even if the lock was lost on the way. ``body`` is then run again
from a new snapshot and can see what the other did.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from treaty.errors import RetryError
from treaty.faults import faultpoint
from treaty.sessions import Session

T = TypeVar("T")
LAKE_LOCK = 0x7472_6561_7479_0002
_FIRST_WAIT_SECONDS = 0.02


def run_transaction(session: Session, body: Callable[[], T]) -> T:
    """Run ``body`` and commit; it may run several times and must read what it relies on itself.

    A connection lost at COMMIT leaves the outcome unknown: the next try of ``body`` must find out, from what it reads, whether the
    last one was committed. Raises ``RetryError`` if the database stays away or the conflicts do not end.
    """
    problem = ""
    for attempt in range(session.settings.commit_tries):
        if attempt:
            time.sleep(_FIRST_WAIT_SECONDS * 2 ** min(attempt, 6) * random.uniform(0.5, 1.0))
        try:
            with lake_lock(session):
                faultpoint("commit.locked")
                result = _attempt(session, body)
                faultpoint("commit.post_commit")
            faultpoint("commit.unlocked")
            return result
        except Exception as error:
            if not session.is_transient(error):
                raise
            problem = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            with suppress(Exception):  # if the database is away, the next try says so
                session.reattach()
    raise RetryError(f"The lake could not be committed to in {session.settings.commit_tries} tries: {problem}", remedy="Run again.")


@contextmanager
def lake_lock(session: Session) -> Iterator[None]:
    """Hold the lake's lock; it goes with the connection, so a killed process never leaves it behind."""
    connection = session.catalog
    connection.execute("select set_config('lock_timeout', %s, false)", (f"{session.settings.lock_wait_seconds}s",))
    try:
        connection.execute("select pg_advisory_lock(%s)", (LAKE_LOCK,))
    except session.lock_timeout_error:
        raise RetryError(
            f"Another process has held the lake for more than {session.settings.lock_wait_seconds} s.",
            remedy="Run again; if a process hangs, `treaty doctor` names it. TREATY_LOCK_WAIT_SECONDS is the limit.",
        ) from None
    try:
        yield
    finally:
        session.release(LAKE_LOCK)


def _attempt(session: Session, body: Callable[[], T]) -> T:
    duck = session.duck
    duck.execute("begin")
    try:
        result = body()
        faultpoint("commit.pre_commit")
        duck.execute("commit")
        return result
    except BaseException:
        session.roll_back()
        raise
