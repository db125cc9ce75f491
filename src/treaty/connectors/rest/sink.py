"""Writes a JSON API: one request a record, or one for many with a result for each. Each mode keeps what it promises, see the manual."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import DeliveryItem, ItemResult, WriteRequest
from treaty.connectors.rest import MODES, RestConnection, RestWrite
from treaty.connectors.rest.client import Answer, RestClient, UnknownOutcomeError
from treaty.connectors.rest.retries import NotNowError
from treaty.connectors.rest.source import at_path
from treaty.errors import RetryError, StopError
from treaty.faults import faultpoint

MOST_BYTES = 16 * 1024 * 1024
GONE = (404, 410)
RETRIED_SHARE = 5 / 6  # of the window in which an API knows an idempotency key


class RestSink:
    """Writes one API."""

    modes = MODES

    def __init__(self, connection: RestConnection) -> None:
        self._client = RestClient(connection)
        self._now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def check(self) -> None:
        """Prove that the API answers."""
        self._client.check()

    def write(self, request: WriteRequest, items: Sequence[DeliveryItem]) -> Sequence[ItemResult]:
        """Write the items in their order; what is left when the API can do no more now is told to be sent again."""
        place = f"{request.system}/{request.name}"
        told = read_configuration(RestWrite, request.stream.write, f"{place}, write")
        if request.mode not in MODES:
            raise StopError(f"{place}: the connector rest does not deliver {request.mode!r}.", remedy=f"Use one of {', '.join(sorted(MODES))}.")
        if request.mode == "read-back" and told.find_path is None:
            raise StopError(f"{place}: read-back needs `write: find_path`.", remedy="Write where records are found, such as customers?reference={reference}.")
        if told.batch_path is not None and request.mode != "at-least-once":
            raise StopError(f"{place}: batches keep at-least-once alone.", remedy="Leave `write: batch_path` out, or write `mode: at-least-once`.")
        newest = {item.delivery_key: item.version for item in sorted(items, key=lambda each: each.version)} if request.mode != "at-least-once" else {}
        waiting = [item for item in items if newest.get(item.delivery_key, item.version) == item.version]
        with self._client:
            found = dict(self._write_all(_Writing(self._client, request, told, self._now), waiting))
        older = "a newer version is in the same batch"
        return [found.get(id(item)) or ItemResult(item.delivery_key, "coalesced", older) for item in items]

    def _write_all(self, writing: _Writing, items: list[DeliveryItem]) -> list[tuple[int, ItemResult]]:
        done: list[tuple[int, ItemResult]] = []
        groups = writing.groups(items)
        for number, group in enumerate(groups):
            try:
                done += writing.send(group)
            except (RetryError, StopError) as error:
                if not done:
                    raise
                left = [item for each in groups[number:] for item in each]
                return [*done, *((id(item), ItemResult(item.delivery_key, "retry", error.message)) for item in left)]
        return done


class _Writing:
    """One batch on its way to one stream."""

    def __init__(self, client: RestClient, request: WriteRequest, told: RestWrite, now: Callable[[], datetime]) -> None:
        self.client, self.request, self.told, self.now = client, request, told, now

    def groups(self, items: list[DeliveryItem]) -> list[list[DeliveryItem]]:
        """Return what goes together: many where the API takes batches, deletes always alone."""
        if self.told.batch_path is None:
            return [[item] for item in items]
        groups: list[list[DeliveryItem]] = []
        for item in items:
            if groups and item.op == "upsert" == groups[-1][-1].op and len(groups[-1]) < self.told.batch_size:
                groups[-1].append(item)
            else:
                groups.append([item])
        return groups

    def send(self, group: list[DeliveryItem]) -> list[tuple[int, ItemResult]]:
        """Send a group; raises RetryError or StopError where certainly nothing of it was applied."""
        late = [(id(item), self._too_late(item)) for item in group if self._is_too_late(item)]
        left = [item for item in group if not self._is_too_late(item)]
        if self.told.batch_path is not None and left and left[0].op == "upsert":
            return [*late, *self._send_batch(left)]
        return [*late, *((id(item), self._send_one(item)) for item in left)]

    # ---- one record

    def _send_one(self, item: DeliveryItem) -> ItemResult:
        remote = item.remote_id
        if item.op != "upsert" and remote is None and not self._by_key():
            return ItemResult(item.delivery_key, "rejected", f"the API's id of this record is not known: {item.op} it there by hand")
        if self.request.mode == "read-back":
            found = self._find(item)
            if found is not None and item.op == "upsert":
                return ItemResult(item.delivery_key, "acknowledged", "found there", found)
        method, url, body = self._request_of(item, remote)
        headers = {self.told.key_header: item.message_id} if self.request.mode == "idempotency-key" else {}

        def once() -> ItemResult:
            try:
                answer = self._send(method, url, body, headers)
            except UnknownOutcomeError as error:
                return self._settle(item, NotNowError(str(error)))
            if answer.busy:
                raise NotNowError("busy", answer.retry_after)
            if answer.status >= 500:
                return self._settle(item, NotNowError(f"status {answer.status}", answer.retry_after))
            return self._judge(item, answer, remote)

        try:
            return self.client.again(once)
        except NotNowError as error:
            raise RetryError(f"{self.client.base.host} does not take {item.delivery_key} now ({error}).", remedy="The next run tries again.") from None

    def _by_key(self) -> bool:
        """Whether a record is reached by its delivery key, not by the API's own id."""
        return "{key}" in self.told.update_path if self.told.update_path else self.request.mode == "upsert"

    def _request_of(self, item: DeliveryItem, remote: str | None) -> tuple[str, httpx.URL, Any]:
        told, named = self.told, {"id": remote or "", "key": item.delivery_key}
        change = told.update_path or f"{told.path}/{{{'key' if self._by_key() else 'id'}}}"
        if item.op == "delete":
            return told.delete_method, self._url(change, named), None
        body = {**self._body(item), **(dict(told.archive) if item.op == "archive" else {})}
        body = {told.record: body} if told.record else body
        if remote is not None or self.request.mode == "upsert":
            return told.update_method, self._url(change, named), body
        return told.create_method, self._url(told.path, named), body

    def _judge(self, item: DeliveryItem, answer: Answer, remote: str | None) -> ItemResult:
        if 200 <= answer.status < 300:
            return ItemResult(item.delivery_key, "acknowledged", "", self._id_in(answer.content) or remote)
        if item.op == "delete" and answer.status in GONE:
            return ItemResult(item.delivery_key, "acknowledged", "gone already", remote)
        if answer.status == 409 and self.told.version_field and b"version" in answer.content.lower():
            found = at_path(_parsed(answer.content), self.told.version_field)
            return ItemResult(item.delivery_key, "coalesced", answer.excerpt, remote, found if isinstance(found, int) else None)
        return ItemResult(item.delivery_key, "rejected", f"{answer.status}: {answer.excerpt}", remote)

    def _settle(self, item: DeliveryItem, error: NotNowError) -> ItemResult:
        """Return what an unknown outcome came to; raise the error where sending again is safe: under the same key, by PUT, or where doubles are allowed."""
        found = self._find(item) if self.request.mode == "read-back" else None
        if found is None:
            raise error
        return ItemResult(item.delivery_key, "acknowledged", "found there", found)

    def _find(self, item: DeliveryItem) -> str | None:
        """Return the API's id of the record that carries the message's reference, or None where there is none."""
        url = self._url(self.told.find_path or "", {"reference": item.message_id})
        answer = self.client.get(url, MOST_BYTES)
        found = at_path(_parsed(answer.content), self.told.find_record)
        rows = found if isinstance(found, list) else [] if found is None else [found]
        mine = [each for each in rows if isinstance(each, dict) and str(each.get(self.told.reference_field)) == item.message_id]
        return str(at_path(mine[0], self.told.id_field)) if mine else None

    # ---- many records

    def _send_batch(self, group: list[DeliveryItem]) -> list[tuple[int, ItemResult]]:
        told = self.told
        items = [{**self._body(item), told.reference_field: item.message_id, **({told.id_field: item.remote_id} if item.remote_id else {})} for item in group]

        def once() -> Answer:
            answer = self._send("POST", self._url(told.batch_path or "", {}), {told.batch_field: items})
            if answer.busy:
                raise NotNowError("busy", answer.retry_after)
            return answer

        try:
            answer = self.client.again(once)
        except UnknownOutcomeError as error:
            return [(id(item), self._doubtful(item, str(error))) for item in group]
        except NotNowError as error:
            raise RetryError(f"{self.client.base.host} does not take a batch now ({error}).", remedy="The next run tries again.") from None
        if answer.status >= 500:
            return [(id(item), self._doubtful(item, f"status {answer.status}")) for item in group]
        if answer.status >= 400:
            return self._halve(group, answer)
        return [(id(item), result) for item, result in zip(group, self._results(group, answer), strict=True)]

    def _halve(self, group: list[DeliveryItem], answer: Answer) -> list[tuple[int, ItemResult]]:
        """Find the item at fault of a batch that was refused whole."""
        if len(group) == 1:
            return [(id(group[0]), ItemResult(group[0].delivery_key, "rejected", f"{answer.status}: {answer.excerpt}"))]
        middle = len(group) // 2
        return [*self._send_batch(group[:middle]), *self._send_batch(group[middle:])]

    def _results(self, group: list[DeliveryItem], answer: Answer) -> list[ItemResult]:
        """Return one result an item, by its reference; one that is missing, doubled or of no known shape is unknown, never a success."""
        listed = at_path(_parsed(answer.content), self.told.results_field)
        told: dict[str, list[Mapping[str, Any]]] = {}
        for each in listed if isinstance(listed, list) else ():
            if isinstance(each, dict):
                told.setdefault(str(each.get(self.told.reference_field)), []).append(each)
        return [self._result(item, told.get(item.message_id, [])) for item in group]

    def _result(self, item: DeliveryItem, said: Sequence[Mapping[str, Any]]) -> ItemResult:
        status = at_path(said[0], self.told.result_status) if len(said) == 1 else None
        if not isinstance(status, int) or isinstance(status, bool):
            return self._doubtful(item, "the answer has no single result for it")
        if 200 <= status < 300:
            found = at_path(said[0], self.told.id_field)
            return ItemResult(item.delivery_key, "acknowledged", "", str(found) if found is not None else item.remote_id)
        if status == 429:
            return ItemResult(item.delivery_key, "retry", "busy")
        if status >= 500:
            return self._doubtful(item, f"status {status}")
        return ItemResult(item.delivery_key, "rejected", Answer(status, orjson.dumps(said[0])).excerpt)

    def _doubtful(self, item: DeliveryItem, problem: str) -> ItemResult:
        """Return what an unknown outcome of a batch comes to: sent again in the next run where that is safe."""
        return ItemResult(item.delivery_key, "retry", f"unknown outcome: {problem}")

    # ---- requests, time, names, bodies

    def _send(self, method: str, url: httpx.URL, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        faultpoint("request.pre_send")
        answer = self.client.send(method, url, body=body, headers=headers, most_bytes=MOST_BYTES)
        faultpoint("request.answered")
        return answer

    def _is_too_late(self, item: DeliveryItem) -> bool:
        if self.request.mode != "idempotency-key" or item.first_sent_at is None:
            return False
        return self.now() - item.first_sent_at > timedelta(hours=self.told.window_hours) * RETRIED_SHARE

    def _too_late(self, item: DeliveryItem) -> ItemResult:
        text = f"first sent at {item.first_sent_at:%Y-%m-%d %H:%M} UTC: the API may have forgotten its idempotency key"
        return ItemResult(item.delivery_key, "ambiguous", f"{text}; look there, then `treaty deliveries replay`")

    def _url(self, path: str, named: Mapping[str, str]) -> httpx.URL:
        for name, value in named.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        return self.client.base.join(path.lstrip("/"))

    def _body(self, item: DeliveryItem) -> dict[str, Any]:
        body = {name: _plain(value) for name, value in item.fields.items()}
        if self.told.version_field:
            body[self.told.version_field] = item.version
        if self.request.mode in ("read-back", "at-least-once"):
            body[self.told.reference_field] = item.message_id
        return body

    def _id_in(self, content: bytes) -> str | None:
        document = _parsed(content)
        found = at_path(document.get(self.told.record) if self.told.record and isinstance(document, dict) else document, self.told.id_field)
        return None if found is None else str(found)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: decimals as their exact text, dates and instants in ISO 8601."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
