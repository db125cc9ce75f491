"""Reads a tap's stream. An arrival ends at a state of the tap's, and its cursor is the last state that came before its end."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from treaty.connectors.batches import document_batches
from treaty.connectors.configuration import read_configuration
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.interface import Arrival, Cursor, Refusal, Rows, Site, StreamDescription, StreamRequest
from treaty.connectors.json_records import RecordParser
from treaty.connectors.secrets import Secret, redact
from treaty.connectors.singer import SingerConnection, SingerRead
from treaty.connectors.singer.process import find_command, run_lines
from treaty.errors import SetAsideError, StopError
from treaty.project.declarations import Limits

ENVELOPE_BYTES = 65_536  # what a message may add to its record
ARRIVAL_BYTES = 64 * 1024 * 1024
SNAPSHOT_BYTES = 256 * 1024 * 1024  # a snapshot is one arrival, held in memory
CATALOG_BYTES = 64 * 1024 * 1024


class SingerSource:
    """Reads the streams of one tap."""

    def __init__(self, connection: SingerConnection, site: Site) -> None:
        self._connection = connection
        self._site = site

    def check(self) -> None:
        """Prove that the tap is there."""
        find_command(self._connection.command, self._site.root)

    def discover(self) -> Sequence[StreamDescription]:
        """List what the tap says that it offers."""
        with tempfile.TemporaryDirectory(prefix="treaty-") as folder:
            streams = self._discover(Path(folder))
        return [StreamDescription(_name(each), "jsonl", tuple((each.get("schema") or {}).get("properties") or ())) for each in streams]

    def read(self, request: StreamRequest) -> Iterator[Arrival]:
        """Start the tap from the state in ``request.cursor`` and yield what it says of the stream."""
        place = f"{request.system}/{request.name}"
        if request.stream.format != "jsonl":
            raise StopError(f"{place}: a tap writes JSON lines.", remedy="Write `format: jsonl`.")
        read = read_configuration(SingerRead, request.stream.read, f"{place}, read")
        with tempfile.TemporaryDirectory(prefix="treaty-") as folder:
            command = self._command(Path(folder), read.stream, request.cursor)
            with closing(run_lines(command, self._site.root, self._connection.silent_seconds, request.limits.record_bytes + ENVELOPE_BYTES)) as lines:
                yield from _Conversation(read, request).arrivals(lines)

    def _command(self, folder: Path, stream: str, cursor: Cursor) -> list[str]:
        command = [*find_command(self._connection.command, self._site.root), "--config", str(self._config(folder))]
        if self._connection.catalog is None:
            chosen = [_selected(each) for each in self._discover(folder) if _name(each) == stream]
            if not chosen:
                raise StopError(f"the tap offers no stream {stream!r}.", remedy="Mend `read: stream`, or give a `catalog`.")
            command += ["--catalog", str(_write(folder / "catalog.json", {"streams": chosen}))]
        elif self._connection.catalog != "none":
            path = (self._site.root / self._connection.catalog).resolve()
            if not path.is_relative_to(self._site.root.resolve()) or not path.is_file():
                raise StopError("`catalog` is not a file in the project.", remedy="Put it into the project folder.")
            command += ["--catalog", str(path)]
        if cursor:
            if not isinstance(cursor.get("state"), Mapping):
                raise StopError("the stream's stored position is not a tap's state.", remedy="Reset the stream so that it is read from its start.")
            command += ["--state", str(_write(folder / "state.json", cursor["state"]))]
        return command

    def _config(self, folder: Path) -> Path:
        return _write(folder / "config.json", _revealed(self._connection.config))

    def _discover(self, folder: Path) -> list[dict[str, Any]]:
        command = [*find_command(self._connection.command, self._site.root), "--config", str(self._config(folder)), "--discover"]
        told = b"\n".join(run_lines(command, self._site.root, self._connection.silent_seconds, CATALOG_BYTES))
        try:
            streams = json.loads(told)["streams"]
            return [each for each in streams if isinstance(each, dict)]
        except (ValueError, KeyError, TypeError):
            raise StopError("the tap tells no catalog with --discover.", remedy="Give a `catalog`, or `catalog: none`.") from None


def _revealed(value: Any) -> Any:
    """Return settings with their secrets as texts, for the private file only."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: _revealed(each) for key, each in value.items()}
    return [_revealed(each) for each in value] if isinstance(value, list) else value


