"""Looks over a CSV file at the speed of C, to know whether the engine may read it by itself."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from treaty.connectors.encodings import CheckedDecoder

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 200


class Survey:
    """What one pass over the bytes tells. Raises SetAsideError (``bad-encoding``) where they are not UTF-8.

    ``doubt`` names why the engine should not read it: NUL, a lone carriage return, an odd number of quotes, or a quoted
    field that spans more lines than the limit. To see the last, it is enough to look every ``field_lines / 2`` bytes
    whether a line ends inside quotes: a field of more lines is longer than that.
    """

    def __init__(self, chunks: Iterable[bytes], quote: str, field_lines: int) -> None:
        self.doubt = ""
        self._quote = quote.encode()
        self._field_lines = field_lines
        self._stride = max(field_lines // 2, 64) & ~7  # bytes; whole 64-bit words
        self._inside = 0  # parity of quotes so far
        self._open_lines = 0  # line ends since the open quoted field began, as far as seen
        decoder = CheckedDecoder("utf-8")
        returns = pairs = 0
        last = b""
        for chunk in chunks:
            decoder.check(chunk)
            if b"\0" in chunk:
                self.doubt = "NUL"
            if b"\r" in chunk or last == b"\r":
                returns += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) == 13))
                pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
            if self._quote and not self.doubt:
                self._look_at_quotes(chunk)
            last = chunk[-1:]
        decoder.decode(b"", final=True)
        if returns != pairs:
            self.doubt = "lone carriage returns"
        if self._inside:
            self.doubt = self.doubt or "unbalanced quotes"

    def _look_at_quotes(self, chunk: bytes) -> None:
        is_quote = np.frombuffer(chunk, np.uint8) == self._quote[0]
        parities = self._parities(is_quote)
        end = self._inside ^ int(np.count_nonzero(is_quote)) & 1
        if self._open_lines or self._last_line_ends_inside(chunk, end) or self._line_ends_inside(chunk, parities):
            self._count_open_lines(chunk)
        self._inside = end

    def _parities(self, is_quote: np.ndarray) -> np.ndarray:
        """Return whether each stride's end is inside quotes: the xor of the 0/1 bytes, eight at a time."""
        whole = len(is_quote) // self._stride * self._stride
        words = is_quote[:whole].view(np.uint64).reshape(-1, self._stride // 8)
        folded = np.bitwise_xor.reduce(words, axis=1)
        for shift in (32, 16, 8):
            folded ^= folded >> np.uint64(shift)
        return np.bitwise_xor.accumulate((folded & np.uint64(1)).astype(np.uint8)) ^ self._inside

    def _last_line_ends_inside(self, chunk: bytes, end: int) -> bool:
        return bool(end ^ chunk.count(self._quote, chunk.rfind(b"\n") + 1) & 1)

    def _line_ends_inside(self, chunk: bytes, parities: np.ndarray) -> bool:
        for number in np.flatnonzero(parities[:-1] & parities[1:]).tolist():
            start = (number + 1) * self._stride
            line_end = chunk.find(b"\n", start)
            if line_end >= 0 and not chunk.count(self._quote, start, line_end) & 1:
                return True
        return False

    def _count_open_lines(self, chunk: bytes) -> None:
        data = np.frombuffer(chunk, np.uint8)
        line_ends = np.flatnonzero(data == 10)
        quotes = np.flatnonzero(data == self._quote[0])
        within = (np.searchsorted(quotes, line_ends) + self._inside) & 1
        breaks = np.flatnonzero(within == 0)
        if not len(breaks):
            longest = self._open_lines = self._open_lines + len(within)
        else:
            between = np.diff(breaks).max(initial=1) - 1
            longest = max(self._open_lines + int(breaks[0]), int(between), len(within) - 1 - int(breaks[-1]))
            self._open_lines = len(within) - 1 - int(breaks[-1])
        if longest > self._field_lines:
            self.doubt = "a quoted field over very many lines"


def csv_reader(lines: Iterable[str], delimiter: str, quote: str, *, strict: bool, escape: str | None = None) -> Iterator[list[str]]:
    """Return Python's own reader; an empty ``quote`` means that nothing is quoted."""
    if quote:
        return csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=strict, escapechar=escape)
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=strict, escapechar=escape)


def sniff_delimiter(sample: str, quote: str) -> str:
    """Return the delimiter that cuts most of the sample's lines into as many fields as its first line, the more the better."""
    best, best_score = DELIMITERS[0], (0.0, 0)
    for delimiter in DELIMITERS:
        widths = []
        try:
            for row in csv_reader(sample.splitlines(keepends=True), delimiter, quote, strict=False):
                if row:
                    widths.append(len(row))
                if len(widths) >= SAMPLE_ROWS:
                    break
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        score = (round(Counter(widths)[widths[0]] / len(widths), 1), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best
