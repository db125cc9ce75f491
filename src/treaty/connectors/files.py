"""The connector ``files``: files below a local folder, in any format of ``treaty.project.formats``."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from treaty.connectors.configuration import read_configuration
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.file_arrivals import FileSettings, read_file
from treaty.connectors.formats.interface import file_formats
from treaty.connectors.interface import Arrival, Connector, Refusal, Site, StreamDescription, StreamRequest
from treaty.project.declarations import System, declared
from treaty.project.formats import format_of_name

if TYPE_CHECKING:
    from treaty.connectors.folders import FoundFile


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesConnection:
    """``connection:`` of a system of files."""

    folder: str = declared("the folder that holds the files, from the project's root on", example="inbox/{client}/erp")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesRead:
    """``read:`` of a stream of files, beside what its format takes."""

    files: tuple[str, ...] = declared("patterns of file names: `*` and `?` within a folder, `**/` for any folders", example="*.csv")
    members: tuple[str, ...] = declared(
        "patterns of members of archives (`.zip`, `.gz`, `.zst`) that `files` names; each is an arrival of its own", default=("**/*",), example="orders/*.csv"
    )


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
        settings = FileSettings.of(request.stream, place, FilesRead)
        with contextlib.ExitStack() as stack:
            spool = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treaty-", dir=request.spool)))
            for file in self._folder.find(settings.place.files):
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
                    yield from read_file(file.name, copy, settings, request, spool)
                finally:
                    discard(copy)


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
