"""``read``: how Treaty reads a file or a stream before any mapping. Nothing is landed, and a file needs no project."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from treaty.errors import SetAsideError, StopError, UsageError
from treaty.operations.workspace import Folder, Workspace, find_root
from treaty.project.declarations import Limits, Stream
from treaty.project.findings import suggest
from treaty.project.formats import FORMATS, guess_format
from treaty.project.overlays import client_project, clients

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy
    from treaty.connectors.interface import Arrival

HEAD_BYTES = 4096
STREAM_SETTINGS = ("record", "namespaces", "zone")


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One record as it would be landed: an object of column → text or null, or the payload of a document."""

    origin: str
    locator: int
    text: str  # one line of JSON
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class ReadRefusal:
    """What could not be read, and why; ``locator`` 0 is the arrival as a whole."""

    origin: str
    locator: int
    reason: str
    message: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class ReadArrival:
    """What an arrival came to, told after its records: its format, what was found out or told, and how many were read and refused."""

    origin: str
    format: str
    record: str | None
    namespaces: Mapping[str, str]
    columns: tuple[str, ...] | None  # None: documents, or nothing could be read
    details: Mapping[str, str]
    sha256: str
    size_bytes: int
    records: int
    refused: int
    whole: bool  # false where reading stopped at the limit


Event: TypeAlias = ReadRecord | ReadRefusal | ReadArrival


def read_file(path: str | Path, *, format: str | None = None, limit: int | None = None, project: Folder = None, **settings: Any) -> Iterator[Event]:
    """Read one file as the connector ``files`` would. What is not told is found out, of each member of an archive by itself.

    ``settings`` are those of the stream (``record``, ``namespaces``) and of ``read`` for its format (``encoding``, ``delimiter`` …).
    Limits are those of the project that is named, else the defaults.

    Raises:
        UsageError: there is no such file, format or setting.
    """
    from treaty.connectors.folders import Folder as SourceFolder

    limits = Workspace(find_root(project), "local").project.settings.limits if project is not None else Limits()
    file = Path(path)
    with tempfile.TemporaryDirectory(prefix="treaty-") as spool:
        try:
            real = file.resolve(strict=True)
            folder = SourceFolder(real.parent)
            found = dataclasses.replace(folder.look(real.name), name=real.name)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}.", remedy="Name a file, or `system/stream` of a project.") from error
        if found.size_bytes > limits.file_bytes:
            told = f"{found.size_bytes} bytes are more than limits.file_bytes ({limits.file_bytes})."
            yield from _told((ReadRefusal(file.name, 0, "file-too-large", told, ""),), file.name, Stream(format=format or "csv"), found.size_bytes)
            return
        yield from _read_copy(file.name, folder.take(found, Path(spool)), format, settings, limits, Path(spool), limit)


def read_bytes(
    content: bytes, *, name: str = "-", format: str | None = None, limit: int | None = None, limits: Limits | None = None, **settings: Any
) -> Iterator[Event]:
    """Read what was pasted, as :func:`read_file` does a file."""
    from treaty.connectors.folders import Copy

    copy = Copy(content, hashlib.sha256(content).hexdigest(), len(content), "")
    with tempfile.TemporaryDirectory(prefix="treaty-") as spool:
        yield from _read_copy(name, copy, format, settings, limits or Limits(), Path(spool), limit)


