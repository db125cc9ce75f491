"""Reads a JSON API: one arrival a page, its bytes kept as sent."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jiter

from treaty.connectors.configuration import read_configuration
from treaty.connectors.folders import Copy
from treaty.connectors.interface import Arrival, Refusal, StreamDescription, StreamRequest
from treaty.connectors.json_records import read_json
from treaty.connectors.rest import RestConnection, RestRead
from treaty.connectors.rest.client import NOTHING, Answer, RestClient
from treaty.connectors.secrets import redact
from treaty.errors import RetryError, SetAsideError, StopError

INDEX = re.compile(r"-?[0-9]{1,6}\Z")


class RestSource:
    """Reads one API."""

    def __init__(self, connection: RestConnection) -> None:
        self._client = RestClient(connection)

    def check(self) -> None:
        """Prove that the API answers."""
        self._client.check()

    def discover(self) -> Sequence[StreamDescription]:
        """A JSON API does not tell what it offers."""
        return []

    def read(self, request: StreamRequest) -> Iterator[Arrival]:
        """Yield one arrival a page, but for those whose bytes are known."""
        with self._client:
            yield from self._read(request)

    def _read(self, request: StreamRequest) -> Iterator[Arrival]:
        """Yield one arrival a page, but for those whose bytes are known. Raises StopError where pages lead back to one read before."""
        place = f"{request.system}/{request.name}"
        read = read_configuration(RestRead, request.stream.read, f"{place}, read")
        if request.stream.deletes.mode == "snapshot" and read.pages != "none":
            raise StopError(f"{place}: a snapshot in pages is not one arrival.", remedy="Write `deletes: none`, or `pages: none`.")
        url: httpx.URL | None = self._client.base.join(read.path.lstrip("/")).copy_merge_params(read.parameters)
        if read.pages == "page":
            url = url.copy_set_param(read.parameter, read.first) if url else None
        since = str(request.cursor.get("since", "")) if read.since_field else ""
        if since and url is not None:
            url = url.copy_set_param(read.since_parameter, _earlier(since, read.overlap_seconds))
        seen: set[str] = set()
        offset, largest, broken = 0, since, False
        held: Arrival | None = None  # a page is given once it is known whether it is the last: only then has everything up to the cursor come
        try:
            while url is not None:
                if str(url) in seen or len(seen) >= read.most_pages:
                    raise StopError(f"{place}: the API's pages lead in a circle, or are more than {read.most_pages}.", remedy="Mend `read: pages`.")
                seen.add(str(url))
                answer = self._client.get(url, request.limits.file_bytes)
                if answer.status == NOTHING:  # what some APIs say of a list without records
                    break
                origin = redact(str(url))
                document, count, largest = _look(answer.content, request.stream.record, read.since_field, largest)
                if hashlib.sha256(answer.content).hexdigest() != request.known.get(origin):
                    if held is not None:
                        yield from self._parsed(held, request)
                    held = Arrival(origin, answer.content, hashlib.sha256(answer.content).hexdigest(), len(answer.content), None, _cursor(origin, since))
                offset += count
                if document is None and read.pages != "none":
                    broken = True
                    break
                url = self._next(url, read, answer, document, count, len(seen), offset)
        except (RetryError, StopError):
            if held is not None:  # it came whole, and is no less true for what did not come after it
                held.cursor = _cursor(held.origin, since)
                yield from self._parsed(held, request)
            raise
        if held is not None:
            held.cursor = _cursor(held.origin, since if broken else largest)
            yield from self._parsed(held, request)
        if broken:
            raise RetryError(f"{place}: a page is no JSON, so the pages after it are not known.", remedy="The next run tries again.")

    def _next(self, url: httpx.URL, read: RestRead, answer: Answer, document: Any, count: int, pages: int, offset: int) -> httpx.URL | None:
        if read.pages == "link":
            return self._client.following(url, answer.link) if answer.link else None
        if read.pages in ("next", "cursor"):
            told = at_path(document, read.next_field)
            if told is None or told is False or told == "":
                return None
            return self._client.following(url, str(told)) if read.pages == "next" else url.copy_set_param(read.parameter, str(told))
        if read.pages == "none" or count == 0:
            return None
        return url.copy_set_param(read.parameter, read.first + pages if read.pages == "page" else offset)

    def _parsed(self, arrival: Arrival, request: StreamRequest) -> Iterator[Arrival]:
        """Yield an arrival with its records; what they are read from is removed when the next one is asked for."""
        content = arrival.content
        assert isinstance(content, bytes), "pages are held in memory"
        with tempfile.TemporaryDirectory(prefix="treaty-", dir=request.spool) as spool:
            try:
                copy = Copy(content, arrival.sha256, len(content), "")
                arrival.records, _ = read_json(
                    copy, Path(spool), lines=False, record=request.stream.record, encoding=None, limits=request.limits, refusals=arrival.refusals
                )
            except SetAsideError as error:
                arrival.refusals.append(Refusal(0, error.reason, f"{arrival.origin}: {error}", content[:200].decode("utf-8", "replace")))
            arrival.complete_snapshot = request.stream.deletes.mode == "snapshot" and not arrival.refusals
            yield arrival


def _cursor(origin: str, since: str) -> dict[str, str]:
    return {"last": origin, **({"since": since} if since else {})}


def _earlier(since: str, seconds: int) -> str:
    """Return where to go on, ``seconds`` before what was seen last: of an instant, or of seconds since 1970."""
    if not seconds:
        return since
    if since.isdigit():
        return str(max(int(since) - seconds, 0))
    try:
        return (datetime.fromisoformat(since) - timedelta(seconds=seconds)).isoformat()
    except ValueError:
        return since


def _look(content: bytes, record: str | None, since_field: str | None, largest: str) -> tuple[Any, int, str]:
    """Return an answer as a document, how many records it holds, and the largest value of what only grows; none where it is no JSON, which ends the pages."""
    try:
        document = jiter.from_json(content)
    except ValueError:
        return None, 0, largest
    found = at_path(document, record or "")
    rows = found if isinstance(found, list) else [] if found is None else [found]
    for each in rows if since_field else ():
        value = at_path(each, since_field or "")
        if value is not None:
            largest = max(largest, str(value), key=_order)
    return document, len(rows), largest


def _order(value: str) -> tuple[int, str]:
    """Numbers are ordered as numbers, other texts letter by letter."""
    return (len(value), value) if value.isdigit() else (0, value)


def at_path(document: Any, path: str) -> Any:
    """Return what stands at a path of fields, in a list by number (-1 is the last); None where there is nothing."""
    for step in (each for each in path.split("/") if each not in ("", ".")):
        if isinstance(document, list) and INDEX.match(step):
            document = document[int(step)] if -len(document) <= int(step) < len(document) else None
        else:
            document = document.get(step) if isinstance(document, dict) else None
    return document
