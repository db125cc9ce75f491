"""``stop``: end the embedded PostgreSQL of a project's environment."""

from __future__ import annotations

from dataclasses import dataclass

from treaty.operations.workspace import Folder, find_workspace


@dataclass(frozen=True, slots=True)
class StopResult:
    """Whether there was a server to stop, and the state folder it served."""

    stopped: bool
    state: str


def stop(project: Folder = None, *, environment: str | None = None) -> StopResult:
    """Stop the embedded PostgreSQL; a server that the environment names is left alone, and nothing is lost."""
    from treaty.sessions.embedded import stop_embedded

    workspace = find_workspace(project, environment)
    stopped = workspace.environment.database is None and stop_embedded(workspace.state)
    return StopResult(stopped, str(workspace.state))
