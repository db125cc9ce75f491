"""Compare invoices in a Parquet file with the reference, value by value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from reference import FIELDS, Book


def read_invoices(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the invoices of a Parquet file; lines may be a typed list or JSON text."""
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(20_000):
        for row in batch.to_pylist():
            lines = row["line_items"]
            lines = json.loads(lines) if isinstance(lines, str) else lines
            row["line_items"] = [line | {name: Decimal(line[name]) for name in ("unit_price", "amount")} for line in lines]
            yield row


def differences(path: Path, book: Book, most: int = 5) -> list[str]:
    """Return what differs from the reference, the first few of it."""
    found: list[str] = []
    seen = 0
    for row in read_invoices(path):
        seen += 1
        expected = book.invoices.get(row["invoice_id"])
        if expected is None:
            found.append(f"{row['invoice_id']}: should not be there")
        else:
            found += [f"{row['invoice_id']} {name}: {expected[name]!r} expected, {row[name]!r} found" for name in FIELDS if expected[name] != row[name]]
        if len(found) >= most:
            return found[:most]
    if seen != len(book.invoices):
        found.append(f"{len(book.invoices)} invoices expected, {seen} found")
    return found
