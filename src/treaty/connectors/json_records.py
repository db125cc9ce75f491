"""Reads JSON and JSON Lines: each record by itself, its numbers kept to the letter.

``jiter`` parses and tells duplicate keys, lone surrogates and bad UTF-8; ``orjson`` writes the payload: floats, and integers beyond
64 bits, become strings that hold their literal text, all other values stay what they are.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import jiter
import orjson

from treaty.connectors.batches import document_batches
from treaty.connectors.encodings import as_utf8, find_encoding
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.folders import Copy
from treaty.connectors.interface import Refusal, Rows
from treaty.errors import SetAsideError
from treaty.project.declarations import Limits

EXCERPT_BYTES = 200
HEAD_BYTES = 4096
RELEASED_BYTES = 32 * 1024 * 1024  # how often pages already read are given back
TOKEN = re.compile(rb'"(?:[^"\\]+|\\.)*"|[{}\[\]]|"', re.DOTALL)
ON_ONE_LINE = re.compile(r" at line 1 column (\d+)$")
TOO_EARLY = re.compile(r"^EOF while parsing (.+) at line \d+ column \d+$")
SPACE = re.compile(rb"[ \t\r\n]*")
SCALAR = re.compile(rb'"(?:[^"\\]+|\\.)*"|[^\s,\[\]{}":]+', re.DOTALL)


def read_json(
    copy: Copy, spool: Path, *, lines: bool, record: str | None, encoding: str | None, limits: Limits, refusals: list[Refusal]
) -> tuple[Rows, dict[str, str]]:
    """Return the records of a JSON or JSON Lines file and what was found out. Raises SetAsideError for the file as a whole.

    ``record`` is the path of the records below the document's top, its steps parted by ``/``: each element of an array there, or
    the one value that is there. Refused records are appended to ``refusals`` while the records are consumed.
    """
    found, texts = _texts_of(copy, spool, lines=lines, record=record, encoding=encoding, limits=limits)
    documents = RecordParser(limits, refusals).all(texts, "line" if lines else "byte")
    return Rows(document_batches(documents), None), {"encoding": found}


def read_json_texts(copy: Copy, spool: Path, *, lines: bool, record: str | None, encoding: str | None, limits: Limits) -> Iterator[bytes]:
    """Yield the JSON text of each record of a file, as the source wrote it. Raises SetAsideError where it cannot be read on."""
    _, texts = _texts_of(copy, spool, lines=lines, record=record, encoding=encoding, limits=limits)
    for _, text in texts:
        yield text


def _texts_of(
    copy: Copy, spool: Path, *, lines: bool, record: str | None, encoding: str | None, limits: Limits
) -> tuple[str, Iterator[tuple[int, bytes]]]:
    """Return the encoding found, and (place, text) of each record."""
    with copy.open() as file:
        head = file.read(HEAD_BYTES)
    found, mark_bytes = find_encoding(head, encoding)
    text = copy if found == "utf-8" else as_utf8(copy, found, mark_bytes, spool)
    skip = mark_bytes if found == "utf-8" else 0
    if lines:
        return found, _lines_of(text, skip, limits)
    steps = tuple(step for step in (record or "").split("/") if step not in ("", "."))
    return found, _values_of(text, skip, steps, limits)


class RecordParser:
    """Makes payload text of single JSON texts; what cannot be is refused with its place."""

    def __init__(self, limits: Limits, refusals: list[Refusal]) -> None:
        self._limits = limits
        self._refusals = refusals

    def all(self, texts: Iterator[tuple[int, bytes]], unit: str) -> Iterator[tuple[int, bytes]]:
        """Yield (ordinal from 1, payload). A SetAsideError from ``texts`` refuses the rest of the file."""
        locator = 0
        try:
            for place, text in texts:
                locator += 1
                try:
                    yield locator, self.payload(text)
                except SetAsideError as error:
                    self._refuse(locator, error, f"{unit} {place}", text)
        except SetAsideError as error:
            self._refuse(locator + 1, error, error.place or "the end", b"")

    def payload(self, text: bytes) -> bytes:
        """Return the payload of one JSON text. Raises SetAsideError."""
        limits = self._limits
        if len(text) > limits.record_bytes:
            raise limit_exceeded(limits, "record_bytes", "the record is larger than")
        if text.count(b"{") + text.count(b"[") > limits.depth and _is_deeper(text, limits.depth):
            raise limit_exceeded(limits, "depth", "nested deeper than")
        try:
            value = jiter.from_json(text, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="lossless-float", cache_mode="keys")
        except ValueError as error:
            raise _as_refusal(str(error)) from None
        if text.count(b":") > limits.fields and _most_fields(value) > limits.fields:
            raise limit_exceeded(limits, "fields", "an object has more fields than")
        if b"\\u0000" in text and _has_nul(value):
            raise SetAsideError("nul-character", "a text holds the character \\u0000, which databases do not take.", remedy="Have it sent without.")
        try:
            return orjson.dumps(value, default=str)
        except (TypeError, RecursionError):  # an integer beyond 64 bits, or deeper than orjson goes
            return orjson.dumps(_with_text_numbers(value), default=str)

    def _refuse(self, locator: int, error: SetAsideError, place: str, text: bytes) -> None:
        excerpt = text[:EXCERPT_BYTES].decode("utf-8", "replace")
        self._refusals.append(Refusal(locator, error.reason, f"{place}: {error}", excerpt))


def _as_refusal(message: str) -> SetAsideError:
    if message.startswith("Detected duplicate key"):
        return SetAsideError("duplicate-key", f"{message}.", remedy="JSON readers part on which one counts: have it sent once.")
    if message.startswith(("invalid unicode", "invalid UTF", "unexpected end of hex escape", "lone")):
        return SetAsideError("bad-encoding", f"{message}.", remedy="The text must be UTF-8 without lone surrogates.")
    if message.startswith("recursion limit"):
        return SetAsideError("too-deep", f"{message}: deeper than the parser goes, whatever limits.depth says.")
    if message.startswith("number out of range"):
        return SetAsideError("number-too-long", f"{message}.", remedy="An integer of more than 4,300 digits is not read.")
    return SetAsideError("bad-json", f"{_within(message)}.", remedy="Have it sent as JSON.")


def _within(message: str) -> str:
    """Return a parser's message without its place if that is of a text of one line: what matters is how far into the record it is."""
    return ON_ONE_LINE.sub(r" at character \1 of the record", TOO_EARLY.sub(r"the record ends within \1", message))


