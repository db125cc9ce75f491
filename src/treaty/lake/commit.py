"""The commit: prepared work goes into the lake in one short transaction, all of it or nothing.

Work is prepared outside the lock (:func:`prepare_select`, :func:`prepare_rows`), as Parquet files below the lake's data folder or, if
it is small and flat, as rows for the catalog. The transaction only registers and inserts them, with the batch's row and the cursors.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from treaty.errors import DefectError, RetryError
from treaty.faults import faultpoint
from treaty.lake.batches import Batch, batch_committed, batch_row, close_batch
from treaty.lake.cursors import Fence, check_fence
from treaty.lake.names import lake_table, quote_name, quote_text
from treaty.lake.schema import forget_tables, is_flat, table_columns
from treaty.lake.scope import AllClients, ClientScope, audit_wide_scope, client_of
from treaty.lake.transaction import run_transaction
from treaty.sessions import Session

_WIDENINGS = 8


class WidenedError(Exception):
    """A table has got a column, or a wider one, since files for it were prepared."""

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.table = table


@dataclass(frozen=True, slots=True)
class TableWrite:
    """Prepared rows of one table: Parquet files, or values by column.

    ``without`` names a temporary table of ``_landed_id``: rows of the files that are not to be (cheaper than writing wide files again
    where a few rows of many are wrong; they are gone before anybody can see them).
    """

    table: str
    rows: int
    files: tuple[Path, ...] = ()
    columns: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()  # the types of the columns that the files have
    values: tuple[tuple[Any, ...], ...] = ()
    without: str = ""


def prepare_select(session: Session, batch: Batch, table: str, select: str, *, ordered: bool = False) -> TableWrite | None:
    """Run a query and keep its rows for a table, matched by column name; None if there are none.

    The query is run now, outside the lock. Columns it does not give are null. ``ordered`` keeps its order, at the cost of one core.
    """
    path = prepared_path(session, batch, table)
    rows = write_parquet(session, path, full_select(session, table, select), ordered=ordered)
    if rows == 0:
        remove_files([path])
        return None
    return keep_files(session, table, [path], rows)


def full_select(session: Session, table: str, select: str) -> str:
    """Return a query for exactly the table's columns. A file must hold all of them: DuckLake takes what a file lacks for not null."""
    known = _known_columns(session, table)
    given = {row[0] for row in session.duck.execute(f"describe {select}").fetchall()}
    unknown = given - known.keys()
    if unknown:
        raise DefectError(f"the lake's table {table} has no column {sorted(unknown)[0]}")
    parts = (f"{quote_name(name) if name in given else 'null'}::{kind} as {quote_name(name)}" for name, kind in known.items())
    return f"select {', '.join(parts)} from ({select})"


def write_parquet(session: Session, path: Path, select: str, *, ordered: bool = False) -> int:
    """Write a query's rows to a Parquet file laid out as the lake's are; return how many there are."""
    written = session.duck.execute(copy_parquet(session, path, select, ordered=ordered)).fetchone()
    return int(written[0]) if written else 0


def copy_parquet(session: Session, path: Path, select: str, *, ordered: bool = False) -> str:
    """Return the statement that writes a query's rows to a Parquet file laid out as the lake's are."""
    return f"copy ({select}) to {quote_text(str(path))} ({parquet_options(session, ordered=ordered)})"


def parquet_options(session: Session, *, ordered: bool = False) -> str:
    """Return how files of the lake are written: as small as by the usual encodings and level of zstd, in two thirds of the time."""
    return f"format parquet, parquet_version v2, compression zstd, compression_level 1, row_group_size {session.settings.row_group_rows}, preserve_order {str(ordered).lower()}"


def prepare_rows(session: Session, batch: Batch, table: str, rows: Sequence[Mapping[str, Any]]) -> TableWrite | None:
    """Keep rows given as dictionaries, all with the same keys, for a table; None if there are none."""
    if not rows:
        return None
    columns = tuple(rows[0])
    values = tuple(tuple(row[name] for name in columns) for row in rows)
    known = _known_columns(session, table)
    if is_flat(known) and len(values) * len(columns) <= session.settings.inline_cells:
        return TableWrite(table, len(values), columns=columns, values=values)
    import pyarrow as pa

    by_column = dict(zip(columns, zip(*values, strict=True), strict=True))
    relation = pa.table({name: pa.array([_as_text(value) if known[name] == "UUID" else value for value in by_column[name]]) for name in columns})
    session.duck.register("_prepared_rows", relation)
    try:
        casts = ", ".join(f"{quote_name(name)}::{known[name]} as {quote_name(name)}" for name in columns)
        return prepare_select(session, batch, table, f"select {casts} from _prepared_rows", ordered=True)
    finally:
        session.duck.unregister("_prepared_rows")


