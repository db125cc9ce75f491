"""What every sink must do, as tests: subclass :class:`SinkSuite` and give it a subject."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from treaty.connectors.interface import CanLookUp, DeliveryItem, ItemResult, Sink, WriteRequest
from treaty.errors import StopError
from treaty.project.declarations import Stream
from treaty.testing.sources import ODD_TEXTS, SECRET

COLUMNS: Mapping[str, str] = {"id": "string", "text": "string", "amount": "decimal(18,2)"}


class SinkSubject(ABC):
    """One real system that can hold records of ``id``, ``text`` and ``amount`` (at most two decimals, below 10^16)."""

    stream: Stream
    modes: frozenset[str] = frozenset({"upsert"})
    operations: frozenset[str] = frozenset({"upsert", "delete"})
    guards_deletes: bool = False  # whether an old version stays out after a delete

    @abstractmethod
    def open(self) -> Sink:
        """Open the connector anew, as after a restart."""

    @abstractmethod
    def rows(self) -> list[dict[str, Any]]:
        """Return what the system holds: ``id``, ``text``, ``amount`` (a Decimal or None), and ``archived`` where it can archive."""

    def put(self, id: str, text: str) -> None:
        """Put a row into the system that Treaty has not written, without a version."""
        raise NotImplementedError

    def request(self, mode: str = "upsert") -> WriteRequest:
        """Return the request to write with."""
        return WriteRequest("system", "stream", "main", self.stream, ("id",), mode, COLUMNS)


def item(id: str, version: int, text: str | None = "text", amount: Any = None, op: Literal["upsert", "delete", "archive"] = "upsert") -> DeliveryItem:
    """Return a delivery of the suite's record."""
    return DeliveryItem(id, version, op, f"message-{id}-{version}", {"id": id, "text": text, "amount": amount})


