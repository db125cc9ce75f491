"""Hostile Parquet files."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.cases.hostile import Case, Format, good


def file_of(name: str, column: str = "text", values: Any = (None,), kind: pa.DataType | None = None, **options: Any) -> bytes:
    """Return a file with a record for each value of one column."""
    made = io.BytesIO()
    ids = [f"{name}{number}" for number in range(len(values))]
    pq.write_table(pa.table({"id": ids, column: pa.array(values, kind)}), made, **options)
    return made.getvalue()


WHOLE = file_of("pw", "text", [str(number) for number in range(1_000)], write_page_checksum=True)
DAY = dt.datetime(2026, 3, 29, 2, 30)
CASES = [
    Case("huge-value", "D1", file_of("ph", "text", ["a", "x" * 70_000, "b"]), ["canonical", "record-too-large", "canonical"]),
    Case("nul", "D4", file_of("pn", "text", ["a", "b\0c"]), ["canonical", "nul-character"]),
    Case("invalid-utf-8", "D4", file_of("pu", "text", ["abcdefgh"], compression="none").replace(b"abcdefgh", b"abc\xff\xfeefg"), ["bad-parquet"]),
    Case("no-numbers", "D7", file_of("pf", "amount", [1.5, float("nan"), float("inf"), -float("inf")]), [good(amount="1.50"), *["not-a-number"] * 3]),
    Case("minus-zero", "D7", file_of("pz", "amount", [-0.0]), [good(amount="0.00")]),
    Case("small-float", "D7", file_of("pe", "amount", [1e-300, 1e300]), ["null: too-many-digits", "null: overflow"]),
    Case("large-decimal", "D7",
         file_of("pd", "amount", [Decimal("1234567890123456.70"), Decimal("9" * 36 + ".99")], pa.decimal128(38, 2)), [good(amount="1234567890123456.70"), "null: overflow"]),
    Case("unsigned", "D7", file_of("pi", "amount", [2**64 - 1], pa.uint64()), ["null: overflow"]),
    Case("equal-columns", "D13", b"", ["bad-parquet"]),
    Case("local-instant", "D14", file_of("pl", "at", [DAY], pa.timestamp("us")), ["null: no-zone"]),
    Case("instant", "D14", file_of("pt", "at", [DAY], pa.timestamp("us", "UTC")), [good(at="2026-03-29 02:30:00+00")]),
    Case("far-days", "D14", file_of("py", "day", [dt.date(1, 1, 1), dt.date(9999, 12, 31)]), [good(day="0001-01-01"), good(day="9999-12-31")]),
    Case("day-beyond", "D14", file_of("pb", "day", [3_000_000, -800_000], pa.int32()), ["null: not-a-date"] * 2),
    Case("no-key", "D16", file_of("", "text", ["a"]).replace(b"0", b"0"), [good(code="0")]),
    Case("truncated-footer", "D17", WHOLE[:-6], ["bad-parquet"]),
    Case("half", "D17", WHOLE[: len(WHOLE) // 2], ["bad-parquet"]),
    Case("signs-alone", "D17", b"PAR1" * 5, ["bad-parquet"]),
    Case("empty", "D17", b"", ["bad-parquet"]),
    Case("wrong-checksum", "D17", WHOLE[:40] + b"\xff" * 40 + WHOLE[80:], ["bad-parquet"]),
    Case("another-format", "D17", b"id;text\n1;a\n", ["bad-parquet"]),
    Case("no-rows", "D17", file_of("p0", "text", []), []),
    Case("nested", "D3", file_of("ps", "text", [{"a": {"b": [1]}}]), [good(text='{"a": {"b": [1]}}')]),
]
FORMAT = Format(
    "parquet", "parquet", {"parquet": "key: [id], read: {"},
    {"code": "id", "text": "text", "amount": "to_decimal(amount, 18, 2)", "day": "iso_date(day)", "at": "iso_timestamp(at)"}, CASES,
)  # fmt: skip
