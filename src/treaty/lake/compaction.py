"""Compaction: the many small files that small runs leave become few, and what no snapshot that is kept refers to is removed.

Nothing that the lake says is changed: every row stays, history too, since golden history is rows and never snapshots. Each step is a
transaction of DuckLake's own under the lake's lock, table by table, so that nobody waits for long; a kill between two steps leaves a lake
that is compacted in part, and at worst a file that nothing refers to, which the sweep finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from treaty.faults import faultpoint
from treaty.lake.names import quote_text
from treaty.lake.schema import forget_tables
from treaty.lake.scope import AllClients, audit_wide_scope
from treaty.lake.transaction import run_transaction
from treaty.sessions import Session

FILES_A_STEP = 1_000  # files that one transaction merges, at most
TARGET_BYTES = 64 * 1024 * 1024  # files grow up to about this
_MARK = "compacted"


@dataclass(frozen=True, slots=True)
class CompactionResult:
    """What came of it: files that tables consist of before and after, and old files removed."""

    files_before: int = 0
    files_after: int = 0
    removed: int = 0


def compact_if_due(session: Session, *, after_files: int, keep: timedelta) -> CompactionResult | None:
    """Compact once so many files have come since the last time; 0 is never. None: it was not due."""
    if not after_files:
        return None
    mark = session.state / _MARK
    try:
        known = int(mark.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        known = 0
    if _files(session) - known < after_files:
        return None
    return compact(session, AllClients("compaction"), keep=keep)


def compact(session: Session, scope: AllClients, *, keep: timedelta) -> CompactionResult:
    """Merge small files, forget snapshots older than ``keep``, and remove files that only those referred to."""
    audit_wide_scope(session, scope)
    before = _files(session)
    lake = quote_text(session.lake_name)
    oldest = quote_text((session.clock() - keep).isoformat())
    _step(session, f"call {session.lake_name}.set_option('target_file_size', '{TARGET_BYTES}B')")
    _step(session, f"call {session.lake_name}.set_option('parquet_row_group_size', '{session.settings.row_group_rows}')")
    _step(session, f"call ducklake_flush_inlined_data({lake})")
    faultpoint("compact.flushed")
    _step(session, f"call ducklake_expire_snapshots({lake}, older_than => {oldest}::timestamptz)")
    faultpoint("compact.expired")
    for table in _tables(session):
        _step(session, f"call ducklake_merge_adjacent_files({lake}, {quote_text(table)}, max_compacted_files => {FILES_A_STEP})")
        faultpoint("compact.merged")
    removed = _step(session, f"call ducklake_cleanup_old_files({lake}, older_than => {oldest}::timestamptz)")
    faultpoint("compact.cleaned")
    forget_tables(session)
    after = _files(session)
    _write_mark(session.state / _MARK, after)
    return CompactionResult(before, after, removed)


def _step(session: Session, statement: str) -> int:
    """Run one statement in a transaction under the lake's lock; return how many rows it gave."""
    return run_transaction(session, lambda: len(session.duck.execute(statement).fetchall()))


def _files(session: Session) -> int:
    row = session.catalog.execute("select count(*) from treaty_lake.ducklake_data_file where end_snapshot is null").fetchone()
    return int(row[0]) if row else 0


def _tables(session: Session) -> list[str]:
    """Return the tables of more than one file, those of most files first."""
    rows = session.catalog.execute(
        """select t.table_name from treaty_lake.ducklake_data_file f join treaty_lake.ducklake_table t using (table_id)
        where f.end_snapshot is null and t.end_snapshot is null group by 1 having count(*) > 1 order by count(*) desc, 1"""
    ).fetchall()
    return [table for (table,) in rows]


def _write_mark(path: Path, files: int) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(str(files), encoding="utf-8")
    draft.replace(path)