def read_stream(
    name: str, *, project: Folder = None, client: str | None = None, environment: str | None = None, limit: int | None = None
) -> Iterator[Event]:
    """Read a stream through its connector from the beginning, without landing anything.

    Raises:
        UsageError: there is no such stream or client.
    """
    from treaty.connectors.interface import StreamRequest
    from treaty.connectors.registry import open_source

    workspace = Workspace(find_root(project), environment or "local")
    workspace.ensure_client(client)
    system_name, _, stream_name = name.partition("/")
    views = [client_project(workspace.project, each) for each in ([client] if client else clients(workspace.project))]
    view = next((each for each in views if each.stream(name)), None)
    if view is None:
        known = [f"{system.name}/{each}" for view in views for system in view.systems.values() for each in system.streams]
        raise UsageError(f"There is no file and no stream {name!r}.", remedy=suggest(name, known, "Name a file, or `system/stream` of the project."))
    stream = view.stream(name)
    assert stream is not None, "the view was chosen by it"
    with tempfile.TemporaryDirectory(prefix="treaty-") as spool, _site(workspace, view.systems[system_name].connection) as site:
        request = StreamRequest(system_name, stream_name, view.client, stream, {}, {}, workspace.project.settings.limits, {}, Path(spool))
        yield from read_events(open_source(view.systems[system_name], site).read(request), stream, limit)


@contextmanager
def _site(workspace: Workspace, connection: Mapping[str, Any]) -> Iterator[Any]:
    """Give what connectors may know; Treaty's own server is started only for a connection that names a database on it."""
    from treaty.connectors.interface import Site

    if "embedded" not in connection:
        yield Site(workspace.root)
        return
    with workspace.open() as session:
        yield workspace.site(session)


def _read_copy(
    name: str, copy: Copy, format: str | None, settings: Mapping[str, Any], limits: Limits, spool: Path, limit: int | None
) -> Iterator[Event]:
    from treaty.connectors.archives import is_archive
    from treaty.connectors.file_arrivals import FileSettings, excerpt_of, read_file
    from treaty.connectors.files import FilesRead
    from treaty.connectors.formats.interface import load_format
    from treaty.connectors.interface import StreamRequest

    if format is not None and (format not in FORMATS or FORMATS[format].module is None):
        known = [each for each, found in FORMATS.items() if found.module is not None]
        raise UsageError(f"There is no format {format!r} of files.", remedy=suggest(format, known, f"Formats: {', '.join(known)}."))
    if format is None and is_archive(name):
        yield from _read_members(name, copy, settings, limits, spool, limit)
        return
    told = {key: value for key, value in settings.items() if key in STREAM_SETTINGS}
    read = {key: value for key, value in settings.items() if key not in STREAM_SETTINGS}
    stream = Stream(format=format or guess_format(name, b"").name, read={"files": ["*"], **read}, **told)
    try:
        with _sample(name, copy, limits, spool) as (sampled, sample), sample.open() as file:
            stream = dataclasses.replace(stream, format=format or guess_format(sampled, file.read(HEAD_BYTES)).name)
            stream = load_format(stream.format, name).complete(sample, stream)
    except SetAsideError as error:
        refusal = ReadRefusal(name, 0, error.reason, f"{name}: {error}", excerpt_of(copy))
        yield from _told((refusal,), name, stream, copy.size_bytes, copy.sha256)
        return
    try:
        found = FileSettings.of(stream, name, FilesRead)
    except StopError as error:
        raise UsageError(error.message, remedy=error.remedy) from error
    request = StreamRequest("file", name, "main", stream, {}, {}, limits, {}, spool)
    yield from read_events(read_file(name, copy, found, request, spool), stream, limit)


