"""Shared streams: read once for all clients, told apart record by record, and handed over to each client as a source of its own.

A client lands what is handed over to it as it lands anything else, from its own cursor: what comes after landing does not know that
the system is shared. Each step commits by itself and goes on from its cursor, so that a kill between two loses and repeats nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.handing_over import HAND_OVER, compile_hand_over
from treaty.compiler.mapping import compile_stream
from treaty.connectors.interface import Arrival, Cursor, Rows, Site
from treaty.engines.duckdb.conform import conform_sql
from treaty.engines.duckdb.structures import observed_lists
from treaty.errors import RetryError, StopError
from treaty.faults import faultpoint
from treaty.flows.conforming import exclusively
from treaty.flows.drift_policies import Policy
from treaty.flows.landing import Extracted, extract, identity_of
from treaty.flows.references import come_through, inputs_of
from treaty.flows.results import FlowResult, Problem, StreamResult
from treaty.lake.arrivals import LastArrival
from treaty.lake.batches import open_batch
from treaty.lake.commit import commit, discard
from treaty.lake.cursors import Fence, read_cursor
from treaty.lake.handing_over import HANDED_OVER, SharedStream, events_for, moves, prepare_hand_over, told_apart
from treaty.lake.issues import open_issues
from treaty.lake.landing import LandingRequest, land
from treaty.lake.names import column_name, quote_name, quote_text
from treaty.lake.refusals import ReadingMapping
from treaty.lake.schema import table_columns
from treaty.lake.scope import OneClient
from treaty.project.declarations import ClientProject
from treaty.project.findings import Finding, Severity
from treaty.project.loading import Project
from treaty.project.overlays import SHARED, clients, handed_over_streams, is_handed_over, shared_project
from treaty.sessions import Session

ROWS_A_BATCH = 10_000
CONFORMED = "hand_over_conformed"
REFUSED = (ReadingMapping(HAND_OVER, 1, HAND_OVER),)  # under what the records of a shared stream that could not be read stand


@dataclass(slots=True)
class SharedReading:
    """The shared streams of one run: each is read and told apart once, before the first client receives of it."""

    session: Session
    project: Project
    site: Site
    applied_id: str
    as_of: str
    progress: Callable[[str], None]
    _streams: dict[str, StreamResult] = field(default_factory=dict)
    _problems: list[Problem] = field(default_factory=list)

    def ensure_read(self, name: str, policy: Policy) -> None:
        """Land a shared stream and tell its records apart, unless this run has done so; what cannot be done is a problem of the run."""
        if name in self._streams:
            return
        project = shared_project(self.project)
        self._streams[name] = StreamResult(name, HAND_OVER, 0)
        self.progress(f"{SHARED}: reading {name}")
        try:
            for each in compile_hand_over(project, name).references:
                self._read_reference(project, each)
            read = extract(self.session, project, name, self.site, REFUSED, self.progress, policy)
            if read.stopped is not None:
                self._problems.append(Problem(f"{SHARED}: {name}", read.stopped.message, read.stopped.remedy))
            self.progress(f"{SHARED}: handing over {name}")
            states = tell_apart(self.session, project, name, clients(self.project), applied_id=self.applied_id, as_of=self.as_of)
        except (StopError, RetryError) as error:
            self._problems.append(Problem(f"{SHARED}: {name}", error.message, error.remedy))
            return
        if read.refused:
            states["quarantined"] = states.get("quarantined", 0) + read.refused
        self._streams[name] = StreamResult(name, HAND_OVER, read.landed, states, read.skipped, read.arrivals)

    def _read_reference(self, project: ClientProject, name: str) -> None:
        """Land a stream in which the cell of the client looks something up."""
        if is_handed_over(project, name):
            self.ensure_read(name, "evolve")
        elif name not in self._streams:
            read = extract(self.session, project, name, self.site, (), self.progress)
            self._streams[name] = StreamResult(name, "lookup", read.landed, {}, read.skipped, read.arrivals)

    def results(self) -> tuple[FlowResult, ...]:
        """Return what reading shared streams came to; nothing where none was read."""
        if not self._streams:
            return ()
        issues = open_issues(self.session, OneClient(SHARED), list(self._streams))
        return (FlowResult(HAND_OVER, SHARED, tuple(self._streams.values()), problems=tuple(self._problems), issues=issues),)


def shared_stream(name: str) -> SharedStream:
    """Return a shared stream ``system/stream`` as it lies in the lake."""
    system, _, stream = name.partition("/")
    return SharedStream(SHARED, system, stream, HAND_OVER)


def tell_apart(
    session: Session, project: ClientProject, name: str, clients: Collection[str], *, applied_id: str, as_of: str, anew: bool = False
) -> dict[str, int]:
    """Commit, for what has landed of a shared stream, which record goes to which client; return how many records came to each state.

    ``project`` is that of :func:`treaty.project.overlays.shared_project`. Where clients, the cell that names them, or what it looks up are
    not as they were, everything that has landed is looked at again, and so it is ``anew``. Raises StopError where the cell does not compile.
    """
    stream, mapping = shared_stream(name), _compiled(project, name)
    with exclusively(session, f"hand-over|{name}"):
        cursor = read_cursor(session, OneClient(SHARED), HAND_OVER, name)
        by, done = _told_by(session, mapping, clients), cursor.position
        again = bool(done) and (anew or any(done.get(part) != value for part, value in by.items()))
        through, since = come_through(session, SHARED, name), 0 if again else int(done.get("batch", 0))
        if through <= since:
            return {}
        batch = open_batch(session, OneClient(SHARED), HAND_OVER, stream=name, mapping=HAND_OVER, applied_id=applied_id, versions={"mapping": mapping.version})
        try:
            with _conformed(session, mapping, as_of, since), told_apart(session, stream, CONFORMED, clients, again=again):
                writes, counts = prepare_hand_over(session, batch, stream)
        except BaseException:
            discard(session, batch, ())
            raise
        faultpoint("hand_over.pre_commit")
        fence = Fence(SHARED, HAND_OVER, name, cursor.seq, {**by, "batch": through})
        commit(session, OneClient(SHARED), writes, batch=batch, fences=[fence], message=f"hand over {name}", counts=counts)
    faultpoint("hand_over.post_commit")
    return counts


def foresee_moves(session: Session, before: Project, after: Project, as_of: str) -> dict[str, dict[tuple[str, str], int]]:
    """Return, by shared stream, what of it another project would give to each client, and take from it (``upsert``, ``delete``).

    What has landed is told apart as a run would do it, and nothing of that is kept. Raises StopError where a cell does not compile.
    """
    found = {}
    for name in handed_over_streams(after):
        mapping, stream = _compiled(shared_project(after), name), shared_stream(name)
        same = name in handed_over_streams(before) and _compiled(shared_project(before), name).version == mapping.version
        if (same and set(clients(before)) == set(clients(after))) or table_columns(session, stream.table) is None:
            continue
        with _conformed(session, mapping, as_of, 0), told_apart(session, stream, CONFORMED, clients(after), again=True):
            found[name] = moves(session)
    return {name: told for name, told in found.items() if told}


def hand_over_errors(project: Project) -> list[Finding]:
    """Return what keeps the cells of clients of a project's shared streams from compiling."""
    shared = shared_project(project)
    return [error for name in handed_over_streams(project) for error in _errors(compile_hand_over(shared, name))]


