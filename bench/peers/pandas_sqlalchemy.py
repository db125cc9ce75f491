"""pandas and SQLAlchemy: read the CSV in chunks, convert by column, upsert into PostgreSQL as the manual of ``to_sql`` shows.

``BENCH_DATABASE`` is the server's URL; the store's name is the schema.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

import reference
from peers.commands import answer
from reference import CENT, Rejected

Text, Money = sa.Text, sa.Numeric(14, 2)
TYPES: dict[str, Any] = dict.fromkeys(reference.FIELDS, Text) | {
    "email_valid": sa.Boolean, "gross_fixed": sa.Boolean, "invoice_date": sa.Date, "due_date": sa.Date, "paid_date": sa.Date,
    "net_amount": Money, "tax_amount": Money, "gross_amount": Money, "line_total": Money, "tax_rate": sa.Numeric(6, 4), "discount_pct": sa.Numeric(6, 2),
    "terms_days": sa.Integer, "line_count": sa.Integer, "line_items": JSONB, "updated_at": sa.DateTime(timezone=True), "row_hash": Text,
}  # fmt: skip


def or_none(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the function with None for what it rejects."""

    def guarded(value: Any) -> Any:
        try:
            return function(value)
        except Rejected:
            return None

    return guarded


amount, day, instant, lines = (or_none(each) for each in (reference.amount, reference.day, reference.instant, reference.lines))


def stated(column: pd.Series) -> pd.Series:
    """Trimmed text, or None where it says that there is no value."""
    trimmed = column.str.strip()
    return trimmed.where(~trimmed.str.lower().isin(reference.UNSTATED), None)


def squeeze(column: pd.Series) -> pd.Series:
    """Text with every run of white space as one blank."""
    return column.str.replace(r"\s+", " ", regex=True).str.strip()


def objects(values: Iterable[Any], index: pd.Index) -> pd.Series:
    """A column of Python objects, which pandas leaves as they are."""
    return pd.Series(list(values), index=index, dtype=object)


def given(value: Any) -> bool:
    """Whether there is a value."""
    return isinstance(value, str)


def write_lines(found: list[dict[str, Any]]) -> str:
    """Lines as JSON text, amounts as text."""
    return json.dumps([line | {"unit_price": str(line["unit_price"]), "amount": str(line["amount"])} for line in found], ensure_ascii=False)