def _read_members(name: str, copy: Copy, settings: Mapping[str, Any], limits: Limits, spool: Path, limit: int | None) -> Iterator[Event]:
    """Read each member of an archive as what it is; then tell of the archive."""
    from treaty.connectors.archives import SEPARATOR, open_archive
    from treaty.connectors.file_arrivals import excerpt_of

    left, formats, refusals = limit, list[str](), list[ReadRefusal]()
    patterns = settings.get("members", "**/*")
    with closing(open_archive(name, copy, (patterns,) if isinstance(patterns, str) else tuple(patterns), limits, spool)) as members:  # type: ignore[type-var]
        try:
            for member in members:
                origin = f"{name}{SEPARATOR}{member.name}"
                if isinstance(member.content, SetAsideError):
                    refusal = ReadRefusal(origin, 0, member.content.reason, f"{origin}: {member.content}", "")
                    yield from _told((refusal,), origin, Stream(format=guess_format(member.name, b"").name), 0)
                    continue
                for event in _read_copy(origin, member.content, None, settings, limits, spool, left):
                    left = left - 1 if left is not None and isinstance(event, ReadRecord) else left
                    formats += [event.format] if isinstance(event, ReadArrival) else []
                    yield event
                if left is not None and left <= 0:
                    return
        except SetAsideError as error:
            refusals.append(ReadRefusal(name, 0, error.reason, f"{name}: {error}", excerpt_of(copy)))
    yield from refusals
    found = Stream(format=next(iter(formats), guess_format(name, b"").name))
    yield ReadArrival(name, found.format, None, {}, None, {"archive": "opened"}, copy.sha256, copy.size_bytes, 0, len(refusals), True)


@contextmanager
def _sample(name: str, copy: Copy, limits: Limits, spool: Path) -> Iterator[tuple[str, Copy]]:
    """Give what the format is found out from: the file, or the first member of an archive that can be had."""
    from treaty.connectors.archives import is_archive, open_archive
    from treaty.connectors.folders import Copy

    if not is_archive(name):
        yield name, copy
        return
    with closing(open_archive(name, copy, ("**/*",), limits, spool)) as members:  # type: ignore[type-var]
        for member in members:
            if isinstance(member.content, Copy):
                yield member.name, member.content
                return
    yield "", Copy(b"", "", 0, "")


def _told(refusals: tuple[ReadRefusal, ...], origin: str, stream: Stream, size_bytes: int, sha256: str = "") -> Iterator[Event]:
    """Yield the refusals of a file of which nothing was read, and its summary."""
    yield from refusals
    yield ReadArrival(origin, stream.format, stream.record, stream.namespaces, None, {}, sha256, size_bytes, 0, len(refusals), True)


def read_events(arrivals: Iterator[Arrival], stream: Stream, limit: int | None) -> Iterator[Event]:
    """Read what a source gives as events, at most ``limit`` records."""
    left = limit
    with closing(arrivals):  # type: ignore[type-var]  # sources give generators
        for arrival in arrivals:
            read = 0
            whole = True
            records = _records(arrival)
            for record in records:
                if left is not None and left <= 0:
                    whole = False
                    break
                read += 1
                left = None if left is None else left - 1
                yield record
            for each in arrival.refusals:
                yield ReadRefusal(arrival.origin, each.locator, each.reason, each.message, each.excerpt)
            columns = arrival.records.columns if arrival.records is not None else None
            details = {key: value for key, value in arrival.details.items() if key != "stamp"}  # which is of the place, not the content
            yield ReadArrival(
                arrival.origin, stream.format, stream.record, stream.namespaces, columns, details, arrival.sha256,
                arrival.size_bytes, read, len(arrival.refusals), whole,
            )  # fmt: skip
            if not whole or (left is not None and left <= 0):
                return


def _records(arrival: Arrival) -> Iterator[ReadRecord]:
    from treaty.connectors.interface import CsvScan

    if arrival.records is None:
        return
    rows = arrival.records.exact() if isinstance(arrival.records, CsvScan) else arrival.records
    for batch in rows.batches:
        ops = batch.column("_op").to_pylist() if "_op" in batch.schema.names else None
        locators = batch.column("_locator").to_pylist()
        if rows.columns is None:
            texts = batch.column("payload").to_pylist()
        else:
            taken = [index for index, name in enumerate(batch.schema.names) if name not in ("_locator", "_op")]
            names = [batch.schema.names[index] for index in taken]
            values = [batch.column(index).to_pylist() for index in taken]
            texts = [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in zip(*values, strict=True)]
        for number, (locator, text) in enumerate(zip(locators, texts, strict=True)):
            yield ReadRecord(arrival.origin, locator, text, ops is not None and ops[number] == "delete")
