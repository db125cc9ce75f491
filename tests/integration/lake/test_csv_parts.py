"""A large CSV file in parts: what lands is what lands of the file in one piece."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.integration.lake.landings import MAIN, csv_arrival, csv_request, land_all, landed

from treaty.connectors import csv_survey
from treaty.connectors.csv_survey import Survey
from treaty.connectors.interface import Arrival, CsvScan
from treaty.lake.csv_parts import parts_of
from treaty.lake.scope import OneClient
from treaty.sessions import Session

OTHER = OneClient("other")
SEEN = "_locator, _source_key, _hash, c_amount, _late, _supersedes is null"
ROWS = [f'{n % 300},"a ""{n % 7}"",\n{"x" * (n % 50)}"\n' for n in range(900)]
TEXT = "id,amount\n" + "".join(ROWS)


def in_parts(arrival: Arrival, monkeypatch: pytest.MonkeyPatch) -> Arrival:
    """Let the arrival's file tell where some of its records begin, as a large one does."""
    monkeypatch.setattr(csv_survey, "_APART_BYTES", 1000)
    assert isinstance(arrival.records, CsvScan)
    data = arrival.records.path.read_bytes()
    survey = Survey([data[at : at + 997] for at in range(0, len(data), 997)], '"', 1000)
    arrival.records = replace(arrival.records, starts=tuple(survey.starts))
    return arrival


@pytest.fixture
def large(session: Session) -> Session:
    """A session of three threads, to which everything is large."""
    session.settings = replace(session.settings, land_batch_bytes=4, threads=3)
    return session


def landed_files(session: Session) -> list[Any]:
    """The files of the landed table, those that no commit knows included."""
    return sorted((session.data_path / "main" / "landed_erp__invoices").glob("*.parquet"))


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", "\r\n"), TEXT.removesuffix("\n")], ids=["lf", "crlf", "no last line end"])
def test_parts_land_as_the_whole(text: str, large: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First a file, then its rows in another order with one changed: places, hashes, repeats and chains are the same."""
    changed = text.replace('5,"a', '5,"b', 1)
    for version in (text, changed):
        whole, parted = csv_arrival(tmp_path, version), in_parts(csv_arrival(tmp_path, version), monkeypatch)
        assert isinstance(parted.records, CsvScan) and len(parts_of(parted.records, 3)) == 3
        first, second = land_all(large, csv_request(), whole), land_all(large, csv_request(), parted, scope=OTHER)
        assert (first.landed, first.unchanged) == (second.landed, second.unchanged)
    assert landed(large, SEEN, "_client = 'main'") == landed(large, SEEN, "_client = 'other'")
    assert (3,) == large.duck.execute("select current_setting('threads')::int").fetchone()


def test_lines_that_are_no_records_make_it_one_piece(large: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine passes over empty lines, so that a part has not the rows that its lines say: the file is read whole, and nothing stays behind."""
    text = TEXT.replace(ROWS[3], ROWS[3] + "\n", 1)
    land_all(large, csv_request(), in_parts(csv_arrival(tmp_path, text), monkeypatch))
    land_all(large, csv_request(), csv_arrival(tmp_path, text), scope=OTHER)
    assert landed(large, SEEN, "_client = 'main'") == landed(large, SEEN, "_client = 'other'")
    assert {900} == {count for (count,) in large.duck.execute("select max(_locator) from lake.landed_erp__invoices group by _client").fetchall()}
    known = {Path(path).name for (path,) in large.duck.execute("select data_file from ducklake_list_files('lake', 'landed_erp__invoices')").fetchall()}
    assert known == {path.name for path in landed_files(large)}


def test_a_row_that_the_engine_refuses_is_read_record_by_record(large: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whichever part it is: it is refused, the others land, and no thread goes on."""
    text = "id,amount\n" + "".join(f"{n},{n}\n" for n in range(1000)) + "ragged\n" + "".join(f"{n},{n}\n" for n in range(1000, 1200))
    before = threading.active_count()
    result = land_all(large, csv_request(), in_parts(csv_arrival(tmp_path, text), monkeypatch))
    assert (1201, 1) == (result.landed, result.refused)
    assert before == threading.active_count()


@pytest.mark.parametrize("most", [1, 2, 3, 50])
def test_parts_are_whole_records_and_all_of_them(most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each begins where the one before ends, at a record, and knows its number; the header is in the first alone."""
    scan = in_parts(csv_arrival(tmp_path, TEXT), monkeypatch).records
    assert isinstance(scan, CsvScan)
    parts, data = parts_of(scan, most), scan.path.read_bytes()
    assert len(parts) == min(most, len(scan.starts) + 1)
    assert (0, len(data), None) == (parts[0].first_byte, parts[-1].end_byte, parts[-1].records)
    assert all(before.end_byte == after.first_byte and before.first_record + (before.records or 0) == after.first_record for before, after in pairwise(parts))
    assert [True] + [False] * (len(parts) - 1) == [part.scan.header for part in parts]
    for part in parts[1:]:
        assert data[part.first_byte :].startswith(ROWS[part.first_record - 1].encode())


def test_other_clients_are_not_seen_in_parts(large: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another client has landed makes nothing the same (I8)."""
    assert 900 == land_all(large, csv_request(""), in_parts(csv_arrival(tmp_path, TEXT), monkeypatch), scope=OTHER).landed
    assert 900 == land_all(large, csv_request(""), in_parts(csv_arrival(tmp_path, TEXT), monkeypatch), scope=MAIN).landed