def prepared_path(session: Session, batch: Batch, table: str) -> Path:
    """Return a new path for a file of a batch: its number is in the name, so that a sweep knows whose it is."""
    folder = session.data_path / "main" / table
    folder.mkdir(parents=True, exist_ok=True)
    session.files_made += 1
    return folder / f"{batch.number}-{os.getpid()}-{session.files_made}.parquet"


def keep_files(session: Session, table: str, paths: Sequence[Path], rows: int) -> TableWrite:
    """Take written Parquet files, ``rows`` in all, as rows of a table, on disk for good; a few flat rows become catalog rows instead.

    The files have the same columns, and may hold more than the table. Ones that hold fewer, or fewer members of one, are written again
    with the missing ones as nulls.
    """
    known = _known_columns(session, table)
    given = {row[0]: row[1] for row in session.duck.execute(f"describe select * from {read_files(paths)}").fetchall()}
    kept = [name for name in known if name in given]
    narrow = any("STRUCT" in known[name] and known[name] != given[name] for name in kept)
    if is_flat(known) and rows * len(known) <= session.settings.inline_cells:
        values = tuple(session.duck.execute(f"select {', '.join(quote_name(name) for name in kept)} from {read_files(paths)}").fetchall())
        remove_files(paths)
        return TableWrite(table, rows, columns=tuple(kept), values=values)
    if narrow or len(kept) < len(known):
        paths = [_complete(session, table, path, kept) for path in paths]
    for path in paths:
        sync_file(path)
    return TableWrite(table, rows, files=tuple(paths), columns=tuple(known), kinds=tuple(known.values()))


def read_files(paths: Sequence[Path]) -> str:
    """Return the relation of the rows of Parquet files."""
    return f"read_parquet([{', '.join(quote_text(str(path)) for path in paths)}])"


def remove_files(paths: Iterable[Path]) -> None:
    """Remove prepared files that no table will have."""
    for path in paths:
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Part:
    """One batch of a commit: its prepared rows, the cursors that it moves, and what it came to."""

    batch: Batch
    writes: Sequence[TableWrite | None]
    fences: Sequence[Fence] = ()
    counts: Mapping[str, Any] = field(default_factory=dict)


def commit(
    session: Session,
    scope: ClientScope,
    writes: Sequence[TableWrite | None],
    *,
    batch: Batch,
    fences: Sequence[Fence] = (),
    message: str = "",
    counts: Mapping[str, Any] | None = None,
) -> None:
    """Commit prepared work, the cursors it moves and the batch's row in one transaction.

    Raises ``RetryError`` if a fence does not hold (nothing was written, the prepared files are removed) or the database went away.
    """
    if client_of(scope) != batch.client:
        raise DefectError(f"a batch of client {batch.client} cannot be committed in the scope of {client_of(scope)}")
    _commit_parts(session, [Part(batch, writes, fences, counts or {})], batch.client, message or batch.kind)


def commit_together(session: Session, scope: AllClients, parts: Sequence[Part], message: str) -> None:
    """Commit batches of several clients in one transaction: all of them become true at once, or none. Raises as :func:`commit` does."""
    audit_wide_scope(session, scope)
    _commit_parts(session, parts, client_of(scope), message)


def _commit_parts(session: Session, parts: Sequence[Part], author: str, message: str) -> None:
    present = [replace(part, writes=[write for write in part.writes if write is not None and write.rows]) for part in parts]
    writes = [write for part in present for write in part.writes if write is not None]
    for write in writes:
        _known_columns(session, write.table)
    for folder in {path.parent for write in writes for path in write.files}:
        sync_folder(folder)
    faultpoint("commit.pre_lock")
    tries = 0

    def body() -> None:
        nonlocal tries
        tries += 1
        if tries > 1 and batch_committed(session, parts[0].batch.number):
            return
        for fence in (fence for part in parts for fence in part.fences):
            check_fence(session, fence)
        ensure_complete(session, [write for part in present for write in part.writes if write is not None])
        faultpoint("commit.pre_write")
        finished_at = session.clock()
        for part in present:
            _write(session, part, finished_at)
        session.duck.execute(f"call {session.lake_name}.set_commit_message({quote_text(author)}, {quote_text(message)})")

    try:
        for _ in range(_WIDENINGS):
            try:
                run_transaction(session, body)
                break
            except WidenedError as widened:  # another process has added a column: the files get it too, and nothing else is done again
                present = [replace(part, writes=[_widened(session, write, widened.table) for write in part.writes]) for part in present]
        else:
            raise RetryError("Other processes go on adding columns to the lake's tables.", remedy="Run again.")
    except BaseException:
        for part in present:
            _discard(session, part.batch, [write for write in part.writes if write is not None])
        raise
    finally:
        for part in parts:
            close_batch(session, part.batch)


