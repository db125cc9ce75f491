"""The connector ``files``: CSV, JSON, JSON Lines and XML files below a local folder."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from treaty.connectors.configuration import read_configuration
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.interface import Arrival, Connector, CsvScan, Refusal, Rows, Site, StreamDescription, StreamRequest
from treaty.errors import SetAsideError, StopError
from treaty.project.declarations import System, declared

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy, FoundFile

EXTENSIONS = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".xml": "xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesConnection:
    """``connection:`` of a system of files."""

    folder: str = declared("the folder that holds the files, from the project's root on", example="inbox/{client}/erp")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesRead:
    """``read:`` of a stream of files."""

    files: tuple[str, ...] = declared("patterns of file names: `*` and `?` within a folder, `**/` for any folders", example="*.csv")
    encoding: str | None = declared("the text's encoding; else its byte order mark tells, else it is UTF-8", default=None, example="cp1252")
    delimiter: str | None = declared("CSV: what parts the fields; found out where not given", default=None, example=";")
    quote: str = declared("CSV: what quotes a field, doubled within it; empty for none", default='"')
    header: bool = declared("CSV: whether the first line names the columns", default=True)
    columns: tuple[str, ...] = declared("CSV without header: the columns' names in their order", default=(), example=["INVNO", "POS", "NET"])
    skip_lines: int = declared("CSV: lines above the header that are left out", default=0)
    others: tuple[str, ...] = declared(
        "XML: root elements of documents in the same folder that are another stream's, `*` for any: for this one they are empty, not refused",
        default=(), example=["cn:CreditNote"],
    )  # fmt: skip


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
        kinds = {Path(each.name).suffix.lower() for each in self._folder.find(("**/*",))}
        return [StreamDescription(suffix.removeprefix("."), EXTENSIONS[suffix]) for suffix in sorted(kinds & EXTENSIONS.keys())]

    def read(self, request: StreamRequest) -> Iterator[Arrival]:
        """Yield one arrival for each file that is not known with the same bytes."""
        from treaty.connectors.folders import ChangedWhileRead, discard

        place = f"{request.system}/{request.name}"
        read = read_configuration(FilesRead, request.stream.read, f"{place}, read")
        _ensure_readable(read, request, place)
        with contextlib.ExitStack() as stack:
            spool = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treaty-", dir=request.spool)))
            for file in self._folder.find(read.files):
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


def _ensure_readable(read: FilesRead, request: StreamRequest, place: str) -> None:
    """Raise StopError for settings that cannot go together."""
    from treaty.connectors.encodings import known_encoding

    if read.encoding and known_encoding(read.encoding) is None:
        raise StopError(f"{place}: there is no text encoding {read.encoding!r}.", remedy="Write one as Python names it, such as cp1252 or utf-16.")
    if read.delimiter is not None and (len(read.delimiter) != 1 or read.delimiter in '"\r\n'):
        raise StopError(f"{place}: the delimiter {read.delimiter!r} is not one character.", remedy='Write one, such as ";" or "\\t".')
    if len(read.quote) > 1 or not read.quote.isascii():
        raise StopError(f"{place}: the quote {read.quote!r} is not one ASCII character.", remedy="Write one, or an empty text for none.")
    if read.columns and read.header:
        raise StopError(f"{place}: `columns` is for files without a header.", remedy="Add `header: false`, or leave `columns` out.")
    if request.stream.format == "table":
        raise StopError(f"{place}: files have no format `table`.", remedy="Write csv, json, jsonl or xml.")
    if request.stream.format == "xml" and not request.stream.record:
        raise StopError(f"{place}: an XML stream needs `record`.", remedy="Name the element that is one record, such as `record: inv:Invoice`.")


def _arrive(file: FoundFile, copy: Copy, read: FilesRead, request: StreamRequest, spool: Path) -> Iterator[Arrival]:
    """Yield the arrival of one copied file; what was made beside it is removed when the next one is asked for."""
    refusals: list[Refusal] = []
    records: CsvScan | Rows | None = None
    details: Mapping[str, str] = {}
    with contextlib.ExitStack() as stack:
        if isinstance(copy.content, Path):
            spool = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=spool)))
        try:
            records, details = _parse(copy, read, request, spool, refusals)
        except SetAsideError as error:
            refusals.append(Refusal(0, error.reason, f"{file.name}: {error}", _excerpt(copy)))
        yield Arrival(
            origin=file.name, content=copy.content, sha256=copy.sha256, size_bytes=copy.size_bytes, records=records, cursor={"last": file.name},
            refusals=refusals, details={**details, **({"stamp": copy.stamp} if copy.stamp else {})},
            complete_snapshot=request.stream.deletes.mode == "snapshot" and not refusals,
        )  # fmt: skip


def _parse(
    copy: Copy, read: FilesRead, request: StreamRequest, spool: Path, refusals: list[Refusal]
) -> tuple[CsvScan | Rows, Mapping[str, str]]:
    stream, limits = request.stream, request.limits
    if stream.format == "csv":
        from treaty.connectors.csv_records import CsvSettings, read_csv

        settings = CsvSettings(read.encoding, read.delimiter, read.quote, read.header, read.skip_lines, read.columns)
        return read_csv(copy, spool, settings, limits, refusals)
    if stream.format == "xml":
        from treaty.connectors.xml_records import read_xml

        return read_xml(copy, record=stream.record or "", namespaces=stream.namespaces, limits=limits, refusals=refusals, others=read.others)
    from treaty.connectors.json_records import read_json

    return read_json(
        copy, spool, lines=stream.format == "jsonl", record=stream.record, encoding=read.encoding, limits=limits, refusals=refusals
    )


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


CONNECTOR = Connector(kind="files", connection=FilesConnection, read=FilesRead, write=None, open_source=open_files, open_sink=None)
