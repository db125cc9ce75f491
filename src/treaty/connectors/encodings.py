"""Finds out how a file's text is encoded: as declared, else by its byte order mark, else UTF-8 and nothing but UTF-8."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from treaty.connectors.folders import Copy
from treaty.errors import SetAsideError

MARKS = (  # the longer ones first: UTF-32 LE begins like UTF-16 LE
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def known_encoding(name: str) -> str | None:
    """Return the codec's own name for a declared text encoding, or None where there is no such one."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    is_text = getattr(found, "_is_text_encoding", True)
    return found.name if is_text and found.name not in ("idna", "punycode", "unicode_escape", "raw_unicode_escape") else None


def find_encoding(head: bytes, declared: str | None) -> tuple[str, int]:
    """Return the codec and the length of the byte order mark. A declared encoding is known (:func:`known_encoding`) and goes first."""
    wanted = known_encoding(declared) if declared else None
    if wanted == "utf-8-sig":
        wanted = "utf-8"
    for mark, codec in MARKS:
        if head.startswith(mark) and (wanted is None or wanted == codec or codec.startswith(f"{wanted}-")):
            return codec, len(mark)
    return wanted or "utf-8", 0


def as_utf8(copy: Copy, encoding: str, mark_bytes: int, spool: Path) -> Copy:
    """Return the text in UTF-8 without mark: the copy itself, or one made beside it.

    Raises SetAsideError (``bad-encoding``) naming the first byte that is not of the encoding.
    """
    if encoding == "utf-8" and not mark_bytes:
        return copy
    if isinstance(copy.content, bytes):
        return replace(copy, content=b"".join(_transcode(copy.chunks(), encoding, mark_bytes)))
    path = spool / f"{copy.content.name}-{time.monotonic_ns()}.utf8"
    try:
        with path.open("xb") as target:
            for piece in _transcode(copy.chunks(), encoding, mark_bytes):
                target.write(piece)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return replace(copy, content=path)


def _transcode(chunks: Iterable[bytes], encoding: str, mark_bytes: int) -> Iterator[bytes]:
    decoder = CheckedDecoder(encoding)
    for chunk in chunks:
        text = decoder.decode(chunk)
        if mark_bytes:
            text, mark_bytes = text.removeprefix("\ufeff"), 0
        yield text.encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


class CheckedDecoder:
    """Decodes piece by piece; an error names the offset in the whole file."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._offset = 0

    def decode(self, chunk: bytes, final: bool = False) -> str:
        """Return the text of the next bytes. Raises SetAsideError (``bad-encoding``)."""
        held = self._decoder.getstate()[0]
        try:
            text = self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            offset = self._offset - len(held) + error.start
            raise SetAsideError(
                "bad-encoding",
                f"byte {offset} (0x{error.object[error.start]:02x}) is not {self.encoding} text.",
                remedy="Declare the file's encoding under `read: encoding`, or have it sent in UTF-8.",
                place=f"byte {offset}",
            ) from None
        self._offset += len(chunk)
        return text

    def check(self, chunk: bytes) -> None:
        """Like :meth:`decode` for UTF-8, without making the text: some ten times faster."""
        done = 0
        while done < len(chunk) and self._decoder.getstate()[0]:  # a character cut by the last chunk's end
            self.decode(chunk[done : done + 1])
            done += 1
        chunk = chunk[done:] if done else chunk
        whole = len(chunk)
        while whole and len(chunk) - whole < 4 and chunk[whole - 1] & 0xC0 == 0x80:
            whole -= 1
        if whole and chunk[whole - 1] >= 0xC0:
            whole -= 1
        if not _is_utf8(chunk[:whole]):
            self.decode(chunk)
        else:
            self._offset += whole
            self.decode(chunk[whole:])


def _is_utf8(data: bytes) -> bool:
    offsets = np.array([0, len(data)], np.int32)
    text = pa.StringArray.from_buffers(1, pa.py_buffer(offsets), pa.py_buffer(data))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
