"""Parquet: typed values become texts that lose nothing, and hostile files cost a child process at most."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from treaty.project.declarations import Limits

INSTANT = dt.datetime(2026, 3, 1, 23, 30, 0, 123456, tzinfo=dt.timezone(dt.timedelta(hours=2)))


@pytest.fixture
def parquet(inbox: Any) -> Any:
    """A Parquet stream over the folder."""
    inbox.format = "parquet"
    return inbox


def file_of(table: pa.Table, **options: Any) -> bytes:
    made = io.BytesIO()
    pq.write_table(table, made, **options)
    return made.getvalue()


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (Decimal("0.00000012"), pa.decimal128(18, 8), "0.00000012"), (Decimal("-1234567890123456789012345678.90"), pa.decimal128(38, 2), "-1234567890123456789012345678.90"),
        (2**63 - 1, pa.int64(), "9223372036854775807"), (2**64 - 1, pa.uint64(), "18446744073709551615"), (0.1, pa.float64(), "0.1"),
        (0.1, pa.float32(), "0.1"), (1e-7, pa.float64(), "0.0000001"), (1e22, pa.float64(), "10000000000000000000000"), (12.0, pa.float64(), "12"),
        (True, pa.bool_(), "true"), (dt.date(2026, 1, 31), pa.date32(), "2026-01-31"), (dt.date(2026, 1, 31), pa.date64(), "2026-01-31"),
        (dt.datetime(2026, 1, 31, 12, 0, 1), pa.timestamp("s"), "2026-01-31T12:00:01.000"), (INSTANT, pa.timestamp("us", "Europe/Berlin"), "2026-03-01T21:30:00.123456Z"),
        (1, pa.timestamp("ns"), "1970-01-01T00:00:00.000000001"), (dt.time(1, 2, 3), pa.time32("s"), "01:02:03.000"), (b"\0\xff", pa.binary(), "AP8="),
        ([Decimal("1.10"), None], pa.list_(pa.decimal128(5, 2)), '["1.10", null]'), ({"a": [1]}, pa.struct([("a", pa.list_(pa.int8()))]), '{"a": [1]}'),
        ("x", pa.dictionary(pa.int8(), pa.string()), "x"), (None, pa.null(), None), (None, pa.int8(), None), ("", pa.string(), ""),
    ],
)  # fmt: skip
def test_each_type_becomes_a_text(value: Any, kind: pa.DataType, text: str | None, parquet: Any) -> None:
    """Numbers are plain decimals, times are ISO 8601, instants are UTC; null stays null and an empty text empty."""
    rows, refusals, _ = parquet.one(file_of(pa.table({"v": pa.array([value], kind)})))
    assert ([{"v": text}], []) == (rows, refusals)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "a\0b"])
def test_what_is_no_value_is_refused(value: Any, parquet: Any) -> None:
    """NaN, infinities and NUL refuse their row, whose neighbours pass (D4, D7)."""
    good = 1.5 if isinstance(value, float) else "good"
    rows, refusals, _ = parquet.one(file_of(pa.table({"v": [good, value, good]})))
    reason = "not-a-number" if isinstance(value, float) else "nul-character"
    assert (2, [(2, reason)]) == (len(rows), [(each.locator, each.reason) for each in refusals])


DAMAGE = {
    "truncated-footer": lambda data: data[:-6],
    "half": lambda data: data[: len(data) // 2],
    "signs-alone": lambda data: b"PAR1" * 5,
    "empty": lambda data: b"",
    "damaged-page": lambda data: data[:40] + b"\xff" * 40 + data[80:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_a_refusal(damage: Any, parquet: Any) -> None:
    """A truncated footer, a half file, no file and a damaged page are refused, and nothing raises (D17)."""
    data = file_of(pa.table({"v": [str(number) for number in range(1_000)]}), write_page_checksum=True)
    rows, refusals, _ = parquet.one(damage(data))
    assert ([], ["bad-parquet"]) == (rows, [each.reason for each in refusals])


def test_a_page_that_expands_costs_the_child_alone(parquet: Any) -> None:
    """A file that expands beyond the parser's memory is refused in words that name the limit (D17)."""
    table = pa.table({"v": pa.array(["x" * 1_000_000] * 900)})
    data = file_of(table, compression="zstd", use_dictionary=False, data_page_size=2**30, write_batch_size=900)
    parquet.limits = Limits(parser_megabytes=16)
    rows, refusals, _ = parquet.one(data)
    assert len(data) < 1_000_000
    assert ([], ["takes-too-much-memory"]) == (rows, [each.reason for each in refusals])
    assert "limits.parser_megabytes" in refusals[0].message


def test_time_is_limited(parquet: Any) -> None:
    """A file that takes more processor time than it may is refused where it stands, in words that name the limit."""
    parquet.limits = Limits(parser_seconds=1)
    rows, refusals, _ = parquet.one(file_of(pa.table({"v": [0.1 + number for number in range(3_000_000)]})))
    assert 0 < len(rows) < 3_000_000
    assert ["takes-too-long"] == [each.reason for each in refusals]
    assert "limits.parser_seconds" in refusals[0].message


def test_equal_column_names_are_told_apart(parquet: Any) -> None:
    """Two columns of one name get their number, as in CSV."""
    rows, _, _ = parquet.one(file_of(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])))
    assert [{"a [1]": "1", "a [2]": "2"}] == rows
