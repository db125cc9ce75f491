"""Conforms what has landed and not been conformed yet, resolves it, and commits: one mapping of one client.

The query runs outside every lock. Work is cut into chunks of whole landing batches, or of record ranges of a very large one, each with
a commit of its own that moves the mapping's cursor; a chunk that was committed is never done again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from treaty.compiler.compiled import CompiledMapping, CompiledStream
from treaty.engines.duckdb.conform import conform_sql
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.paths import quote_name, quote_text
from treaty.engines.duckdb.structures import observed_lists, repeating_columns
from treaty.errors import StopError
from treaty.faults import faultpoint
from treaty.flows.echoes import ECHOES, find_echoes, returning
from treaty.flows.moved import references_moved
from treaty.flows.references import come_through, inputs_of
from treaty.lake.batches import Batch, open_batch
from treaty.lake.commit import TableWrite, commit, discard, keep_files, parquet_options, prepare_rows, prepare_select, prepared_path
from treaty.lake.current import ModelTables, current_contributions, effective_dispositions
from treaty.lake.cursors import CursorPosition, Fence, read_cursor
from treaty.lake.golden import WIDE_COLUMNS
from treaty.lake.names import LAKE, contribution_table, lake_table, landed_table
from treaty.lake.quarantine import DISCARDED
from treaty.lake.resolve import release, resolve
from treaty.lake.schema import ensure_model, table_columns
from treaty.lake.scope import OneClient
from treaty.lake.task import PreparedWrite, ResolveTask, match_keys, survivorship_rules
from treaty.project.declarations import ClientProject
from treaty.project.formats import shape_of_format
from treaty.sessions import Session

LEFT_OUT = "conform_left_out"  # temporary: dispositions that a new generation takes over
FEW_LOST = 2  # fewer records may go into quarantine whatever their share
MAPPING = "@mapping"  # the ``system`` of a mapping's own cursor
ROWS_A_CHUNK = 1_000_000
DOCUMENTS_A_CHUNK = {"elements": 4_000, "json": 50_000}  # a document is as large as many rows, and all its paths are open at once
ROWS_IN_MEMORY = 20_000  # up to here a chunk's result is a temporary table; beyond, it is written as it is computed


@dataclass(frozen=True, slots=True)
class Chunk:
    """Pending landed rows: a condition over the landed table, how many, and where the cursor is once they are done."""

    condition: str
    rows: int
    batch: int
    locator: int | None  # None: the batch is done whole
    versioned: bool = False  # every record landed with a version, where versions are what the stream is ordered by


@dataclass(frozen=True, slots=True)
class Work:
    """One mapping of one client in one generation of one applied project."""

    session: Session
    project: ClientProject
    mapping: CompiledMapping
    applied_id: str
    generation: int
    as_of: str
    references: Mapping[str, int] = field(default_factory=dict)  # how far each stream or model that is looked up or joined had come before any of it was read
    catalog: str = LAKE  # where golden records are looked up
    kinds: Mapping[str, str] = field(default_factory=dict)  # in which types contributions are kept, where the lake's are to become wider

    @property
    def scope(self) -> OneClient:
        """The client whose rows these are."""
        return OneClient(self.mapping.client)

    @property
    def table(self) -> str:
        """The stream's landed table."""
        system, _, name = self.mapping.stream.name.partition("/")
        return landed_table(system, name)

    @property
    def rows(self) -> str:
        """A query for the stream's landed rows, for conditions to follow."""
        return landed_rows(self.session, self.mapping.stream)


def landed_rows(session: Session, stream: CompiledStream) -> str:
    """Return a query for a stream's landed rows; what landed as a table, before the format was one of documents, has a payload that is null."""
    system, _, name = stream.name.partition("/")
    table = landed_table(system, name)
    lacks = shape_of_format(stream.format) != "columns" and "payload" not in (table_columns(session, table) or {})
    return f"select *{', null::varchar as payload' if lacks else ''} from {lake_table(table)}"


def mapping_position(session: Session, client: str, mapping: str) -> Mapping[str, Any]:
    """Return how far a mapping has come, and in which generation of which applied project; empty before its first run."""
    return read_cursor(session, OneClient(client), MAPPING, mapping).position


