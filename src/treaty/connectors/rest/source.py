"""Reads a JSON API: one arrival a page, its bytes kept as sent."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import jiter

from treaty.connectors.configuration import read_configuration
from treaty.connectors.folders import Copy
from treaty.connectors.interface import Arrival, Refusal, Rows, StreamDescription, StreamRequest
from treaty.connectors.json_records import read_json
from treaty.connectors.rest import RestConnection, RestRead
from treaty.connectors.rest.client import Answer, RestClient
from treaty.connectors.secrets import redact
from treaty.errors import SetAsideError, StopError


class RestSource:
    """Reads one API."""

    def __init__(self, connection: RestConnection) -> None:
        self._client = RestClient(connection)

    def check(self) -> None:
        """Nothing can be asked of every API: its first page proves it."""

    def discover(self) -> Sequence[StreamDescription]:
        """A JSON API does not tell what it offers."""
        return []

    def read(self, request: StreamRequest) -> Iterator[Arrival]:
        """Yield one arrival a page, but for those whose bytes are known. Raises StopError where pages lead back to one read before."""
        place = f"{request.system}/{request.name}"
        read = read_configuration(RestRead, request.stream.read, f"{place}, read")
        if request.stream.deletes.mode == "snapshot" and read.pages != "none":
            raise StopError(f"{place}: a snapshot in pages is not one arrival.", remedy="Write `deletes: none`, or `pages: none`.")
        url: httpx.URL | None = self._client.base.join(read.path.lstrip("/")).copy_merge_params(read.parameters)
        if read.pages == "page":
            url = url.copy_set_param(read.parameter, read.first) if url else None
        seen: set[str] = set()
        offset = 0
        while url is not None:
            if str(url) in seen or len(seen) >= read.most_pages:
                raise StopError(f"{place}: the API's pages lead in a circle, or are more than {read.most_pages}.", remedy="Mend `read: pages`.")
            seen.add(str(url))
            answer = self._client.get(url, request.limits.file_bytes)
            origin = redact(str(url))
            if hashlib.sha256(answer.content).hexdigest() != request.known.get(origin):
                yield from self._arrival(origin, answer, request)
            document, count = _look(answer.content, request.stream.record)
            offset += count
            url = self._next(url, read, answer, document, count, len(seen), offset)

    def _next(self, url: httpx.URL, read: RestRead, answer: Answer, document: Any, count: int, pages: int, offset: int) -> httpx.URL | None:
        if read.pages == "link":
            return self._client.following(url, answer.link) if answer.link else None
        if read.pages in ("next", "cursor"):
            told = _at(document, read.next_field)
            if told is None or told is False or told == "":
                return None
            return self._client.following(url, str(told)) if read.pages == "next" else url.copy_set_param(read.parameter, str(told))
        if read.pages == "none" or count == 0:
            return None
        return url.copy_set_param(read.parameter, read.first + pages if read.pages == "page" else offset)

    def _arrival(self, origin: str, answer: Answer, request: StreamRequest) -> Iterator[Arrival]:
        content, refusals = answer.content, list[Refusal]()
        digest = hashlib.sha256(content).hexdigest()
        records: Rows | None = None
        with tempfile.TemporaryDirectory(prefix="treaty-", dir=request.spool) as spool:
            try:
                copy = Copy(content, digest, len(content), "")
                records, _ = read_json(
                    copy, Path(spool), lines=False, record=request.stream.record, encoding=None, limits=request.limits, refusals=refusals
                )
            except SetAsideError as error:
                refusals.append(Refusal(0, error.reason, f"{origin}: {error}", content[:200].decode("utf-8", "replace")))
            complete = request.stream.deletes.mode == "snapshot" and not refusals
            yield Arrival(origin, content, digest, len(content), records, {"last": origin}, refusals, complete)


def _look(content: bytes, record: str | None) -> tuple[Any, int]:
    """Return an answer as a document, and how many records it holds: none where it is no JSON, which ends the pages."""
    try:
        document = jiter.from_json(content)
    except ValueError:
        return None, 0
    found = _at(document, record or "")
    return document, len(found) if isinstance(found, list) else int(found is not None)


def _at(document: Any, path: str) -> Any:
    for step in (each for each in path.split("/") if each not in ("", ".")):
        document = document.get(step) if isinstance(document, dict) else None
    return document
