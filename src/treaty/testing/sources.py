"""What every source must do, as tests: subclass :class:`SourceSuite` and give it a subject."""

from __future__ import annotations

import contextlib
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from treaty.connectors.interface import Arrival, CsvScan, Source, StreamRequest
from treaty.errors import RetryError, StopError
from treaty.project.declarations import Limits, Stream

SECRET = "canary-2f9d41c7"  # a subject that signs in uses this as its secret
ODD_TEXTS = ("plain", " spaces kept ", "quote \" ' `", "comma, semicolon; tab\t", "two\nlines", "é ß 漢 🙂 \u200b", "0012.50", "-0", "1e400", "NULL", "\\N")


class SourceSubject(ABC):
    """One real system, empty at first, and the connector that reads it."""

    stream: Stream
    pages: bool = True  # whether records put together may come as several arrivals
    has_limits: bool = True  # whether the system can hold records beyond `limits.record_bytes`
    bad_reasons: frozenset[str] = frozenset()  # the reasons of what `put_bad` puts; none where the system cannot hold bad records

    @abstractmethod
    def open(self) -> Source:
        """Open the connector anew, as after a restart."""

    @abstractmethod
    def put(self, records: Sequence[Mapping[str, str]]) -> None:
        """Make records with the fields ``id`` and ``text`` appear in the system, in one go."""

    def put_bad(self) -> None:
        """Make one bad record appear between two good ones with the ids ``before`` and ``after``."""
        raise NotImplementedError

    def field(self, record: Mapping[str, Any], name: str) -> Any:
        """Return a field of a record as :func:`records_of` gives it; documents may nest it."""
        return record.get(name)


def records_of(arrival: Arrival) -> list[dict[str, Any]]:
    """Consume an arrival's records: a dictionary each, parsed where they are documents, with ``_locator``."""
    if arrival.records is None:
        return []
    rows = arrival.records.exact() if isinstance(arrival.records, CsvScan) else arrival.records
    found = []
    for batch in rows.batches:
        for row in batch.to_pylist():
            document = json.loads(row["payload"]) if rows.columns is None else row
            found.append({**(document if isinstance(document, dict) else {"": document}), "_locator": row["_locator"]})
    return found


class Reader:
    """Reads as the lake does: each arrival is landed, with its cursor, before the next is asked for."""

    def __init__(self, subject: SourceSubject, limits: Limits | None = None) -> None:
        self.subject = subject
        self.limits = limits or Limits()
        self.cursor: Mapping[str, Any] = {}
        self.known: dict[str, str] = {}
        self.stamps: dict[str, str] = {}
        self.landed: list[dict[str, Any]] = []
        self.arrivals: list[Arrival] = []

    def request(self) -> StreamRequest:
        """Return the request of the next read."""
        return StreamRequest("system", "stream", "main", self.subject.stream, self.cursor, dict(self.known), self.limits, dict(self.stamps))

    def run(self, stop_after: int | None = None) -> list[Arrival]:
        """Read until nothing is left, or until so many arrivals have landed, as if the process died then."""
        arrivals = []
        reading = iter(self.subject.open().read(self.request()))
        for arrival in reading:
            self.landed += records_of(arrival)
            self.cursor = json.loads(json.dumps(arrival.cursor))
            self.known[arrival.origin] = arrival.sha256
            self.stamps[arrival.origin] = arrival.details.get("stamp", "-")
            arrivals.append(arrival)
            if stop_after is not None and len(arrivals) >= stop_after:
                break
        close = getattr(reading, "close", None)
        if close is not None:
            close()
        self.arrivals += arrivals
        return arrivals

    def ids(self) -> list[Any]:
        """Return the ids landed so far, in order."""
        return [self.subject.field(record, "id") for record in self.landed]


