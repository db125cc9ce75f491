"""dlt: its file reader, one Python function a row, and its merge into a DuckDB file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

import dlt
from dlt.sources.filesystem import filesystem, read_csv

import reference
from peers.commands import answer

MONEY = {"data_type": "decimal", "precision": 14, "scale": 2}
COLUMNS: dict[str, Any] = (
    {name: {"data_type": "text"} for name in reference.FIELDS}
    | {name: {"data_type": "bool"} for name in ("email_valid", "gross_fixed")}
    | {name: {"data_type": "date"} for name in ("invoice_date", "due_date", "paid_date")}
    | dict.fromkeys(("net_amount", "tax_amount", "gross_amount", "line_total", "discount_pct"), MONEY)
    | {name: {"data_type": "bigint"} for name in ("terms_days", "line_count")}
    | {
        "tax_rate": {"data_type": "decimal", "precision": 6, "scale": 4},
        "line_items": {"data_type": "json"},
        "updated_at": {"data_type": "timestamp", "dedup_sort": "desc"},
    }
)


def load(file: Path, store: Path) -> dict[str, int]:
    """Run the pipeline over one file."""
    segments = reference.load_segments(file.parent / "customers.csv")
    rejected: list[dict[str, str]] = []

    def convert(row: dict[str, str]) -> dict[str, Any] | None:
        try:
            invoice = reference.convert(row, segments)
        except reference.Rejected as reason:
            rejected.append({"reason": str(reason), "invoice_id": row["invoice_id"]})
            return None
        invoice["line_items"] = [
            line | {"unit_price": str(line["unit_price"]), "amount": str(line["amount"])} for line in invoice["line_items"]
        ]
        return invoice

    rows = filesystem(bucket_url=file.parent.absolute().as_uri(), file_glob=file.name) | read_csv(
        chunksize=10_000, dtype=str, keep_default_na=False
    )
    invoices = rows.add_map(convert).add_filter(lambda row: row is not None).with_name("invoice")
    invoices.apply_hints(
        table_name="invoice",
        primary_key="invoice_id",
        write_disposition={"disposition": "merge", "strategy": "delete-insert"},
        columns=COLUMNS,
    )
    pipeline = dlt.pipeline(
        store.stem, destination=dlt.destinations.duckdb(str(store)), dataset_name="bench", pipelines_dir=str(store.parent / "dlt")
    )
    pipeline.run(invoices)
    written = pipeline.last_trace.last_normalize_info.row_counts.get("invoice", 0)
    if rejected:
        pipeline.run(dlt.resource(rejected, name="rejected", write_disposition="append"))
    return {"written": written}


def export(store: Path, target: Path) -> None:
    """Write the table as Parquet."""
    import duckdb

    connection = duckdb.connect(str(store), read_only=True)
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"copy (select {', '.join(reference.FIELDS)} from bench.invoice) to '{target}' (format parquet)")


if __name__ == "__main__":
    answer(load, export)
