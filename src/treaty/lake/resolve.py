"""Resolve one conformed batch: identity, survivorship and dispositions, as writes that one commit makes true together.

Records that are new and alone need no more than a copy; where they were written wide, not even that: the same Parquet file, hard-linked,
is contribution, golden record and cross-reference. Everything reads the lake as it stands, so the caller holds :func:`model_lock` from
before the batch is opened until its commit; the conform before it needs no lock.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from treaty.lake.batches import Batch
from treaty.lake.commit import TableWrite, keep_file, prepare_select, prepared_path
from treaty.lake.current import Connection, columns
from treaty.lake.dispositions import find_set_aside, rank_versions, write_dispositions
from treaty.lake.golden import find_causes, write_golden
from treaty.lake.identity import assign, find_hot, find_region, find_xref, proposals, write_xref
from treaty.lake.names import contribution_table, golden_end_table, golden_table, quote_name, quote_text
from treaty.lake.scope import ClientScope, client_of
from treaty.lake.task import Prepared, Resolved, ResolveTask
from treaty.sessions import Session

_MODEL_LOCK = 0x7472_6563  # with a hash of client and model


@contextmanager
def model_lock(session: Session, scope: ClientScope, model: str) -> Iterator[None]:
    """Hold the right to resolve one model of one client, so that what was worked out still holds when it is committed.

    Take it before :func:`treaty.lake.batches.open_batch`: numbers of batches then follow the order of their commits.
    """
    number = zlib.crc32(f"{client_of(scope)}/{model}".encode()) & 0x7FFF_FFFF
    session.catalog.execute("select pg_advisory_lock(%s, %s)", (_MODEL_LOCK, number))
    try:
        yield
    finally:
        session.release_pair(_MODEL_LOCK, number)


def resolve(session: Session, scope: ClientScope, batch: Batch, task: ResolveTask) -> tuple[Resolved, list[TableWrite]]:
    """Work out what a batch changes and prepare it for :func:`treaty.lake.commit.commit`; no writes means that nothing changes."""
    task = replace(task, client=client_of(scope), batch=batch.number)
    duck = session.duck
    duck.execute("begin")
    try:
        resolved = work_out(duck, task)
        writes = [_prepare(session, batch, each) for each in resolved.prepared]
    finally:
        duck.execute("commit")
    return resolved, [write for several in writes for write in several if write is not None]


def wide_select(relation: str, model: str, batch: int) -> str:
    """Select the rows of ``relation`` (the columns of ``conformed``) with all that lets their file serve as contribution, golden and xref.

    What it adds is true of a record that is new and alone; :func:`resolve` writes the others anew.
    """
    return f"""
        select *, _member_id as _canonical_id, 1::integer as _version, _received_at as _valid_from, false as _deleted, null::varchar as _winners,
            {quote_text(model)} as _model, null::varchar as _matched_by, {batch}::bigint as _batch from {relation}"""


def work_out(connection: Connection, task: ResolveTask) -> Resolved:
    """Work out what a batch changes. The queries that come back read temporary tables of ``connection``, good until the next call."""
    fields = [name for name, _ in columns(connection, task.conformed) if not name.startswith("_")]
    task = _unknown_rows(connection, task)
    find_set_aside(connection, task)
    known = find_xref(connection, task)
    if find_hot(connection, task, known):
        rank_versions(connection, task)
        find_region(connection, task, known)
        assign(connection, task)
        find_causes(connection)
        write_golden(connection, task, fields)
        write_xref(connection, task)
    else:
        _nothing_hot(connection)
    write_dispositions(connection, task)
    found = proposals(connection, task, known)
    everything = [*_contributions(connection, task), *_alone(connection, task, fields), *_region(connection, task)]
    prepared = tuple(each for each in everything if each.rows)
    written = sum(each.rows for each in prepared if each.table == golden_table(task.tables.model))
    return Resolved(prepared, _counts(connection, task), written, found)


def _unknown_rows(connection: Connection, task: ResolveTask) -> ResolveTask:
    """Return the task without the rows that the lake has already, whose places are kept in ``r_known``."""
    connection.execute(f"""
        create or replace temp table r_known as select _landed_id from {task.tables.contribution}
        semi join {task.conformed} using (_landed_id) where {task.of_mapping}""")
    if not _count(connection, "r_known"):
        return task
    connection.execute(f"create or replace temp view r_unknown as select * from {task.conformed} anti join r_known using (_landed_id)")
    return replace(task, conformed="r_unknown")


def _nothing_hot(connection: Connection) -> None:
    """Leave behind the tables of the region, empty."""
    connection.execute("""
        create or replace temp table r_versions (_member_id uuid, _landed_id uuid, _source_version bigint, _received_at timestamptz,
            _op varchar, state varchar, fresh boolean, place bigint)""")
    connection.execute("create or replace temp table r_groups (_member_id uuid, _canonical_id uuid)")
    for name in ("w_golden", "w_golden_end", "w_xref", "w_xref_end"):
        connection.execute(f"create or replace temp table {name} (_batch bigint)")


def _contributions(connection: Connection, task: ResolveTask) -> list[Prepared]:
    """Return the contributions that the lake does not have yet, as files where they are wide."""
    table = contribution_table(task.tables.model)
    clean, dirty = _split_files(connection, task.files, "semi join r_known using (_landed_id)")
    source = _source(task, dirty)
    alone = f"{source} anti join r_known using (_landed_id)"
    batch = "" if task.files else f", {task.batch}::bigint as _batch"
    rows = _count(connection, alone) if source else 0
    return [Prepared(table, files=clean, rows=_rows_in(connection, clean)), Prepared(table, f"select *{batch} from {alone}", rows=rows)]


def _alone(connection: Connection, task: ResolveTask, fields: list[str]) -> list[Prepared]:
    """Return the golden records and cross-references of the batch's members that are new and alone."""
    model, batch = task.tables.model, f"{task.batch}::bigint as _batch"
    touched = "_member_id in (select _member_id from r_hot) or _landed_id in (select _landed_id from r_known)"
    clean, dirty = _split_files(connection, task.files, f"where {touched}")
    source = _source(task, dirty)
    alone = f"{source} anti join r_hot using (_member_id) anti join r_known using (_landed_id)"
    names = "".join(f", {quote_name(name)}" for name in fields)
    golden = f"""
        select _member_id as _canonical_id, _client, 1::integer as _version, _received_at as _valid_from, false as _deleted,
            _generation, null::varchar as _winners, _landed_id{names}, {batch} from {alone}"""
    xref = f"""
        select _client, {quote_text(model)} as _model, _system, _stream, _source_key, _member_id, _member_id as _canonical_id, _keys,
            null::varchar as _matched_by, _received_at as _valid_from, {batch} from {alone}"""
    linked = _rows_in(connection, clean)
    rows = _count(connection, alone) if source else 0
    return [
        Prepared(golden_table(model), files=clean, rows=linked),
        Prepared("xref", files=clean, rows=linked),
        Prepared(golden_table(model), golden, rows=rows),
        Prepared("xref", xref, rows=rows),
    ]