def discard(session: Session, batch: Batch, writes: Sequence[TableWrite | None]) -> None:
    """Remove prepared work that will not be committed."""
    remove_files(path for write in writes if write for path in write.files)
    close_batch(session, batch)


def sync_file(path: Path) -> None:
    """Make a file's content outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a power cut."""
    sync_file(folder)


def _write(session: Session, part: Part, finished_at: datetime) -> None:
    duck, batch = session.duck, part.batch
    for write in part.writes:
        assert write is not None, "a commit keeps only what is there"
        for path in write.files:
            name, file = quote_text(write.table), quote_text(str(path))
            duck.execute(f"call ducklake_add_data_files({quote_text(session.lake_name)}, {name}, {file}, ignore_extra_columns => true)")
        if write.without:
            _remove(session, write, batch)
        _insert(session, write.table, write.columns, write.values)
        faultpoint("commit.mid_write")
    for row in (fence.row(batch.number) for fence in part.fences):
        _insert(session, "cursor", tuple(row), (tuple(row.values()),))
    row = batch_row(batch, finished_at, part.counts)
    _insert(session, "batch", tuple(row), (tuple(row.values()),))


def ensure_complete(session: Session, writes: Sequence[TableWrite]) -> None:
    """Raise ``WidenedError`` if a table has, in the open transaction, a column or a wider type that files prepared for it lack."""
    tables = {write.table: sorted(write.kinds) for write in writes if write.files}
    if not tables:
        return
    names = ", ".join(quote_text(name) for name in tables)
    rows = session.duck.execute(
        f"select table_name, list_sort(list(data_type)) from duckdb_columns() where database_name = {quote_text(session.lake_name)} and table_name in ({names}) group by all"
    ).fetchall()
    for table, kinds in rows:
        if kinds != tables[table]:
            raise WidenedError(table)


def _widened(session: Session, write: TableWrite | None, table: str) -> TableWrite | None:
    """Return a write with the columns that its table has now, if that is the table which got some."""
    if write is None or write.table != table:
        return write
    forget_tables(session)
    files = tuple(_complete(session, write.table, path, write.columns) for path in write.files)
    for path in files:
        sync_file(path)
    known = _known_columns(session, write.table)
    return replace(write, files=files, columns=tuple(known), kinds=tuple(known.values()))


def _complete(session: Session, table: str, path: Path, columns: Sequence[str]) -> Path:
    """Write a file again with every column of its table; return the new path."""
    session.files_made += 1
    fresh = path.with_name(f"{path.stem}-{session.files_made}.parquet")
    select = f"select {', '.join(quote_name(name) for name in columns)} from read_parquet({quote_text(str(path))})"
    write_parquet(session, fresh, full_select(session, table, select), ordered=True)
    path.unlink()
    return fresh


def _insert(session: Session, table: str, columns: tuple[str, ...], values: tuple[tuple[Any, ...], ...]) -> None:
    if not values:
        return
    names = ", ".join(quote_name(name) for name in columns)
    marks = ", ".join("(" + ", ".join("?" for _ in columns) + ")" for _ in values)
    session.duck.execute(f"insert into {lake_table(table)} ({names}) values {marks}", [value for row in values for value in row])


def _remove(session: Session, write: TableWrite, batch: Batch) -> None:
    """Take rows out of files that were added a moment ago, in the same transaction."""
    folder = session.data_path / "main" / write.table
    before = {path.name for path in folder.iterdir()}
    session.duck.execute(
        f"delete from {lake_table(write.table)} where _batch = {batch.number} and _landed_id in (select _landed_id from {write.without})"
    )
    for path in folder.iterdir():
        if path.name not in before:
            sync_file(path)


def _discard(session: Session, batch: Batch, writes: Sequence[TableWrite]) -> None:
    """Remove the files of a commit that failed, if it is certain that it failed."""
    try:
        if batch_committed(session, batch.number):
            return
    except Exception:
        return
    remove_files(path for write in writes for path in write.files)


def _known_columns(session: Session, table: str) -> Mapping[str, str]:
    known = table_columns(session, table)
    if known is None:
        raise DefectError(f"the lake has no table {table}: it must be made before work for it is prepared")
    return known


def _as_text(value: Any) -> Any:
    return None if value is None else str(value)
