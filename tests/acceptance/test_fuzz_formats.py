"""Inputs made by Hypothesis, well-formed and broken, of every format through land and conform: nothing raises, and the sums hold after each batch (D20; I2, I10)."""

from __future__ import annotations

import importlib
import io
import itertools
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile_project import write, write_project
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.cases.hostile import edifact, x12
from tests.workbooks import sheet_of, workbook

import treaty
from treaty.lake.names import lake_table
from treaty.operations.workspace import find_workspace

SEED = int(os.environ.get("TREATY_SEED", "20261126"))
BATCH = 20_000  # inputs a run
SLOWEST_SECONDS = 0.05  # of processor time an input, on average

# ---- values

ODD = st.sampled_from(
    ["", " ", "0", "-0", "1e400", "NaN", "1,5", "9" * 40, "2026-02-29", "2026-03-29T02:30:00", "é", "e\u0301", "\u200b", "\u202e", "🙂", "'", '"', ";", "|", "\\",
     "\n", "\r", "\t", "\0", "\x1a", "=1+1", "null", "NULL", "<", "&", "]]>", "?'", "+", "*", "~", "x" * 300]
)  # fmt: skip
TEXTS = st.one_of(ODD, st.text(max_size=12), st.lists(ODD, max_size=4).map("".join))
KEYS = st.one_of(st.integers(0, 400).map(str), TEXTS)
NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.decimals(allow_nan=False)).map(str)
RECORDS = st.fixed_dictionaries({"id": KEYS}, optional={"text": TEXTS, "amount": st.one_of(NUMBERS, ODD), "day": st.one_of(st.dates().map(str), ODD), "at": TEXTS})
CHANCE = st.integers(0, 2**32).map(random.Random)
CHANGES = ("put", "insert", "remove", "cut", "repeat")


def changed(content: bytes, chance: random.Random) -> bytes:
    """Return bytes with up to three changes, so that what comes out is near to what is well-formed."""
    found = bytearray(content)
    for _ in range(chance.choice((0, 0, 1, 2, 3))):
        at, how, more = chance.randint(0, len(found)), chance.choice(CHANGES), chance.randbytes(chance.randint(1, 3))
        if how == "cut":
            del found[at:]
        elif how == "repeat":
            found[at:at] = found[at : at + 40]
        else:
            found[at : at + (0 if how == "insert" else 1)] = b"" if how == "remove" else more
    return bytes(found)


# ---- files: each format's strategy, and how many inputs one file is

LINES = 20  # of a file of lines
CSV_FIELDS = ("id", "text", "amount", "day", "at")
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)), max_leaves=6
)


def csv_line(record: dict[str, str]) -> str:
    """Return a line, its fields quoted only where the reader would otherwise part them, and not always then."""
    told = [record.get(name, "") for name in CSV_FIELDS]
    return ";".join('"' + each.replace('"', '""') + '"' if len(each) % 3 and set(each) & set(';"\r\n') else each for each in told)


def crossed(records: Sequence[dict[str, str]], chance: random.Random) -> Iterator[dict[str, str]]:
    """Yield so many records as a file of lines has, each with the fields of several."""
    for _ in range(LINES):
        yield {name: value for name in CSV_FIELDS if (value := chance.choice(records).get(name)) is not None}


def csv_file(records: Sequence[dict[str, str]], chance: random.Random) -> bytes:
    """Return a file of one line a record."""
    return b"\n".join([b"id;text;amount;day;at", *(changed(csv_line(each).encode("utf-8", "surrogatepass"), chance) for each in crossed(records, chance))])