def _region(connection: Connection, task: ResolveTask) -> list[Prepared]:
    model = task.tables.model
    pairs = {
        golden_table(model): "w_golden",
        golden_end_table(model): "w_golden_end",
        "xref": "w_xref",
        "xref_end": "w_xref_end",
        "disposition": "w_disposition",
        "quarantine": "w_quarantine",
    }
    return [Prepared(table, f"select * from {relation}", rows=_count(connection, relation)) for table, relation in pairs.items()]


def _split_files(connection: Connection, files: Sequence[Path], touched_by: str) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Part the wide files into those that no row of ``touched_by`` is in, which can be linked, and the others."""
    if not files:
        return (), ()
    rows = connection.execute(f"select distinct filename from read_parquet({_file_list(files)}, filename = true) {touched_by}").fetchall()
    touched = {row[0] for row in rows}
    return tuple(each for each in files if str(each) not in touched), tuple(each for each in files if str(each) in touched)


def _source(task: ResolveTask, dirty: Sequence[Path]) -> str | None:
    """Return the relation whose rows must be copied: all of ``conformed`` where it is not in wide files, else those files that cannot be linked."""
    if not task.files:
        return task.conformed
    return f"read_parquet({_file_list(dirty)})" if dirty else None


def _file_list(files: Sequence[Path]) -> str:
    return "[" + ", ".join(quote_text(str(each)) for each in files) + "]"


def _rows_in(connection: Connection, files: Sequence[Path]) -> int:
    return _count(connection, f"read_parquet({_file_list(files)})") if files else 0


def _count(connection: Connection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()
    return int(row[0])


def _counts(connection: Connection, task: ResolveTask) -> dict[str, int]:
    """Return how many records of this batch went to each state; those that the lake already had are not counted again."""
    superseded = _count(connection, "r_versions where fresh and place > 1")
    counts = {"canonical": _count(connection, task.conformed) - superseded, "superseded": superseded}
    for state, rows in connection.execute("select state, count(*) from r_aside where not stands group by all").fetchall():
        counts[state] = counts.get(state, 0) + rows
    return {state: rows for state, rows in counts.items() if rows}


def _prepare(session: Session, batch: Batch, prepared: Prepared) -> list[TableWrite | None]:
    if prepared.files:
        return [_link(session, batch, prepared.table, file) for file in prepared.files]
    return [prepare_select(session, batch, prepared.table, prepared.query)]


def _link(session: Session, batch: Batch, table: str, file: Path) -> TableWrite:
    """Give a table a file that others share, by a hard link where the file system has them."""
    path = prepared_path(session, batch, table)
    try:
        os.link(file, path)
    except OSError:
        shutil.copyfile(file, path)
    row = session.duck.execute(f"select num_rows from parquet_file_metadata({quote_text(str(file))})").fetchone()
    return keep_file(session, table, path, int(row[0]) if row else 0)
