"""The connector ``files``: files below a local folder, in any format of ``treaty.project.formats``."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treaty.connectors.configuration import read_configuration
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.formats.interface import FileFormat, Reading, file_formats, joined_settings, load_format, part_of
from treaty.connectors.interface import Arrival, Connector, CsvScan, Refusal, Rows, Site, StreamDescription, StreamRequest
from treaty.errors import SetAsideError, StopError
from treaty.project.declarations import Stream, System, declared
from treaty.project.formats import format_of_name

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy, FoundFile


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesConnection:
    """``connection:`` of a system of files."""

    folder: str = declared("the folder that holds the files, from the project's root on", example="inbox/{client}/erp")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesRead:
    """``read:`` of a stream of files, beside what its format takes."""

    files: tuple[str, ...] = declared("patterns of file names: `*` and `?` within a folder, `**/` for any folders", example="*.csv")


class FilesSource:
    """Reads the files of one folder, one arrival a file, in the order of their names.

    A file that is gone, or changes all the time it is read, is left for the next run; files whose names show that they are not
    finished (``.part``, ``.tmp``, a leading dot) are not looked at. In a stream of snapshots each file is one.
    """

    def __init__(self, connection: FilesConnection, site: Site) -> None:
        from treaty.connectors.folders import Folder

        self._folder = Folder(site.root / connection.folder)

    def check(self) -> None:
        """Prove that the folder is there."""
        self._folder.ensure_there()

    def discover(self) -> Sequence[StreamDescription]:
        """Give one stream for each kind of file found."""
        names = {Path(each.name).suffix.lower() for each in self._folder.find(("**/*",))}
        formats = {suffix: format_of_name(suffix) for suffix in sorted(names)}
        return [StreamDescription(suffix.removeprefix("."), each.name) for suffix, each in formats.items() if each is not None]

    def read(self, request: StreamRequest) -> Iterator[Arrival]:
        """Yield one arrival for each file that is not known with the same bytes."""
        from treaty.connectors.folders import ChangedWhileRead, discard

        place = f"{request.system}/{request.name}"
        read = _Settings.of(request.stream, place)
        with contextlib.ExitStack() as stack:
            spool = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treaty-", dir=request.spool)))
            for file in self._folder.find(read.files.files):
                if request.stamps.get(file.name) == file.stamp:
                    continue
                if file.size_bytes > request.limits.file_bytes:
                    if (oversized := _oversized(file, request)).sha256 != request.known.get(file.name):
                        yield oversized
                    continue
                try:
                    copy = self._folder.take(file, spool)
                except ChangedWhileRead:
                    continue
                try:
                    if copy.sha256 != request.known.get(file.name):
                        yield from _arrive(file, copy, read, request, spool)
                finally:
                    discard(copy)


@dataclass(frozen=True, slots=True)
class _Settings:
    """What a stream's ``read`` says: of its files, and of their format."""

    files: FilesRead
    format: FileFormat
    of_format: Any

    @classmethod
    def of(cls, stream: Stream, place: str) -> _Settings:
        """Read a stream's settings. Raises StopError for those that cannot be, or cannot go together."""
        found = load_format(stream.format, place)
        joined: Any = read_configuration(joined_settings(FilesRead, stream.format), stream.read, f"{place}, read")
        settings = part_of(found.settings, joined)
        for message, remedy in found.check(settings, stream):
            raise StopError(f"{place}: {message}", remedy=remedy)
        return cls(part_of(FilesRead, joined), found, settings)


def _arrive(file: FoundFile, copy: Copy, read: _Settings, request: StreamRequest, spool: Path) -> Iterator[Arrival]:
    """Yield the arrival of one copied file; what was made beside it is removed when the next one is asked for."""
    refusals: list[Refusal] = []
    records: CsvScan | Rows | None = None
    details: Mapping[str, str] = {}
    with contextlib.ExitStack() as stack:
        if isinstance(copy.content, Path):
            spool = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=spool)))
        try:
            records, details = read.format.read(copy, read.of_format, Reading(request.stream, request.limits, spool, refusals))
        except SetAsideError as error:
            refusals.append(Refusal(0, error.reason, f"{file.name}: {error}", _excerpt(copy)))
        yield Arrival(
            origin=file.name, content=copy.content, sha256=copy.sha256, size_bytes=copy.size_bytes, records=records, cursor={"last": file.name},
            refusals=refusals, details={**details, **({"stamp": copy.stamp} if copy.stamp else {})},
            complete_snapshot=request.stream.deletes.mode == "snapshot" and not refusals,
        )  # fmt: skip


def _excerpt(copy: Copy) -> str:
    with copy.open() as opened:
        return opened.read(200).decode("utf-8", "replace")


def _oversized(file: FoundFile, request: StreamRequest) -> Arrival:
    """Return the arrival of a file that is not even read: its stamp stands for its bytes."""
    import hashlib

    error = limit_exceeded(request.limits, "file_bytes", f"{file.name}: {file.size_bytes} bytes are more than")
    return Arrival(
        origin=file.name, content=b"", sha256=hashlib.sha256(file.stamp.encode()).hexdigest(), size_bytes=file.size_bytes, records=None,
        cursor={"last": file.name}, refusals=[Refusal(0, error.reason, str(error), "")], details={"not-read": "too large"},
    )  # fmt: skip


def open_files(system: System, site: Site) -> FilesSource:
    """Open the folder of a system."""
    return FilesSource(read_configuration(FilesConnection, system.connection, f"systems/{system.name}, connection"), site)


CONNECTOR = Connector(kind="files", connection=FilesConnection, read=FilesRead, write=None, open_source=open_files, open_sink=None, formats=file_formats())
