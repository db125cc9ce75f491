"""Cuts bytes into segments, and segments into elements, components and repeats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO

from treaty.connectors.exceeded import limit_exceeded
from treaty.errors import SetAsideError
from treaty.project.declarations import Limits

CHUNK_BYTES = 256 * 1024
BLANK = b" \t\r\n"
TAG = re.compile(rb"[A-Z][A-Z0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class Delimiters:
    """What parts an interchange, one byte each; empty where there is none."""

    element: bytes
    component: bytes
    terminator: bytes
    release: bytes = b""
    repetition: bytes = b""
    decimal: str = "."

    def described(self) -> str:
        """Return them for people, such as ``element '+', component ':'``."""
        named = {"element": self.element, "component": self.component, "terminator": self.terminator, "release": self.release, "repetition": self.repetition}
        return ", ".join(f"{name} {sign.decode('latin-1')!r}" for name, sign in named.items() if sign)


@dataclass(frozen=True, slots=True)
class Segment:
    """The bytes of one segment without its terminator, and where they begin in the file."""

    offset: int
    text: bytes
    terminated: bool

    def tag(self, delimiters: Delimiters) -> bytes:
        """Return what stands before the first delimiter."""
        first = self.text.split(delimiters.element, 1)[0]
        return first.split(delimiters.component, 1)[0] if delimiters.component else first


class SegmentReader:
    """Reads segments off a file in memory that does not grow with the file."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._buffer = b""
        self._at = 0
        self._base = 0  # the offset in the file of the buffer's first byte
        self._ended = False

    @property
    def offset(self) -> int:
        """Where the next byte stands in the file."""
        return self._base + self._at

    def peek(self, wanted: int) -> bytes:
        """Return the next bytes, fewer where the file ends, without going past them."""
        while len(self._buffer) - self._at < wanted and self._fill():
            pass
        return self._buffer[self._at : self._at + wanted]

    def skip(self, count: int) -> bool:
        """Go past bytes; False where the file ends before."""
        while count:
            step = min(count, len(self._buffer) - self._at)
            self._at += step
            count -= step
            if count and not self._fill():
                return False
        return True

    def skip_blank(self, more: bytes = b"") -> None:
        """Go past blanks and line ends, and the bytes of ``more``."""
        fill = BLANK + more
        while True:
            rest = self._buffer[self._at : self._at + 64].lstrip(fill)
            if rest:
                self._at += len(self._buffer[self._at : self._at + 64]) - len(rest)
                return
            self._at = min(self._at + 64, len(self._buffer))
            if self._at == len(self._buffer) and not self._fill():
                return

    def next(self, delimiters: Delimiters) -> Segment | None:
        """Return the next segment, or None at the end. Raises SetAsideError for one beyond ``limits.record_bytes``."""
        self.skip_blank()
        begin = self.offset
        search = self._at
        while True:
            found = self._buffer.find(delimiters.terminator, search)
            if found < 0:
                if len(self._buffer) - self._at > self._limits.record_bytes:
                    raise limit_exceeded(self._limits, "record_bytes", "a segment has no terminator, or is larger than")
                searched = len(self._buffer) - self._at
                if self._fill():
                    search = self._at + searched
                    continue
                text = self._buffer[self._at :].rstrip(BLANK + b"\0\x1a")
                self._at = len(self._buffer)
                return Segment(begin, text, False) if text else None
            if delimiters.release and _is_released(self._buffer, found, self._at, delimiters.release):
                search = found + 1
                continue
            text = self._buffer[self._at : found]
            self._at = found + 1
            return Segment(begin, text, True)

    def _fill(self) -> bool:
        if self._ended:
            return False
        chunk = self._file.read(CHUNK_BYTES)
        self._ended = not chunk
        self._base += self._at
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        return bool(chunk)


def _is_released(buffer: bytes, at: int, begin: int, release: bytes) -> bool:
    """Tell whether an odd number of release characters stands before a delimiter."""
    before = at
    while before > begin and buffer[before - 1] == release[0]:
        before -= 1
    return (at - before) % 2 == 1


def split_released(text: bytes, sign: bytes, release: bytes) -> list[bytes]:
    """Split at a delimiter that is not released; the release characters stay."""
    parts = text.split(sign) if sign else [text]
    if not release or release not in text:
        return parts
    joined: list[bytes] = []
    held: list[bytes] = []
    for part in parts:
        held.append(part)
        if (len(part) - len(part.rstrip(release))) % 2 == 0:
            joined.append(sign.join(held))
            held = []
    if held:
        joined.append(sign.join(held))
    return joined


class SegmentParser:
    """Makes an object of each segment: ``NAD01`` is the first component of the first element, ``NAD01-2`` the second one.

    What is empty is left out. Where an element is repeated, its values are lists of one length, null where a repeat has none.
    """

    def __init__(self, delimiters: Delimiters, codec: str, limits: Limits) -> None:
        self.delimiters = delimiters
        self.codec = codec
        self._limits = limits

    def parse(self, segment: Segment, tag: str) -> dict[str, Any]:
        """Return the values of one segment. Raises SetAsideError."""
        signs = self.delimiters
        if b"\0" in segment.text:
            raise SetAsideError("nul-character", f"{tag} holds the character NUL, which databases do not take.")
        found: dict[str, Any] = {}
        elements = split_released(segment.text, signs.element, signs.release)
        if len(elements) > self._limits.fields:
            raise limit_exceeded(self._limits, "fields", f"{tag} has more elements than")
        for position, element in enumerate(elements[1:], 1):
            if not element:
                continue
            repeats = split_released(element, signs.repetition, signs.release) if signs.repetition and tag != "ISA" else [element]
            if len(repeats) == 1:
                for place, value in enumerate(self._components(element, tag)):
                    if value:
                        found[_name(tag, position, place)] = value
            else:
                self._add_repeats(found, tag, position, [self._components(each, tag) for each in repeats])
        if len(found) > self._limits.fields:
            raise limit_exceeded(self._limits, "fields", f"{tag} has more components than")
        return found

    def _components(self, element: bytes, tag: str) -> list[str]:
        signs = self.delimiters
        if tag == "ISA" or not signs.component or signs.component not in element:
            return [self._value(element)]
        return [self._value(each) for each in split_released(element, signs.component, signs.release)]

    def _value(self, text: bytes) -> str:
        release = self.delimiters.release
        if release and release in text:
            text = _released(release).sub(rb"\1", text)
        try:
            return text.decode(self.codec)
        except UnicodeDecodeError as error:
            message = f"the byte 0x{error.object[error.start]:02x} is not {self.codec} text."
            raise SetAsideError("bad-encoding", message, remedy="Declare the encoding under `read: encoding`, or have it sent as its syntax says.") from None

    @staticmethod
    def _add_repeats(found: dict[str, Any], tag: str, position: int, repeats: list[list[str]]) -> None:
        for place in range(max(map(len, repeats))):
            values = [(each[place] or None) if place < len(each) else None for each in repeats]
            if any(values):
                found[_name(tag, position, place)] = values


@cache
def _released(release: bytes) -> re.Pattern[bytes]:
    return re.compile(re.escape(release) + rb"(.)", re.DOTALL)


def _name(tag: str, position: int, place: int) -> str:
    return f"{tag}{position:02d}" if not place else f"{tag}{position:02d}-{place + 1}"