def _errors(mapping: CompiledMapping) -> list[Finding]:
    return [each for each in mapping.findings if each.severity is Severity.ERROR]


def _compiled(project: ClientProject, name: str) -> CompiledMapping:
    mapping = compile_hand_over(project, name)
    if errors := _errors(mapping):
        raise StopError(f"nothing tells which client a record of {name} is of: {errors[0].message}", remedy=errors[0].remedy)
    return mapping


def _told_by(session: Session, mapping: CompiledMapping, clients: Collection[str]) -> dict[str, Any]:
    """Return all that decides whom a landed record goes to."""
    references = {each: come_through(session, SHARED, each) for each in mapping.references}
    return {"version": mapping.version, "clients": sorted(clients), "references": references}


@contextmanager
def _conformed(session: Session, mapping: CompiledMapping, as_of: str, since: int) -> Iterator[None]:
    """Hold the landed records of a shared stream behind a batch, with the client that each names, as a temporary table."""
    stream = shared_stream(mapping.stream.name)
    relation = f"select * from {stream.landed} where {stream.mine} and _op <> 'refused' and _batch > {since}"
    inputs = inputs_of(session, mapping, as_of, observed_lists(session.duck, mapping.stream, mapping.nodes_read, relation))
    session.duck.execute(f"create or replace temp table {CONFORMED} as {conform_sql(mapping, relation, inputs)}")
    try:
        yield
    finally:
        session.duck.execute(f"drop table if exists {CONFORMED}")


