"""Opens archives: zip, gzip and zstd. Members are streamed to names of ours within budgets, never extracted by their own.

An archive is refused as a whole where its directory lies (overlapping members, more of them than may be); a member alone where it is encrypted,
is no file, has a name that leads out or that another one has, or is not what the directory says.
"""

from __future__ import annotations

import functools
import gzip
import io
import itertools
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.folders import Copy, glob_expression
from treaty.connectors.spools import Spool
from treaty.errors import SetAsideError
from treaty.project.declarations import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

SEPARATOR = "!"
PIECE_BYTES = 1024 * 1024
RATIO_BYTES = 1024 * 1024  # below so much output the ratio says nothing: ten lines of zeros compress well
MOST_NAME_BYTES = 1_024
END = struct.Struct("<4s4H2LH")  # the end of a zip's directory
END_SIGN, ENTRY_SIGN = b"PK\5\6", b"PK\1\2"
LEADS_OUT = re.compile(r"(^|[/\\])\.\.([/\\]|$)|^[/\\]|^[A-Za-z]:|[\0-\x1f]")
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError, struct.error, IndexError)


@dataclass(frozen=True, slots=True)
class Member:
    """One file within an archive, or why it cannot be had."""

    name: str
    content: Copy | SetAsideError


class Budget:
    """What may come out of one file, however deep it is packed."""

    def __init__(self, limits: Limits, packed_bytes: int) -> None:
        self.limits = limits
        self.entries = 0
        self._most_by_ratio = max(RATIO_BYTES, packed_bytes * limits.archive_ratio)
        self._out_bytes = 0

    def spend(self, size_bytes: int) -> None:
        """Count bytes that came out. Raises SetAsideError where they are too many."""
        self._out_bytes += size_bytes
        if self._out_bytes > self.limits.archive_bytes:
            raise limit_exceeded(self.limits, "archive_bytes", "what comes out is more than")
        if self._out_bytes > self._most_by_ratio:
            raise limit_exceeded(self.limits, "archive_ratio", "what comes out is larger than what went in by more than")

    def count(self) -> None:
        """Count a member. Raises SetAsideError where there are too many."""
        self.entries += 1
        if self.entries > self.limits.archive_entries:
            raise limit_exceeded(self.limits, "archive_entries", "there are more members than")


def is_archive(name: str) -> bool:
    """Tell by a file's name whether it is opened."""
    return name.lower().endswith((".zip", ".gz", ".zst"))


def open_archive(name: str, copy: Copy, patterns: tuple[str, ...], limits: Limits, spool: Path) -> Iterator[Member]:
    """Yield the members that match, archives in archives opened too, in the order of the archive. Raises SetAsideError for all of it.

    A member's copy is in ``spool`` and is gone when the next one is asked for.
    """
    wanted = re.compile("|".join(f"(?:{glob_expression(each)})" for each in patterns))
    yield from _members(name, copy, wanted, Budget(limits, copy.size_bytes), spool, 1)


def _members(name: str, copy: Copy, wanted: re.Pattern[str], budget: Budget, spool: Path, depth: int) -> Iterator[Member]:
    if depth > budget.limits.archive_depth:
        raise limit_exceeded(budget.limits, "archive_depth", "archives stand within each other deeper than")
    for found, opened in (_zip_members if name.lower().endswith(".zip") else _stream_member)(name, copy, budget):
        inner = is_archive(found)
        if isinstance(opened, SetAsideError) and (inner or opened.reason == "bad-member-name" or wanted.fullmatch(found)):
            yield Member(found, opened)
        if isinstance(opened, SetAsideError) or (not inner and not wanted.fullmatch(found)):
            continue
        try:
            content = _take(opened, budget, spool)
        except SetAsideError as error:
            yield Member(found, error)
            if error.reason == "archive-too-large":
                return
            continue
        try:
            if not inner:
                yield Member(found, content)
                continue
            try:
                for each in _members(found, content, wanted, budget, spool, depth + 1):
                    yield Member(f"{found}{SEPARATOR}{each.name}", each.content)
            except SetAsideError as error:
                yield Member(found, error)
        finally:
            if isinstance(content.content, Path):
                content.content.unlink(missing_ok=True)


def _take(opening: Callable[[], IO[bytes]], budget: Budget, spool: Path) -> Copy:
    """Stream one member into memory, or to a name of ours, counting what comes out."""
    taken = Spool(spool)
    try:
        with opening() as source:
            taken.fill(_counted(source, budget))
    except BROKEN as error:
        told = (str(error) or type(error).__name__).removesuffix(".")[:200]
        raise SetAsideError("bad-archive", f"it cannot be unpacked: {told}.", remedy="Have it packed and sent again.") from None
    return Copy(taken.content(), taken.sha256(), taken.size_bytes, "")


