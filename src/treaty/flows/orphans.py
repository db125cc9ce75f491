"""Finds clients whose records are in the lake and for whom nothing runs any more: they are not in the project."""

from __future__ import annotations

from collections.abc import Sequence

from treaty.flows.results import FlowResult
from treaty.lake.cursors import has_cursors
from treaty.lake.issues import Issue, close_issue_of_clients, open_issue
from treaty.lake.scope import OneClient
from treaty.project.overlays import MAIN_CLIENT
from treaty.sessions import Session

KIND = "orphaned-client"


def find_orphans(session: Session, clients: Sequence[str]) -> tuple[FlowResult, ...]:
    """Open an issue for each client that ran once, has landed something and is not among the project's ``clients``; close those of the others."""
    close_issue_of_clients(session, clients, KIND, "the client is in the project")
    rows = session.as_client("*").execute(
        "select distinct client from treaty.run, unnest(clients) as client where client <> all(%s) order by 1", (list(clients),)
    )
    return tuple(_tell(session, client) for (client,) in rows.fetchall() if has_cursors(session, OneClient(client)))


def _tell(session: Session, client: str) -> FlowResult:
    remedy = f"If that is meant, keep it so. Else make the folder clients/{client} again."
    if client == MAIN_CLIENT:
        remedy = (
            f"Where a project has clients, each runs for its own folder alone. Make clients/{client}/ and move into clients/{client}/systems/ "
            "the systems that are its own; or take it that they are left, and load them anew as another client's."
        )
    issue = Issue(
        KIND, client, f"The client {client} is not in the project: its records stay as they are, nothing is read and nothing is delivered for it.", remedy
    )
    open_issue(session, OneClient(client), issue)
    return FlowResult("clients", client, issues=(issue,))
