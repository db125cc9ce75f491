"""Whose rows a call may see and write: every public function of the lake takes a scope first, after the session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from treaty.lake.names import quote_text
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class OneClient:
    """The rows of one client."""

    client: str


@dataclass(frozen=True, slots=True)
class AllClients:
    """The rows of every client; the reason is written to the audit log."""

    reason: str


ClientScope: TypeAlias = OneClient | AllClients


def scope_condition(session: Session, scope: ClientScope, column: str = "_client") -> str:
    """Return the SQL condition of a scope, having audited it if it is wide."""
    if isinstance(scope, OneClient):
        return f"{column} = {quote_text(scope.client)}"
    audit_wide_scope(session, scope)
    return "true"


def client_of(scope: ClientScope) -> str:
    """Return the client of a scope, ``*`` for all of them: what the app schema's ``client`` columns hold."""
    return scope.client if isinstance(scope, OneClient) else "*"


def audit_wide_scope(session: Session, scope: AllClients) -> None:
    """Write down that somebody looked over all clients: once a session and reason."""
    if scope.reason in session.audited:
        return
    session.as_client("*").execute(
        "insert into treaty.audit (client, at, who, action, details) values ('*', %s, %s, 'all-clients', jsonb_build_object('reason', %s::text))",
        (session.clock(), session.who, scope.reason),
    )
    session.audited.add(scope.reason)
