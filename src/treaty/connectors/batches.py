"""Gathers parsed records into Arrow batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

BATCH_ROWS = 8_192
BATCH_BYTES = 8 * 1024 * 1024
LOCATOR = "_locator"


def table_batches(columns: Sequence[str], rows: Iterable[tuple[int, Sequence[str | None]]]) -> Iterator[pa.RecordBatch]:
    """Yield batches of (locator, row) pairs: an int64 ``_locator`` and one string column for each name."""
    schema = pa.schema([(LOCATOR, pa.int64()), *((name, pa.string()) for name in columns)])
    locators: list[int] = []
    pending: list[Sequence[str | None]] = []
    size = 0
    for locator, row in rows:
        locators.append(locator)
        pending.append(row)
        size += sum(len(value) for value in row if value)
        if len(pending) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield _table_batch(schema, locators, pending)
            locators, pending, size = [], [], 0
    if pending:
        yield _table_batch(schema, locators, pending)


def _table_batch(schema: pa.Schema, locators: list[int], rows: list[Sequence[str | None]]) -> pa.RecordBatch:
    arrays = [pa.array(locators, pa.int64()), *(pa.array(column, pa.string()) for column in zip(*rows, strict=True))]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


DOCUMENT_SCHEMA = pa.schema([(LOCATOR, pa.int64()), ("payload", pa.string())])


def document_batches(documents: Iterable[tuple[int, bytes]]) -> Iterator[pa.RecordBatch]:
    """Yield batches of (locator, JSON text in UTF-8) pairs as ``_locator`` and ``payload``."""
    locators: list[int] = []
    payloads: list[bytes] = []
    size = 0
    for locator, payload in documents:
        locators.append(locator)
        payloads.append(payload)
        size += len(payload)
        if len(payloads) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield _document_batch(locators, payloads)
            locators, payloads, size = [], [], 0
    if payloads:
        yield _document_batch(locators, payloads)


def _document_batch(locators: list[int], payloads: list[bytes]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(locators, pa.int64()), pa.array(payloads, pa.string())], schema=DOCUMENT_SCHEMA)
