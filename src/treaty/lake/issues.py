"""Issues: what a person should look at, though nothing stopped for it. One is open at a time for each client, kind and subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from treaty.lake.scope import OneClient
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue: what kind, what it is about (a stream, a sink), what happened, and what to do."""

    kind: str  # snapshot-guard | drift | removed-path | sink-ahead | orphaned-client
    subject: str
    message: str
    remedy: str
    opened_at: datetime | None = None


def open_issue(session: Session, scope: OneClient, issue: Issue) -> None:
    """Open an issue, or tell the one that is open what is so now."""
    session.as_client(scope.client).execute(
        """insert into treaty.issue (client, kind, subject, message, remedy, opened_at) values (%s, %s, %s, %s, %s, %s)
        on conflict (client, kind, subject) where closed_at is null do update set message = excluded.message, remedy = excluded.remedy""",
        (scope.client, issue.kind, issue.subject, issue.message, issue.remedy, session.clock()),
    )


def close_issue(session: Session, scope: OneClient, kind: str, subject: str, closed_by: str) -> bool:
    """Close an issue that no longer holds; return whether one was open."""
    done = session.as_client(scope.client).execute(
        "update treaty.issue set closed_at = %s, closed_by = %s where client = %s and kind = %s and subject = %s and closed_at is null",
        (session.clock(), closed_by, scope.client, kind, subject),
    )
    return bool(done.rowcount)


def close_issue_of_clients(session: Session, clients: Sequence[str], kind: str, closed_by: str) -> None:
    """Close the issues of a kind that are open for any of some clients."""
    session.as_client("*").execute(
        "update treaty.issue set closed_at = %s, closed_by = %s where client = any(%s) and kind = %s and closed_at is null",
        (session.clock(), closed_by, list(clients), kind),
    )


def open_issues(session: Session, scope: OneClient, subjects: Sequence[str]) -> tuple[Issue, ...]:
    """Return the open issues of a client about these subjects, oldest first."""
    rows = session.as_client(scope.client).execute(
        """select kind, subject, message, remedy, opened_at from treaty.issue
        where client = %s and closed_at is null and subject = any(%s) order by opened_at, kind""",
        (scope.client, list(subjects)),
    )
    return tuple(Issue(*row) for row in rows.fetchall())
