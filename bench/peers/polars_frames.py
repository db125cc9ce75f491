"""Polars: scan the CSV, convert it with expressions, and keep a Parquet file that is rewritten where something changed."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
from polars import col, lit, when

import reference
from peers.commands import answer, make_durable

MONEY = pl.Decimal(14, 2)
LINES = pl.List(pl.Struct({"sku": pl.String, "desc": pl.String, "qty": pl.Int64, "unit_price": pl.String}))
EMAIL = r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$"


def stated(expression: pl.Expr) -> pl.Expr:
    """Trimmed text, or null where it says that there is no value."""
    trimmed = expression.str.strip_chars()
    return when(trimmed.str.to_lowercase().is_in(list(reference.UNSTATED))).then(None).otherwise(trimmed)


def squeeze(expression: pl.Expr) -> pl.Expr:
    """Text with every run of white space as one blank."""
    return expression.str.replace_all(r"\s+", " ").str.strip_chars()


def day(expression: pl.Expr) -> pl.Expr:
    """A date by its third character."""
    third = expression.str.slice(2, 1)
    return (
        when(third == ".").then(expression.str.to_date("%d.%m.%Y", strict=False))
        .when(third == "/").then(expression.str.to_date("%m/%d/%Y", strict=False))
        .otherwise(expression.str.to_date("%Y-%m-%d", strict=False))
    )  # fmt: skip


def cents(expression: pl.Expr) -> pl.Expr:
    """An amount in cents, which is faster here than a decimal."""
    text = expression.str.strip_chars()
    negative = text.str.starts_with("(") | text.str.starts_with("-")
    bare = text.str.strip_chars("()-$€£")
    european = bare.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    plain = when(bare.str.slice(-3, 1) == ",").then(european).otherwise(bare.str.replace_all(",", "", literal=True))
    valid = when(plain.str.contains(r"^\d+(\.\d+)?$")).then(plain).otherwise(None)
    found = (valid.cast(pl.Float64, strict=False) * 100).round().cast(pl.Int64)
    return when(negative).then(-found).otherwise(found)


def money(expression: pl.Expr) -> pl.Expr:
    """Cents as a decimal."""
    return (expression.cast(pl.Decimal(16, 2)) / 100).cast(MONEY)


def parse(source: pl.LazyFrame) -> pl.LazyFrame:
    """Add what each column says by itself."""
    rate = stated(col("tax_rate"))
    updated = col("updated_at").str.strip_chars()
    items = when(col("line_items").str.ends_with("]")).then(col("line_items")).otherwise(None)
    return source.with_columns(
        invoice_id=col("invoice_id").str.strip_chars().str.to_uppercase(),
        customer_id=col("customer_id").str.strip_chars().str.to_uppercase().str.replace("-", "", literal=True),
        name=squeeze(col("customer_name")),
        address=stated(col("customer_email")).str.to_lowercase().str.strip_prefix("mailto:"),
        country_code=col("country").str.strip_chars().str.to_lowercase().replace_strict(reference.COUNTRY_CODES, default="ZZ"),
        digits=stated(col("customer_phone")).str.replace_all("(0)", "", literal=True).str.replace_all(r"[^0-9+]", ""),
        issued=day(col("invoice_date").str.strip_chars()),
        written_due=stated(col("due_date")),
        written_paid=stated(col("paid_date")),
        terms=stated(col("payment_terms")).str.to_lowercase(),
        currency=col("currency").str.strip_chars().str.to_uppercase().replace(reference.CURRENCY_SIGNS),
        net=cents(col("net_amount")),
        written_rate=rate,
        rate_number=rate.str.strip_chars("%").cast(pl.Float64, strict=False),
        written_tax=stated(col("tax_amount")),
        written_gross=stated(col("gross_amount")),
        discount=stated(col("discount")).str.strip_chars("%"),
        status=col("status")
        .str.strip_chars()
        .str.to_lowercase()
        .str.replace_all("-", " ", literal=True)
        .replace_strict(reference.STATUSES, default="unknown"),
        items=items.str.json_decode(LINES),
        updated_at=when(updated.str.contains(r"^\d+$"))
        .then(pl.from_epoch(updated.cast(pl.Int64, strict=False), "s").dt.replace_time_zone("UTC"))
        .otherwise(updated.str.replace("Z", "+00:00", literal=True).str.to_datetime("%Y-%m-%dT%H:%M:%S%z", strict=False, time_zone="UTC")),
    )


def derive(parsed: pl.LazyFrame) -> pl.LazyFrame:
    """Add what needs more than one column, and the reason why a row is rejected."""
    percent = col("written_rate").str.ends_with("%") | (col("rate_number") > 1)
    dial = col("country_code").replace_strict(reference.DIALLING_CODES, default=None)
    frame = parsed.with_columns(
        terms_days=when(col("terms") == "due on receipt").then(0).otherwise(col("terms").str.extract(r"(\d+)(?:\s*days)?$", 1).cast(pl.Int32, strict=False).fill_null(30)),
        rate=(when(percent).then(col("rate_number") * 100).otherwise(col("rate_number") * 10_000)).round().cast(pl.Int64).fill_null(0),
        gross=cents(col("written_gross")),
        paid=day(col("written_paid")),
        phone=when(col("digits").str.starts_with("+")).then(col("digits"))
        .when(col("digits").str.starts_with("00")).then("+" + col("digits").str.slice(2))
        .otherwise("+" + dial + col("digits").str.strip_chars_start("0")),
    ).with_columns(
        due=when(col("written_due").is_null()).then(col("issued") + pl.duration(days=col("terms_days"))).otherwise(day(col("written_due"))),
        tax=when(col("written_tax").is_null()).then((col("net").abs() * col("rate") + 5000) // 10_000 * col("net").sign()).otherwise(cents(col("written_tax"))),
    )  # fmt: skip
    return frame.with_columns(
        repaired=col("gross").is_null() | ((col("net") + col("tax") - col("gross")).abs() > 2),
        reason=when(~col("invoice_id").str.contains(r"^INV-\d{8}$")).then(lit("bad_invoice_id"))
        .when(~col("customer_id").str.contains(r"^C\d{6}$")).then(lit("bad_customer_id"))
        .when(col("issued").is_null() | col("due").is_null() | (col("written_paid").is_not_null() & col("paid").is_null())).then(lit("bad_date"))
        .when(~col("currency").is_in(list(reference.CURRENCIES))).then(lit("bad_currency"))
        .when(col("net").is_null() | col("tax").is_null() | (col("written_gross").is_not_null() & col("gross").is_null())).then(lit("bad_amount"))
        .when(col("items").is_null()).then(lit("bad_line_items"))
        .when(col("updated_at").is_null()).then(lit("bad_timestamp")),
    )  # fmt: skip


def select(derived: pl.LazyFrame, customers: pl.LazyFrame) -> pl.LazyFrame:
    """Return the canonical invoices, the newest of each."""
    member = pl.element().struct
    price = (member.field("unit_price").cast(pl.Float64) * 100).round().cast(pl.Int64)
    lines = col("items").list.eval(
        pl.struct(
            sku=member.field("sku").str.to_uppercase(), desc=member.field("desc").str.strip_chars(), qty=member.field("qty"),
            unit_price=money(price), amount=money(price * member.field("qty")),
        )
    )  # fmt: skip
    parts = col("name").str.split(", ")
    email = when(col("address").str.contains(EMAIL)).then(col("address")).otherwise(None)
    return (
        derived.join(customers, on="customer_id", how="left")
        .select(
            "invoice_id", "customer_id",
            customer_name=when(parts.list.len() == 2).then(parts.list.get(1, null_on_oob=True) + " " + parts.list.get(0)).otherwise(col("name")),
            customer_email=email,
            email_valid=email.is_not_null(),
            customer_phone=when(col("phone").str.len_chars().is_between(9, 16)).then(col("phone")).otherwise(None),
            country_code="country_code",
            street=squeeze(col("billing_street")),
            city=squeeze(col("billing_city")),
            postal_code=col("billing_zip").str.strip_chars().str.to_uppercase(),
            invoice_date="issued",
            due_date="due",
            paid_date="paid",
            currency="currency",
            net_amount=money(col("net")),
            tax_rate=(col("rate").cast(pl.Decimal(16, 4)) / 10_000).cast(pl.Decimal(6, 4)),
            tax_amount=money(col("tax")),
            gross_amount=money(when(col("repaired")).then(col("net") + col("tax")).otherwise(col("gross"))),
            gross_fixed="repaired",
            discount_pct=col("discount").cast(pl.Decimal(6, 2), strict=False).fill_null(0),
            status=when((col("status") == "open") & (col("due") < reference.AS_OF)).then(lit("overdue")).otherwise(col("status")),
            po_number=stated(col("po_number")).str.to_uppercase(),
            sales_rep=squeeze(col("sales_rep")),
            terms_days="terms_days",
            line_items=lines,
            line_count=col("items").list.len(),
            line_total=money(col("items").list.eval(price * member.field("qty")).list.sum()),
            notes=stated(col("notes")),
            customer_segment=col("segment").fill_null("unknown"),
            updated_at="updated_at",
        )
        .sort("updated_at", descending=True)
        .unique("invoice_id", keep="first", maintain_order=False)
        .with_columns(row_hash=pl.struct(pl.all().exclude("line_items"), col("line_items").hash(7)).hash(7))
    )  # fmt: skip


def load(file: Path, store: Path) -> dict[str, int]:
    """Convert the file; rewrite the store where something is new or changed."""
    derived = derive(parse(pl.scan_csv(file, infer_schema=False, empty_string_is_null=False)))
    customers = pl.scan_csv(file.parent / "customers.csv", infer_schema=False).select("customer_id", "segment")
    fresh, bad = pl.collect_all(
        [
            select(derived.filter(col("reason").is_null()), customers),
            derived.filter(col("reason").is_not_null()).select("reason", "invoice_id"),
        ]
    )
    if store.exists():
        known = pl.scan_parquet(store)
        marks = known.select("invoice_id", known_hash="row_hash", known_at="updated_at")
        changed = col("known_hash").is_null() | ((col("known_hash") != col("row_hash")) & (col("updated_at") >= col("known_at")))
        fresh = fresh.lazy().join(marks, on="invoice_id", how="left").filter(changed).drop("known_hash", "known_at").collect()
        whole = (
            pl.concat([known.join(fresh.lazy().select("invoice_id"), on="invoice_id", how="anti"), fresh.lazy()]).collect()
            if fresh.height
            else None
        )
    else:
        whole = fresh
    if whole is not None:
        made = store.with_suffix(".new")
        whole.write_parquet(made)
        make_durable(made)
        os.replace(made, store)
    rejected = store.with_name("rejected.parquet")
    bad.write_parquet(rejected)
    make_durable(rejected)
    return {"written": fresh.height}


def export(store: Path, target: Path) -> None:
    """Write the invoices as Parquet."""
    pl.scan_parquet(store).drop("row_hash").collect().write_parquet(target)


if __name__ == "__main__":
    answer(load, export)
