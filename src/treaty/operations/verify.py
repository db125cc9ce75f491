"""``verify``: proof that everything that landed, and everything that was to be delivered, is accounted for."""

from __future__ import annotations

from collections.abc import Iterator

from treaty.compiler.handing_over import HAND_OVER
from treaty.compiler.mapping import compile_mapping
from treaty.lake.names import lake_table
from treaty.lake.verify import LOOKUP, UNMAPPED, MappedStream, VerifyResult
from treaty.lake.verify import verify as verify_lake
from treaty.operations.applied import AppliedProject, open_applied
from treaty.operations.workspace import Folder, find_workspace
from treaty.project.declarations import ClientProject
from treaty.project.overlays import SHARED, is_handed_over, running_mappings, shared_project


def verify(project: Folder = None, *, environment: str | None = None, client: str | None = None) -> VerifyResult:
    """Make the sums of every stream through every mapping, and of every sink; look for keys that stand twice."""
    workspace = find_workspace(project, environment)
    workspace.ensure_ran()
    with workspace.open() as session:
        applied = open_applied(session)
        workspace.ensure_client(client, shared=True)
        streams = list(mapped_streams(applied))
        sinks = {
            each.to: name
            for one in applied.clients
            for name, each in applied.of_client(one).mappings.items()
            if not each.inbound and name in running_mappings(applied.of_client(one))
        }
        return verify_lake(session, workspace.scope(client, "verify"), streams, sinks)


def mapped_streams(applied: AppliedProject) -> Iterator[MappedStream]:
    """Yield every sum to make: each running mapping, streams that are only looked up, and landed streams that nothing reads."""
    landed = applied.session.duck.execute(f"select distinct _client, system || '/' || stream from {lake_table('receipt')}").fetchall()
    shared = shared_project(applied.project)
    for stream in sorted(name for who, name in landed if who == SHARED):
        if is_handed_over(shared, stream):
            yield MappedStream(SHARED, stream, HAND_OVER, handed_over=True, clients=tuple(applied.clients))
        else:  # what the cells of clients look up
            yield MappedStream(SHARED, stream, LOOKUP)
    for client in applied.clients:
        project = applied.of_client(client)
        read = set()
        for name in running_mappings(project):
            mapping = project.mappings[name]
            if mapping.inbound:
                read.add(mapping.from_)
                yield MappedStream(client, mapping.from_, name, mapping.to)
        looked_up = _looked_up(project) - read
        for stream in sorted(looked_up):
            yield MappedStream(client, stream, LOOKUP)
        for who, stream in landed:
            if who == client and stream not in read | looked_up and not stream.startswith("steward/"):
                yield MappedStream(client, stream, UNMAPPED)


def _looked_up(project: ClientProject) -> set[str]:
    inbound = [name for name in running_mappings(project) if project.mappings[name].inbound]
    return {each for name in inbound for each in compile_mapping(project, name).references if "/" in each}