def nothing_pending(session: Session, client: str, stream: str, done: Mapping[str, Any]) -> bool:
    """Tell whether nothing has landed of a stream, and of what its mapping looks up or joins, since a mapping's position."""
    if done.get("locator") or come_through(session, client, stream) > int(done["batch"]):
        return False
    return all(come_through(session, client, name) == batch for name, batch in done["references"].items())


def next_generation(session: Session, project: ClientProject, mapping: CompiledMapping, applied_id: str, as_of: str) -> Work:
    """Return the work to do: in a new generation where the mapping, or anything that it looks up or joins, is not what it was."""
    done = mapping_position(session, mapping.client, mapping.name)
    references = {name: come_through(session, mapping.client, name) for name in mapping.references}
    work = Work(session, project, mapping, applied_id, int(done.get("generation", 1)), as_of, references)
    if not done or (done.get("version") == mapping.version and not references_moved(session, mapping, done, as_of)):
        return work
    return replace(work, generation=work.generation + 1)


def conform(work: Work) -> dict[str, int]:
    """Conform everything of the mapping's stream that is pending; return how many records came to each state."""
    session, mapping = work.session, work.mapping
    if table_columns(session, work.table) is None:
        return {}
    with exclusively(session, f"conform|{mapping.client}|{mapping.name}"), resolving(session, mapping.client, mapping.model):
        cursor = read_cursor(session, work.scope, MAPPING, mapping.name)
        done = cursor.position if cursor.position.get("generation") == work.generation else {}
        chunks = pending_chunks(work, done)
        if not chunks:
            return {}
        ensure_model(session, mapping.model, {each.name: each.type for each in mapping.fields})
        if not done and work.generation > 1:  # readers go from one generation to the next at once
            find_left_out(work)
            chunks = [replace(each, condition=f"{each.condition} and _landed_id not in (select _landed_id from {LEFT_OUT})") for each in chunks]
            return _conform_chunks(work, chunks, cursor, begins=True)
        states: dict[str, int] = {}
        for number, chunk in enumerate(chunks):
            for state, rows in _conform_chunks(work, [chunk], cursor, begins=not done and number == 0).items():
                states[state] = states.get(state, 0) + rows
            cursor = CursorPosition(cursor.seq + 1, {})
        return states


def most_rows(stream: CompiledStream) -> int:
    """Return how many records of a stream one query conforms at most."""
    return DOCUMENTS_A_CHUNK.get(shape_of_format(stream.format), ROWS_A_CHUNK)


