"""Resolve one conformed batch: identity, survivorship and dispositions, as writes that one commit makes true together.

Records that are new and alone need no more than a copy; where they were written wide, not even that: the same Parquet file, hard-linked,
is contribution, golden record and cross-reference. Everything reads the lake as it stands, so nobody else may resolve this model for
this client from when the batch takes its number until its commit (numbers must follow the order of commits); conforming needs no lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from treaty.errors import RetryError
from treaty.lake.current import Connection, columns
from treaty.lake.dispositions import find_set_aside, rank_versions, write_dispositions
from treaty.lake.golden import WIDE_COLUMNS, find_causes, write_golden
from treaty.lake.identity import assign, find_hot, find_region, find_xref, proposals, write_xref
from treaty.lake.names import contribution_table, golden_end_table, golden_table, quote_name, quote_text
from treaty.lake.steady import write_steady
from treaty.lake.task import PreparedWrite, Resolved, ResolveTask


def resolve(connection: Connection, task: ResolveTask) -> Resolved:
    """Work out what a batch changes, in one view of the lake.

    The writes read temporary tables of ``connection``, good until :func:`release` or the next call.
    """
    connection.execute("begin")
    try:
        resolved = _work_out(connection, task)
        _drop(connection, "r_", keep=_READ_BY_WRITES)
        return resolved
    finally:
        connection.execute("commit")


def release(connection: Connection) -> None:
    """Give back the memory of the temporary tables, once the writes are prepared."""
    for prefix in ("r_", "w_"):
        _drop(connection, prefix, keep=())


_READ_BY_WRITES = ("r_hot", "r_known", "r_steady", "r_unknown")


def _drop(connection: Connection, prefix: str, *, keep: Sequence[str]) -> None:
    rows = connection.execute(f"select table_name from duckdb_tables() where temporary and starts_with(table_name, '{prefix}')").fetchall()
    for (name,) in rows:
        if name not in keep:
            connection.execute(f"drop table temp.{quote_name(name)}")


def _work_out(connection: Connection, task: ResolveTask) -> Resolved:
    fields = [name for name, _ in columns(connection, task.conformed) if not name.startswith("_")]
    task = _unknown_rows(connection, task)
    if not task.replaces and not _any(connection, task.conformed) and not (task.set_aside and _any(connection, task.set_aside)):
        return Resolved(())
    _ensure_order(connection, task)
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
    write_steady(connection, task, fields)
    write_dispositions(connection, task)
    found = proposals(connection, task, known)
    everything = [*_contributions(connection, task), *_alone(connection, task, fields), *_region(connection, task)]
    prepared = tuple(each for each in everything if each.rows)
    written = sum(each.rows for each in prepared if each.table == golden_table(task.tables.model))
    return Resolved(prepared, _counts(connection, task), written, found)


def _ensure_order(connection: Connection, task: ResolveTask) -> None:
    """Refuse a batch that took its number before another one of the same model committed: what is current goes by these numbers."""
    row = connection.execute(f"select max(_batch) from {task.tables.golden} where _client = {quote_text(task.client)}").fetchone()
    if row is not None and row[0] is not None and row[0] >= task.batch:
        raise RetryError(
            f"Batch {row[0]} of {task.tables.model} was committed after batch {task.batch} of {task.mapping} began.",
            remedy="Run again: the batch takes a new number.",
        )


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


def _contributions(connection: Connection, task: ResolveTask) -> list[PreparedWrite]:
    """Return the contributions that the lake does not have yet, as files where they are wide."""
    table = contribution_table(task.tables.model)
    clean, dirty = _split_files(connection, task.files, "_landed_id in (select _landed_id from r_known)")
    fresh = f"{_copied(task, dirty)} anti join r_known using (_landed_id)"
    query = f"select *, {task.batch}::bigint as _batch from {fresh}"
    return [*_linked(connection, [table], clean), PreparedWrite(table, query, rows=_count(connection, fresh))]


def _alone(connection: Connection, task: ResolveTask, fields: list[str]) -> list[PreparedWrite]:
    """Return the golden records and cross-references of the batch's members that are new and alone."""
    model, batch = task.tables.model, f"{task.batch}::bigint as _batch"
    touched = "_member_id in (from r_hot union all from r_steady) or _landed_id in (select _landed_id from r_known)"
    clean, dirty = _split_files(connection, task.files, touched)
    alone = f"{_copied(task, dirty)} anti join r_hot using (_member_id) anti join r_steady using (_member_id) anti join r_known using (_landed_id)"
    names = "".join(f", {quote_name(name)}" for name in fields)
    golden = f"""
        select _member_id as _canonical_id, _client, 1::integer as _version, _received_at as _valid_from, false as _deleted,
            _generation, null::varchar as _winners, _landed_id{names}, {batch} from {alone}"""
    xref = f"""
        select _client, {quote_text(model)} as _model, _system, _stream, _source_key, _member_id, _member_id as _canonical_id, _keys,
            null::varchar as _matched_by, _received_at as _valid_from, {batch} from {alone}"""
    rows = _count(connection, alone)
    linked = _linked(connection, [golden_table(model), "xref"], clean)
    return [*linked, PreparedWrite(golden_table(model), golden, rows=rows), PreparedWrite("xref", xref, rows=rows)]


