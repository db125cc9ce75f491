"""The connector ``files``: files below a folder, here or on S3 or SFTP, in any format of ``treaty.project.formats``."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from treaty.connectors.configuration import read_configuration
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.file_arrivals import FileSettings, read_file
from treaty.connectors.formats.interface import file_formats
from treaty.connectors.interface import NOT_READ, Arrival, Connector, Refusal, Site, StreamDescription, StreamRequest
from treaty.connectors.secrets import Secret
from treaty.errors import StopError
from treaty.project.declarations import Stream, System, declared
from treaty.project.formats import format_of_name

if TYPE_CHECKING:
    from treaty.connectors.folders import Folder, FoundFile
    from treaty.connectors.remote.folder import RemoteFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesConnection:
    """``connection:`` of a system of files. `folder` is all that a local folder needs; S3 wants `treaty[s3]`, SFTP `treaty[sftp]` installed."""

    folder: str = declared(
        "the folder that holds the files, from the project's root on; or `s3://bucket/prefix`, or `sftp://host:port/path`",
        example="inbox/{client}/erp",
    )
    user: str | None = declared("S3: the id of the access key, none for a public bucket; SFTP: the user", default=None, example="treaty")
    secret: Secret | None = declared(
        "S3: the secret access key; SFTP: the password, as a reference", default=None, example="env:ARCHIVE_SECRET", secret=True
    )
    endpoint: str | None = declared("S3: the server's address; else AWS's of the region", default=None, example="https://s3.example.com")
    region: str = declared("S3: the region that requests are signed for", default="us-east-1")
    host_keys: tuple[str, ...] = declared(
        "SFTP: the server's public keys; no other server is spoken to", default=(), example=["ssh-ed25519 AAAA…"]
    )
    private_key: Secret | None = declared(
        "SFTP: the private key in OpenSSH's form, as a reference", default=None, example="file:/run/secrets/sftp_key", secret=True
    )
    passphrase: Secret | None = declared("SFTP: what the private key is encrypted with, as a reference", default=None, secret=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesRead:
    """``read:`` of a stream of files, beside what its format takes."""

    files: tuple[str, ...] = declared("patterns of file names: `*` and `?` within a folder, `**/` for any folders", example="*.csv")
    members: tuple[str, ...] = declared(
        "patterns of members of archives (`.zip`, `.gz`, `.zst`) that `files` names; each is an arrival of its own",
        default=("**/*",),
        example="orders/*.csv",
    )


class FilesSource:
    """Reads the files of one folder, one arrival a file, in the order of their names.

    A file that is gone, or changes all the time it is read, is left for the next run; files whose names show that they are not
    finished (``.part``, ``.tmp``, a leading dot) are not looked at. In a stream of snapshots each file is one. Of a file that several of the
    system's ``streams`` read, each takes what is its own.
    """

    def __init__(self, connection: FilesConnection, site: Site, streams: Iterable[Stream] = ()) -> None:
        self._folder = _folder_of(connection, site)
        self._streams = tuple(streams)

    def check(self) -> None:
        """Prove that the folder is there."""
        with self._folder:
            self._folder.ensure_there()

    def discover(self) -> Sequence[StreamDescription]:
        """Give one stream for each kind of file found."""
        with self._folder:
            names = {Path(each.name).suffix.lower() for each in self._folder.find(("**/*",))}
        formats = {suffix: format_of_name(suffix) for suffix in sorted(names)}
        return [StreamDescription(suffix.removeprefix("."), each.name) for suffix, each in formats.items() if each is not None]

    def read(self, request: StreamRequest) -> Iterator[Arrival]:
        """Yield one arrival for each file that is not known with the same bytes. Raises StopError, in the end, where one may not be read."""
        from treaty.connectors.folders import ChangedWhileRead, discard

        place = f"{request.system}/{request.name}"
        settings = FileSettings.of(request.stream, place, FilesRead, self._streams)
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._folder)
            spool = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treaty-", dir=request.spool)))
            found = [each for each in self._folder.find(settings.place.files) if request.stamps.get(each.name) != each.stamp]
            self._folder.expect(found)
            denied: StopError | None = None  # one file that may not be read costs no other
            for file in found:
                if file.size_bytes > request.limits.file_bytes:
                    if (oversized := _oversized(file, request)).sha256 != request.known.get(file.name):
                        yield oversized
                    continue
                known = request.known.get(file.name)
                if known is not None and self._folder.holds(file, known):
                    continue
                try:
                    copy = self._folder.take(file, spool)
                except ChangedWhileRead:
                    continue
                except StopError as error:
                    denied = denied or error
                    continue
                try:
                    yield from read_file(file.name, copy, settings, request, spool)
                finally:
                    discard(copy)
            if denied is not None:
                raise denied


def _folder_of(connection: FilesConnection, site: Site) -> Folder | RemoteFolder:
    """Return the folder of a connection. Raises StopError where its address is of no known kind, or its package is not installed."""
    scheme, mark, _ = connection.folder.partition("://")
    if not mark:
        from treaty.connectors.folders import Folder

        return Folder(site.root / connection.folder)
    try:
        if scheme == "s3":
            from treaty.connectors.remote.s3 import S3Folder

            return S3Folder(connection)
        if scheme == "sftp":
            from treaty.connectors.remote.sftp import SftpFolder

            return SftpFolder(connection)
    except ImportError as error:
        raise StopError(f"files of {scheme}:// need the package {error.name}.", remedy=f"Install treaty[{scheme}].") from error
    raise StopError(f"connection.folder: files of {scheme}:// cannot be read.", remedy="Use s3://, sftp:// or a local folder.")


def _oversized(file: FoundFile, request: StreamRequest) -> Arrival:
    """Return the arrival of a file that is not even read: its stamp stands for its bytes."""
    import hashlib

    error = limit_exceeded(request.limits, "file_bytes", f"{file.name}: {file.size_bytes} bytes are more than")
    return Arrival(
        origin=file.name, content=b"", sha256=hashlib.sha256(file.stamp.encode()).hexdigest(), size_bytes=0, records=None,
        cursor={"last": file.name}, refusals=[Refusal(0, error.reason, str(error), "")], details={NOT_READ: "too large"},
    )  # fmt: skip


def open_files(system: System, site: Site) -> FilesSource:
    """Open the folder of a system."""
    connection = read_configuration(FilesConnection, system.connection, f"systems/{system.name}, connection")
    return FilesSource(connection, site, system.streams.values())


CONNECTOR = Connector(
    kind="files", connection=FilesConnection, read=FilesRead, write=None, open_source=open_files, open_sink=None, formats=file_formats()
)
