"""Where an operation works: the project folder, the environment, and the folder of its state."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from treaty.errors import UsageError
from treaty.project.declarations import Environment
from treaty.project.files import SETTINGS_FILE
from treaty.project.findings import Severity, nearest
from treaty.project.loading import Project, load_project
from treaty.project.overlays import SHARED, clients, handed_over_streams

if TYPE_CHECKING:
    from treaty.connectors.interface import Site
    from treaty.lake.scope import ClientScope
    from treaty.sessions import Session

DEFAULT_ENVIRONMENT = "local"
Folder: TypeAlias = Path | str | None


@dataclass(frozen=True)
class Workspace:
    """One project folder in one environment."""

    root: Path
    name: str  # of the environment

    @cached_property
    def project(self) -> Project:
        """The project as the folder says it now."""
        return load_project(self.root)

    @cached_property
    def environment(self) -> Environment:
        """The environment's settings; ``local`` needs none."""
        known = self.project.settings.environments
        if self.name in known:
            return known[self.name]
        if self.name == DEFAULT_ENVIRONMENT:
            return Environment()
        found = nearest(self.name, known)
        remedy = f"Did you mean {found!r}?" if found else f"Declare it in {SETTINGS_FILE} under `environments:`; known: {', '.join(known) or 'none'}."
        raise UsageError(f"{SETTINGS_FILE} has no environment {self.name!r}.", remedy=remedy)

    @property
    def state(self) -> Path:
        """The folder of the lake and of the embedded database."""
        return self.root / self.environment.state

    @property
    def has_lake(self) -> bool:
        """Whether something has run in this environment before."""
        return (self.state / "lake").is_dir()

    def open(self) -> Session:
        """Open the state folder: the embedded database is started if it does not run."""
        from treaty.connectors.secrets import Secret
        from treaty.sessions import open_session

        reference = self.environment.database
        return open_session(self.state, Secret(reference).reveal() if reference else None, self.project.settings.limits)

    def scope(self, client: str | None, what: str) -> ClientScope:
        """Return the scope of one client, or of all of them; ``what`` is written to the audit log."""
        from treaty.lake.scope import AllClients, OneClient

        return OneClient(client) if client is not None else AllClients(what)

    def site(self, session: Session) -> Site:
        """Return what connectors may know of this installation."""
        from treaty.connectors.interface import Site
        from treaty.sessions.guests import guest_database

        return Site(self.root, lambda name: guest_database(session.database, name))

    def ensure_ran(self) -> None:
        """Raise UsageError where nothing has run in this environment."""
        if not self.has_lake:
            raise UsageError(f"Nothing has run in the environment {self.name!r} of {self.root} yet.", remedy="Type `treaty run` first.")

    def ensure_sound(self) -> None:
        """Raise UsageError where the folder cannot be read without errors."""
        errors = [each for each in self.project.findings if each.severity is Severity.ERROR]
        if errors:
            first = errors[0]
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise UsageError(f"{first.position}: {first.message}{more}.", remedy=f"{first.remedy} `treaty check` lists every problem.")

    def ensure_client(self, client: str | None, *, shared: bool = False) -> str | None:
        """Return the client's name, or None where none is named; raise UsageError where there is no such client.

        ``shared`` allows the one that streams of shared systems land for, where the project has such.
        """
        known = clients(self.project)
        if client is None or client in known or (shared and client == SHARED and handed_over_streams(self.project)):
            return client
        found = nearest(client, known)
        raise UsageError(f"There is no client {client!r}.", remedy=f"Did you mean {found!r}?" if found else f"Clients: {', '.join(known)}.")


def find_root(folder: Folder = None) -> Path:
    """Return the project folder: the one named, else this folder or the nearest above it that has a ``treaty.yaml``.

    Raises:
        UsageError: there is none.
    """
    if folder is not None:
        root = Path(folder).expanduser().resolve()
        if not (root / SETTINGS_FILE).is_file():
            raise UsageError(f"{root} has no {SETTINGS_FILE}.", remedy="Name a project folder, or make one with `treaty init DIR`.")
        return root
    here = Path.cwd()
    for candidate in (here, *here.parents):
        if (candidate / SETTINGS_FILE).is_file():
            return candidate
    remedy = "Go to a project folder, name one with --project DIR, or make one with `treaty init DIR`."
    raise UsageError(f"Neither {here} nor a folder above it has a {SETTINGS_FILE}.", remedy=remedy)


def find_workspace(folder: Folder = None, environment: str | None = None) -> Workspace:
    """Return the workspace of a project folder and an environment; raise UsageError where either is not there."""
    workspace = Workspace(find_root(folder), environment or DEFAULT_ENVIRONMENT)
    workspace.environment  # noqa: B018  an unknown name is told before any work
    return workspace