def receive(session: Session, project: ClientProject, name: str, mappings: tuple[ReadingMapping, ...]) -> Extracted:
    """Land for a client what has been handed over to it of a shared stream since its cursor."""
    compiled = compile_stream(project, name)
    if compiled is None:
        raise StopError(f"there is no stream {name!r}", remedy="Declare it in systems/, or correct the mapping.")
    stream = shared_stream(name)
    request = LandingRequest(stream.system, stream.stream, identity_of(compiled), mappings=mappings)

    def read(cursor: Cursor, last: Mapping[str, LastArrival]) -> Iterator[Arrival]:
        yield from _arrivals(session, stream, project.client, cursor)

    result = land(session, OneClient(project.client), request, read)
    return Extracted(name, result.landed, result.unchanged, result.arrivals, result.refused, 0, tuple(result.batches))


@dataclass(frozen=True, slots=True)
class _Run:
    """Events in a row whose contents have the same columns; numbered from ``first`` to ``last``."""

    first: int
    last: int
    columns: tuple[str, ...] | None  # None for documents
    cursor: Cursor


def _arrivals(session: Session, stream: SharedStream, client: str, cursor: Cursor) -> Iterator[Arrival]:
    """Yield the events for a client behind its cursor as arrivals; the bytes of each say, a line a record, what was handed over."""
    if table_columns(session, stream.table) is None or not events_for(session, stream, client, cursor):
        return
    for run in _runs(session):
        folder = session.temp_folder
        rows, listed = folder / f"handed-{run.first}.parquet", folder / f"handed-{run.first}.csv"
        chosen = f"select * from s_handed where number between {run.first} and {run.last}"
        try:
            _write_rows(session, stream, run, chosen, rows)
            session.duck.execute(f"copy (select cause, op from ({chosen}) order by number) to {quote_text(str(listed))} (format csv, header false)")
            with listed.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            yield Arrival(
                origin=SHARED, content=listed, sha256=digest, size_bytes=listed.stat().st_size, records=Rows(_batches(rows, run), run.columns),
                cursor=run.cursor, details={HANDED_OVER: SHARED}, records_bytes=rows.stat().st_size,
            )  # fmt: skip
        finally:
            rows.unlink(missing_ok=True)
            listed.unlink(missing_ok=True)


def _runs(session: Session) -> list[_Run]:
    """Cut the events of ``s_handed`` into runs of the same columns."""
    found = session.duck.execute("""
        with marked as (select *, columns is distinct from lag(columns) over (order by number) as begins from s_handed),
        cut as (select *, sum(begins::integer) over (order by number) as run from marked)
        select min(number), max(number), any_value(columns), max_by(batch, number), max_by(seq, number) from cut group by run order by run""").fetchall()
    return [_Run(first, last, None if columns is None else tuple(json.loads(columns)), {"batch": batch, "seq": seq}) for first, last, columns, batch, seq in found]


def _write_rows(session: Session, stream: SharedStream, run: _Run, chosen: str, path: Path) -> None:
    """Write the contents of a run to a Parquet file in the order of its events; columns are named by their place, as any names may be equal to an engine."""
    physical = ["payload"] if run.columns is None else [column_name(each) for each in run.columns]
    columns = ", ".join(f"l.{quote_name(each)} as c{place}" for place, each in enumerate(physical))
    session.duck.execute(f"""copy (
        select h.number - {run.first - 1} as _locator, h.op as _op, {columns} from ({chosen}) h join {stream.landed} l on l._landed_id = h.content
        where l.{stream.mine} order by h.number) to {quote_text(str(path))} (format parquet)""")


def _batches(path: Path, run: _Run) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ["_locator", "_op", *(("payload",) if run.columns is None else run.columns)]
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS_A_BATCH):
            yield pa.RecordBatch.from_arrays(batch.columns, names=names)
