"""Reads CSV: a regular file is handed to the engine as it is, any other one is read here record by record."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from treaty.connectors.batches import table_batches
from treaty.connectors.csv_survey import Survey, csv_reader, sniff_delimiter
from treaty.connectors.encodings import as_utf8, find_encoding
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.folders import Copy
from treaty.connectors.formats.csv import CsvSettings
from treaty.connectors.interface import CsvScan, Refusal, Rows
from treaty.errors import SetAsideError
from treaty.project.declarations import Limits

EXCERPT_CHARACTERS = 200
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)  # what Excel takes for its delimiter, before the header
SAMPLE_BYTES = 256 * 1024
MOST_REREAD_LINES = 200_000  # lines looked at again after refused records, before the rest of a file is refused

csv.field_size_limit(2**31 - 1)  # the module's own limit is for the whole process; ours is `limits.record_bytes`


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one file is written, found out or told."""

    delimiter: str
    quote: str
    header: bool
    skip_lines: int
    escape: str | None = None


def read_csv(
    copy: Copy, spool: Path, settings: CsvSettings, limits: Limits, refusals: list[Refusal]
) -> tuple[CsvScan | Rows, Mapping[str, str]]:
    """Return the records of a CSV file and what was found out about it. Raises SetAsideError for the file as a whole.

    Refused records are appended to ``refusals`` while the records are consumed.
    """
    with copy.open() as file:
        head = file.read(SAMPLE_BYTES)
    if not head:
        raise SetAsideError("empty-file", "the file is empty: not even a header.", remedy="Have it sent again.")
    encoding, mark_bytes = find_encoding(head, settings.encoding)
    transcoded = encoding != "utf-8"
    text = as_utf8(copy, encoding, mark_bytes, spool) if transcoded else copy
    survey = Survey(text.chunks(), settings.quote, limits.field_lines)
    with text.open() as file:
        sample = file.read(SAMPLE_BYTES)[0 if transcoded else mark_bytes :].decode("utf-8", "ignore")
    told = None if settings.skip_lines else SEPARATOR_LINE.match(sample)
    dialect = Dialect(
        delimiter=settings.delimiter or (told and told[1]) or sniff_delimiter(_without_lines(sample, settings.skip_lines), settings.quote),
        quote=settings.quote, header=settings.header, skip_lines=1 if told else settings.skip_lines, escape=settings.escape,
    )  # fmt: skip
    details = {"encoding": encoding, "delimiter": dialect.delimiter, "quote": dialect.quote}
    if settings.delimiter is None:
        details["told by its first line" if told else "sniffed"] = "delimiter"
    if told:
        details["skipped"] = "1"
    columns, renamed = _columns_of(text, dialect, settings, limits)
    if renamed:
        details["renamed"] = "; ".join(renamed)

    def exact() -> Rows:
        records = CsvRecords(text, dialect, columns, limits, refusals)
        return Rows(table_batches(columns, records.read()), columns)

    if isinstance(text.content, bytes) or survey.doubt or len(columns) < 2 or dialect.skip_lines or dialect.escape:
        if survey.doubt:
            details["irregular"] = survey.doubt
        return exact(), details
    return CsvScan(text.content, columns, dialect.delimiter, dialect.quote, dialect.header, starts=tuple(survey.starts), exact=exact), details


def _without_lines(text: str, count: int) -> str:
    for _ in range(count):
        text = text.partition("\n")[2]
    return text


def _columns_of(text: Copy, dialect: Dialect, settings: CsvSettings, limits: Limits) -> tuple[tuple[str, ...], list[str]]:
    """Return the columns' names and how some had to be renamed."""
    refusals: list[Refusal] = []
    records = CsvRecords(text, dialect, None, limits, refusals)
    first = records.first()
    if first is None:
        reason, message = (refusals[0].reason, refusals[0].message) if refusals else ("empty-file", "the file holds blank lines only.")
        raise SetAsideError(reason, f"no header: {message}", remedy="Have it sent again.")
    if len(first) > limits.fields:
        raise limit_exceeded(limits, "fields", f"{len(first)} columns are more than")
    if dialect.header:
        return unique_names(first)
    if settings.columns:
        return settings.columns, []
    return tuple(f"column_{number}" for number in range(1, len(first) + 1)), []


