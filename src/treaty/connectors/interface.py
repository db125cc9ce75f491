"""What a connector is: the public interface that the shipped ones and yours implement.

A connector is one file with a configuration class, a ``Source`` (check, discover, read), a ``Sink`` (check, write), or both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from treaty.project.declarations import Limits, Stream, System

if TYPE_CHECKING:  # configuration is read by commands that must start fast
    import pyarrow as pa

Cursor: TypeAlias = Mapping[str, Any]  # JSON: what a connector needs to go on from where it stopped
NOT_READ = "not-read"
"""In the details of an arrival: it was not even read, its ``content`` is not that of the source."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One record, row or file that could not be read: kept, quarantined with this reason, and the rest passes."""

    locator: int  # ordinal of the record in the arrival, from 1; 0 for the arrival as a whole
    reason: str  # a code: bad-encoding, bad-csv, bad-json, duplicate-key, doctype, record-too-large, too-deep …
    message: str  # what, where, and which setting to change if a limit was met
    excerpt: str  # the first 200 characters of what was refused


@dataclass(frozen=True, slots=True)
class RecordStart:
    """Where a record of a file begins."""

    byte: int
    lines: int  # logical lines before it: records and the header


@dataclass(frozen=True, slots=True)
class CsvScan:
    """A CSV file that the engine may read by itself: UTF-8, no NUL, balanced quotes, ``\\n`` or ``\\r\\n`` as line ends.

    The engine reads it strictly (``strict_mode``, no null padding, no ignored errors, ``max_line_size`` of ``limits.record_bytes``)
    and names columns by position from ``columns``. Where that raises, for a ragged row say, ``exact()`` reads the same file
    record by record: bad ones become refusals of the arrival, the rest passes. An empty text is an empty text: ``stream.empty``
    is the caller's to apply.
    """

    path: Path
    columns: tuple[str, ...]
    delimiter: str
    quote: str
    header: bool
    skip_lines: int = 0  # physical lines before the header, or before the first record
    starts: tuple[RecordStart, ...] = ()  # some of its records, far apart and in order: a large file may be read in parts
    exact: Callable[[], Rows] = field(default=lambda: Rows(iter(()), None), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rows:
    """Records as Arrow batches.

    Tables: column ``_locator`` (int64, ordinal from 1) and one string column for each source column (null = missing).
    Documents: columns ``_locator`` and ``payload`` (JSON text: floats and big integers as strings with their literal text;
    XML elements as objects of ``@attribute`` → text, ``#`` → text, ``prefix:child`` → list of objects).
    Optional for both: ``_op`` (``upsert`` or ``delete``).
    """

    batches: Iterator[pa.RecordBatch]
    columns: tuple[str, ...] | None  # source columns; None for documents


@dataclass(slots=True)
class Arrival:
    """One unit of bytes that came in: a file, a page, one query's result.

    ``refusals`` and ``complete_snapshot`` are final once ``records`` has been consumed.
    A ``content`` or ``CsvScan.path`` is a private copy in the spool folder: it may be moved or linked, and is gone once the next
    arrival is asked for.
    """

    origin: str  # stable name of where it came from: the path below the folder, the URL, the query
    content: Path | bytes  # the source's own bytes, kept as an object; never the source's own file
    sha256: str
    size_bytes: int
    records: CsvScan | Rows | None  # None: skipped or wholly refused
    cursor: Cursor  # where reading goes on once this arrival has landed
    refusals: list[Refusal] = field(default_factory=list)
    complete_snapshot: bool = False  # this arrival holds every record that the stream has now; false as soon as one is refused
    details: Mapping[str, str] = field(default_factory=dict)  # dialect, encoding, `stamp`, as found out or told
    records_bytes: int = 0  # what the records come to, where that is more than ``size_bytes``: beyond a limit they are streamed


@dataclass(frozen=True, slots=True)
class Site:
    """Where a connector works: what it may know of the installation."""

    root: Path  # the project folder; relative paths start here
    embedded: Callable[[str], str] | None = None  # database name → connection string on Treaty's own PostgreSQL, made if it is not there


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What to read: the stream's declaration, where to go on, which arrivals are known, and the limits."""

    system: str
    name: str
    client: str
    stream: Stream
    cursor: Cursor
    known: Mapping[str, str]  # origin → sha256 of its last arrival: an equal one may be left out
    limits: Limits
    stamps: Mapping[str, str] = field(default_factory=dict)  # origin → details["stamp"] of its last arrival: equal, it is not even read
    spool: Path | None = None  # folder for private copies, best on the lake's own disk; a temporary one otherwise


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """A stream that a system offers, as discovered."""

    name: str
    format: str
    columns: tuple[str, ...] = ()
    key: tuple[str, ...] = ()  # what the system itself says tells its records apart


class Source(Protocol):
    """Reads one system for one client.

    Raise ``StopError`` for what a person must mend (a secret, a missing table), ``RetryError`` for what may pass by itself;
    never raise for bad data: yield it as a :class:`Refusal`.
    """

    def check(self) -> None:
        """Prove that the system can be reached; called by ``treaty doctor`` and before the first read."""

    def discover(self) -> Sequence[StreamDescription]:
        """List what the system offers. May be empty where a system cannot tell."""

    def read(self, request: StreamRequest) -> Iterator[Arrival]:
        """Yield arrivals from ``request.cursor`` on, in a stable order. The caller lands each before it asks for the next."""


@dataclass(frozen=True, slots=True)
class DeliveryItem:
    """One golden record to be written, as the outbound mapping made it."""

    delivery_key: str  # the sink's key, joined by ``|``
    version: int  # of the delivery, which only grows for a key: a sink never goes back
    op: Literal["upsert", "delete", "archive"]
    message_id: str  # stable over retries
    fields: Mapping[str, Any]
    remote_id: str | None = None  # the id that the sink gave this record earlier
    first_sent_at: datetime | None = None  # when an earlier attempt began, of which no answer came; None for a first one


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item. ``coalesced``: a newer version is there. ``ambiguous``: it may or may not have been applied.

    ``retry``: certainly not applied, though others of the batch were; send it again. ``found_version`` is the version of the key that
    the sink had before, where it keeps one: so a sink that has later ones than were ever sent from here is told apart.
    """

    delivery_key: str
    state: Literal["acknowledged", "coalesced", "rejected", "ambiguous", "retry"]
    message: str = ""
    remote_id: str | None = None
    found_version: int | None = None


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """What a sink has of a key: its version and its own id, where it keeps such."""

    version: int | None = None
    remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """What to write where: the sink stream's declaration, its key columns, and the delivery mode."""

    system: str
    name: str
    client: str
    stream: Stream
    key: tuple[str, ...]
    mode: str
    columns: Mapping[str, str]  # sink column → Treaty type


class Sink(Protocol):
    """Writes one system for one client."""

    modes: frozenset[str]  # the delivery modes it can keep

    def check(self) -> None:
        """Prove that the system can be reached."""

    def write(self, request: WriteRequest, items: Sequence[DeliveryItem]) -> Sequence[ItemResult]:
        """Write a batch; give one result an item. Raise ``RetryError`` only if certainly nothing was applied."""


@runtime_checkable
class CanLookUp(Protocol):
    """A sink that can say which records it has: for mappings that declare a `baseline`."""

    def look_up(self, request: WriteRequest, items: Sequence[DeliveryItem]) -> Mapping[str, HeldRecord]:
        """Return, by delivery key, those of the items that are there, whatever they hold. Writes nothing."""


@dataclass(frozen=True, slots=True)
class Connector:
    """What an entry point of the group ``treaty.connectors`` names: one kind of system.

    The classes declare what ``connection``, ``read`` and ``write`` may say (see ``treaty.project.declarations.declared``); module and
    classes are loaded by ``treaty check``, so heavy imports belong into the functions.
    """

    kind: str  # as systems name it under `connector`
    connection: type
    read: type | None  # None: no source
    write: type | None  # None: no sink
    open_source: Callable[[System, Site], Source] | None
    open_sink: Callable[[System, Site], Sink] | None
    formats: tuple[str, ...] = ()  # formats of files that its streams may have; `read` then takes their settings too
    modes: frozenset[str] = frozenset()  # the delivery modes that its sinks can keep; `treaty check` holds mappings to them
    looks_up: bool = False  # whether its sinks are CanLookUp, which a `baseline` needs
