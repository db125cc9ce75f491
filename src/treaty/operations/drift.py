"""``drift``: how the shape of what landed has changed, arrival by arrival."""

from __future__ import annotations

from itertools import groupby

from treaty.compiler.mapping import compile_mapping
from treaty.errors import UsageError
from treaty.flows.drifting import Drift, mapped_by_stream, stream_drift
from treaty.lake.receipts import landed_arrivals
from treaty.operations.applied import open_applied
from treaty.operations.workspace import Folder, find_workspace
from treaty.project.findings import suggest
from treaty.project.overlays import running_mappings


def drift(stream: str | None = None, project: Folder = None, *, environment: str | None = None, client: str | None = None) -> tuple[Drift, ...]:
    """Return every change of shape of what landed, oldest first: of one stream, or of all where none is named.

    Of tables the columns are compared, of documents every path and the kinds of its values. A path is spelled as in a cell, with ``[]``
    after the name of a JSON array for what is in it.

    Raises:
        UsageError: there is no such stream or client, or nothing has run yet.
    """
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client)
    workspace.ensure_ran()
    found: list[Drift] = []
    with workspace.open() as session:
        applied = open_applied(session)
        clients = (client,) if client else applied.clients
        known = {f"{name}/{each}" for one in clients for name, system in applied.of_client(one).systems.items() for each in system.streams}
        if stream is not None and stream not in known:
            raise UsageError(f"There is no stream {stream!r}.", remedy=suggest(stream, sorted(known), f"Streams: {', '.join(sorted(known)) or 'none'}."))
        limits = workspace.project.settings.limits
        arrivals = landed_arrivals(session, workspace.scope(client, "drift"), stream)
        for (who, place), several in groupby(arrivals, key=lambda each: (each.client, each.place)):
            if who not in applied.clients:
                continue
            resultant = applied.of_client(who)
            declared = resultant.stream(place)
            if declared is None:
                continue
            inbound = [name for name in running_mappings(resultant) if resultant.mappings[name].inbound and resultant.mappings[name].from_ == place]
            mapped = mapped_by_stream(resultant, {name: compile_mapping(resultant, name) for name in inbound})
            found += stream_drift(session, list(several), declared, limits, mapped.get(place, frozenset()))
    return tuple(found)
