"""Reads files below one folder safely: no way out of it, a stable order, and each file as one consistent private copy."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from treaty.connectors.spools import SMALL_BYTES
from treaty.errors import StopError

CHUNK_BYTES = 4 * 1024 * 1024
RACY_SECONDS = 2  # a file changed so lately may change again within its clock's tick: its stamp proves nothing
TICK_SECONDS = 0.02  # file systems stamp changes by the kernel's tick, of 10 ms at most
ATTEMPTS = 3
UNFINISHED = re.compile(r"(^|/)(\.|~)|(~|\.part|\.tmp|\.crdownload|\.filepart)$")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file below a folder: its path with ``/``, and what tells whether it changed."""

    name: str
    size_bytes: int
    changed_at: float
    stamp: str


@dataclass(frozen=True, slots=True)
class Copy:
    """The bytes of one file as they were at one moment."""

    content: Path | bytes
    sha256: str
    size_bytes: int
    stamp: str  # empty where the file was too young to be trusted by it

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes piece by piece."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        with self.content.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def open(self) -> BinaryIO:
        """Open the bytes for reading."""
        return io.BytesIO(self.content) if isinstance(self.content, bytes) else self.content.open("rb")


class ChangedWhileRead(Exception):
    """The file kept changing, or is gone: it is left for the next run."""


