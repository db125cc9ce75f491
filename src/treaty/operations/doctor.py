"""``doctor``: is everything there that Treaty needs, and can every system be reached?"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treaty.connectors.interface import Site
from treaty.errors import TreatyError
from treaty.flows.sink_ahead import KIND
from treaty.lake.issues import open_issues
from treaty.lake.scope import OneClient
from treaty.operations.workspace import Folder, Workspace, find_workspace
from treaty.project.declarations import ClientProject, System
from treaty.project.findings import Severity
from treaty.project.overlays import client_project, clients
from treaty.project.stubs import is_stub

if TYPE_CHECKING:
    from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing that was looked at: what, whether it is well, what was found, and what to do if it is not."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class DoctorResult:
    """All that was looked at; ``ok`` if all of it is well."""

    ok: bool
    checks: tuple[HealthCheck, ...]


def doctor(project: Folder = None, *, environment: str | None = None) -> DoctorResult:
    """Look at the installation, the project, the database, the lake and every system of every client."""
    workspace = find_workspace(project, environment)
    checks = [_python(), _project(workspace), *_database(workspace)]
    if all(each.ok for each in checks):
        with workspace.open() as session:
            checks += _systems(workspace, workspace.site(session))
            checks += _ahead(workspace, session)
    return DoctorResult(all(each.ok for each in checks), tuple(checks))


def _look(name: str, remedy: str, look: Callable[[], str]) -> HealthCheck:
    try:
        return HealthCheck(name, True, look())
    except TreatyError as error:
        return HealthCheck(name, False, error.message, error.remedy or remedy)


def _python() -> HealthCheck:
    good = sys.version_info >= (3, 11)
    return HealthCheck("Python", good, f"{platform.python_version()} on {platform.system()}", "" if good else "Install Python 3.11 or newer.")


def _project(workspace: Workspace) -> HealthCheck:
    errors = sum(each.severity is Severity.ERROR for each in workspace.project.findings)
    detail = f"{workspace.root}: {len(workspace.project.files)} files"
    if errors:
        return HealthCheck("project", False, f"{detail}, {errors} errors", "Type `treaty check` and mend what it lists.")
    return HealthCheck("project", True, detail)


def _database(workspace: Workspace) -> Iterator[HealthCheck]:
    kind = "a server" if workspace.environment.database else "embedded"

    def reach() -> str:
        with workspace.open() as session:
            row = session.pg.execute("show server_version").fetchone()
            return f"PostgreSQL {row[0] if row else 'unknown'}, {kind}"

    def attach() -> str:
        with workspace.open() as session:
            row = session.duck.execute("select version(), count(*) from duckdb_tables() where database_name = ?", [session.lake_name]).fetchone()
            assert row is not None, "a count has a row"
            return f"DuckDB {row[0]}, {row[1]} tables in {session.data_path}"

    database = _look("database", "See the server's log in the state folder.", reach)
    yield database
    if database.ok:
        yield _look("lake", "Check that the state folder can be written.", attach)


def _systems(workspace: Workspace, site: Site) -> Iterator[HealthCheck]:
    for client in clients(workspace.project):
        resultant = client_project(workspace.project, client)
        for system in resultant.systems.values():
            for kind, check in _abilities(site, resultant, system):
                yield _look(f"{client}: {system.name} ({kind})", "Mend the system's `connection`.", check)


def _ahead(workspace: Workspace, session: Session) -> Iterator[HealthCheck]:
    """Yield the sinks that have later versions than were ever sent to them from here."""
    for client in clients(workspace.project):
        sinks = [each.to for each in client_project(workspace.project, client).mappings.values() if not each.inbound]
        for issue in open_issues(session, OneClient(client), sinks):
            if issue.kind == KIND:
                yield HealthCheck(f"{client}: {issue.subject} (versions)", False, issue.message, issue.remedy)


def _abilities(site: Site, project: ClientProject, system: System) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield what a system is used for by the flows of a client: reading, writing, or both."""
    used = [project.mappings[name] for flow in project.flows.values() for name in flow.mappings if name in project.mappings]
    reads = {each.from_.partition("/")[0] for each in used if each.inbound and not is_stub(each)}
    writes = {each.to.partition("/")[0] for each in used if not each.inbound}

    def read() -> str:
        from treaty.connectors.registry import open_source

        open_source(system, site).check()
        return "can be read"

    def write() -> str:
        from treaty.connectors.registry import open_sink

        open_sink(system, site).check()
        return "can be written"

    if system.name in reads:
        yield "source", read
    if system.name in writes:
        yield "sink", write
