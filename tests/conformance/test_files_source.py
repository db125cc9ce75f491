"""The conformance suite over the connector `files`, once for each format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.workbooks import sheet_of, workbook

from treaty.connectors.files import CONNECTOR
from treaty.connectors.interface import Site, Source
from treaty.project.declarations import Stream, System
from treaty.testing import SourceSubject, SourceSuite


class FilesSubject(SourceSubject):
    """A folder; each `put` is a new file."""

    suffix = ""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.written = 0
        (root / "inbox").mkdir()

    def open(self) -> Source:
        assert CONNECTOR.open_source is not None
        return CONNECTOR.open_source(System(name="s", connector="files", connection={"folder": "inbox"}, streams={"s": self.stream}), Site(self.root))

    def file(self) -> Path:
        self.written += 1
        return self.root / "inbox" / f"{self.written:04}.{self.suffix}"


class CsvSubject(FilesSubject):
    """CSV files."""

    suffix = "csv"
    stream = Stream(format="csv", read={"files": "*.csv", "delimiter": ","})
    bad_reasons = frozenset({"ragged-row"})

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        with self.file().open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["id", "text"])
            writer.writeheader()
            writer.writerows(records)

    def put_bad(self) -> None:
        self.file().write_text("id,text\nbefore,x\nbad,x,y\nafter,z\n")


class JsonSubject(FilesSubject):
    """JSON documents, their records in an array below the top."""

    suffix = "json"
    stream = Stream(format="json", record="data", read={"files": "*.json"})
    bad_reasons = frozenset({"duplicate-key"})

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        self.file().write_text(json.dumps({"page": 1, "data": list(records), "more": None}), encoding="utf-8")

    def put_bad(self) -> None:
        self.file().write_text('{"data": [{"id": "before"}, {"id": "bad", "\\u0069d": "bad"}, {"id": "after"}]}')


class JsonLinesSubject(FilesSubject):
    """JSON Lines."""

    suffix = "jsonl"
    stream = Stream(format="jsonl", read={"files": "*.jsonl"})
    bad_reasons = frozenset({"bad-json"})

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        self.file().write_text("".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records), encoding="utf-8")

    def put_bad(self) -> None:
        self.file().write_text('{"id": "before"}\n{"id": bad}\n{"id": "after"}\n')


class XmlSubject(FilesSubject):
    """XML with a repeated record element."""

    suffix = "xml"
    stream = Stream(format="xml", record="n:record", namespaces={"n": "urn:n"}, read={"files": "*.xml"})
    bad_reasons = frozenset({"too-many-fields"})

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        told = "".join(f"<record><id>{escape(each['id'])}</id><text>{escape(each['text'])}</text></record>" for each in records)
        self.file().write_text(f"<records xmlns='urn:n'>{told}</records>", encoding="utf-8")

    def put_bad(self) -> None:
        many = "".join(f"<f{number}/>" for number in range(10_001))
        self.file().write_text(f"<r xmlns='urn:n'><record><id>before</id></record><record>{many}</record><record><id>after</id></record></r>")

    def field(self, record: Mapping[str, Any], name: str) -> Any:
        return record[f"n:{name}"][0]["#"]


class ParquetSubject(FilesSubject):
    """Parquet files."""

    suffix = "parquet"
    stream = Stream(format="parquet", read={"files": "*.parquet"})
    bad_reasons = frozenset({"not-a-number"})

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        pq.write_table(pa.Table.from_pylist([dict(each) for each in records]), self.file())

    def put_bad(self) -> None:
        pq.write_table(pa.table({"id": ["before", "bad", "after"], "n": [1.0, float("nan"), 2.0]}), self.file())


class ExcelSubject(FilesSubject):
    """Excel workbooks."""

    suffix = "xlsx"
    stream = Stream(format="excel", read={"files": "*.xlsx"})
    bad_reasons = frozenset({"formula-without-value"})

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        self.file().write_bytes(workbook(sheet_of([["id", "text"], *([each["id"], each["text"]] for each in records)])))

    def put_bad(self) -> None:
        bad = '<row r="3"><c r="A3"><f>B1</f></c></row>'
        self.file().write_bytes(workbook(sheet_of([["id"], ["before"]]) + bad + sheet_of([["after"]], 4)))


class ZipSubject(FilesSubject):
    """CSV files in zip archives."""

    suffix = "zip"
    stream = Stream(format="csv", read={"files": "*.zip", "delimiter": ","})
    bad_reasons = frozenset({"ragged-row"})

    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, ["id", "text"])
        writer.writeheader()
        writer.writerows(records)
        self.pack(text.getvalue())

    def put_bad(self) -> None:
        self.pack("id,text\nbefore,x\nbad,x,y\nafter,z\n")

    def pack(self, text: str) -> None:
        with zipfile.ZipFile(self.file(), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("export/rows.csv", text)


class GzipSubject(ZipSubject):
    """CSV files, each packed by gzip."""

    suffix = "csv.gz"
    stream = Stream(format="csv", read={"files": "*.csv.gz", "delimiter": ","})

    def pack(self, text: str) -> None:
        self.file().write_bytes(gzip.compress(text.encode()))


class TestCsvFiles(SourceSuite):
    """CSV files."""

    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        return CsvSubject(tmp_path)


class TestJsonFiles(SourceSuite):
    """JSON files."""

    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        return JsonSubject(tmp_path)


class TestJsonLinesFiles(SourceSuite):
    """JSON Lines files."""

    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        return JsonLinesSubject(tmp_path)


class TestXmlFiles(SourceSuite):
    """XML files."""

    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        return XmlSubject(tmp_path)


class TestParquetFiles(SourceSuite):
    """Parquet files."""

    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        return ParquetSubject(tmp_path)


class TestExcelFiles(SourceSuite):
    """Excel workbooks."""

    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        return ExcelSubject(tmp_path)


class TestZippedFiles(SourceSuite):
    """Zip archives."""

    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        return ZipSubject(tmp_path)


class TestGzippedFiles(SourceSuite):
    """Gzip files."""

    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        return GzipSubject(tmp_path)