class Folder:
    """One folder, opened once; every file in it is reached step by step from there, and no step follows a link."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Folder:
        """Nothing is held open between two calls."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is to be closed."""

    def ensure_there(self) -> None:
        """Raise StopError where the folder does not exist or cannot be listed."""
        try:
            os.close(self._open())
        except OSError as error:
            message = f"the folder {self.path} cannot be read ({error.strerror})."
            raise StopError(message, remedy="Create it, or mend `connection: folder`.") from error

    def _open(self) -> int:
        return os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def find(self, patterns: tuple[str, ...]) -> list[FoundFile]:
        """Return the regular files that match, in the order of their names. Links, pipes and unfinished files are left out."""
        self.ensure_there()
        wanted = name_filter(patterns)
        root = self._open()
        try:
            found = [each for each in _walk(root, "") if wanted(each.name)]
        finally:
            os.close(root)
        return sorted(found, key=lambda each: each.name)

    def look(self, name: str) -> FoundFile:
        """Return the facts of one regular file, whatever its name looks like. Raises OSError."""
        facts = (self.path / name).stat(follow_symlinks=False)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return FoundFile(name, facts.st_size, facts.st_mtime, _stamp(facts))

    def expect(self, files: Iterable[FoundFile]) -> None:
        """Be told which files will be taken, in this order: nothing is gained by knowing it here."""

    def take(self, file: FoundFile, spool: Path) -> Copy:
        """Return a private copy, hashed while it was read. Raises ChangedWhileRead where the file would not hold still."""
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(ChangedWhileRead):
                return self._take_once(file, spool)
        return self._take_once(file, spool)

    def holds(self, file: FoundFile, sha256: str) -> bool:
        """Tell whether a large file has the bytes of this hash: that is seen without a copy, which would cost most of the time."""
        if file.size_bytes <= SMALL_BYTES:
            return False
        with contextlib.suppress(ChangedWhileRead), self._held_still(file) as (handle, _):
            digest = hashlib.sha256()
            while chunk := os.read(handle, CHUNK_BYTES):
                digest.update(chunk)
            return digest.hexdigest() == sha256
        return False

    def _take_once(self, file: FoundFile, spool: Path) -> Copy:
        copy: Copy | None = None
        try:
            with self._held_still(file) as (handle, facts):
                copy = _copy(handle, facts, spool)
                if copy.size_bytes != facts.st_size:
                    raise ChangedWhileRead(file.name)
            return copy
        except ChangedWhileRead:
            if copy is not None:
                discard(copy)
            raise

    @contextlib.contextmanager
    def _held_still(self, file: FoundFile) -> Iterator[tuple[int, os.stat_result]]:
        """Open a file for reading, with its facts. Raises ChangedWhileRead, at the latest at the end, where it is not what it was."""
        parent, leaf = self._open_parent(file.name)
        try:
            handle = os.open(leaf, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        except PermissionError as error:
            raise StopError(f"{file.name} may not be read.", remedy="Give the user that runs Treaty the right to read it.") from error
        except OSError as error:
            raise ChangedWhileRead(file.name) from error
        finally:
            os.close(parent)
        try:
            before = _settled(handle)
            if not stat.S_ISREG(before.st_mode):
                raise ChangedWhileRead(file.name)
            yield handle, before
            if _stamp(os.fstat(handle)) != _stamp(before):
                raise ChangedWhileRead(file.name)
        finally:
            os.close(handle)

    def _open_parent(self, name: str) -> tuple[int, str]:
        """Open the folder that holds a file, walking from the root without following links."""
        *steps, leaf = name.split("/")
        if not {"", ".", ".."}.isdisjoint((*steps, leaf)):
            raise ChangedWhileRead(name)
        handle = self._open()
        for step in steps:
            try:
                below = os.open(step, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
            except OSError as error:
                raise ChangedWhileRead(name) from error
            finally:
                os.close(handle)
            handle = below
        return handle, leaf


def discard(copy: Copy) -> None:
    """Remove a copy's file where it still is."""
    if isinstance(copy.content, Path):
        copy.content.unlink(missing_ok=True)


def _walk(handle: int, prefix: str) -> Iterator[FoundFile]:
    with os.scandir(handle) as entries:
        listed = list(entries)
    for entry in listed:
        name = f"{prefix}{entry.name}"
        try:
            if entry.is_dir(follow_symlinks=False):
                below = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
                try:
                    yield from _walk(below, f"{name}/")
                finally:
                    os.close(below)
            elif entry.is_file(follow_symlinks=False):
                facts = entry.stat(follow_symlinks=False)
                yield FoundFile(name, facts.st_size, facts.st_mtime, _stamp(facts))
        except OSError:  # gone since it was listed, or not ours to read: check() tells
            continue


def _stamp(facts: os.stat_result) -> str:
    return f"{facts.st_ino}:{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ctime_ns}"


def _settled(handle: int) -> os.stat_result:
    """Return the file's facts at a moment when any later change would show in them, whatever the tick of the file system's clock."""
    facts = os.fstat(handle)
    age = time.time() - facts.st_mtime
    if 0 <= age < TICK_SECONDS:
        time.sleep(TICK_SECONDS - age)
        facts = os.fstat(handle)
    return facts


def _copy(handle: int, facts: os.stat_result, spool: Path) -> Copy:
    stamp = "" if time.time() - max(facts.st_mtime, facts.st_ctime) < RACY_SECONDS else _stamp(facts)
    digest = hashlib.sha256()
    if facts.st_size <= SMALL_BYTES:
        data = _read_fully(handle, facts.st_size + 1)
        digest.update(data)
        return Copy(data, digest.hexdigest(), len(data), stamp)
    path = spool / f"{os.getpid()}-{facts.st_ino}-{time.monotonic_ns()}"
    size = 0
    try:
        with path.open("xb") as target:
            while chunk := os.read(handle, CHUNK_BYTES):
                size += len(chunk)
                if size > facts.st_size:
                    break
                digest.update(chunk)
                target.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Copy(path, digest.hexdigest(), size, stamp)


def _read_fully(handle: int, size: int) -> bytes:
    data = os.read(handle, size)
    while len(data) < size and (more := os.read(handle, size - len(data))):
        data += more
    return data


def name_filter(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Return whether a name matches one of the patterns and is not that of an unfinished file; patterns with a dot in front ask for hidden ones."""
    wanted = re.compile("|".join(f"(?:{glob_expression(each)})" for each in patterns))
    hidden_too = any(part.startswith(".") for each in patterns for part in each.split("/"))
    return lambda name: wanted.fullmatch(name) is not None and (hidden_too or not UNFINISHED.search(name))


def glob_expression(pattern: str) -> str:
    """Return the regular expression of a file pattern: ``*`` and ``?`` stay within a folder, ``**/`` is any folders."""
    parts = re.split(r"(\*\*/|\*|\?)", pattern)
    spelled = {"**/": "(?:[^/]+/)*", "*": "[^/]*", "?": "[^/]"}
    return "".join(spelled.get(part) or re.escape(part) for part in parts)