class SinkSuite:
    """Conformance of a sink. ``gaps`` names the tests that a connector cannot pass, each with its reason."""

    gaps: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def subject(self, tmp_path: Path) -> SinkSubject:
        """Give the system under test; override this."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _declared_gap(self, request: pytest.FixtureRequest) -> None:
        reason = self.gaps.get(request.node.originalname)
        if reason:
            pytest.xfail(reason)

    @staticmethod
    def states(results: Any) -> list[str]:
        """Return the states of results, in their order."""
        return [each.state for each in results]

    def test_the_modes_are_those_promised(self, subject: SinkSubject) -> None:
        """A sink names the delivery modes that it keeps, and refuses others before anything is written."""
        sink = subject.open()
        sink.check()
        assert subject.modes == sink.modes
        with pytest.raises(StopError):
            sink.write(subject.request("at-most-once"), [item("1", 1)])
        assert [] == subject.rows()

    def test_each_item_has_its_result_in_order(self, subject: SinkSubject) -> None:
        """One result an item, in the order of the items."""
        results = subject.open().write(subject.request(), [item("b", 1), item("a", 1), item("c", 1)])
        assert ["b", "a", "c"] == [each.delivery_key for each in results]
        assert {ItemResult} == {type(each) for each in results}
        assert ["acknowledged"] * 3 == self.states(results)

    def test_no_items_is_no_work(self, subject: SinkSubject) -> None:
        """An empty batch gives no results."""
        assert [] == list(subject.open().write(subject.request(), []))

    def test_values_arrive_exactly(self, subject: SinkSubject) -> None:
        """Texts arrive character for character, amounts to the digit, null as null."""
        items = [item(f"{number:03}", 1, text, Decimal("1234567890123456.70")) for number, text in enumerate(ODD_TEXTS)]
        subject.open().write(subject.request(), [*items, item("999", 1, None, None)])
        rows = sorted(subject.rows(), key=lambda each: str(each["id"]))
        assert [*ODD_TEXTS, None] == [row["text"] for row in rows]
        assert [Decimal("1234567890123456.70")] * len(ODD_TEXTS) + [None] == [row["amount"] for row in rows]

    def test_the_same_again_changes_nothing(self, subject: SinkSubject) -> None:
        """A replay of the same messages is acknowledged and has no effect."""
        batch = [item("1", 1, "one"), item("2", 1, "two")]
        subject.open().write(subject.request(), batch)
        before = subject.rows()
        assert ["acknowledged"] * 2 == self.states(subject.open().write(subject.request(), batch))
        assert before == subject.rows()

    def test_a_newer_version_replaces(self, subject: SinkSubject) -> None:
        """A higher version is written over a lower one."""
        subject.open().write(subject.request(), [item("1", 1, "old")])
        subject.open().write(subject.request(), [item("1", 2, "new")])
        assert ["new"] == [row["text"] for row in subject.rows()]

    def test_an_older_version_never_replaces(self, subject: SinkSubject) -> None:
        """A lower version that comes later is coalesced, and nothing changes."""
        subject.open().write(subject.request(), [item("1", 5, "newer")])
        assert ["coalesced", "acknowledged"] == self.states(subject.open().write(subject.request(), [item("1", 4, "older"), item("2", 1)]))
        assert "newer" in [row["text"] for row in subject.rows()]

    def test_two_versions_in_one_batch_end_at_the_newer(self, subject: SinkSubject) -> None:
        """In whichever order they stand."""
        for first, second in ((1, 2), (4, 3)):
            results = subject.open().write(subject.request(), [item("1", first, f"v{first}"), item("1", second, f"v{second}")])
            assert {"acknowledged", "coalesced"} == set(self.states(results))
            assert [f"v{max(first, second)}"] == [row["text"] for row in subject.rows()]

    def test_what_was_there_before_is_taken_over(self, subject: SinkSubject) -> None:
        """A row that Treaty has not written is updated, not doubled."""
        subject.put("1", "theirs")
        assert ["acknowledged"] == self.states(subject.open().write(subject.request(), [item("1", 1, "ours")]))
        assert ["ours"] == [row["text"] for row in subject.rows()]

    def test_what_is_there_is_found(self, subject: SinkSubject) -> None:
        """A sink that can look up says which records it has, in which version; a write says which version it met."""
        sink = subject.open()
        if not isinstance(sink, CanLookUp):
            pytest.skip("the sink cannot look up")
        subject.put("1", "theirs")
        assert [None] == [each.found_version for each in sink.write(subject.request(), [item("2", 3)])]
        assert {"1": None, "2": 3} == {key: each.version for key, each in sink.look_up(subject.request(), [item(key, 1) for key in "123"]).items()}
        assert [3, 3] == [sink.write(subject.request(), [item("2", version)])[0].found_version for version in (2, 3)]

    def test_a_delete_deletes_once_and_for_all(self, subject: SinkSubject) -> None:
        """A delete is acknowledged, also where the row is gone already; where the sink remembers it, an older version stays out."""
        if "delete" not in subject.operations:
            pytest.skip("the sink cannot delete")
        subject.open().write(subject.request(), [item("1", 3, "kept"), item("2", 3, "gone")])
        results = subject.open().write(subject.request(), [item("2", 4, op="delete"), item("3", 1, op="delete")])
        assert ["acknowledged", "acknowledged"] == self.states(results)
        assert ["1"] == [row["id"] for row in subject.rows()]
        assert ["acknowledged"] == self.states(subject.open().write(subject.request(), [item("2", 4, op="delete")]))
        if subject.guards_deletes:
            assert ["coalesced"] == self.states(subject.open().write(subject.request(), [item("2", 3, "back from the dead")]))
            assert ["1"] == [row["id"] for row in subject.rows()]

    def test_an_older_delete_changes_nothing(self, subject: SinkSubject) -> None:
        """A delete of a lower version than the row has is coalesced."""
        if "delete" not in subject.operations:
            pytest.skip("the sink cannot delete")
        subject.open().write(subject.request(), [item("1", 3, "kept")])
        assert ["coalesced"] == self.states(subject.open().write(subject.request(), [item("1", 2, op="delete")]))
        assert ["1"] == [row["id"] for row in subject.rows()]

    def test_an_archive_marks(self, subject: SinkSubject) -> None:
        """An archived row stays and is marked."""
        if "archive" not in subject.operations:
            pytest.skip("the sink cannot archive")
        subject.open().write(subject.request(), [item("1", 1), item("2", 1)])
        assert ["acknowledged"] == self.states(subject.open().write(subject.request(), [item("1", 2, op="archive")]))
        assert {"1": True, "2": False} == {row["id"]: bool(row["archived"]) for row in subject.rows()}

    def test_one_bad_item_does_not_stop_the_others(self, subject: SinkSubject) -> None:
        """An item that the system refuses is rejected with its words; all others are written."""
        batch = [item(f"{number:02}", 1, "good") for number in range(20)]
        batch[7] = item("07", 1, "bad", Decimal("99999999999999999999999"))
        batch[13] = item("13", 1, "NUL \0")
        results = subject.open().write(subject.request(), batch)
        assert ["07", "13"] == [each.delivery_key for each in results if each.state == "rejected"]
        assert all(each.message for each in results if each.state == "rejected")
        assert 18 == self.states(results).count("acknowledged") == len(subject.rows())

    def test_an_unknown_column_stops_before_anything_is_written(self, subject: SinkSubject) -> None:
        """A mapping to a column that is not there is the modeller's to mend; names never become statements."""
        request = subject.request()
        evil = 'text"; drop table t; --'
        wrong = WriteRequest(request.system, request.name, request.client, request.stream, request.key, request.mode, {**COLUMNS, evil: "string"})
        with pytest.raises(StopError):
            subject.open().write(wrong, [item("1", 1)])
        assert [] == subject.rows()

    def test_a_message_is_never_lost(self, subject: SinkSubject) -> None:
        """At least once: each message is there after one write."""
        if "at-least-once" not in subject.modes:
            pytest.skip("the sink has no such mode")
        results = subject.open().write(subject.request("at-least-once"), [item("1", 1, "a"), item("1", 2, "b")])
        assert ["acknowledged"] * 2 == self.states(results)
        assert {"a", "b"} <= {row["text"] for row in subject.rows()}

    def test_no_secret_is_shown(self, subject: SinkSubject) -> None:
        """The sink does not show a secret."""
        sink = subject.open()
        assert SECRET not in repr(sink)
        assert SECRET not in repr(vars(sink) if hasattr(sink, "__dict__") else sink)
