"""Parses Parquet into rows of texts; runs in the confined process alone."""

from __future__ import annotations

import base64
import datetime
import json
import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from treaty.connectors.batches import BATCH_ROWS, LOCATOR
from treaty.connectors.csv_records import unique_names
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.interface import Refusal
from treaty.errors import SetAsideError
from treaty.project.declarations import Limits

NOT_A_NUMBER = object()


def parse_parquet(path: str, settings: Mapping[str, Any], limits: Limits) -> Iterator[Any]:
    """Yield what was found out, then batches, with the refusals of single rows between them."""
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        if len(file.schema_arrow.names) > limits.fields:
            raise limit_exceeded(limits, "fields", f"{len(file.schema_arrow.names)} columns are more than")
        columns, renamed = unique_names(file.schema_arrow.names)
        details = {"rows": str(file.metadata.num_rows), "written_by": str(file.metadata.created_by or "")[:200]}
        yield {"columns": columns, "details": {**details, **({"renamed": "; ".join(renamed)} if renamed else {})}}
        at = 1
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
            yield from _rows(batch, columns, at, limits)
            at += batch.num_rows
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeError) as error:
        raise SetAsideError("bad-parquet", f"{str(error).splitlines()[0][:300].removesuffix('.')}.", remedy="Have it sent again.") from None


def _rows(batch: pa.RecordBatch, columns: tuple[str, ...], at: int, limits: Limits) -> Iterator[Any]:
    texts: list[pa.Array] = []
    bad: dict[int, tuple[str, str]] = {}
    for name, column in zip(columns, batch.columns, strict=True):
        array, strange = _as_text(column)
        array.validate(full=True)
        bad.update(dict.fromkeys(strange, ("not-a-number", f"{name} is NaN or infinite, which is no number. Have it sent as null.")))
        held = pc.fill_null(pc.match_substring(array, "\0"), False).to_numpy(zero_copy_only=False)
        bad.update({int(row): ("nul-character", f"{name} holds a NUL character, which databases do not take. Have it sent without.") for row in np.flatnonzero(held)})
        texts.append(array)
    if sum(each.nbytes for each in texts) > limits.record_bytes:
        sizes = sum(pc.fill_null(pc.binary_length(each), 0).to_numpy(zero_copy_only=False).astype(np.int64) for each in texts)
        error = limit_exceeded(limits, "record_bytes", "the record is larger than")
        bad.update({int(row): (error.reason, str(error)) for row in np.flatnonzero(sizes > limits.record_bytes)})
    for row, (reason, message) in sorted(bad.items()):
        shown = json.dumps({name: (each[row].as_py() or "")[:50] for name, each in zip(columns[:10], texts, strict=False)}, ensure_ascii=False)
        yield Refusal(at + row, reason, message, shown[:200])
    schema = pa.schema([(LOCATOR, pa.int64()), *((name, pa.string()) for name in columns)])
    made = pa.RecordBatch.from_arrays([pa.array(range(at, at + batch.num_rows), pa.int64()), *texts], schema=schema)
    if bad:
        made = made.filter(pa.array([row not in bad for row in range(batch.num_rows)]))
    if made.num_rows:
        yield made


def _as_text(column: pa.Array) -> tuple[pa.Array, list[int]]:
    """Return a column as strings, and the rows whose value is no number."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _as_text(column.dictionary_decode())
    if pa.types.is_string(kind):
        return column, []
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string()), []
    if pa.types.is_date32(kind):
        return column.cast(pa.string()), []
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string()), []
    if pa.types.is_timestamp(kind):
        plain = pa.timestamp(kind.unit)
        return pc.strftime(column.cast(pa.int64()).cast(plain), "%Y-%m-%dT%H:%M:%S" + ("Z" if kind.tz else "")), []
    if pa.types.is_time(kind):
        return column.cast(pa.string()), []
    texts: list[str | None] = []
    strange: list[int] = []
    spell = _speller(kind)
    for row, value in enumerate(column.to_pylist()):
        text = None if value is None else spell(value)
        if text is NOT_A_NUMBER:
            strange.append(row)
            text = None
        texts.append(text)
    return pa.array(texts, pa.string()), strange


def _speller(kind: pa.DataType) -> Callable[[Any], Any]:
    if pa.types.is_floating(kind):
        return lambda value: _number(value, kind.bit_width)
    if pa.types.is_decimal(kind):
        return lambda value: format(value, "f")
    if pa.types.is_date64(kind):
        return lambda value: value.isoformat()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return lambda value: base64.b64encode(value).decode()
    if pa.types.is_nested(kind):
        return _document
    return str


def _number(value: float, bits: int) -> Any:
    """Return the shortest decimal that means the same number, without an exponent."""
    if not math.isfinite(value):
        return NOT_A_NUMBER
    text = str(np.float32(value)) if bits == 32 else str(np.float16(value)) if bits == 16 else repr(value)
    return format(Decimal(text), "f").removesuffix(".0")


def _document(value: Any) -> Any:
    """Return a list or structure as JSON, its numbers and times as texts like those of columns."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_leaf, allow_nan=False)
    except ValueError:
        return NOT_A_NUMBER


def _leaf(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