def _write(path: Path, value: Any) -> Path:
    """Write a file that only this user can read."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file)
    return path


def _name(stream: Mapping[str, Any]) -> str:
    return str(stream.get("tap_stream_id") or stream.get("stream"))


def _selected(stream: dict[str, Any]) -> dict[str, Any]:
    """Return a catalog entry with the stream selected, in the new way and the old one."""
    others = [each for each in stream.get("metadata") or [] if each.get("breadcrumb")]
    own = next((each.get("metadata") or {} for each in stream.get("metadata") or [] if not each.get("breadcrumb")), {})
    metadata = [{"breadcrumb": [], "metadata": {**own, "selected": True}}, *others]
    return {**stream, "metadata": metadata, "schema": {**(stream.get("schema") or {}), "selected": True}}


@dataclass(slots=True)
class _Page:
    """The records of one arrival."""

    lines: list[bytes] = field(default_factory=list)
    documents: list[tuple[int, bytes]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    size_bytes: int = 0


class _Conversation:
    """What a tap says, message by message."""

    def __init__(self, read: SingerRead, request: StreamRequest) -> None:
        self._read = read
        self._request = request
        self._parser = RecordParser(_enveloped(request.limits), [])
        self._keys: tuple[str, ...] | None = None  # None: no schema yet
        self._cursor = request.cursor
        self._page = _Page()
        self._pages = 0

    def arrivals(self, lines: Iterator[bytes]) -> Iterator[Arrival]:
        """Yield an arrival for each page that a state ends, and one for what is left at the end."""
        snapshot = self._request.stream.deletes.mode == "snapshot"
        for line in lines:
            if line.strip():
                due = self._take(line)
                if snapshot and self._page.size_bytes > SNAPSHOT_BYTES:
                    raise StopError(
                        f"the tap's snapshot is larger than {SNAPSHOT_BYTES} bytes.", remedy="Read the stream without `deletes: snapshot`, or split it."
                    )
                if not snapshot and (self._page.size_bytes > ARRIVAL_BYTES or (due and len(self._page.lines) >= self._read.page_rows)):
                    yield from self._arrive(complete=False)
        yield from self._arrive(complete=snapshot)

    def _take(self, line: bytes) -> bool:
        """Take one message; tell whether it was a state."""
        if len(line) > self._request.limits.record_bytes + ENVELOPE_BYTES:
            self._refuse(line, limit_exceeded(self._request.limits, "record_bytes", "the record is larger than"))
            return False
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        kind = message.get("type") if isinstance(message, dict) else None
        if not isinstance(kind, str):
            told = redact(line[:100].decode("utf-8", "replace"))
            raise StopError(f"the tap wrote a line that is no Singer message: {told!r}.", remedy="Let it write its log to the standard error output.")
        if kind == "STATE":
            value = message.get("value")
            self._cursor = {"state": value} if isinstance(value, dict) else self._cursor
            return True
        if message.get("stream") != self._read.stream:
            return False
        if kind == "SCHEMA":
            keys = message.get("key_properties")
            self._keys = tuple(map(str, keys)) if isinstance(keys, list) else ()
        elif kind == "RECORD":
            self._record(line)
        elif kind == "BATCH":
            raise StopError("the tap sends BATCH messages, which name files elsewhere; only records are read.", remedy="Switch batches off in its `config`.")
        return False  # ACTIVATE_VERSION: what vanished is told by `deletes: snapshot`

    def _record(self, line: bytes) -> None:
        try:
            record = orjson.loads(self._parser.payload(line)).get("record")
            if self._keys is None:
                raise SetAsideError("record-before-schema", "a record came before its stream's SCHEMA message.")
            if not isinstance(record, dict):
                raise SetAsideError("not-an-object", "the record is not an object.")
            if len(line) > self._request.limits.record_bytes and len(orjson.dumps(record)) > self._request.limits.record_bytes:
                raise limit_exceeded(self._request.limits, "record_bytes", "the record is larger than")
            missing = [name for name in self._keys if record.get(name) is None]
            if missing:
                raise SetAsideError("missing-key", f"the record has no {', '.join(missing)}, which its schema calls a key.")
        except SetAsideError as error:
            self._refuse(line, error)
            return
        self._keep(line)
        self._page.documents.append((len(self._page.lines), orjson.dumps(record)))

    def _refuse(self, line: bytes, error: SetAsideError) -> None:
        self._keep(line)
        self._page.refusals.append(Refusal(len(self._page.lines), error.reason, str(error), line[:200].decode("utf-8", "replace")[:200]))

    def _keep(self, line: bytes) -> None:
        self._page.lines.append(line)
        self._page.size_bytes += len(line) + 1

    def _arrive(self, *, complete: bool) -> Iterator[Arrival]:
        page, self._page = self._page, _Page()
        origin = self._read.stream if self._pages == 0 else f"{self._read.stream}#{self._pages + 1}"
        content = b"".join(line + b"\n" for line in page.lines)
        digest = hashlib.sha256(content).hexdigest()
        if (not page.lines and not (complete and origin in self._request.known)) or digest == self._request.known.get(origin):
            self._pages += bool(page.lines)
            return
        self._pages += 1
        yield Arrival(
            origin=origin, content=content, sha256=digest, size_bytes=len(content), records=Rows(document_batches(page.documents), None),
            cursor=self._cursor, refusals=page.refusals, complete_snapshot=complete and not page.refusals, details={"format": "singer", "encoding": "utf-8"},
        )  # fmt: skip


def _enveloped(limits: Limits) -> Limits:
    from dataclasses import replace

    return replace(limits, record_bytes=limits.record_bytes + ENVELOPE_BYTES, depth=limits.depth + 1)
