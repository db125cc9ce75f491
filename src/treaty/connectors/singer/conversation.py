"""What a tap says, message by message. An arrival ends at a state of the tap's, and its cursor is the last state that came before its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson

from treaty.connectors.batches import document_batches
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.interface import Arrival, Refusal, Rows, StreamRequest
from treaty.connectors.json_records import RecordParser
from treaty.connectors.secrets import redact
from treaty.connectors.singer import SingerRead
from treaty.connectors.spools import Spool
from treaty.errors import SetAsideError, StopError
from treaty.project.declarations import Limits

ENVELOPE_BYTES = 65_536  # what a message may add to its record
ARRIVAL_BYTES = 64 * 1024 * 1024


class _Page:
    """The messages of one arrival: as they were said, and their records."""

    def __init__(self, folder: Path) -> None:
        self.said, self._documents = Spool(folder), Spool(folder)
        self.refusals: list[Refusal] = []
        self.messages = 0
        self.state: bytes | None = None  # the last STATE message

    def say(self, line: bytes) -> None:
        """Keep a message."""
        self.said.write(line + b"\n")

    def add(self, line: bytes, record: bytes | None) -> None:
        """Keep the message of a record, and the record where it is one."""
        self.say(line)
        self.messages += 1
        if record is not None:
            self._documents.write(b"%d\t%b\n" % (self.messages, record))

    def refuse(self, line: bytes, error: SetAsideError) -> None:
        """Keep a message whose record cannot be taken."""
        self.add(line, None)
        self.refusals.append(Refusal(self.messages, error.reason, str(error), line[:200].decode("utf-8", "replace")[:200]))

    def documents(self) -> Iterator[tuple[int, bytes]]:
        """Yield the records with their places."""
        with self._documents.open() as lines:
            for line in lines:
                place, _, record = line.rstrip(b"\n").partition(b"\t")
                yield int(place), record

    def discard(self) -> None:
        """Remove its files."""
        self.said.discard()
        self._documents.discard()


class Conversation:
    """One reading of one stream."""

    def __init__(self, read: SingerRead, request: StreamRequest, spool: Path) -> None:
        self._read, self._request, self._spool = read, request, spool
        self._parser = RecordParser(_enveloped(request.limits), [])
        self._keys: tuple[str, ...] | None = None  # None: no schema yet
        self._cursor = self._given = request.cursor
        self._page = _Page(spool)
        self._pages = 0

    def arrivals(self, lines: Iterator[bytes]) -> Iterator[Arrival]:
        """Yield an arrival for each page that a state ends, and one for what is left at the end."""
        snapshot = self._request.stream.deletes.mode == "snapshot"
        limits = self._request.limits
        try:
            for line in lines:
                if line.strip():
                    due = self._take(line)
                    if self._page.said.size_bytes > limits.file_bytes:
                        raise StopError(str(limit_exceeded(limits, "file_bytes", "the tap's arrival is larger than")))
                    if not snapshot and (
                        self._page.said.size_bytes > ARRIVAL_BYTES or (due and self._page.messages >= self._read.page_rows)
                    ):
                        yield from self._arrive(complete=False)
            yield from self._arrive(complete=snapshot)
        finally:
            self._page.discard()

    def _take(self, line: bytes) -> bool:
        """Take one message; tell whether it was a state."""
        if len(line) > self._request.limits.record_bytes + ENVELOPE_BYTES:
            self._page.refuse(line, limit_exceeded(self._request.limits, "record_bytes", "the record is larger than"))
            return False
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        kind = message.get("type") if isinstance(message, dict) else None
        if not isinstance(kind, str):
            told = redact(line[:100].decode("utf-8", "replace"))
            raise StopError(
                f"the tap wrote a line that is no Singer message: {told!r}.", remedy="Let it write its log to the standard error output."
            )
        if kind == "STATE":
            if isinstance(message.get("value"), dict):
                self._cursor, self._page.state = {"state": message["value"]}, line
            return True
        if message.get("stream") != self._read.stream:
            return False
        if kind == "SCHEMA":
            keys = message.get("key_properties")
            self._keys = tuple(map(str, keys)) if isinstance(keys, list) else ()
        elif kind == "RECORD":
            self._record(line)
        elif kind == "BATCH":
            raise StopError(
                "the tap sends BATCH messages, which name files elsewhere; only records are read.",
                remedy="Switch batches off in its `config`.",
            )
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
            self._page.refuse(line, error)
            return
        self._page.add(line, orjson.dumps(record))

    def _arrive(self, *, complete: bool) -> Iterator[Arrival]:
        """Yield the page, its state being its last line, so that the same records under another state are another arrival.

        Left out is one that is known, and one without records whose state is where reading began.
        """
        page = self._page
        origin = self._read.stream if self._pages == 0 else f"{self._read.stream}#{self._pages + 1}"
        if page.state is not None:
            page.say(page.state)
        empty = not page.messages and self._cursor == self._given and not (complete and origin in self._request.known)
        if not empty:
            self._pages += 1
            if page.said.sha256() != self._request.known.get(origin):
                self._given = self._cursor
                yield Arrival(
                    origin=origin, content=page.said.content(), sha256=page.said.sha256(), size_bytes=page.said.size_bytes,
                    records=Rows(document_batches(page.documents()), None), cursor=self._cursor, refusals=page.refusals,
                    complete_snapshot=complete and not page.refusals, details={"format": "singer", "encoding": "utf-8"},
                )  # fmt: skip
        page.discard()
        self._page = _Page(self._spool)


def _enveloped(limits: Limits) -> Limits:
    return replace(limits, record_bytes=limits.record_bytes + ENVELOPE_BYTES, depth=limits.depth + 1)
