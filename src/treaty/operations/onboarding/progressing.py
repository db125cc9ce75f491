"""``onboard --status``: when each step of each client was done, from the first file to the first delivery."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

from treaty.operations.onboarding.recording import OnboardingRecord, list_records
from treaty.operations.workspace import Folder, Workspace, find_workspace
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class OnboardingStatus:
    """When each step was first done; None where it is not done yet. ``seconds`` are those from the first file to the first delivered record."""

    client: str
    first_file: datetime
    proposed: datetime | None
    answered: datetime | None
    rehearsed: datetime | None
    landed: datetime | None
    delivered: datetime | None
    open_questions: int
    seconds: int | None


def onboarding_status(project: Folder = None, *, environment: str | None = None) -> tuple[OnboardingStatus, ...]:
    """Return how far each client is that was onboarded, by name.

    Raises:
        UsageError: there is no project, or a client's record cannot be read.
    """
    workspace = find_workspace(project, environment)
    records = [each for each in list_records(workspace.root) if each.samples]
    with workspace.open() if records and workspace.has_lake else nullcontext() as session:
        return tuple(_status(workspace, session, each) for each in records)


def _status(workspace: Workspace, session: Session | None, record: OnboardingRecord) -> OnboardingStatus:
    from treaty.flows.dead_letters import first_delivery
    from treaty.lake.arrivals import first_arrival
    from treaty.lake.scope import OneClient

    landed = delivered = None
    if session is not None:
        scope = OneClient(record.client)
        landed, delivered = first_arrival(session, scope), first_delivery(session, scope)
    first = min(each.at for each in record.samples)
    steps = record.steps
    return OnboardingStatus(
        record.client, first, steps.get("proposed"), steps.get("answered"), steps.get("rehearsed"), landed, delivered, record.open,
        round((delivered - first).total_seconds()) if delivered is not None else None,
    )  # fmt: skip
