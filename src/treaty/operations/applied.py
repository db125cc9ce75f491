"""The applied project: what `run` runs and what reading operations explain, whatever the folder says by now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from treaty.clock import Clock, system_clock
from treaty.errors import UsageError
from treaty.lake.applied import AppliedFiles, applied_by, newest_applied
from treaty.lake.names import lake_table
from treaty.project.declarations import ClientProject
from treaty.project.loading import Project, load_project_files
from treaty.project.overlays import client_project, clients
from treaty.sessions import Session


@dataclass(frozen=True, eq=False)
class AppliedProject:
    """The project that is applied in one lake, and the day by which it last ran."""

    session: Session
    applied_id: str
    project: Project
    as_of: str

    @property
    def clients(self) -> tuple[str, ...]:
        """The clients of the project."""
        return clients(self.project)

    @cache  # noqa: B019  an applied project lives as long as one operation
    def of_client(self, client: str) -> ClientProject:
        """Return the resultant of one client."""
        return client_project(self.project, client)


def open_applied(session: Session, clock: Clock = system_clock) -> AppliedProject:
    """Return the applied project of a session's lake; raise UsageError where nothing has been applied yet."""
    applied = newest_applied(session)
    if applied is None:
        raise UsageError("Nothing has run here yet.", remedy="Type `treaty run` first.")
    return _opened(session, applied, clock)


def open_applied_by(session: Session, at: datetime, clock: Clock = system_clock) -> AppliedProject:
    """Return the project that was applied at a time; raise UsageError where nothing was yet."""
    applied = applied_by(session, at)
    if applied is None:
        raise UsageError(f"Nothing had run here yet at {at.isoformat()}.", remedy="`treaty apply --list` shows what was applied, and when.")
    return _opened(session, applied, clock)


def _opened(session: Session, applied: AppliedFiles, clock: Clock) -> AppliedProject:
    row = session.duck.execute(f"select as_of from {lake_table('batch')} where as_of is not null order by _batch desc limit 1").fetchone()
    day = row[0] if row else clock().date()
    return AppliedProject(session, applied.applied_id, load_project_files(applied.files), day.isoformat())
