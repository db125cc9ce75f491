"""Looks over a CSV file at the speed of C, to know whether the engine may read it by itself."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from treaty.connectors.encodings import CheckedDecoder
from treaty.connectors.interface import RecordStart

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 200
_LINE_END = 10
_APART_BYTES = 32 * 1024**2  # of record starts that are told


class Survey:
    """What one pass over the bytes tells. Raises SetAsideError (``bad-encoding``) where they are not UTF-8.

    ``doubt`` names why the engine should not read it: NUL, a lone carriage return, an odd number of quotes, or a quoted
    field that spans more lines than the limit. ``starts`` are some of the places where records begin.
    """

    def __init__(self, chunks: Iterable[bytes], quote: str, field_lines: int) -> None:
        self.doubt = ""
        self.starts: list[RecordStart] = []
        self._quote = quote.encode()
        self._field_lines = field_lines
        self._inside = 0  # parity of quotes so far
        self._open_lines = 0  # line ends since the open quoted field began
        self._bytes = self._records = 0
        decoder = CheckedDecoder("utf-8")
        returns = pairs = 0
        last = b""
        for chunk in chunks:
            decoder.check(chunk)
            if b"\0" in chunk:
                self.doubt = "NUL"
            if b"\r" in chunk or last == b"\r":
                returns += chunk.count(b"\r")
                pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
            self._count_records(chunk)
            last = chunk[-1:]
        decoder.decode(b"", final=True)
        if returns != pairs:
            self.doubt = "lone carriage returns"
        if self._inside:
            self.doubt = self.doubt or "unbalanced quotes"

    def _count_records(self, chunk: bytes) -> None:
        data = np.frombuffer(chunk, np.uint8)
        line_ends = np.flatnonzero(data == _LINE_END)
        if self._inside or (self._quote and self._quote in chunk):
            quotes = np.flatnonzero(data == self._quote[0])
            within = (np.searchsorted(quotes, line_ends) + self._inside) & 1
            self._inside ^= len(quotes) & 1
            self._measure_fields(within)
            line_ends = line_ends[within == 0]
        if len(line_ends) and self._bytes - (self.starts[-1].byte if self.starts else 0) >= _APART_BYTES:
            self.starts.append(RecordStart(self._bytes + int(line_ends[0]) + 1, self._records + 1))
        self._records += len(line_ends)
        self._bytes += len(chunk)

    def _measure_fields(self, within: np.ndarray) -> None:
        """Look for a quoted field over too many lines; ``within`` says of each line end whether it is inside quotes."""
        breaks = np.flatnonzero(within == 0)
        if not len(breaks):
            longest = self._open_lines = self._open_lines + len(within)
        else:
            between = np.diff(breaks).max(initial=1) - 1
            longest = max(self._open_lines + int(breaks[0]), int(between))
            self._open_lines = len(within) - 1 - int(breaks[-1])
        if max(longest, self._open_lines) > self._field_lines:
            self.doubt = "a quoted field over very many lines"
        if not self._inside:
            self._open_lines = 0


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
