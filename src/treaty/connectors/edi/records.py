"""Reads interchanges: one record a message, with what its envelope says; what cannot be taken is refused with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from treaty.connectors.batches import document_batches
from treaty.connectors.edi.segments import TAG, Delimiters, Segment, SegmentParser, SegmentReader
from treaty.connectors.edi.structures import Nester, Structure, structure_of
from treaty.connectors.edi.syntaxes import EDIFACT, HEAD_BYTES, OTHER_FORMAT, Level, Syntax, codec_of_level, find_delimiters
from treaty.connectors.encodings import as_utf8, find_encoding
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.folders import Copy
from treaty.connectors.interface import Refusal, Rows
from treaty.errors import SetAsideError
from treaty.project.declarations import Limits

EXCERPT_BYTES = 200
ASCII_BASED = ("utf-8", "ascii", "iso8859", "cp125", "latin")  # delimiters can be sought in the bytes of these


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream takes of an interchange."""

    record: str | None  # the type of message; None for all
    others: tuple[str, ...]  # types that are left out
    structure: Structure | None  # how messages nest, where the known way is not meant
    marks: bool  # whether wrong counts mark a message, rather than have it refused
    theirs: tuple[str, ...] = ()  # types that other streams take of the same file
    other_syntax: bool = False  # whether a stream of the other syntax reads the same file: then it is left to that one if it is of it


def read_edi(
    copy: Copy, spool: Path, syntax: Syntax, *, wanted: Wanted, encoding: str | None, limits: Limits, refusals: list[Refusal]
) -> tuple[Rows, dict[str, str]]:
    """Return one record a message, and what was found out. Raises SetAsideError where the file does not begin as an interchange.

    A message is judged by its own envelope; what is wrong with the interchange or a group around messages is refused beside them.
    """
    with copy.open() as file:
        head = file.read(HEAD_BYTES)
    codec, mark_bytes = find_encoding(head, encoding)
    told: str | None = codec if encoding or mark_bytes else None
    if not codec.startswith(ASCII_BASED):
        copy, told = as_utf8(copy, codec, mark_bytes, spool), "utf-8"
    try:
        with copy.open() as file:
            found = find_delimiters(SegmentReader(file, limits), syntax)
    except SetAsideError as error:
        if error.reason != OTHER_FORMAT or not wanted.other_syntax:
            raise
        return Rows(iter(()), None), {"left": "to the stream of the other syntax"}
    if found is None:
        raise SetAsideError("empty-file", "the file is empty.", remedy="Have it sent again.")
    return Rows(document_batches(_read_all(copy, syntax, wanted, told, limits, refusals)), None), {
        "encoding": codec if told else "by its syntax identifier" if syntax is EDIFACT else "utf-8",
        "dialect": found.described(),
    }


def _read_all(copy: Copy, syntax: Syntax, wanted: Wanted, told: str | None, limits: Limits, refusals: list[Refusal]) -> Iterator[tuple[int, bytes]]:
    with copy.open() as file:
        yield from _Interchanges(file, syntax, wanted, told, limits, refusals).all()


@dataclass(slots=True)
class _Envelope:
    """An interchange or group that is open."""

    segment: dict[str, Any]
    offset: int
    count: int = 0  # messages, or groups of an X12 interchange
    groups: int = 0


@dataclass(slots=True)
class _Message:
    """The message that is open: what was read of it, and the first thing that is wrong with it."""

    opening: dict[str, Any]
    offset: int
    type: str
    nester: Nester
    segments: int = 1
    size_bytes: int = 0
    wrong: SetAsideError | None = None
    excerpt: list[bytes] = field(default_factory=list)


