"""``try``: what pasted records would become, without a lake: read as the stream reads, conformed in memory, nothing kept."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treaty.clock import Clock, system_clock
from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.mapping import compile_mapping
from treaty.connectors.formats.interface import load_format
from treaty.connectors.interface import CsvScan, Rows, Site, StreamRequest
from treaty.connectors.registry import open_source
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.hooks import register_hooks
from treaty.engines.duckdb.identify import identify
from treaty.engines.duckdb.structures import observed_lists
from treaty.errors import UsageError
from treaty.lake.names import column_name, quote_name, quote_text
from treaty.operations.explaining.evaluating import Conformed, Note, conform_rows
from treaty.operations.workspace import Folder, Workspace, find_root
from treaty.project.declarations import ClientProject, Stream, System
from treaty.project.findings import Severity, nearest
from treaty.project.overlays import client_project, clients, running_mappings
from treaty.settings import RuntimeSettings

if TYPE_CHECKING:
    from treaty.sessions.duckdb import Engine

LEAST_MEGABYTES = 1024  # there is no folder to spill to here
ARCHIVES = ((b"PK\3\4", ".zip"), (b"\x1f\x8b", ".gz"), (b"\x28\xb5\x2f\xfd", ".zst"))
STATES = {"good": "canonical"}


@dataclass(frozen=True, slots=True)
class TriedRecord:
    """What one record would become: its state, fields, what is wrong with it, quality rules that mark it, decisions that changed something."""

    source_key: str | None
    state: str  # canonical | quarantined | filtered
    reason: str
    fields: Mapping[str, Any]
    notes: tuple[Note, ...]
    findings: tuple[str, ...]
    decisions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TryResult:
    """The records of what was pasted, and what of it could not be read at all."""

    mapping: str
    client: str
    model: str
    records: tuple[TriedRecord, ...]
    refusals: tuple[str, ...]
    cells: Mapping[str, str]
    unseen: tuple[str, ...]  # streams that the mapping looks up or joins: there is nothing of them here


def try_mapping(mapping: str, content: bytes | Sequence[bytes], *, project: Folder = None, client: str | None = None, clock: Clock = system_clock) -> TryResult:
    """Read ``content``, one file or several, in the format of the mapping's stream and conform it in memory.

    A stream of a database table is pasted as JSON Lines, one object with the columns a line.

    Raises:
        UsageError: there is no such inbound mapping or client, or the mapping does not compile.
    """
    workspace = Workspace(find_root(project), "local")
    workspace.ensure_client(client)
    resultant = _running(workspace, mapping, client)
    compiled = compile_mapping(resultant, mapping)
    errors = [each for each in compiled.findings if each.severity is Severity.ERROR]
    if errors:
        raise UsageError(f"{errors[0].position}: {errors[0].message}", remedy=errors[0].remedy)
    refusals: list[str] = []
    with _engine(workspace) as duck:
        register_hooks(duck, resultant.hooks.values(), resultant.settings.limits.hook_seconds)
        contents = (content,) if isinstance(content, bytes) else content
        relation = _read(duck, resultant, compiled, contents, workspace.root, refusals)
        found = _conform(duck, compiled, relation, clock().date()) if relation else ()
    cells = {each.name: each.text for each in compiled.fields}
    records = tuple(_tried(each) for each in found)
    return TryResult(mapping, resultant.client, compiled.model, records, tuple(refusals), cells, compiled.references)


def _running(workspace: Workspace, mapping: str, client: str | None) -> ClientProject:
    """Return the resultant of the client that is named, else of the first that runs the mapping, else of the first."""
    project = workspace.project
    names = [client] if client else list(clients(project))
    views = [client_project(project, each) for each in names]
    known = {name for view in views for name, each in view.mappings.items() if each.inbound}
    if mapping not in known:
        found = nearest(mapping, known)
        raise UsageError(f"There is no inbound mapping {mapping!r}.", remedy=f"Did you mean {found!r}?" if found else f"Mappings: {', '.join(sorted(known))}.")
    return next((view for view in views if mapping in running_mappings(view)), next(view for view in views if mapping in view.mappings))


@contextmanager
def _engine(workspace: Workspace) -> Iterator[Engine]:
    from treaty.sessions.duckdb import open_engine

    limits = workspace.project.settings.limits
    limits = dataclasses.replace(limits, memory_megabytes=max(limits.memory_megabytes, LEAST_MEGABYTES))
    connection = open_engine(limits, None, RuntimeSettings.from_environment())
    try:
        yield connection
    finally:
        connection.close()


def _read(
    duck: Engine, project: ClientProject, mapping: CompiledMapping, contents: Sequence[bytes], root: Path, refusals: list[str]
) -> str | None:
    """Make the table ``pasted`` out of the content, with landing columns; return its query, or None where there is no record."""
    import pyarrow as pa

    declared = project.stream(mapping.stream.name)
    assert declared is not None, "a mapping that compiles has its stream"
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(contents):
            (Path(folder) / f"pasted-{number:06}{_suffix(content, declared.format)}").write_bytes(content)
        name = mapping.stream.name.partition("/")[2]
        stream, as_columns = _as_file(declared)
        system = System(name="pasted", connector="files", connection={"folder": folder}, streams={name: stream})
        request = StreamRequest("pasted", name, project.client, stream, {}, {}, project.settings.limits)
        tables = []
        columns: tuple[str, ...] | None = None
        for arrival in open_source(system, Site(root)).read(request):
            rows = arrival.records.exact() if isinstance(arrival.records, CsvScan) else arrival.records
            read = [pa.Table.from_batches([batch]) for batch in rows.batches] if isinstance(rows, Rows) else []
            if read and isinstance(rows, Rows):  # an archive itself has none
                tables += read
                columns = None if rows.columns is None else tuple(dict.fromkeys((*(columns or ()), *rows.columns)))
            refusals += [f"{each.reason}: {each.message}" for each in arrival.refusals]
    if not tables:
        return None
    table = pa.concat_tables(tables, promote_options="default")
    table = table.set_column(table.schema.get_field_index("_locator"), "_locator", pa.array(range(1, table.num_rows + 1), pa.int64()))  # apart in all files
    duck.register("pasted_rows", table)
    selected = _json_columns(duck) if as_columns else _physical(columns)
    received = "CAST(now() AS TIMESTAMPTZ)"
    base = f"SELECT _locator, {received} AS _received_at, {selected} FROM pasted_rows"
    names = frozenset(each[0] for each in duck.execute(f"SELECT * FROM ({base}) LIMIT 0").description or ())
    keyed = identify(mapping.stream, Inputs("1970-01-01", column_name, names))
    given = ", ".join(quote_name(each) for each in sorted(names))
    return f"""SELECT CAST('00000000-0000-8000-8000-' || lpad(CAST(_locator AS VARCHAR), 12, '0') AS UUID) AS _landed_id,
        {quote_text(project.client)} AS _client, ({keyed.key})::VARCHAR AS _source_key, ({keyed.version})::BIGINT AS _source_version,
        if({keyed.delete}, 'delete', 'upsert') AS _op, CAST(NULL AS UUID) AS _supersedes, 0::BIGINT AS _batch, {given} FROM ({keyed.over(base)})"""


def _suffix(content: bytes, format: str) -> str:
    """Return how the name of an archive ends, by its first bytes; of other content nothing. A workbook is a zip, and none to open."""
    return "" if format == "excel" else next((suffix for begins, suffix in ARCHIVES if content.startswith(begins)), "")


def _as_file(stream: Stream) -> tuple[Stream, bool]:
    """Return the stream as it reads a pasted file, and whether JSON objects stand for the columns of a table."""
    if stream.format != "table":
        taken = {each.name for each in dataclasses.fields(load_format(stream.format, "pasted").settings)}
        read = {name: value for name, value in stream.read.items() if name in taken or name == "members"}
        return dataclasses.replace(stream, read={**read, "files": ["*"]}), False
    return dataclasses.replace(stream, format="jsonl", record=None, read={"files": ["*"]}), True


def _physical(columns: tuple[str, ...] | None) -> str:
    if columns is None:
        return "payload"
    return ", ".join(f'"{each.replace(chr(34), chr(34) * 2)}" AS "{column_name(each)}"' for each in columns)


def _json_columns(duck: Engine) -> str:
    """Return the select list that turns pasted JSON objects into the columns of a table."""
    rows = duck.execute("SELECT DISTINCT unnest(json_keys(payload)) FROM pasted_rows").fetchall()
    return ", ".join(f'json_extract_string(payload, {quote_text(chr(36) + "." + chr(34) + name + chr(34))}) AS "{column_name(name)}"' for (name,) in sorted(rows))


def _conform(duck: Engine, mapping: CompiledMapping, relation: str, day: date) -> tuple[Conformed, ...]:
    duck.execute(f"CREATE OR REPLACE TEMP TABLE pasted AS {relation}")
    columns = frozenset(each[0] for each in duck.execute("SELECT * FROM pasted LIMIT 0").description or ())
    lists = observed_lists(duck, mapping.stream, mapping.roots, "SELECT * FROM pasted")
    found = conform_rows(duck, mapping, "SELECT * FROM pasted", Inputs(day.isoformat(), column_name, columns, lists))
    return tuple(sorted(found, key=lambda each: each.landed_id))


def _tried(record: Conformed) -> TriedRecord:
    fatal = next((f"{each.field or 'key'}: {each.rule}" for each in record.notes if each.fatal), "")
    state = STATES.get(record.state, record.state)
    reason = (record.reason or fatal) if state != "canonical" else ""
    return TriedRecord(record.source_key, state, reason, record.fields, record.notes, record.findings, record.fired)
