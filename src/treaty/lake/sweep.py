"""Sweeping up after killed processes: files that no committed batch refers to and no living process works on."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from treaty.faults import faultpoint
from treaty.lake.batches import batch_is_open
from treaty.lake.names import lake_table
from treaty.lake.objects import FOLDER
from treaty.lake.schema import table_columns
from treaty.lake.scope import AllClients, audit_wide_scope
from treaty.sessions import Session

_OURS = re.compile(r"(?:.*\.)?(\d+)-\d+-\d+(?:-\d+)*(?:\.parquet)?\Z")  # <batch>-<process>-<number>
_SESSION = re.compile(r"session-(\d+)-")
_YOUNGEST_SECONDS = 60  # a killed process's last statement may still be running in the database
_DUE_SECONDS = 3_600
_MARK = "swept"


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What was removed."""

    files: int = 0
    size_bytes: int = 0


def sweep_if_due(session: Session) -> SweepResult:
    """Sweep unless a process has done so within the hour."""
    mark = session.state / _MARK
    try:
        if time.time() - mark.stat().st_mtime < _DUE_SECONDS:
            return SweepResult()
    except FileNotFoundError:
        pass
    mark.touch()
    return sweep(session, AllClients("sweep"))


def sweep(session: Session, scope: AllClients, *, youngest_seconds: int = _YOUNGEST_SECONDS) -> SweepResult:
    """Remove orphaned files of the lake, of the object store and of killed sessions.

    A file carries the number of its batch, and a living process holds its batches' locks until they are committed. So files are
    listed first, then the locks are looked at, and what the lake refers to is read last: a file of a batch that is not open any more
    and is not referred to then never will be.
    """
    audit_wide_scope(session, scope)
    found = [*_files(session.data_path), *_files(session.state / FOLDER)]
    orphans = [path for path in found if _may_be_orphan(session, path, youngest_seconds)]
    referred = _referred(session) if orphans else set()
    orphans = [path for path in orphans if path.name not in referred]
    faultpoint("sweep.pre_delete")
    size_bytes = 0
    for path in orphans:
        size_bytes += path.stat().st_size
        path.unlink(missing_ok=True)
    _sweep_sessions(session)
    return SweepResult(len(orphans), size_bytes)


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names)


def _may_be_orphan(session: Session, path: Path, youngest_seconds: int) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return False
    ours = _OURS.match(path.name)
    if ours is None:  # DuckLake's own: it says nothing about who writes it
        return age > max(session.settings.orphan_age_seconds, youngest_seconds)
    return age >= youngest_seconds and not batch_is_open(session, int(ours.group(1)))


def _referred(session: Session) -> set[str]:
    """Return the names of all files that the lake refers to, in any of its snapshots."""
    names: set[str] = set()
    for table in ("ducklake_data_file", "ducklake_delete_file", "ducklake_files_scheduled_for_deletion"):
        rows = session.catalog.execute(f"select path from treaty_lake.{table}".encode()).fetchall()
        names.update(os.path.basename(path) for (path,) in rows)
    if table_columns(session, "object") is not None:
        rows = session.duck.execute(f"select distinct path from {lake_table('object')}").fetchall()
        names.update(os.path.basename(path) for (path,) in rows)
    return names


def _sweep_sessions(session: Session) -> None:
    """Remove the temporary folders of sessions whose process is gone."""
    parent = session.state / "tmp"
    for folder in parent.iterdir() if parent.is_dir() else ():
        named = _SESSION.match(folder.name)
        if named is not None and not _lives(int(named.group(1))):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