def _counted(source: IO[bytes], budget: Budget) -> Iterator[bytes]:
    while piece := source.read(PIECE_BYTES):
        budget.spend(len(piece))
        yield piece


def _stream_member(name: str, copy: Copy, budget: Budget) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    """Yield the one content of a gzip or zstd file; it is named after the file, whatever is written inside."""
    inner = name.rpartition("/")[2].rpartition(".")[0]
    budget.count()
    if name.lower().endswith(".gz"):
        yield inner, lambda: _gzip(copy)
    else:
        yield inner, lambda: _zstd(copy)


def _gzip(copy: Copy) -> IO[bytes]:
    stream = gzip.open(copy.content if isinstance(copy.content, Path) else io.BytesIO(copy.content))  # noqa: SIM115  the caller closes it
    return cast(IO[bytes], stream)


def _zstd(copy: Copy) -> IO[bytes]:
    import pyarrow as pa

    source = pa.BufferReader(copy.content) if isinstance(copy.content, bytes) else pa.OSFile(str(copy.content))
    stream: IO[bytes] = pa.CompressedInputStream(source, "zstd")
    return stream


def _zip_members(name: str, copy: Copy, budget: Budget) -> Iterator[tuple[str, Callable[[], IO[bytes]] | SetAsideError]]:
    """Yield the members of a zip. Raises SetAsideError where the directory cannot be believed."""
    with copy.open() as file:
        try:
            _ensure_small_directory(file, copy.size_bytes, budget.limits)
            archive = zipfile.ZipFile(file)
        except BROKEN as error:
            raise SetAsideError("bad-archive", f"it is no zip that can be read: {str(error)[:200]}.", remedy="Have it packed and sent again.") from None
        with archive:
            listed = [each for each in archive.infolist() if not each.is_dir()]
            _ensure_apart(listed)
            counts = Counter(each.filename for each in listed)
            for each in listed:
                budget.count()
                wrong = _what_is_wrong(each, counts)
                yield _shown(each.filename), wrong or functools.partial(archive.open, each)


def _ensure_small_directory(file: IO[bytes], size_bytes: int, limits: Limits) -> None:
    """Raise SetAsideError where the directory is too large to be read at all, whatever it says of itself."""
    begin = max(0, size_bytes - 65_535 - END.size)
    file.seek(begin)
    tail = file.read()
    at = tail.rfind(END_SIGN)
    if at < 0 or at + END.size > len(tail):
        raise zipfile.BadZipFile("the end of its directory is not there")
    declared_bytes = END.unpack_from(tail, at)[5]
    most = limits.archive_entries * (MOST_NAME_BYTES + 46)
    directory_bytes = min(declared_bytes, size_bytes)
    if declared_bytes == 0xFFFFFFFF:
        directory_bytes = size_bytes  # zip64: it is counted as far as it can reach
    file.seek(max(0, begin + at - directory_bytes))
    read = file.read(min(directory_bytes, most + 1))
    if len(read) > most or read.count(ENTRY_SIGN) > limits.archive_entries:
        raise limit_exceeded(limits, "archive_entries", "there are more members than")
    file.seek(0)


def _ensure_apart(listed: list[zipfile.ZipInfo]) -> None:
    """Raise SetAsideError where two members share bytes: a small file that unpacks to a huge one."""
    ordered = sorted(listed, key=lambda each: each.header_offset)
    for first, second in itertools.pairwise(ordered):
        if first.header_offset + 30 + len(first.orig_filename.encode("cp437", "replace")) + first.compress_size > second.header_offset:
            raise SetAsideError("bad-archive", f"the members {_shown(first.filename)!r} and {_shown(second.filename)!r} overlap.", remedy="Have it packed anew.")


def _what_is_wrong(member: zipfile.ZipInfo, counts: Counter[str]) -> SetAsideError | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if LEADS_OUT.search(member.orig_filename) or len(member.filename.encode("utf-8", "replace")) > MOST_NAME_BYTES:
        return SetAsideError("bad-member-name", "its name leads out of the archive, or is none.", remedy="Have it packed with plain names.")
    if counts[member.filename] > 1:
        return SetAsideError("duplicate-member", "several members have this name.", remedy="Have it packed with one of each.")
    if kind and kind != stat.S_IFREG:
        return SetAsideError("no-file", "it is a link or a device, not a file.", remedy="Have the file itself packed.")
    if member.flag_bits & 0x1:
        return SetAsideError("encrypted", "it is encrypted.", remedy="Have it sent without a password.")
    return None


def _shown(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8", "replace")[:MOST_NAME_BYTES]
