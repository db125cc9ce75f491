"""Extracts one stream of one client and lands it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from treaty.compiler.compiled import CompiledStream
from treaty.compiler.lookups import read_streams
from treaty.compiler.mapping import compile_stream
from treaty.connectors.interface import Arrival, Cursor, Site, StreamRequest
from treaty.connectors.registry import open_source
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.identify import Identification, identify
from treaty.errors import RetryError, StopError
from treaty.faults import faultpoint
from treaty.flows.drift_policies import DriftGuard, Policy, accept_drift, origins_to_read_again
from treaty.lake.arrivals import LastArrival
from treaty.lake.landing import LandingRequest, land
from treaty.lake.names import column_name
from treaty.lake.quarantine import leave_out_keyless
from treaty.lake.refusals import ReadingMapping
from treaty.lake.scope import OneClient
from treaty.project.declarations import ClientProject, Limits, System
from treaty.project.overlays import SHARED
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class Extracted:
    """What reading one stream came to: rows landed, records skipped as unchanged, arrivals landed and refused records."""

    stream: str
    landed: int = 0
    skipped: int = 0
    arrivals: int = 0
    refused: int = 0
    held_deletes: int = 0
    batches: tuple[int, ...] = ()
    repeated: int = 0  # refused ones that another stream of the system has in quarantine
    stopped: StopError | RetryError | None = None  # why reading ended before the end: what came before it has landed


def extract(
    session: Session, project: ClientProject, name: str, site: Site, mappings: tuple[ReadingMapping, ...], progress: Callable[[str], None],
    policy: Policy = "evolve",
) -> Extracted:  # fmt: skip
    """Read a stream from its cursor on and land what is new; where the connector cannot go on, what it had given.

    Raises StopError where the stream cannot be read at all, and RetryError where others go on landing it.
    """
    system_name, _, stream_name = name.partition("/")
    stream, compiled = project.stream(name), compile_stream(project, name)
    if stream is None or compiled is None:
        raise StopError(f"there is no stream {name!r}", remedy="Declare it in systems/, or correct the mapping.")
    system = _as_read(project, system_name)
    source = open_source(system, site)
    guard = DriftGuard.of(session, project.client, name, policy) if policy != "evolve" else None
    stopped: list[StopError | RetryError] = []

    def read(cursor: Cursor, last: Mapping[str, LastArrival]) -> Iterator[Arrival]:
        known = {origin: each.sha256 for origin, each in last.items()}
        stamps = {origin: each.stamp for origin, each in last.items() if each.stamp}
        limits, spool = project.settings.limits, session.temp_folder
        request = StreamRequest(system_name, stream_name, project.client, stream, cursor, known, limits, stamps, spool)
        stopped.clear()
        try:
            for number, arrival in enumerate(source.read(request), 1):
                if number % 500 == 0:
                    progress(f"{project.client}: reading {name}, {number} arrivals")
                yield arrival if guard is None else guard.check(arrival)
        except (StopError, RetryError) as error:  # landing raises none into here: it is the connector's, or the guard's
            stopped.append(error)

    request = LandingRequest(
        system_name,
        stream_name,
        identity_of(compiled),
        snapshot_deletes=stream.deletes.mode == "snapshot",
        guard_percent=stream.deletes.guard_percent,
        mappings=mappings,
        read_again=frozenset() if guard else origins_to_read_again(session, project.client, name),
        read_as=_reading_of(system, stream_name, project.settings.limits),
        reading=_record_reading_of(system, stream_name),
        keyless=not compiled.key,
    )
    faultpoint("extract.pre_read")
    result = land(session, OneClient(project.client), request, read)
    if guard is not None:
        guard.tell()
    elif request.read_again or result.arrivals:
        accept_drift(session, project.client, name, [each.mapping for each in mappings])
    if result.was_keyless:
        leave_out_keyless(session, OneClient(project.client), system_name, stream_name)
    faultpoint("extract.done")
    return Extracted(
        name, result.landed, result.unchanged, result.arrivals, result.refused, result.held_deletes, tuple(result.batches),
        result.repeated, next(iter(stopped), None),
    )


def _as_read(project: ClientProject, name: str) -> System:
    """Return a system with the streams that are read: what is another's is left to it only where that one is. Of a shared system all are."""
    system = project.systems[name]
    if project.client == SHARED:
        return system
    read = read_streams(project)
    return replace(system, streams={each: stream for each, stream in system.streams.items() if f"{name}/{each}" in read})


def _reading_of(system: System, name: str, limits: Limits) -> str:
    """Return what stands for how a stream is read: its own declaration, those of the streams beside it, its guard, and the limits."""
    declared = {each: (stream.format, stream.record, dict(stream.namespaces), dict(stream.read)) for each, stream in system.streams.items()}
    guard = system.streams[name].deletes.guard_percent
    told = json.dumps([system.connector, name, declared, guard, asdict(limits)], sort_keys=True, default=str)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _record_reading_of(system: System, name: str) -> str:
    """Return what stands for how records are read from bytes: the stream's declaration, but for which bytes they are."""
    told = json.dumps([system.connector, system.streams[name].reading], sort_keys=True, default=str)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def identity_of(compiled: CompiledStream) -> Callable[[tuple[str, ...] | None], Identification]:
    """Return the function that gives, for the columns of an arrival (None for documents), how its records are identified."""

    def identity(columns: tuple[str, ...] | None) -> Identification:
        physical = frozenset(column_name(each) for each in columns or ())
        return identify(compiled, Inputs("1970-01-01", column_name, physical))

    return identity
