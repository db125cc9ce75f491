"""Delivery to a JSON API: what the API's own log says happened, mode by mode and fault by fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from treaty.connectors.interface import DeliveryItem, ItemResult, WriteRequest
from treaty.connectors.rest import RestConnection
from treaty.connectors.rest.sink import RestSink
from treaty.errors import RetryError, StopError
from treaty.project.declarations import Stream
from treaty.testing.api import FakeApi, run_api

FIND = "things?reference={reference}"
ONCE = {"upsert": {"version_field": "version"}, "idempotency-key": {}, "read-back": {"find_path": FIND}}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """A real server in a process of its own."""
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.1")
    with run_api(tmp_path / "log") as running:
        yield running


def write(api: FakeApi, mode: str, items: list[DeliveryItem], settings: dict[str, Any] | None = None, attempts: int = 3) -> list[ItemResult]:
    """Open the sink anew, as after a restart, and write."""
    stream = Stream(format="json", write={"path": "things", **(ONCE.get(mode, {}) if settings is None else settings)})
    sink = RestSink(RestConnection(url=api.address, attempts=attempts, wait_seconds=0))
    return list(sink.write(WriteRequest("api", "things", "main", stream, ("id",), mode, {"id": "string"}), items))


def item(key: str, version: int = 1, text: str = "text", op: Literal["upsert", "delete", "archive"] = "upsert", **more: Any) -> DeliveryItem:
    """Return a delivery."""
    return DeliveryItem(key, version, op, f"message-{key}-{version}", {"text": text, "amount": Decimal("1234567890123456.70")}, **more)


@pytest.mark.parametrize("fault", ["dropped", "failed-after", "failed", "busy"])
@pytest.mark.parametrize("mode", ONCE)
def test_each_version_has_one_effect(api: FakeApi, mode: str, fault: str) -> None:
    """Whether the answer was lost, an error was told after the fact, or nothing was applied: by the API's log once, never twice (B1, B2, B4, I4)."""
    api.script([fault, "none", fault])
    assert ["acknowledged"] * 3 == [each.state for each in write(api, mode, [item("a"), item("b"), item("c")])]
    assert 3 == len(api.effects()) == len(api.things())
    assert {"1234567890123456.70"} == {each["amount"] for each in api.things()}


@pytest.mark.parametrize("mode", ONCE)
def test_what_was_sent_before_a_crash_is_not_sent_twice(api: FakeApi, mode: str) -> None:
    """The same message after a restart, without memory of its answer, has no second effect (I4)."""
    write(api, mode, [item("a")])
    assert ["acknowledged"] == [each.state for each in write(api, mode, [item("a")])]
    assert 1 == len(api.effects())


def test_at_least_once_may_double_but_loses_nothing(api: FakeApi) -> None:
    """A lost answer makes a second effect, with the same message id for the receiver to see it by."""
    api.script(["dropped"])
    assert ["acknowledged"] == [each.state for each in write(api, "at-least-once", [item("a")])]
    assert {"message-a-1": 2} == Counter(each["thing"]["reference"] for each in api.effects())


def test_the_api_s_id_is_kept_and_used(api: FakeApi) -> None:
    """A created record's id comes back, and the next version changes that record; a delete reaches it, also where it is gone."""
    (made,) = write(api, "idempotency-key", [item("a")])
    assert "api-1" == made.remote_id
    write(api, "idempotency-key", [item("a", 2, "changed", remote_id="api-1")])
    assert [("api-1", "changed")] == [(each["id"], each["text"]) for each in api.things()]
    for _ in range(2):
        assert ["acknowledged"] == [each.state for each in write(api, "idempotency-key", [item("a", 3, op="delete", remote_id="api-1")])]
    assert [] == api.things()


def test_a_record_without_an_id_is_never_deleted_by_the_collection(api: FakeApi) -> None:
    """A delete of which the API's id is not known is a dead letter, not a request to the whole collection."""
    write(api, "idempotency-key", [item("a")])
    assert ["rejected"] == [each.state for each in write(api, "idempotency-key", [item("b", op="delete")])]
    assert 1 == len(api.things())


def test_a_refused_item_does_not_stop_the_others(api: FakeApi) -> None:
    """A 422 is a dead letter with the API's words; the rest passes (B7)."""
    api.script(["none", "refused"])
    results = write(api, "idempotency-key", [item("a"), item("b"), item("c")])
    assert ["acknowledged", "rejected", "acknowledged"] == [each.state for each in results]
    assert results[1].message.startswith("422: ")


def test_an_older_version_is_coalesced(api: FakeApi) -> None:
    """In one batch the newest version is written; an API that guards versions refuses an older one later (B13)."""
    assert ["coalesced", "acknowledged"] == [each.state for each in write(api, "upsert", [item("a", 4), item("a", 5, "newer")])]
    assert ["coalesced"] == [each.state for each in write(api, "upsert", [item("a", 3, "older")])]
    assert ["newer"] == [each["text"] for each in api.things()]


def test_a_busy_api_leaves_the_rest_for_the_next_run(api: FakeApi) -> None:
    """What was taken is acknowledged, the others wait; where nothing was, the run is told to come again (B1)."""
    api.script(["none", "busy", "busy"])
    assert ["acknowledged", "retry", "retry"] == [each.state for each in write(api, "idempotency-key", [item("a"), item("b"), item("c")], attempts=2)]
    api.script(["busy", "busy"])
    with pytest.raises(RetryError):
        write(api, "idempotency-key", [item("d")], attempts=2)


def test_a_key_that_the_api_may_have_forgotten_is_not_sent(api: FakeApi) -> None:
    """After five sixths of the window a person looks; before, the same key is sent again (B14)."""
    now = datetime.now(UTC)
    old, young = item("a", first_sent_at=now - timedelta(hours=21)), item("b", first_sent_at=now - timedelta(hours=19))
    assert ["ambiguous", "acknowledged"] == [each.state for each in write(api, "idempotency-key", [old, young])]
    assert ["message-b-1"] == [each["key"] for each in api.effects()]


BATCH = {"batch_path": "things/batch", "find_path": FIND}


def test_results_of_a_batch_are_told_apart_by_reference(api: FakeApi) -> None:
    """In whatever order they stand, each item has its own result (B6)."""
    results = write(api, "at-least-once", [item("a"), item("b", 1, "bad"), item("c")], BATCH)
    assert ["acknowledged", "rejected", "acknowledged"] == [each.state for each in results]
    assert [each["id"] for each in api.things()] == [results[0].remote_id, results[2].remote_id]


@pytest.mark.parametrize(("fault", "states"), [("lost-item", ["acknowledged", "retry"]), ("odd-shape", ["retry", "retry"])])
def test_a_missing_result_is_no_success(api: FakeApi, fault: str, states: list[str]) -> None:
    """An item that the answer does not name is unknown, and an answer of another shape says nothing of any item (B6)."""
    api.script([fault])
    assert states == [each.state for each in write(api, "at-least-once", [item("a"), item("b")], BATCH)]


def test_what_cannot_be_kept_is_refused(api: FakeApi) -> None:
    """Read-back without a place to look, or a mode that is none of its own, stops before anything is sent."""
    for mode, settings in (("read-back", {}), ("same-transaction", {}), ("idempotency-key", BATCH)):
        with pytest.raises(StopError):
            write(api, mode, [item("a")], settings)
    assert [] == api.effects()