def _region(connection: Connection, task: ResolveTask) -> list[PreparedWrite]:
    model = task.tables.model
    pairs = (
        (golden_table(model), "w_golden"),
        (golden_table(model), "w_steady"),
        (golden_end_table(model), "w_golden_end"),
        (golden_end_table(model), "w_steady_end"),
        ("xref", "w_xref"),
        ("xref_end", "w_xref_end"),
        ("disposition", "w_disposition"),
        ("quarantine", "w_quarantine"),
    )
    return [PreparedWrite(table, f"select * from {relation}", rows=_count(connection, relation)) for table, relation in pairs]


def _split_files(connection: Connection, files: Sequence[Path], touched: str) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Part the wide files into those that no ``touched`` row is in, which can be linked, and the others."""
    if not files:
        return (), ()
    rows = connection.execute(f"select distinct filename from read_parquet({_file_list(files)}, filename = true) where {touched}").fetchall()
    found = {row[0] for row in rows}
    return tuple(each for each in files if str(each) not in found), tuple(each for each in files if str(each) in found)


def _copied(task: ResolveTask, dirty: Sequence[Path]) -> str:
    """Return the relation of conformed rows that must be copied: those in no wide file, or in one that cannot be linked."""
    parts = [f"select * from {task.beside}"] if task.files and task.beside else [] if task.files else [f"select * from {task.conformed}"]
    if dirty:
        parts.append(f"select * exclude ({', '.join(WIDE_COLUMNS)}, _batch) from read_parquet({_file_list(dirty)})")
    return "(" + " union all by name ".join(parts or [f"select * from {task.conformed} where false"]) + ")"


def _linked(connection: Connection, tables: Sequence[str], files: tuple[Path, ...]) -> list[PreparedWrite]:
    rows = _count(connection, f"read_parquet({_file_list(files)})") if files else 0
    return [PreparedWrite(table, files=files, rows=rows) for table in tables]


def _file_list(files: Sequence[Path]) -> str:
    return "[" + ", ".join(quote_text(str(each)) for each in files) + "]"


def _count(connection: Connection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()
    return int(row[0])


def _any(connection: Connection, relation: str) -> bool:
    return connection.execute(f"select 1 from {relation} limit 1").fetchone() is not None


def _counts(connection: Connection, task: ResolveTask) -> dict[str, int]:
    """Return how many records of this batch went to each state; those that the lake already had are not counted again."""
    superseded = _count(connection, "r_versions where fresh and place > 1")
    counts = {"canonical": _count(connection, task.conformed) - superseded, "superseded": superseded}
    for state, rows in connection.execute("select state, count(*) from r_aside where not stands group by all").fetchall():
        counts[state] = counts.get(state, 0) + rows
    return {state: rows for state, rows in counts.items() if rows}