def unique_names(names: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return names of which no two are equal and none is empty, and what was changed.

    All columns of one name get their number, ``Amount [1]`` and ``Amount [2]``: none of them is silently taken for ``Amount``.
    """
    counts = Counter(names)
    used: Counter[str] = Counter()
    taken = {name for name in names if name and counts[name] == 1}
    found: list[str] = []
    renamed: list[str] = []
    for position, name in enumerate(names, 1):
        new = name
        if not name:
            new = f"column_{position}"
        elif counts[name] > 1:
            used[name] += 1
            new = f"{name} [{used[name]}]"
        while new != name and new in taken:
            new += "_"
        taken.add(new)
        found.append(new)
        if new != name:
            renamed.append(f"{name!r} at {position} is {new!r}")
    return tuple(found), renamed


class _Lines:
    """Physical lines for :func:`csv.reader`, which remembers those of the current record so that they can be read again."""

    def __init__(self, file: TextIO, limits: Limits, quote: str) -> None:
        self._file = file
        self._limits = limits
        self._quote = quote
        self._again: deque[str] = deque()
        self.record: list[str] = []
        self.number = 0  # of the line given last
        self.reread = 0
        self._size = 0
        self._open_lines = 0

    def __iter__(self) -> _Lines:
        return self

    def begin(self) -> None:
        """Forget the lines of the last record."""
        self.record = []
        self._size = self._open_lines = 0

    def __next__(self) -> str:
        most = self._limits.record_bytes
        line = self._again.popleft() if self._again else self._file.readline(most + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.record.append(line)
        self._size += len(line)
        if self._size > most:
            self._skip_rest_of(line)
            raise limit_exceeded(self._limits, "record_bytes", "the record is larger than")
        if len(self.record) > 1:
            quotes = line.count(self._quote) - 2 * line.count(self._quote * 2)
            self._open_lines = 1 if quotes > 0 else self._open_lines + 1
            if self._open_lines >= self._limits.field_lines:
                raise limit_exceeded(self._limits, "field_lines", "a quote is missing, or a quoted field has more lines than")
        return line

    def _skip_rest_of(self, line: str) -> None:
        while len(self.record) == 1 and line and line[-1] not in "\r\n":
            line = self._file.readline(1024 * 1024)

    def give_back(self) -> None:
        """Read all but the first line of the refused record again."""
        rest = self.record[1:]
        self.reread += len(rest)
        self.number -= len(rest)
        self._again.extendleft(reversed(rest))


class CsvRecords:
    """The records of a CSV text in UTF-8, one by one; those that cannot be read are refused and the next line is tried."""

    def __init__(self, text: Copy, dialect: Dialect, columns: tuple[str, ...] | None, limits: Limits, refusals: list[Refusal]) -> None:
        self._text = text
        self._dialect = dialect
        self._columns = columns
        self._limits = limits
        self._refusals = refusals

    def first(self) -> list[str] | None:
        """Return the first record, the header where there is one."""
        for _, row in self._records(header=False):
            return row
        return None

    def read(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (ordinal from 1, fields); the header does not count, refused records do."""
        return self._records(header=self._dialect.header)

    def _records(self, *, header: bool) -> Iterator[tuple[int, list[str]]]:
        quote = self._dialect.quote
        with io.TextIOWrapper(self._text.open(), encoding="utf-8-sig", newline="") as file:
            for _ in range(self._dialect.skip_lines):
                file.readline(self._limits.record_bytes)
            lines = _Lines(file, self._limits, quote or "\0")
            reader = csv_reader(lines, self._dialect.delimiter, quote, strict=True, escape=self._dialect.escape)
            locator = -1 if header else 0
            while True:
                lines.begin()
                at = lines.number + 1 + self._dialect.skip_lines
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except (csv.Error, SetAsideError) as error:
                    locator += 1
                    reason, message = (error.reason, str(error)) if isinstance(error, SetAsideError) else ("bad-csv", _explained(error))
                    self._refuse(locator, at, lines.record, reason, message)
                    lines.give_back()
                    if lines.reread > MOST_REREAD_LINES:
                        told = "too many broken records: the rest of the file was not read"
                        self._refuse(locator + 1, at + 1, lines.record[1:], "bad-csv", told)
                        return
                    continue
                if not row:
                    continue  # a blank line
                locator += 1
                if locator and self._is_good(locator, at, row, lines.record):
                    yield locator, row

    def _is_good(self, locator: int, at: int, row: list[str], lines: list[str]) -> bool:
        if any("\0" in line for line in lines):
            self._refuse(locator, at, lines, "nul-character", "a NUL character, which no text has. Have it sent without")
            return False
        if self._columns is not None and len(row) != len(self._columns):
            more = "more" if len(row) > len(self._columns) else "fewer"
            count = f"{len(row)} field{'s' if len(row) != 1 else ''}, {more} than the {len(self._columns)} columns"
            self._refuse(locator, at, lines, "ragged-row", f"{count}. Have it sent with a field for each column; one that holds {self._dialect.delimiter!r} must be quoted")
            return False
        return True

    def _refuse(self, locator: int, at: int, lines: list[str], reason: str, message: str) -> None:
        excerpt = "".join(lines)[:EXCERPT_CHARACTERS]
        self._refusals.append(Refusal(locator, reason, f"line {at}: {message.removesuffix('.')}.", excerpt))


def _explained(error: csv.Error) -> str:
    """Return what the reader's error means, and what helps."""
    message = str(error)
    if "expected after" in message:
        return "a quoted field goes on after its closing quote. A quote within it must be doubled; where a sign before it escapes it, declare `read: escape`"
    if "unexpected end" in message:
        return "a quoted field has no closing quote. Have it sent with one"
    return f"{message}. Have it sent as regular CSV"