class SourceSuite:
    """Conformance of a source. ``gaps`` names the tests that a connector cannot pass, each with its reason."""

    gaps: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        """Give the system under test; override this."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _declared_gap(self, request: pytest.FixtureRequest) -> None:
        reason = self.gaps.get(request.node.originalname)
        if reason:
            pytest.xfail(reason)

    def test_check_passes_for_a_system_that_is_there(self, subject: SourceSubject) -> None:
        """A system that can be reached passes its check."""
        subject.open().check()

    def test_every_text_arrives_exactly(self, subject: SourceSubject) -> None:
        """What the system holds arrives character for character."""
        subject.put([{"id": f"{number:03}", "text": text} for number, text in enumerate(ODD_TEXTS)])
        reader = Reader(subject)
        reader.run()
        assert list(ODD_TEXTS) == [subject.field(record, "text") for record in sorted(reader.landed, key=lambda each: str(subject.field(each, "id")))]

    def test_an_arrival_tells_the_truth_about_its_bytes(self, subject: SourceSubject) -> None:
        """Hash and size are those of the content, and the cursor is JSON."""
        subject.put([{"id": "1", "text": "one"}])
        for arrival in subject.open().read(Reader(subject).request()):
            data = arrival.content if isinstance(arrival.content, bytes) else arrival.content.read_bytes()
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (arrival.sha256, arrival.size_bytes)
            assert json.loads(json.dumps(arrival.cursor)) == arrival.cursor
            assert arrival.origin

    def test_the_columns_are_the_interface_s(self, subject: SourceSubject) -> None:
        """Batches begin with ``_locator`` as int64 and hold strings; locators ascend and do not repeat."""
        subject.put([{"id": str(number), "text": "x"} for number in range(20)])
        seen = 0
        for arrival in subject.open().read(Reader(subject).request()):
            locators: list[int] = []
            rows = arrival.records.exact() if isinstance(arrival.records, CsvScan) else arrival.records
            if rows is None:  # an archive, beside its members
                assert [] == arrival.refusals
                continue
            for batch in rows.batches:
                expected = ("payload",) if rows.columns is None else rows.columns
                assert ["_locator", *expected] == [name for name in batch.schema.names if name != "_op"]
                assert {pa.int64()} == {batch.schema.field(0).type}
                assert {pa.string()} == {field.type for field in list(batch.schema)[1:]}
                locators += batch.column(0).to_pylist()
            assert sorted(set(locators)) == locators
            assert min(locators, default=1) >= 1
            seen += len(locators)
        assert seen == 20

    def test_reading_twice_gives_the_same(self, subject: SourceSubject) -> None:
        """From the same cursor the same arrivals come in the same order."""
        for start in (0, 10):
            subject.put([{"id": f"{number:03}", "text": f"t{number}"} for number in range(start, start + 10)])
        first, second = Reader(subject), Reader(subject)
        assert [(each.origin, each.sha256) for each in first.run()] == [(each.origin, each.sha256) for each in second.run()]
        assert first.landed == second.landed

    def test_nothing_new_is_nothing(self, subject: SourceSubject) -> None:
        """A second read of an unchanged system yields no arrival."""
        subject.put([{"id": str(number), "text": "same"} for number in range(5)])
        reader = Reader(subject)
        reader.run()
        assert [] == reader.run()

    def test_stopping_anywhere_loses_nothing(self, subject: SourceSubject) -> None:
        """After a stop behind each arrival, reading goes on from its cursor: no record is missing, none comes twice."""
        for start in (0, 7, 14):
            subject.put([{"id": f"{number:03}", "text": "tie"} for number in range(start, start + 7)])
        reader = Reader(subject)
        for _ in range(100):
            if not reader.run(stop_after=1):
                break
        else:
            pytest.fail("reading never comes to its end when it is stopped behind each arrival")
        assert [f"{number:03}" for number in range(21)] == sorted(reader.ids())

    def test_what_comes_later_is_read(self, subject: SourceSubject) -> None:
        """Records that appear after a read come with the next one."""
        subject.put([{"id": "1", "text": "early"}])
        reader = Reader(subject)
        reader.run()
        subject.put([{"id": "2", "text": "late"}])
        reader.run()
        assert "2" in reader.ids()
        assert [] == reader.run()

    def test_records_need_not_be_consumed(self, subject: SourceSubject) -> None:
        """The next arrival may be asked for without reading this one's records."""
        subject.put([{"id": "1", "text": "a"}])
        subject.put([{"id": "2", "text": "b"}])
        expected = len(Reader(subject).run())
        assert expected == len(list(subject.open().read(Reader(subject).request())))

    def test_a_bad_record_is_refused_and_the_rest_passes(self, subject: SourceSubject) -> None:
        """Bad data never raises: it is a refusal with reason, message and excerpt, and its neighbours arrive."""
        if not subject.bad_reasons:
            pytest.skip("the system cannot hold bad records")
        subject.put_bad()
        reader = Reader(subject)
        refusals = [refusal for arrival in reader.run() for refusal in arrival.refusals]
        assert {"before", "after"} == set(reader.ids())
        assert subject.bad_reasons == {refusal.reason for refusal in refusals}
        assert all(refusal.message and len(refusal.excerpt) <= 200 for refusal in refusals)

    def test_a_limit_is_named(self, subject: SourceSubject) -> None:
        """A record beyond a limit is refused in words that name the setting."""
        if not subject.has_limits:
            pytest.skip("the system bounds its records itself")
        subject.put([{"id": "1", "text": "small"}])
        subject.put([{"id": "2", "text": "x" * 5_000}])
        reader = Reader(subject, Limits(record_bytes=1_000))
        messages = [refusal.message for arrival in reader.run() for refusal in arrival.refusals]
        assert ["1"] == reader.ids()
        assert messages
        assert all("limits.record_bytes" in message for message in messages)

    def test_an_unusable_position_does_not_pass_for_a_good_one(self, subject: SourceSubject) -> None:
        """A foreign cursor is refused, or reading begins anew; records are never left out."""
        subject.put([{"id": "1", "text": "x"}])
        reader = Reader(subject)
        reader.cursor = {"foreign": ["?"]}
        with contextlib.suppress(StopError):
            reader.run()
            assert ["1"] == reader.ids()

    def test_an_unknown_setting_is_refused_with_the_nearest_name(self, subject: SourceSubject) -> None:
        """A misspelt setting of ``read`` stops with the name that was meant."""
        setting = next(iter(subject.stream.read))
        misspelt = replace(subject.stream, read={**subject.stream.read, f"{setting}x": "?"})
        subject.stream = misspelt
        with pytest.raises(StopError, match=f"'{setting}'"):
            Reader(subject).run()

    def test_no_secret_is_shown(self, subject: SourceSubject) -> None:
        """Neither the source nor its errors show a secret."""
        source = subject.open()
        assert SECRET not in repr(source)
        assert SECRET not in repr(vars(source) if hasattr(source, "__dict__") else source)
        told = ""
        try:
            source.check()
        except (StopError, RetryError) as error:
            told = str(error)
        assert SECRET not in told