def _is_deeper(text: bytes, most: int) -> bool:
    depth = 0
    for token in TOKEN.finditer(text):
        first = text[token.start()]
        if first in b"{[":
            depth += 1
            if depth > most:
                return True
        elif first in b"}]":
            depth -= 1
    return False


def _most_fields(value: Any) -> int:
    if isinstance(value, dict):
        return max(len(value), max(map(_most_fields, value.values()), default=0))
    return max(map(_most_fields, value), default=0) if isinstance(value, list) else 0


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _has_nul(each) for key, each in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))


def _with_text_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_text_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_text_numbers(each) for each in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


# ---- where records begin and end


def _lines_of(text: Copy, skip: int, limits: Limits) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, line) for each line that is not blank; a line beyond the limit is cut just above it."""
    most = limits.record_bytes + 2  # with its line end
    with text.open() as file:
        file.seek(skip)
        number = 0
        while line := file.readline(most):
            number += 1
            if len(line) == most and not line.endswith(b"\n"):
                while (more := file.readline(1024 * 1024)) and not more.endswith(b"\n"):
                    pass
            if not line.isspace():
                yield number, line


def _values_of(text: Copy, skip: int, steps: tuple[str, ...], limits: Limits) -> Iterator[tuple[int, bytes]]:
    """Yield (byte offset, JSON text) for each record of one document, which may be larger than memory."""
    if isinstance(text.content, bytes):
        yield from _Document(text.content, limits).records(skip, steps)
        return
    with text.open() as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield from _Document(data, limits).records(skip, steps)


class _Document:
    """Finds where the values of a JSON document begin and end, without parsing what is in them."""

    def __init__(self, data: bytes | mmap.mmap, limits: Limits) -> None:
        self._data = data
        self._limits = limits
        self._released = 0

    def records(self, start: int, steps: tuple[str, ...]) -> Generator[tuple[int, bytes], None, None]:
        """Yield the records at the path; what comes before and after them must be well-formed too."""
        at = self._skip_space(start)
        if at >= len(self._data):
            raise SetAsideError("empty-file", "the file is empty.", remedy="Have it sent again.")
        after = yield from self._below(at, steps, "")
        after = self._skip_space(after)
        if after < len(self._data):
            raise self._error("nothing may follow the document", after)

    def _below(self, at: int, steps: tuple[str, ...], where: str) -> Generator[tuple[int, bytes], None, int]:
        """Yield the records at or below the value at ``at``; return where it ends."""
        if not steps:
            if self._data[at : at + 1] == b"[":
                return (yield from self._elements(at))
            end = self._end_of(at)
            yield at, self._data[at:end]
            return end
        if self._data[at : at + 1] != b"{":
            self._check(at, self._end_of(at))
            raise self._missing(steps[0], where, at)
        found = False
        at = self._skip_space(at + 1)
        if self._data[at : at + 1] == b"}":
            at += 1
        else:
            while True:
                key, at = self._key(at)
                if key == steps[0] and not found:
                    found = True
                    at = yield from self._below(at, steps[1:], f"{where}/{key}".lstrip("/"))
                elif key == steps[0]:
                    raise SetAsideError("duplicate-key", f"{key!r} is there twice.", place=f"byte {at}")
                else:
                    end = self._end_of(at)
                    self._check(at, end)
                    at = end
                at, closed = self._next(at, b"}")
                if closed:
                    break
        if not found:
            raise self._missing(steps[0], where, at)
        return at

    def _elements(self, at: int) -> Generator[tuple[int, bytes], None, int]:
        at = self._skip_space(at + 1)
        if self._data[at : at + 1] == b"]":
            return at + 1
        while True:
            end = self._end_of(at)
            yield at, self._data[at:end]
            self._release(end)
            at, closed = self._next(end, b"]")
            if closed:
                return at

    def _next(self, at: int, closing: bytes) -> tuple[int, bool]:
        """Step over a comma to the next element, or over the closing bracket."""
        at = self._skip_space(at)
        sign = self._data[at : at + 1]
        if sign == closing:
            return at + 1, True
        if sign != b",":
            raise self._error(f"',' or '{closing.decode()}' is wanted here", at)
        return self._skip_space(at + 1), False

    def _key(self, at: int) -> tuple[str, int]:
        found = SCALAR.match(self._data, at)
        if found is None or self._data[at : at + 1] != b'"' or found.end() - at > self._limits.record_bytes:
            raise self._error("a key in quotes is wanted here", at)
        try:
            key = jiter.from_json(found.group())
        except ValueError as error:
            raise self._error(str(error), at) from None
        at = self._skip_space(found.end())
        if self._data[at : at + 1] != b":":
            raise self._error("':' is wanted here", at)
        return key, self._skip_space(at + 1)

    def _check(self, start: int, end: int) -> None:
        """Check a value beside the records, where it is not larger than a record may be."""
        if end - start <= self._limits.record_bytes:
            try:
                jiter.from_json(self._data[start:end], allow_inf_nan=False, catch_duplicate_keys=True, float_mode="lossless-float")
            except ValueError as error:
                refusal = _as_refusal(str(error))
                raise SetAsideError(refusal.reason, refusal.message, remedy=refusal.remedy, place=f"byte {start}") from None

    def _end_of(self, at: int) -> int:
        """Return where the value that begins at ``at`` ends. Brackets are counted, not matched: the parser does that."""
        if self._data[at : at + 1] not in (b"{", b"["):
            found = SCALAR.match(self._data, at)
            if found is None:
                raise self._error("a value is wanted here", at)
            return found.end()
        depth = 0
        most = at + self._limits.record_bytes
        for token in TOKEN.finditer(self._data, at):
            first = self._data[token.start()]
            if first in b"{[":
                depth += 1
            elif first in b"}]":
                depth -= 1
                if not depth:
                    return token.end()
            elif token.end() - token.start() == 1:
                raise self._error("a text has no closing quote", token.start())
            if token.end() > most:
                self._release(token.end())
        raise self._error("the file ends within a value", at)

    def _skip_space(self, at: int) -> int:
        found = SPACE.match(self._data, at)
        return found.end() if found else at

    def _release(self, at: int) -> None:
        """Give pages already read back to the system, so that memory stays flat."""
        if isinstance(self._data, mmap.mmap) and at - self._released > RELEASED_BYTES:
            start = self._released // mmap.PAGESIZE * mmap.PAGESIZE
            self._data.madvise(mmap.MADV_DONTNEED, start, (at - start) // mmap.PAGESIZE * mmap.PAGESIZE)
            self._released = at

    @staticmethod
    def _missing(step: str, where: str, at: int) -> SetAsideError:
        message = f"there is no {step!r} below {where or 'the top'}."
        return SetAsideError("no-records", message, remedy="Mend the stream's `record`.", place=f"byte {at}")

    def _error(self, message: str, at: int) -> SetAsideError:
        near = bytes(self._data[at : at + 20]).decode("utf-8", "replace")
        return SetAsideError("bad-json", f"{message}, before {near!r}." if near else f"{message}.", place=f"byte {at}")
