"""The source's own bytes, kept for good: content-addressed, per client, read back only after their hash was checked.

A large arrival has a file of its own (``objects/<client>/ab/<sha256>.<batch>-<n>``); small ones of one commit share a pack file, so that
20,000 small files cost a handful of syncs. The ``object`` table says where a hash is. A name carries its batch: what a killed process
left behind is known for what it is and swept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from treaty.errors import DefectError, UsageError
from treaty.faults import faultpoint
from treaty.lake.batches import Batch
from treaty.lake.names import lake_table, quote_text, slug
from treaty.lake.scope import ClientScope, OneClient, scope_condition
from treaty.sessions import Session

FOLDER = "objects"


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """Where an object's bytes are: ``size_bytes`` from ``start_byte`` of a file."""

    path: Path
    start_byte: int
    size_bytes: int


class ObjectWriter:
    """Keeps the arrivals of one batch. Nothing refers to them until the batch's commit writes :meth:`finish`'s rows."""

    def __init__(self, session: Session, scope: OneClient, batch: Batch) -> None:
        self._session = session
        self._batch = batch
        self._client = scope.client
        self._root = session.state / FOLDER / slug(scope.client)
        self._rows: dict[str, dict[str, Any]] = {}
        self._files: list[Path] = []
        self._folders: set[Path] = set()
        self._pack: BinaryIO | None = None
        self._pack_bytes = 0
        self._syncs: list[Future[None]] = []
        self._pool: ThreadPoolExecutor | None = None

    def add(self, content: Path | bytes, sha256: str, size_bytes: int) -> None:
        """Keep one arrival's bytes, unless this batch has them already. A ``Path`` is a private copy: it is linked, not copied."""
        if sha256 in self._rows:
            return
        faultpoint("object.pre_write")
        if size_bytes <= self._session.settings.packed_object_bytes:
            data = content if isinstance(content, bytes) else content.read_bytes()
            if len(data) != size_bytes:
                raise DefectError(f"an arrival of {size_bytes} bytes has {len(data)}")
            path, start = self._append(data)
        else:
            path, start = self._place(content, sha256), 0
        self._rows[sha256] = {
            "_hash": sha256,
            "_client": self._client,
            "size_bytes": size_bytes,
            "path": str(path.relative_to(self._session.state)),
            "start_byte": start,
            "encryption": None,
            "_batch": self._batch.number,
        }

    def finish(self, stored: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Wait until every byte is on disk; return the rows of the ``object`` table, less those ``stored`` earlier."""
        faultpoint("object.pre_sync")
        try:
            if self._pack is not None:
                self._pack.flush()
                os.fsync(self._pack.fileno())
            for sync in self._syncs:
                sync.result()
            for folder in self._folders:
                _sync(folder)
        finally:
            self._close()
        faultpoint("object.synced")
        known = set(stored)
        return [row for sha256, row in self._rows.items() if sha256 not in known]

    def abandon(self) -> None:
        """Remove what was written: the commit did not happen."""
        self._close()
        for path in self._files:
            path.unlink(missing_ok=True)

    def _append(self, data: bytes) -> tuple[Path, int]:
        if self._pack is None:
            path = self._new_path("packs", "pack")
            self._pack = open(path, "xb", buffering=1024 * 1024)  # noqa: SIM115 - open over several arrivals
            self._files.append(path)
        start = self._pack_bytes
        self._pack.write(data)
        self._pack_bytes += len(data)
        return Path(self._pack.name), start

    def _place(self, content: Path | bytes, sha256: str) -> Path:
        path = self._new_path(sha256[:2], sha256)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            try:
                os.link(content, path)
            except OSError:  # another disk, or a file system without links
                shutil.copyfile(content, path)
        self._files.append(path)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="treaty-objects")
        self._syncs.append(self._pool.submit(_sync, path))
        return path

    def _new_path(self, folder: str, name: str) -> Path:
        parent = self._root / folder
        if not parent.is_dir():
            parent.mkdir(parents=True, exist_ok=True)
            self._folders.update({self._root, self._root.parent, self._session.state})
        self._folders.add(parent)
        self._session.files_made += 1
        return parent / f"{name}.{self._batch.number}-{os.getpid()}-{self._session.files_made}"

    def _close(self) -> None:
        if self._pack is not None:
            self._pack.close()
            self._pack = None
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None


def find_object(session: Session, scope: ClientScope, sha256: str) -> ObjectPlace:
    """Return where an object is; raise ``UsageError`` if the scope has none of that hash."""
    row = session.duck.execute(
        f"select path, start_byte, size_bytes from {lake_table('object')} where {scope_condition(session, scope)} and _hash = ? order by _batch limit 1",
        [sha256],
    ).fetchone()
    if row is None:
        raise UsageError(f"There is no object {sha256} for this client.")
    return ObjectPlace(session.state / row[0], int(row[1]), int(row[2]))


def read_object(session: Session, scope: ClientScope, sha256: str) -> bytes:
    """Return the bytes of an object; raise ``DefectError`` if they are not what was stored."""
    place = find_object(session, scope, sha256)
    try:
        with open(place.path, "rb") as file:
            file.seek(place.start_byte)
            data = file.read(place.size_bytes)
    except FileNotFoundError:
        raise DefectError(f"the stored object {sha256} is missing: {place.path}", remedy="Restore it from a backup.") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DefectError(f"the stored object {sha256} is damaged: {place.path}", remedy="Restore it from a backup.")
    return data


def stored_hashes(session: Session, scope: OneClient, hashes: Iterable[str]) -> set[str]:
    """Return which of these hashes the client has already."""
    wanted = list(hashes)
    if not wanted:
        return set()
    rows = session.duck.execute(
        f"select distinct _hash from {lake_table('object')} where _client = {quote_text(scope.client)} and _hash in (select unnest(?))", [wanted]
    ).fetchall()
    return {row[0] for row in rows}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
