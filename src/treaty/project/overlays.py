"""What holds for one client: the standard with its overlay, and which flows and mappings run for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from treaty.project.declarations import ClientProject, EntityMapping, Flow, Stream, System
from treaty.project.loading import Project
from treaty.project.stubs import with_stubs

MAIN_CLIENT = "main"
PLACEHOLDER = "{client}"
SHARED = "@shared"  # whom the streams of shared systems land for, before each record is handed over to its client
STEWARD = System(
    name="steward",
    connector="steward",
    owner="stewards",
    classification="internal",
    streams={
        "corrections": Stream(format="json", key=("client", "model", "canonical_id", "field"), version="landing-order", empty="value"),
    },
)


def clients(project: Project) -> tuple[str, ...]:
    """Return the clients of a project in order: the folders of ``clients/``, or ``main`` where there are none."""
    return tuple(sorted(project.overlays)) or (MAIN_CLIENT,)


def client_project(project: Project, client: str) -> ClientProject:
    """Return the resultant for one client: what the compiler reads. Raise KeyError for a client that there is not."""
    if client not in clients(project):
        raise KeyError(client)
    overlay = project.overlays.get(client)
    systems = {**project.systems, **(overlay.systems if overlay else {}), STEWARD.name: STEWARD}
    mappings = {**project.mappings, **(overlay.mappings if overlay else {})}
    return with_stubs(
        ClientProject(
            client=client,
            settings=project.settings,
            systems={name: _for_client(system, client) for name, system in systems.items()},
            models=project.models,
            decisions={**project.decisions, **(overlay.decisions if overlay else {})},
            mappings=mappings,
            flows=dict(_running_flows(project, client, mappings)),
            hooks=project.hooks,
        )
    )


def shared_project(project: Project) -> ClientProject:
    """Return what streams of shared systems are read and handed over by: the standard, which no overlay changes. No flow runs for it."""
    return ClientProject(
        client=SHARED, settings=project.settings, systems=project.systems, models=project.models, decisions=project.decisions, mappings={}, flows={},
        hooks=project.hooks,
    )  # fmt: skip


def is_handed_over(project: ClientProject, name: str) -> bool:
    """Whether the stream ``system/stream`` is of a shared system and says record by record which client it is of."""
    system, stream = project.systems.get(name.partition("/")[0]), project.stream(name)
    return system is not None and stream is not None and system.shared and stream.client is not None


def handed_over_streams(project: Project) -> tuple[str, ...]:
    """Return the streams, as ``system/stream``, whose records are handed over to clients."""
    shared = shared_project(project)
    names = (f"{name}/{stream}" for name, system in shared.systems.items() for stream in system.streams)
    return tuple(name for name in names if is_handed_over(shared, name))


def running_mappings(project: ClientProject) -> tuple[str, ...]:
    """Return the names of the mappings that some flow runs for this client, in the order of the flows."""
    return tuple(dict.fromkeys(name for flow in project.flows.values() for name in flow.mappings))


def _running_flows(project: Project, client: str, mappings: Mapping[str, EntityMapping]) -> Iterator[tuple[str, Flow]]:
    """Yield the flows that run for a client, each with the mappings that run: inbound ones of its systems, and all outbound ones."""
    overlay = project.overlays.get(client)
    own = overlay.flows if overlay else {}
    for name, flow in {**project.flows, **own}.items():
        if flow.clients and client not in flow.clients:
            continue
        named = client in flow.clients or (name in own and name not in project.flows)
        kept = [
            each
            for each in flow.mappings
            if each in mappings and (named or not mappings[each].inbound or _available(project, client, mappings[each]))
        ]
        inbound = [each for each in flow.mappings if each in mappings and mappings[each].inbound]
        if any(each in kept for each in inbound) or (named and kept):
            yield name, dataclasses.replace(flow, mappings=tuple(kept))


def _available(project: Project, client: str, mapping: EntityMapping) -> bool:
    """Whether a client has the system that an inbound mapping reads."""
    if not project.overlays:
        return True
    name = mapping.from_.partition("/")[0]
    if name in project.overlays[client].systems:
        return True
    system = project.systems.get(name)
    return system is not None and (system.shared or uses_placeholder(system))


def uses_placeholder(system: System) -> bool:
    """Whether a system's declaration has ``{client}`` in it, so that each client has one of its own."""
    values = [
        system.connection,
        *(stream.read for stream in system.streams.values()),
        *(stream.write for stream in system.streams.values()),
    ]
    return any(PLACEHOLDER in text for value in values for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)


def _for_client(system: System, client: str) -> System:
    if not uses_placeholder(system):
        return system
    streams = {
        name: dataclasses.replace(stream, read=_fill(stream.read, client), write=_fill(stream.write, client))
        for name, stream in system.streams.items()
    }
    return dataclasses.replace(system, connection=_fill(system.connection, client), streams=streams)


def _fill(value: Any, client: str) -> Any:
    if isinstance(value, str):
        return value.replace(PLACEHOLDER, client)
    if isinstance(value, Mapping):
        return {key: _fill(each, client) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fill(each, client) for each in value]
    return value
