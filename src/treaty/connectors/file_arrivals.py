"""From the private copy of one file to its arrivals: the same for every place that files come from."""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treaty.connectors.configuration import read_configuration
from treaty.connectors.formats.interface import FileFormat, Reading, Sibling, joined_settings, load_format, part_of
from treaty.connectors.interface import Arrival, CsvScan, Refusal, Rows, StreamRequest
from treaty.errors import SetAsideError, StopError
from treaty.project.declarations import Stream

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy

EXCERPT_BYTES = 200


@dataclass(frozen=True, slots=True)
class FileSettings:
    """What a stream's ``read`` says: of the place of its files, and of their format."""

    stream: Stream
    place: Any  # an instance of the connector's own declaration
    format: FileFormat
    of_format: Any  # an instance of the format's declaration
    beside: tuple[FileSettings, ...] = ()  # of the system's other streams of this format, and of those that share files with it

    @classmethod
    def of(cls, stream: Stream, place: str, declaration: type, beside: Iterable[Stream] = ()) -> FileSettings:
        """Read a stream's settings, and those of the streams ``beside`` it. Raises StopError for those that cannot be, or cannot go together."""
        found = load_format(stream.format, place)
        joined: Any = read_configuration(joined_settings(declaration, stream.format), stream.read, f"{place}, read")
        settings = part_of(found.settings, joined)
        for message, remedy in found.check(settings, stream):
            raise StopError(f"{place}: {message}", remedy=remedy)
        others = []
        for each in beside:
            if each.format in (stream.format, *found.shares) and each is not stream:
                with contextlib.suppress(StopError):  # it cannot be read, which it says itself
                    others.append(cls.of(each, place, declaration))
        return cls(stream, part_of(declaration, joined), found, settings, tuple(others))

    def siblings(self, name: str, member: str) -> tuple[Sibling, ...]:
        """Return the streams beside this one that read a file too, or a member of an archive."""
        return tuple(Sibling(each.stream, each.of_format) for each in self.beside if each._takes(name, member))

    def _takes(self, name: str, member: str) -> bool:
        from treaty.connectors.archives import SEPARATOR
        from treaty.connectors.folders import glob_expression, name_filter

        within = member.rpartition(SEPARATOR)[2]
        return name_filter(self.place.files)(name) and (not member or any(re.fullmatch(glob_expression(each), within) for each in self.place.members))


def read_file(name: str, copy: Copy, settings: FileSettings, request: StreamRequest, spool: Path) -> Iterator[Arrival]:
    """Yield the arrivals of one file that are not known with the same bytes: one, or those of an archive's members and then its own.

    What is made beside the copy is removed when the next arrival is asked for.
    """
    from treaty.connectors.archives import is_archive

    if copy.sha256 == request.known.get(name):
        return
    if is_archive(name):
        yield from _read_archive(name, copy, settings, request, spool)
    else:
        yield from _read_one(name, copy, settings, request, spool, name)


def _read_archive(name: str, copy: Copy, settings: FileSettings, request: StreamRequest, spool: Path) -> Iterator[Arrival]:
    """Yield an arrival for each member, with its unpacked bytes; then the archive, whose own bytes are kept, and which is known from then on."""
    from treaty.connectors.archives import SEPARATOR, open_archive

    refusals: list[Refusal] = []
    with tempfile.TemporaryDirectory(dir=spool) as inner:
        try:
            for member in open_archive(name, copy, settings.place.members, request.limits, Path(inner)):
                origin = f"{name}{SEPARATOR}{member.name}"
                if isinstance(member.content, SetAsideError):
                    refusal = Refusal(0, member.content.reason, f"{origin}: {member.content}", "")
                    yield Arrival(origin, b"", hashlib.sha256().hexdigest(), 0, None, {"last": name}, [refusal])
                elif member.content.sha256 != request.known.get(origin):
                    yield from _read_one(origin, member.content, settings, request, Path(inner), name)
        except SetAsideError as error:
            refusals.append(Refusal(0, error.reason, f"{name}: {error}", excerpt_of(copy)))
        details = {"stamp": copy.stamp} if copy.stamp else {}
        yield Arrival(name, copy.content, copy.sha256, copy.size_bytes, None, {"last": name}, refusals, details={"archive": "opened", **details})


def _read_one(origin: str, copy: Copy, settings: FileSettings, request: StreamRequest, spool: Path, last: str) -> Iterator[Arrival]:
    refusals: list[Refusal] = []
    records: CsvScan | Rows | None = None
    details: Mapping[str, str] = {}
    with contextlib.ExitStack() as stack:
        if isinstance(copy.content, Path):
            spool = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=spool)))
        try:
            siblings = settings.siblings(last, origin[len(last) + 1 :])
            reading = Reading(request.stream, request.limits, spool, refusals, stack, siblings)
            records, details = settings.format.read(copy, settings.of_format, reading)
        except SetAsideError as error:
            refusals.append(Refusal(0, error.reason, f"{origin}: {error}", excerpt_of(copy)))
        yield Arrival(
            origin=origin, content=copy.content, sha256=copy.sha256, size_bytes=copy.size_bytes, records=records, cursor={"last": last},
            refusals=refusals, details={**details, **({"stamp": copy.stamp} if copy.stamp else {})},
            complete_snapshot=request.stream.deletes.mode == "snapshot" and not refusals,
        )  # fmt: skip


def excerpt_of(copy: Copy) -> str:
    """Return the first bytes of a file as text, for its refusal."""
    with copy.open() as opened:
        return opened.read(EXCERPT_BYTES).decode("utf-8", "replace")
