"""The rows of one query, kept as CSV text in the form of PostgreSQL's COPY: each value in quotes, null as nothing at all."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from treaty.connectors.batches import LOCATOR, table_batches
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.interface import Refusal
from treaty.connectors.spools import Spool
from treaty.project.declarations import Limits

BLOCK_BYTES = 4 * 1024 * 1024
VALUE = re.compile(rb'("(?:[^"]+|"")*")?([,\n])')


class Page:
    """One query's rows, header first: in memory while small, else in a private file. ``names`` are the columns of :meth:`last`."""

    def __init__(
        self, content: Iterable[bytes], columns: tuple[str, ...], names: Sequence[str], spool: Path, limits: Limits
    ) -> None:
        self._columns = columns
        self._places = [columns.index(name) for name in names]
        self._last: tuple[str, ...] | None = None
        self._limits = limits
        self.refusals: list[Refusal] = []
        self._spool = Spool(spool)
        self._spool.fill(content)
        self.content, self.sha256, self.size_bytes = self._spool.content(), self._spool.sha256(), self._spool.size_bytes

    def discard(self) -> None:
        """Remove the private file."""
        self._spool.discard()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows within limits; the others become refusals."""
        self.refusals.clear()
        done = 0
        try:
            for batch in self._read_fast():
                locators = pa.array(range(done + 1, done + 1 + batch.num_rows), pa.int64())
                done += batch.num_rows
                if batch.num_rows:
                    self._last = tuple(batch.column(place)[batch.num_rows - 1].as_py() for place in self._places)
                yield self._within_limits(pa.RecordBatch.from_arrays([locators, *batch.columns], schema=self._schema()))
        except pa.ArrowInvalid:  # a row longer than a block
            yield from table_batches(self._columns, self._read_slowly(done))

    def last(self) -> tuple[str, ...] | None:
        """Return the named values of the last row, within limits or not; None where there are no rows."""
        for _ in self.batches():
            pass
        return self._last

    def _schema(self) -> pa.Schema:
        return pa.schema([(LOCATOR, pa.int64()), *((name, pa.string()) for name in self._columns)])

    def _read_fast(self) -> Iterator[pa.RecordBatch]:
        read = pa_csv.ReadOptions(block_size=BLOCK_BYTES, column_names=list(self._columns), skip_rows_after_names=1, use_threads=False)
        convert = pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in self._columns}, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        )
        parse = pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
        source = pa.BufferReader(self.content) if isinstance(self.content, bytes) else str(self.content)
        with pa_csv.open_csv(source, read_options=read, parse_options=parse, convert_options=convert) as reader:
            yield from reader

    def _within_limits(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        sizes = pa.array([0] * batch.num_rows, pa.int64())
        for column in batch.columns[1:]:
            sizes = pc.add(sizes, pc.fill_null(pc.cast(pc.binary_length(column), pa.int64()), 0))
        within = pc.less_equal(sizes, self._limits.record_bytes)
        if pc.all(within).as_py() in (True, None):
            return batch
        for row in batch.filter(pc.invert(within)).to_pylist():
            self._refuse(row[LOCATOR], next((str(row[name]) for name in self._columns if row[name]), ""))
        return batch.filter(within)

    def _read_slowly(self, done: int) -> Iterator[tuple[int, list[str | None]]]:
        """Yield (ordinal, values) of the rows behind the first ``done`` ones, whatever their length."""
        with ExitStack() as stack:
            data: Any = self.content
            if isinstance(self.content, Path):
                file = stack.enter_context(self.content.open("rb"))
                data = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            number = 0
            spans: list[tuple[int, int]] = []
            for value in VALUE.finditer(data, data.find(b"\n") + 1):
                spans.append(value.span(1))
                if value.group(2) != b"\n":
                    continue
                number += 1
                if number > done:
                    self._last = tuple(str(_unquoted(data, *spans[place])) for place in self._places)
                    if sum(end - start for start, end in spans) > self._limits.record_bytes:
                        start, end = next(span for span in spans if span[0] >= 0)
                        self._refuse(number, data[start : min(end, start + 800)].decode("utf-8", "replace").strip('"'))
                    else:
                        yield number, [_unquoted(data, start, end) for start, end in spans]
                spans = []

    def _refuse(self, locator: int, excerpt: str) -> None:
        error = limit_exceeded(self._limits, "record_bytes", "the row is larger than")
        self.refusals.append(Refusal(locator, error.reason, str(error), excerpt[:200]))


def _unquoted(data: Any, start: int, end: int) -> str | None:
    if start < 0:
        return None
    return bytes(data[start + 1 : end - 1]).replace(b'""', b'"').decode("utf-8")