def pending_chunks(work: Work, done: Mapping[str, Any]) -> list[Chunk]:
    """Return what landed after the cursor, cut into chunks: small batches together, one large arrival by ranges of its records."""
    most = most_rows(work.mapping.stream)
    batch, locator = int(done.get("batch", 0)), int(done.get("locator", 0))
    mine = f"_client = {quote_text(work.mapping.client)} and _op <> 'refused'"
    resumed = f" or _batch = {batch} and _locator > {locator}" if locator else ""
    unversioned = "bool_or(_source_version is null)" if work.mapping.stream.version else "false"
    groups = work.session.duck.execute(
        f"""select _batch, count(*), min(_locator), max(_locator), count(distinct _receipt_id), {unversioned} from {lake_table(work.table)}
            where {mine} and (_batch > {batch}{resumed}) group by _batch order by _batch"""
    ).fetchall()
    chunks: list[Chunk] = []
    low = rows = 0
    for number, count, first, last, receipts, bare in groups:
        if (count > most or number == batch) and receipts == 1:
            span = int(last) - int(first) + 1
            size = -(-span // max(round(span / most), 1))  # even ones: a small rest would cost as much as a large chunk of fixed work
            for start in range(int(first), int(last) + 1, size):
                end = min(start + size - 1, int(last))
                condition = f"{mine} and _batch = {number} and _locator between {start} and {end}"
                chunks.append(Chunk(condition, end - start + 1, number, None if end == last else end, not bare))
            low = rows = 0
            continue
        joins = low and rows + count <= most
        low, rows = (low, rows + count) if joins else (number, count)
        versioned = not bare and (not joins or chunks[-1].versioned)
        chunk = Chunk(f"{mine} and _batch between {low} and {number}", rows, number, None, versioned)
        chunks = [*chunks[:-1], chunk] if joins else [*chunks, chunk]
    return chunks


def _conform_chunks(work: Work, chunks: Sequence[Chunk], cursor: CursorPosition, *, begins: bool) -> dict[str, int]:
    """Conform chunks one after the other, then resolve and commit them together."""
    session = work.session
    batch, fence = begin_batch(work, chunks[-1], cursor.seq)
    faultpoint("conform.pre_query")
    replaces = begins and work.generation > 1
    files = run_query(work, chunks, batch, anew=replaces)
    faultpoint("conform.done")
    if replaces:
        _ensure_not_ruinous(work, batch, files)
    also = prepare_select(session, batch, "disposition", f"select *, {batch.number}::bigint as _batch from {LEFT_OUT}") if replaces else None
    return resolve_and_commit(session, batch, chunk_task(work, batch, files, replaces=replaces), fence, new_generation=begins, also=also)


def begin_batch(work: Work, last: Chunk, seq: int) -> tuple[Batch, Fence]:
    """Open the batch of a piece of work, and say where the mapping's cursor goes with it: from ``seq`` to behind the last chunk."""
    mapping = work.mapping
    versions = {"mapping": mapping.version, "fired": list(mapping.decisions), "references": work.references}
    batch = open_batch(
        work.session, work.scope, "conform", stream=mapping.stream.name, mapping=mapping.name, applied_id=work.applied_id,
        generation=work.generation, as_of=date.fromisoformat(work.as_of), versions=versions,
    )  # fmt: skip
    position: dict[str, Any] = {"generation": work.generation, "version": mapping.version, "batch": last.batch, "references": work.references}
    position["applied"] = work.applied_id
    if last.locator is not None:
        position["locator"] = last.locator
    return batch, Fence(mapping.client, MAPPING, mapping.name, seq, position)


def find_left_out(work: Work) -> None:
    """Keep what was left out of the generation before for reasons that no mapping knows of: by a steward, as an echo, or erased."""
    tables = ModelTables(work.mapping.model)
    before = f"_client = {quote_text(work.mapping.client)} and _mapping = {quote_text(work.mapping.name)} and _generation = {work.generation - 1}"
    work.session.duck.execute(f"""
        create or replace temp table {LEFT_OUT} as
        select d._landed_id, d._client, d._system, d._stream, d._mapping, {work.generation}::integer as _generation, e.state, e.reason
        from (select distinct _landed_id, _client, _system, _stream, _mapping from {tables.table("disposition")} where {before}) d
        join ({effective_dispositions(tables, before)}) e using (_landed_id)
        where e.state in ('duplicate', 'erased') or (e.state = 'filtered' and starts_with(e.reason, '{DISCARDED}'))""")


def _ensure_not_ruinous(work: Work, batch: Batch, files: tuple[Path, ...]) -> None:
    """Refuse a ruinous new generation: see :func:`ensure_not_ruinous`. Nothing of the batch is kept then."""
    try:
        ensure_not_ruinous(work)
    except StopError:
        discard(work.session, batch, [])
        for path in files:
            path.unlink(missing_ok=True)
        raise


def ensure_not_ruinous(work: Work) -> None:
    """Refuse a new generation that would send most of what is canonical into quarantine: a mistyped path, not a decision.

    Leaving records out on purpose is a scope decision, which this does not touch. Raises StopError; nothing has been written.
    """
    mapping = work.mapping
    if table_columns(work.session, contribution_table(mapping.model)) is None:
        return
    canonical = current_contributions(ModelTables(mapping.model), mapping.client, "c._landed_id", f"c._mapping = {quote_text(mapping.name)}")
    row = work.session.duck.execute(f"""
        select count(*), count(*) filter (where _landed_id in (select _landed_id from set_aside where _state = 'quarantined')),
            (select any_value(_field || ': ' || _rule) from set_aside where _state = 'quarantined') from ({canonical})""").fetchone()
    before, lost, example = row or (0, 0, None)
    if lost < FEW_LOST or lost * 2 <= before:
        return
    raise StopError(
        f"As it is applied now, {mapping.name} would send {lost} of {before} canonical records of {mapping.client} into quarantine ({example}).",
        remedy="Nothing was changed: what was canonical stays. Mend the mapping or the decision and apply again; `treaty try` shows one record.",
    )


def resolve_and_commit(
    session: Session, batch: Batch, task: ResolveTask, fence: Fence, *, new_generation: bool, also: TableWrite | None = None
) -> dict[str, int]:
    """Resolve what stands in ``conformed`` and ``set_aside`` and commit all of it, and ``also`` that; return how many records came to each state."""
    with resolving(session, task.client, task.tables.model):
        resolved = resolve(session.duck, task)
        faultpoint("resolve.done")
        writes = [also, *(_prepare(session, batch, each) for each in resolved.writes)]
        release(session.duck)
        if not any(each.files for each in resolved.writes):
            for path in task.files:
                path.unlink()
        if new_generation:
            row = {"_client": task.client, "_mapping": task.mapping, "_generation": task.generation, "applied_id": batch.applied_id}
            writes.append(prepare_rows(session, batch, "generation", [{**row, "_batch": batch.number}]))
        faultpoint("conform.pre_commit")
        counts = dict(resolved.dispositions)
        try:
            commit(session, OneClient(task.client), writes, batch=batch, fences=[fence], message=f"conform {task.mapping}", counts=counts)
        except BaseException:
            discard(session, batch, writes)
            raise
    faultpoint("conform.post_commit")
    return counts


def chunk_task(work: Work, batch: Batch, files: tuple[Path, ...], *, replaces: bool) -> ResolveTask:
    """Return what the resolver is told about a conformed chunk."""
    mapping = work.mapping
    system, _, stream = mapping.stream.name.partition("/")
    return ResolveTask(
        client=mapping.client, tables=ModelTables(mapping.model), mapping=mapping.name, generation=work.generation, system=system,
        stream=stream, batch=batch.number, conformed="conformed", set_aside="set_aside", landed=lake_table(work.table), files=files,
        beside="conformed_beside" if files else None, siblings=_has_siblings(work),
        keys=match_keys(work.project, mapping.model), rules=survivorship_rules(work.project, mapping.model), replaces=replaces,
        caused_at=batch.started_at if replaces else None,
    )  # fmt: skip


def _has_siblings(work: Work) -> bool:
    mine = work.project.mappings[work.mapping.name]
    return any(each.name != mine.name and each.from_ == mine.from_ and each.to == mine.to for each in work.project.mappings.values())


# ---- the query and what it leaves


def run_query(work: Work, chunks: Sequence[Chunk], batch: Batch, *, anew: bool = False, kept: str | None = None) -> tuple[Path, ...]:
    """Run the conform query over chunks: ``conformed`` and ``set_aside`` become relations; return the wide files behind the first, if any.

    ``anew`` tells that the records were conformed before, so that none of them is new and alone; ``kept`` (SQL) gives contributions of
    other records that are conformed already.
    """
    _forget(work.session)
    returns = bool(returning(work.project, work.mapping))
    if len(chunks) == 1 and chunks[0].rows > ROWS_IN_MEMORY and not returns and not anew:
        return (_run_wide(work, chunks[0], batch),)
    queries = []
    for chunk in chunks:
        relation = f"{work.rows} where {chunk.condition}"
        queries.append(conform_sql(work.mapping, relation, inputs_over(work, relation), versioned=chunk.versioned))
    _keep(work.session, "conform_all", *queries)
    _part(work, chunks, kept)
    return ()


def take_conformed(work: Work, chunks: Sequence[Chunk], rows: str) -> None:
    """Take what the conform query has made of chunks already (SQL): ``conformed`` and ``set_aside`` become relations."""
    _forget(work.session)
    work.session.duck.execute(f"create temp view conform_all as {rows}")
    _part(work, chunks)


def _forget(session: Session) -> None:
    for name in ("conformed", "set_aside", "conformed_beside", "conform_rest", "conform_all"):
        session.duck.execute(f"drop view if exists {name}")


def _part(work: Work, chunks: Sequence[Chunk], kept: str | None = None) -> None:
    """Part what was conformed into ``conformed`` and ``set_aside``."""
    session, duck = work.session, work.session.duck
    returned = returning(work.project, work.mapping)
    judged = "conform_all"
    landed = f"{work.rows} where " + " or ".join(f"({each.condition})" for each in chunks)
    if returned and find_echoes(session, work.mapping, returned, landed):
        judged = f"""(select * replace (if(echo, 'duplicate', _state) as _state, if(echo, 'echo', _reason) as _reason)
            from (select *, _state = 'good' and _landed_id in (from {ECHOES}) as echo from conform_all))"""
    conformed = f"select {_contribution_columns(work)} from {judged} where _state = 'good'"
    if kept is not None:
        columns = ", ".join(quote_name(each) for each in _contribution_names(work))
        conformed += f" union all by name select {columns} from ({kept})"
    duck.execute(f"create temp view conformed as {conformed}")
    duck.execute(f"create temp view set_aside as {_set_aside(work, judged)}")


def inputs_over(work: Work, relation: str) -> Inputs:
    """Return what the conform query reads besides the landed records of a relation (SQL)."""
    lists = observed_lists(work.session.duck, work.mapping.stream, work.mapping.nodes_read, relation)
    return inputs_of(work.session, work.mapping, work.as_of, lists, work.catalog)


def _run_wide(work: Work, chunk: Chunk, batch: Batch) -> Path:
    """Run the query over many rows: those that are alone go into a file that serves several tables, as they are computed."""
    session, duck, mapping = work.session, work.session.duck, work.mapping
    relation = f"{work.rows} where {chunk.condition}"
    inputs = inputs_over(work, relation)
    if shape_of_format(mapping.stream.format) == "columns":
        own = sorted(each for each in inputs.columns if each.startswith("c_"))
        inputs = replace(inputs, repeating=repeating_columns(duck, own, relation))
    path = prepared_path(session, batch, contribution_table(mapping.model))
    wide = ", ".join(f"{_wide(name, sql, mapping.model)} as {name}" for name, sql in WIDE_COLUMNS.items())
    first = conform_sql(mapping, f"{relation} and {_alone(work, chunk)}", inputs, versioned=chunk.versioned)
    duck.execute(
        f"""copy (select {_contribution_columns(work)}, {wide}, {batch.number}::bigint as _batch from ({first}) where _state = 'good')
            to {quote_text(str(path))} ({parquet_options(session)})"""
    )
    written = f"read_parquet({quote_text(str(path))})"
    rest = f"{relation} and _landed_id not in (select _landed_id from {written})"
    _keep(session, "conform_rest", conform_sql(mapping, rest, inputs, versioned=chunk.versioned))
    columns = ", ".join(quote_name(each) for each in _contribution_names(work))
    beside = f"select {_contribution_columns(work)} from conform_rest where _state = 'good'"
    duck.execute(f"create temp view conformed_beside as {beside}")
    duck.execute(f"create temp view conformed as select {columns} from {written} union all by name select {columns} from conformed_beside")
    duck.execute(f"create temp view set_aside as {_set_aside(work, 'conform_rest')}")
    return path


def _keep(session: Session, name: str, *queries: str) -> None:
    """Run queries and keep their rows as one relation: as files, since a temporary table of a wide model takes memory by the column."""
    session.duck.execute(f"drop view if exists {name}")
    paths = [quote_text(str(session.temp_folder / f"{name}_{number}.parquet")) for number in range(len(queries))]
    for path, sql in zip(paths, queries, strict=True):
        session.duck.execute(f"copy ({sql}) to {path} (format parquet, row_group_size {session.settings.row_group_rows})")
    session.duck.execute(f"create temp view {name} as select * from read_parquet([{', '.join(paths)}])")


def _alone(work: Work, chunk: Chunk) -> str:
    """Return the condition that keeps rows which are the only ones of their source key, here and in the lake, as far as keys alone tell.

    The keys that are not are found first, by themselves: what that takes of memory is free again when the wide query runs.
    """
    client, (system, _, stream) = quote_text(work.mapping.client), work.mapping.stream.name.partition("/")
    mine = f"select _source_key from {lake_table(work.table)} where {chunk.condition} and _source_key is not null"
    known = f"""select _source_key from {lake_table("xref")} where _client = {client} and _model = {quote_text(work.mapping.model)}
        and _system = {quote_text(system)} and _stream = {quote_text(stream)} and _source_key is not null"""
    work.session.duck.execute(f"""create or replace temp table conform_shared as
        select _source_key from ({mine}) group by 1 having count(*) > 1
        union select _source_key from ({known}) semi join ({mine}) m using (_source_key)""")
    return "coalesce(_source_key, '') not in (select _source_key from conform_shared) and _op = 'upsert'"


def _wide(name: str, sql: str, model: str) -> str:
    return quote_text(model) if name == "_model" else sql


OWN = ("_landed_id", "_client", "_source_key", "_source_version", "_received_at", "_op", "_member_id", "_keys", "_fired", "_findings")


def _contribution_names(work: Work) -> list[str]:
    return [*OWN, "_mapping", "_generation", "_system", "_stream", "_notes", *(each.name for each in work.mapping.fields)]


def _contribution_columns(work: Work) -> str:
    """Return the select list that makes a conformed row a contribution, all but its batch."""
    system, _, stream = work.mapping.stream.name.partition("/")
    parts = [*OWN, f"{quote_text(work.mapping.name)} as _mapping", f"{work.generation}::integer as _generation"]
    parts += [f"{quote_text(system)} as _system", f"{quote_text(stream)} as _stream"]
    parts.append("list_transform(_notes, lambda n: {field: n.field, rule: n.rule, value: n.value}) as _notes")
    kinds = work.kinds or table_columns(work.session, contribution_table(work.mapping.model)) or {}
    parts += [f"{quote_name(each.name)}::{kinds[each.name]} as {quote_name(each.name)}" if each.name in kinds else quote_name(each.name) for each in work.mapping.fields]
    return ", ".join(parts)


def _set_aside(work: Work, relation: str) -> str:
    """Return SQL for the rows that are not good, each with the first thing that was fatal to it."""
    system, _, stream = work.mapping.stream.name.partition("/")
    fields = ", ".join(f"{quote_name(each.name)} := {quote_name(each.name)}" for each in work.mapping.fields)
    fatal = "list_filter(_notes, lambda n: n.fatal)[1]"
    return f"""select _landed_id, _member_id, {quote_text(system)} as _system, {quote_text(stream)} as _stream, _source_key, _source_version,
            _received_at, _state, coalesce(_reason, {fatal}.rule) as _reason, {fatal}.field as _field, coalesce({fatal}.rule, _reason) as _rule,
            {fatal}.value as _value, _findings, cast(to_json(struct_pack({fields})) as varchar) as _fields
        from {relation} where _state <> 'good'"""


def _prepare(session: Session, batch: Batch, write: PreparedWrite) -> TableWrite | None:
    """Turn one of the resolver's writes into files or rows for the commit; a wide file serves several tables by hard links."""
    if not write.files:
        return prepare_select(session, batch, write.table, write.relation or "")
    linked = []
    for path in write.files:
        if path.parent.name == write.table:
            linked.append(path)
            continue
        target = prepared_path(session, batch, write.table)
        os.link(path, target)
        linked.append(target)
    return keep_files(session, write.table, linked, write.rows)


def resolving(session: Session, client: str, model: str) -> AbstractContextManager[None]:
    """Hold the right to resolve a model of a client: from before a batch takes its number to its commit, so that numbers follow commits."""
    return exclusively(session, f"resolve|{client}|{model}")


@contextmanager
def exclusively(session: Session, name: str) -> Iterator[None]:
    """Hold a named lock over all processes of this lake; it goes with the connection if the process dies."""
    session.catalog.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (name,))
    try:
        yield
    finally:
        session.catalog.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (name,))