class _Interchanges:
    """Walks through a file segment by segment; never raises anything but what ``all`` turns into a refusal."""

    def __init__(self, file: BinaryIO, syntax: Syntax, wanted: Wanted, told: str | None, limits: Limits, refusals: list[Refusal]) -> None:
        self._reader = SegmentReader(file, limits)
        self._syntax, self._wanted, self._told, self._limits, self._refusals = syntax, wanted, told, limits, refusals
        self._locator = 0
        self._parser = SegmentParser(Delimiters(b"+", b":", b"'"), "utf-8", limits)
        self._interchange: _Envelope | None = None
        self._group: _Envelope | None = None
        self._message: _Message | None = None
        self._strays = 0

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Yield (ordinal from 1, payload) for each message taken."""
        try:
            while self._begin():
                while (segment := self._reader.next(self._parser.delimiters)) is not None:
                    if (payload := self._take(segment)) is not None:
                        self._locator += 1
                        yield self._locator, payload
                    if self._interchange is None:
                        break
            self._end_open("truncated", "the file ends within it", "Have the whole interchange sent again.")
        except SetAsideError as error:
            place = f"byte {self._reader.offset}"
            self._drop_message("truncated", f"it cannot be read on at {place}", "See the refusal beside it.")
            self._refuse(error, place, self._reader.peek(EXCERPT_BYTES))

    def _begin(self) -> bool:
        """Go to the next interchange; False at the end of the file."""
        found = find_delimiters(self._reader, self._syntax)
        if found is None:
            return False
        offset = self._reader.offset
        segment = self._reader.next(found)
        assert segment is not None, "find_delimiters saw the beginning of one"
        self._open_interchange(segment, found, offset)
        return True

    def _open_interchange(self, segment: Segment, delimiters: Delimiters, offset: int) -> None:
        level = segment.text.split(delimiters.element)[1:2] or [b""]
        name = level[0].split(delimiters.component or b"\0")[0].decode("latin-1")
        codec = codec_of_level(name, self._told) if self._syntax is EDIFACT else self._told or "utf-8"
        self._parser = SegmentParser(delimiters, codec, self._limits)
        self._interchange = _Envelope(self._parser.parse(segment, self._syntax.interchange.opens), offset)
        self._group, self._strays = None, 0

    def _take(self, segment: Segment) -> bytes | None:
        """Take one segment; return the payload of the message that it ends, if it is taken."""
        syntax = self._syntax
        tag = segment.tag(self._parser.delimiters).decode("latin-1")
        if tag == syntax.interchange.opens:
            self._end_open("envelope-not-closed", f"another {tag} begins within it", "Have it sent again, each interchange with its end.")
            self._open_interchange(segment, self._parser.delimiters, segment.offset)
        elif tag == syntax.message.opens and segment.terminated:
            self._drop_message("envelope-not-closed", f"another {tag} begins within it", f"Have it sent again, with its {syntax.message.closes}.")
            self._open_message(segment)
        elif tag == syntax.message.closes and self._message is not None and segment.terminated:
            return self._close_message(self._message, segment)
        elif tag in (syntax.interchange.closes, syntax.group.opens, syntax.group.closes):
            self._take_envelope(segment, tag)
        elif self._message is not None:
            self._add(self._message, segment, tag)
        elif tag == "UNO" and syntax is EDIFACT:
            self._skip_package(segment)
        else:
            self._take_stray(segment, tag)
        return None

    # ---- messages

    def _open_message(self, segment: Segment) -> None:
        message = self._syntax.message
        try:
            opening, wrong = self._parser.parse(segment, message.opens), None
        except SetAsideError as error:
            opening, wrong = {}, error
        type_ = _text(opening, self._syntax.type_element)
        nester = Nester(structure_of(type_) if self._wanted.structure is None else self._wanted.structure)
        nester.root[message.opens] = [opening]
        self._message = _Message(opening, segment.offset, type_, nester, 1, len(segment.text), wrong, [segment.text])

    def _add(self, message: _Message, segment: Segment, tag: str) -> None:
        message.segments += 1
        message.size_bytes += len(segment.text)
        if message.segments <= 5:
            message.excerpt.append(segment.text[:EXCERPT_BYTES])
        if message.wrong is not None:
            return
        try:
            if message.size_bytes > self._limits.record_bytes:
                raise limit_exceeded(self._limits, "record_bytes", "the message is larger than")
            if not TAG.fullmatch(tag.encode("latin-1")):
                raise SetAsideError("bad-segment", f"no segment begins with {tag[:20]!r}.", remedy="A delimiter within a text must be released.")
            message.nester.add(tag, self._parser.parse(segment, tag))
        except SetAsideError as error:
            message.wrong = SetAsideError(error.reason, f"segment {message.segments} at byte {segment.offset}: {error}")
            message.nester = Nester({})

    def _close_message(self, message: _Message, segment: Segment) -> bytes | None:
        level = self._syntax.message
        self._message = None
        message.segments += 1
        for envelope in (self._group, self._interchange):
            if envelope is not None:
                envelope.count += 1
        try:
            closing = self._parser.parse(segment, level.closes)
            problems = self._compare(level, message.opening, closing, message.segments, "segments")
            if message.wrong is not None:
                raise message.wrong
            if not self._is_wanted(message.type):
                return None
            if problems and not self._wanted.marks:
                raise problems[0]
            return self._payload(message, closing, problems)
        except SetAsideError as error:
            self._refuse(error, self._place_of(message), b"".join(message.excerpt))
            return None

    def _payload(self, message: _Message, closing: dict[str, Any], problems: list[SetAsideError]) -> bytes:
        around: dict[str, Any] = {"decimal_mark": self._parser.delimiters.decimal}
        for level, envelope in ((self._syntax.interchange, self._interchange), (self._syntax.group, self._group)):
            if envelope is not None:
                around[level.opens] = [envelope.segment]
        if problems:
            around["problems"] = [{"reason": each.reason, "message": str(each)} for each in problems]
        return orjson.dumps({**around, **message.nester.root, self._syntax.message.closes: [closing]})

    def _is_wanted(self, type_: str) -> bool:
        wanted = self._wanted
        if wanted.record is None or type_ == wanted.record:
            return True
        if not {type_, "*"}.isdisjoint((*wanted.others, *wanted.theirs)):
            return False
        taken = " or ".join((wanted.record, *wanted.theirs))
        message = f"a message of type {type_ or '(none)'} is there, and what is taken of this file is {taken}."
        raise SetAsideError("other-message", message, remedy="Declare a stream for it; if nobody wants such messages, name it in `read: others`.")

    # ---- what is around them

    def _take_envelope(self, segment: Segment, tag: str) -> None:
        """Take a segment that opens a group, or closes a group or the interchange."""
        syntax, interchange = self._syntax, self._interchange
        assert interchange is not None, "segments are read within an interchange alone"
        self._drop_message("envelope-not-closed", f"its {syntax.message.closes} is missing before {tag}", "Have it sent again.")
        try:
            values = self._parser.parse(segment, tag)
        except SetAsideError as error:
            self._report([error], segment)
            values = {}
        group, self._group = self._group, None
        if tag == syntax.group.closes:
            if group is None:
                self._report([SetAsideError("stray-segment", f"{tag} ends a group that did not begin.", remedy="Have it sent again.")], segment)
            else:
                self._report(self._compare(syntax.group, group.segment, values, group.count, "messages"), segment)
            return
        if group is not None:
            self._report([SetAsideError("envelope-not-closed", f"a group has no {syntax.group.closes} before {tag}.", remedy="Have it sent again.")], segment)
        if tag == syntax.group.opens:
            interchange.groups += 1
            self._group = _Envelope(values, segment.offset)
        elif tag == syntax.interchange.closes:
            counted = interchange.groups if interchange.groups or not self._counts_messages() else interchange.count
            what = "groups" if interchange.groups or not self._counts_messages() else "messages"
            self._interchange = None
            self._report(self._compare(syntax.interchange, interchange.segment, values, counted, what), segment)

    def _counts_messages(self) -> bool:
        return self._syntax is EDIFACT

    def _compare(self, level: Level, opening: dict[str, Any], closing: dict[str, Any], counted: int, what: str) -> list[SetAsideError]:
        """Return where a closing segment says something else than what was read."""
        found = []
        stated = _text(closing, f"{level.closes}01")
        if (stated.strip().lstrip("0") or "0") != str(counted) or not stated:
            message = f"{level.closes} says {stated[:20] or 'nothing'} {what}, and {counted} are there."
            found.append(SetAsideError("wrong-count", message, remedy="Something was lost or added on the way: have it sent again."))
        first, second = _text(opening, f"{level.opens}{level.reference:02d}"), _text(closing, f"{level.closes}02")
        if not self._syntax.agree(first, second):
            message = f"{level.opens} has the control number {first[:40]!r}, {level.closes} has {second[:40]!r}."
            found.append(SetAsideError("wrong-control-number", message, remedy="The end may be another's: have it sent again."))
        return found

    def _skip_package(self, segment: Segment) -> None:
        """Go past an object (UNO … UNP), whose bytes are no segments: they stay in the landing."""
        length = _text(self._parser.parse(segment, "UNO"), "UNO04")
        if not length.isdecimal() or len(length) > 12 or not self._reader.skip(int(length)):
            raise SetAsideError("truncated", "an object (UNO) has no length, or the file ends within it.", remedy="Have it sent again.")
        end = self._reader.next(self._parser.delimiters)
        if end is None or end.tag(self._parser.delimiters) != b"UNP":
            raise SetAsideError("bad-envelope", f"an object of {length} bytes does not end with UNP.", remedy="Have it sent again.")

    def _take_stray(self, segment: Segment, tag: str) -> None:
        """Refuse what stands between messages, the first of many alone."""
        self._strays += 1
        if self._strays == 1:
            message = f"{tag[:20]!r} stands outside any message."
            self._report([SetAsideError("stray-segment", message, remedy="Have the whole interchange sent again.")], segment)

    # ---- refusals

    def _drop_message(self, reason: str, why: str, remedy: str) -> None:
        if self._message is not None:
            message, self._message = self._message, None
            error = SetAsideError(reason, f"the message is not whole: {why}.", remedy=remedy)
            self._refuse(error, self._place_of(message), b"".join(message.excerpt))

    def _end_open(self, reason: str, why: str, remedy: str) -> None:
        self._drop_message(reason, why, remedy)
        if self._interchange is not None:
            interchange, self._interchange, self._group = self._interchange, None, None
            error = SetAsideError(reason, f"the interchange has no {self._syntax.interchange.closes}: {why}.", remedy=remedy)
            self._refuse(error, f"byte {interchange.offset}", b"")

    def _report(self, errors: list[SetAsideError], segment: Segment) -> None:
        for error in errors:
            self._refuse(error, f"byte {segment.offset}", segment.text)

    def _place_of(self, message: _Message) -> str:
        reference = _text(message.opening, f"{self._syntax.message.opens}{self._syntax.message.reference:02d}")
        return f"byte {message.offset}, {message.type or 'message'} {reference}".rstrip()

    def _refuse(self, error: SetAsideError, place: str, text: bytes) -> None:
        self._locator += 1
        self._refusals.append(Refusal(self._locator, error.reason, f"{place}: {error}", text[:EXCERPT_BYTES].decode("utf-8", "replace")))


def _text(segment: dict[str, Any], name: str) -> str:
    """Return one value of a segment, the first where it is repeated."""
    value = segment.get(name)
    return str(value[0] or "") if isinstance(value, list) else value or ""