def convert(rows: pd.DataFrame, segments: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the canonical invoices of a chunk, the newest of each, and the rows that were rejected."""
    index = rows.index
    made = pd.DataFrame(index=index)
    made["invoice_id"] = rows.invoice_id.str.strip().str.upper()
    made["customer_id"] = rows.customer_id.str.strip().str.upper().str.replace("-", "", regex=False)
    made["customer_name"] = squeeze(rows.customer_name).map(reference.given_name_first)
    address = stated(rows.customer_email).str.lower().str.removeprefix("mailto:")
    made["email_valid"] = address.str.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]{2,}").fillna(False).astype(bool)
    made["customer_email"] = address.where(made.email_valid, None)
    made["country_code"] = rows.country.str.strip().str.lower().map(reference.COUNTRY_CODES).fillna("ZZ")
    made["customer_phone"] = objects(map(reference.phone, rows.customer_phone, made.country_code), index)
    made["street"], made["city"] = squeeze(rows.billing_street), squeeze(rows.billing_city)
    made["postal_code"] = rows.billing_zip.str.strip().str.upper()
    convert_dates(rows, made)
    made["currency"] = rows.currency.str.strip().str.upper().replace(reference.CURRENCY_SIGNS)
    convert_amounts(rows, made)
    status = rows.status.str.strip().str.lower().str.replace("-", " ", regex=False).map(reference.STATUSES).fillna("unknown")
    late = [due is not None and due < reference.AS_OF for due in made.due_date]
    made["status"] = status.mask((status == "open") & pd.Series(late, index=index), "overdue")
    made["po_number"], made["sales_rep"], made["notes"] = stated(rows.po_number).str.upper(), squeeze(rows.sales_rep), stated(rows.notes)
    found = [lines(text) for text in rows.line_items]
    made["line_items"] = objects((None if each is None else write_lines(each) for each in found), index)
    made["line_count"] = [0 if each is None else len(each) for each in found]
    made["line_total"] = objects((None if each is None else sum((line["amount"] for line in each), Decimal(0)) for each in found), index)
    made["customer_segment"] = made.customer_id.map(segments).fillna("unknown")
    made["updated_at"] = objects(map(instant, rows.updated_at.str.strip()), index)
    wanted = ["invoice_date", "due_date", "net_amount", "tax_amount", "line_items", "updated_at"]
    good = (
        made.invoice_id.str.fullmatch(r"INV-\d{8}") & made.customer_id.str.fullmatch(r"C\d{6}") & made.currency.isin(reference.CURRENCIES)
        & made[wanted].notna().all(axis=1) & ~(stated(rows.paid_date).notna() & made.paid_date.isna())
    )  # fmt: skip
    kept = made[good].sort_values("updated_at").drop_duplicates("invoice_id", keep="last")
    kept["row_hash"] = pd.util.hash_pandas_object(kept.astype(str), index=False).astype(str)
    return kept.astype(object).where(kept.notna(), None), rows[~good]


def convert_dates(rows: pd.DataFrame, made: pd.DataFrame) -> None:
    """Add the dates and the terms."""
    made["terms_days"] = rows.payment_terms.map(reference.terms)
    made["invoice_date"] = objects(map(day, rows.invoice_date.str.strip()), rows.index)
    due = zip(stated(rows.due_date), made.invoice_date, made.terms_days, strict=True)
    made["due_date"] = objects(
        (day(text) if given(text) else issued and issued + timedelta(days=days) for text, issued, days in due), rows.index
    )
    made["paid_date"] = objects((day(text) if given(text) else None for text in stated(rows.paid_date)), rows.index)


def convert_amounts(rows: pd.DataFrame, made: pd.DataFrame) -> None:
    """Add the amounts, with the tax computed and the gross repaired where they must be."""
    net, rates = [amount(text) for text in rows.net_amount], [reference.tax_rate(text) for text in rows.tax_rate]
    written = zip(stated(rows.tax_amount), net, rates, strict=True)
    tax = [amount(text) if given(text) else base and (base * rate).quantize(CENT, ROUND_HALF_UP) for text, base, rate in written]
    gross = [amount(text) if given(text) else None for text in stated(rows.gross_amount)]
    sums = [None if base is None or extra is None else base + extra for base, extra in zip(net, tax, strict=True)]
    fixed = [total is None or found is None or abs(total - found) > reference.TOLERANCE for total, found in zip(sums, gross, strict=True)]
    made["net_amount"], made["tax_rate"], made["tax_amount"] = (objects(each, rows.index) for each in (net, rates, tax))
    made["gross_amount"] = objects(
        (total if repair else found for total, found, repair in zip(sums, gross, fixed, strict=True)), rows.index
    )
    made["gross_fixed"] = fixed
    made["discount_pct"] = objects(
        (Decimal(text.removesuffix("%")) if given(text) else Decimal(0) for text in stated(rows.discount)), rows.index
    )


def connect(schema: str) -> tuple[sa.Engine, sa.Table, sa.Table]:
    """Open the database and make the tables if they are not there."""
    engine = sa.create_engine(os.environ["BENCH_DATABASE"].replace("postgresql://", "postgresql+psycopg://"))
    metadata = sa.MetaData(schema=schema)
    columns = [sa.Column(name, kind, primary_key=name == "invoice_id") for name, kind in TYPES.items()]
    invoice = sa.Table("invoice", metadata, *columns)
    rejected = sa.Table("rejected", metadata, sa.Column("reason", Text), sa.Column("invoice_id", Text))
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
        metadata.create_all(connection)
    return engine, invoice, rejected


def load(file: Path, store: Path) -> dict[str, int]:
    """Convert the file chunk by chunk, and upsert what is new or changed."""
    engine, table, _ = connect(store.stem)

    def upsert(_: Any, connection: sa.Connection, keys: list[str], rows: Iterable[tuple[Any, ...]]) -> int:
        data = [dict(zip(keys, row, strict=True)) for row in rows]
        for each in data:
            each["line_items"] = json.loads(each["line_items"])
        statement = insert(table)
        fresh = statement.excluded
        changed = (table.c.row_hash != fresh.row_hash) & (fresh.updated_at >= table.c.updated_at)
        statement = statement.on_conflict_do_update(
            index_elements=["invoice_id"], set_={key: fresh[key] for key in keys if key != "invoice_id"}, where=changed
        )
        return connection.execute(statement, data).rowcount

    segments = pd.read_csv(file.parent / "customers.csv", dtype=str).set_index("customer_id").segment
    kept = 0
    for rows in pd.read_csv(file, dtype=str, keep_default_na=False, chunksize=100_000):
        good, bad = convert(rows, segments)
        good.to_sql("invoice", engine, schema=store.stem, if_exists="append", index=False, method=upsert, chunksize=1000)
        kept += len(good)
        bad.assign(reason="bad")[["reason", "invoice_id"]].to_sql("rejected", engine, schema=store.stem, if_exists="append", index=False)
    return {"kept": kept}


def export(store: Path, target: Path) -> None:
    """Write the table as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    engine, table, _ = connect(store.stem)
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
    for row in rows:
        row["line_items"] = json.dumps(row["line_items"])
    pq.write_table(pa.Table.from_pylist(rows), target)


if __name__ == "__main__":
    answer(load, export)
