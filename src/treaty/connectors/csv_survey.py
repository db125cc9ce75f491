"""Looks over a CSV file at the speed of C, to know whether the engine may read it by itself."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable

import numpy as np

from treaty.connectors.encodings import CheckedDecoder

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 200


class Survey:
    """What one pass over the bytes tells. Raises SetAsideError (``bad-encoding``) where they are not UTF-8.

    ``doubt`` names why the engine should not read it: NUL, a lone carriage return, an odd number of quotes, or a quoted
    field that spans more lines than the limit. To see the last, it is enough to look every ``field_lines`` bytes whether
    a line ends inside quotes: a field of more lines is longer than that.
    """

    def __init__(self, chunks: Iterable[bytes], quote: str, field_lines: int) -> None:
        self.doubt = ""
        self._quote = quote.encode()
        self._field_lines = field_lines
        self._inside = 0  # parity of quotes so far
        self._open_lines = 0  # line ends since the open quoted field began, as far as seen
        decoder = CheckedDecoder("utf-8")
        returns = pairs = 0
        last = b""
        for chunk in chunks:
            decoder.check(chunk)
            if b"\0" in chunk:
                self.doubt = "NUL"
            returns += chunk.count(b"\r")
            if returns:
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
        quote, stride, inside = self._quote, self._field_lines, self._inside
        suspicious = self._open_lines > 0
        start, size = 0, len(chunk)
        while start < size:
            inside ^= chunk.count(quote, start, start + stride) & 1
            start += stride
            if inside and not suspicious and start < size:
                line_end = chunk.find(b"\n", start)
                suspicious = line_end >= 0 and not chunk.count(quote, start, line_end) & 1
        if suspicious or inside:
            self._count_open_lines(chunk)
        else:
            self._open_lines = 0
        self._inside = inside

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


def sniff_delimiter(sample: str, quote: str) -> str:
    """Return the delimiter that cuts most of the sample's lines into as many fields as its first line, the more the better."""
    best, best_score = DELIMITERS[0], (0.0, 0)
    for delimiter in DELIMITERS:
        quoting = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
        reader = csv.reader(sample.splitlines(keepends=True), delimiter=delimiter, quotechar=quote or None, quoting=quoting)
        widths = []
        try:
            for row in reader:
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
