"""Compare the invoices of a store with the reference, value by value: ``check.py EXPORT FILE…``.

The export is a Parquet file, or JSON Lines as ``treaty records --json`` prints them; the files are those that were loaded, in order.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from reference import FIELDS, Book, load_segments

DATES = ("invoice_date", "due_date", "paid_date")
DECIMALS = ("net_amount", "tax_rate", "tax_amount", "gross_amount", "discount_pct", "line_total")


def read_invoices(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the invoices of an export, typed as the reference has them."""
    if path.suffix == ".jsonl":
        with path.open(encoding="utf-8") as stream:
            for line in stream:
                yield typed(json.loads(line))
        return
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(20_000):
        for row in batch.to_pylist():
            row["line_items"] = typed_lines(json.loads(row["line_items"]) if isinstance(row["line_items"], str) else row["line_items"])
            yield row


def typed(row: dict[str, Any]) -> dict[str, Any]:
    """Read what JSON has as text."""
    for name in DATES:
        row[name] = row[name] and date.fromisoformat(row[name])
    for name in DECIMALS:
        row[name] = row[name] and Decimal(row[name])
    row["updated_at"] = datetime.fromisoformat(row["updated_at"])
    row["line_items"] = typed_lines(row["line_items"])
    return row


def typed_lines(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Read the amounts of lines as decimals."""
    return [line | {name: Decimal(line[name]) for name in ("unit_price", "amount")} for line in lines]


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
            found += [
                f"{row['invoice_id']} {name}: {expected[name]!r} expected, {row[name]!r} found"
                for name in FIELDS
                if expected[name] != row[name]
            ]
        if len(found) >= most:
            return found[:most]
    if seen != len(book.invoices):
        found.append(f"{len(book.invoices)} invoices expected, {seen} found")
    return found


def main() -> None:
    """Print the differences; exit status 1 where there are any."""
    export, *files = (Path(argument) for argument in sys.argv[1:])
    book = Book(load_segments(files[0].parent / "customers.csv"))
    for file in files:
        book.read(file)
    found = differences(export, book)
    print("\n".join(found) or f"{len(book.invoices)} invoices are equal; rejected rows: {dict(book.rejected)}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