def jsonl_file(records: Sequence[dict[str, str]], more: Any, chance: random.Random) -> bytes:
    """Return a file of one line a value: records, and one in which something else stands."""
    values = [*crossed(records, chance)]
    values[0] = {**values[0], "text": more} if chance.random() < 0.5 else more
    return b"\n".join(changed(json.dumps(each, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass"), chance) for each in values)


def json_file(record: Any, more: Any) -> bytes:
    """Return a document of two records."""
    return json.dumps({"data": [record, more], "next": None}).encode()


def xml_file(records: Sequence[dict[str, str]]) -> bytes:
    """Return a document of records; not every sign in them is escaped."""
    told = ("".join(f"<{name}>{text.replace('&', '&amp;').replace('<', '&lt;') if len(text) % 4 else text}</{name}>" for name, text in each.items()) for each in records)
    return f"<all>{''.join(f'<r>{each}</r>' for each in told)}</all>".encode("utf-8", "surrogatepass")


def parquet_file(records: Sequence[dict[str, str]], kind: Any) -> bytes:
    """Return a file of texts, with one column of another type."""
    made = io.BytesIO()
    texts = {name: [each.get(name, "").encode("utf-8", "replace").decode() for each in records] for name in CSV_FIELDS}
    pq.write_table(pa.table({**texts, "amount": pa.array([None if at % 3 else at for at in range(len(records))], kind)}), made)
    return made.getvalue()


def excel_file(records: Sequence[dict[str, str]]) -> bytes:
    """Return a workbook of texts, those that XML cannot have left out."""
    rows = [["".join(sign for sign in each.get(name, "") if sign.isprintable()) for name in CSV_FIELDS] for each in records]
    return workbook(sheet_of([list(CSV_FIELDS), *rows]))


def segments(record: dict[str, str], of: Any) -> str:
    """Return the segments of an EDI message with a record's fields as they are, separators and all."""
    return str(of(record["id"], record.get("text", ""), record.get("amount", ""), record.get("day", "")))


FEW = st.lists(RECORDS, min_size=1, max_size=3)
KINDS = st.sampled_from([pa.float64(), pa.int64(), pa.decimal128(20, 2), pa.date32(), pa.timestamp("us", "UTC")])
PIECES = st.lists(
    st.sampled_from([b"UNB+UNOA:3+A+B+1:2+1'", b"UNZ+1+1'", b"UNH+1+ORDERS'", b"UNT+2+1'", b"UNO+1+1+1+3'", b"UNA:+.? '", b"'", b"?", b"\xff", b"\0"]), max_size=12
).map(b"".join)


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """A format: the strategy of a file, how many inputs a file is, and its share of all inputs in thousandths."""

    files: st.SearchStrategy[bytes]
    inputs: int
    share: int


FUZZED = {
    "csv": Fuzzed(st.builds(csv_file, FEW, CHANCE), LINES, 340),
    "jsonl": Fuzzed(st.builds(jsonl_file, FEW, JSON, CHANCE), LINES, 340),
    "json": Fuzzed(st.builds(changed, st.builds(json_file, RECORDS, JSON), CHANCE), 1, 95),
    "xml": Fuzzed(st.builds(changed, FEW.map(xml_file), CHANCE), 1, 95),
    "edifact": Fuzzed(
        st.builds(
            changed,
            st.one_of(FEW.map(lambda records: edifact.interchange(*(segments(each, edifact.message) for each in records)).encode("utf-8", "replace")), PIECES),
            CHANCE,
        ), 1, 65,
    ),
    "x12": Fuzzed(
        st.builds(changed, FEW.map(lambda records: x12.interchange(*(segments(each, x12.order) for each in records)).encode("utf-8", "replace")), CHANCE), 1, 60
    ),
    "parquet": Fuzzed(st.builds(changed, st.builds(parquet_file, FEW, KINDS), CHANCE), 1, 3),
    "excel": Fuzzed(st.builds(changed, FEW.map(excel_file), CHANCE), 1, 2),
}  # fmt: skip


def files_of(fuzzed: Fuzzed, number: int, salt: int) -> list[bytes]:
    """Return so many different files, the same for the same seed."""
    found: dict[bytes, None] = {}

    @seed(SEED + salt)
    @settings(max_examples=number, phases=(Phase.generate,), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(fuzzed.files)
    def draw(content: bytes) -> None:
        found.setdefault(content)

    draw()
    return list(found)


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        pytest.param(300, ("csv", "jsonl", "xml"), id="few"),
        pytest.param(int(os.environ.get("TREATY_FUZZ", "100000")), tuple(FUZZED), id="many", marks=pytest.mark.slow),
    ],
)
def test_whatever_comes_in_is_accounted_for(inputs: int, names: Sequence[str], tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file has its receipt, no run fails, no batch takes long, and `verify` holds after each."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    formats = [replace(importlib.import_module(f"tests.cases.hostile.{name}").FORMAT, cases=()) for name in names]
    write_project(tmp_path, [replace(each, streams=dict([next(iter(each.streams.items()))])) for each in formats])
    done = files = 0
    for batch in itertools.count():
        if done >= inputs:
            break
        size, written, before = min(BATCH, inputs - done), 0, done
        for kind in formats:
            fuzzed = FUZZED[kind.name]
            for number, content in enumerate(files_of(fuzzed, max(1, size * fuzzed.share // 1_000 // fuzzed.inputs), batch)):
                write(tmp_path / "inbox" / kind.name / f"{batch}-{number}.{kind.suffix}", content)
                written, done = written + 1, done + fuzzed.inputs
        began = time.process_time()
        result = treaty.run(tmp_path)
        assert result.ok, [flow.problems for flow in result.flows]
        assert () == treaty.verify(tmp_path).problems
        assert time.process_time() - began < 30 + SLOWEST_SECONDS * (done - before)
        with find_workspace(tmp_path).open() as session:
            (told,) = session.duck.execute(f"select count(distinct origin) from {lake_table('receipt')} where origin like '%/{batch}-%'").fetchone() or (0,)
        assert written == told
        shutil.rmtree(tmp_path / "inbox")
        for kind in formats:
            (tmp_path / "inbox" / kind.name).mkdir(parents=True)
        files += written
        print(f"{done} inputs in {files} files; the last {written} files took {time.process_time() - began:.0f} s of processor time", flush=True)
