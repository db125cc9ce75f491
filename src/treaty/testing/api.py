"""A JSON API in a process of its own, for tests of what writes to one: it keeps its own log, and misbehaves as it is told to.

    python -m treaty.testing.api LOG        prints its port

``POST /things`` creates (an ``Idempotency-Key`` is kept), ``PUT /things/ID`` puts, ``DELETE /things/ID`` deletes, ``GET /things?reference=R`` finds,
``POST /things/batch`` takes ``items`` and gives ``results``, ``GET /things`` lists (``limit`` and ``offset`` part it, ``since`` leaves out what has a lower ``at``). A record
whose ``text`` is ``bad`` or holds NUL is refused. ``POST /script`` takes a list of faults, one for each write to come:
``none``, ``busy`` (429), ``refused`` (422), ``failed`` (500, not applied), ``failed-after`` (500, applied), ``dropped`` (applied, no answer), ``lost-item``
(a batch whose answer lacks its last result), ``odd-shape`` (a batch answered by something else). Every write that is applied is a line of LOG.
What :meth:`FakeApi.offer` gives it, it lists at ``GET /v1/NAME`` in pages of ``limit`` (10) records after ``starting_after``, with ``has_more``, for those
who send its bearer token.
``POST /restore`` takes such lines as a list, and makes them all that ever happened; ``POST /texts`` takes texts that it lists as they are behind its records.
"""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 120  # of what tests ask the server: the machine may be busy
APPLIED = ("none", "failed-after", "dropped")  # faults with which a write is carried out, unless it is refused


@dataclass(frozen=True, slots=True)
class FakeApi:
    """The running server: its address, and what it was really told."""

    address: str
    log: Path

    def offer(self, name: str, records: Sequence[Mapping[str, Any]], token: str = "") -> str:
        """List records, each with its ``id``, at the address that is returned; with a token only to those who send it."""
        body = json.dumps({"name": name, "records": list(records), "token": token}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.address}/offer", body, {"Content-Type": "application/json"}), timeout=TIMEOUT_SECONDS):
            return f"{self.address}/v1/{name}"

    def script(self, faults: Sequence[str]) -> None:
        """Say what happens at the writes to come."""
        self._tell("script", list(faults))

    def restore(self, effects: Sequence[dict[str, Any]]) -> None:
        """Put it back to where these were all its effects; nothing is scripted any more."""
        self._tell("restore", list(effects))

    def effects(self) -> list[dict[str, Any]]:
        """Return every write that was applied, in order."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()] if self.log.exists() else []

    def put(self, things: Sequence[Mapping[str, Any]]) -> None:
        """Put records that have ids."""
        for each in things:
            self._tell(f"things/{urllib.parse.quote(str(each['id']), safe='')}", dict(each), "PUT")

    def list_texts(self, texts: Sequence[str]) -> None:
        """Have it list texts that stand for records and need not be JSON."""
        self._tell("texts", list(texts))

    def _tell(self, what: str, told: Any, method: str = "POST") -> None:
        request = urllib.request.Request(f"{self.address}/{what}", json.dumps(told).encode(), {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
            pass

    def things(self) -> list[dict[str, Any]]:
        """Return what the API holds."""
        with urllib.request.urlopen(f"{self.address}/things", timeout=TIMEOUT_SECONDS) as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())["data"]
            return found


@contextmanager
def run_api(log: Path) -> Iterator[FakeApi]:
    """Run the server for as long as the block lasts."""
    with subprocess.Popen([sys.executable, "-m", "treaty.testing.api", str(log)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield FakeApi(f"http://127.0.0.1:{process.stdout.readline().strip()}", log)
        finally:
            process.terminate()


class _State:
    def __init__(self, log: Path) -> None:
        self.log, self.lock = log, threading.Lock()
        self.forget()

    def forget(self) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.made = 0
        self.faults: list[str] = []
        self.offered: dict[str, dict[str, Any]] = {}
        self.texts: list[str] = []
        self.log.unlink(missing_ok=True)

    def effect(self, kind: str, thing: dict[str, Any], key: str | None) -> None:
        """Carry a write out, and write it down."""
        if kind == "delete":
            self.things.pop(thing["id"], None)
        else:
            self.things[thing["id"]] = thing
        self.made += kind == "create"
        if key is not None:
            self.keys[key] = thing
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps({"kind": kind, "key": key, "thing": thing}) + "\n")


class _Handler(http.server.BaseHTTPRequestHandler):
    state: _State
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """List, or find by a field."""
        path, query = urllib.parse.urlsplit(self.path).path, dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        if path.startswith("/v1/"):
            self._page(path.removeprefix("/v1/"), query)
            return
        start, rows, since = int(query.pop("offset", 0)), int(query.pop("limit", 1_000_000)), query.pop("since", "")
        with self.state.lock:
            found = [each for each in self.state.things.values() if all(str(each.get(name)) == value for name, value in query.items())]
            texts = [*(json.dumps(each) for each in found if each.get("at", since) >= since), *self.state.texts]
        self._answer(200, f'{{"data": [{", ".join(texts[start : start + rows])}]}}')

    def _page(self, name: str, query: dict[str, str]) -> None:
        offered = self.state.offered.get(name)
        if offered is None:
            self._answer(404, {"error": "no such list"})
        elif offered["token"] and self.headers.get("Authorization") != f"Bearer {offered['token']}":
            self._answer(401, {"error": "who are you?"})
        else:
            records, size = offered["records"], int(query.get("limit", "10"))
            after = [each["id"] for each in records].index(query["starting_after"]) + 1 if "starting_after" in query else 0
            self._answer(200, {"object": "list", "data": records[after : after + size], "has_more": after + size < len(records), "url": f"/v1/{name}"})

    def do_POST(self) -> None:
        """Create, one or many, or take a script."""
        body = self._body()
        if self.path == "/offer":
            self.state.offered[body["name"]] = body
            self._answer(200, {})
        elif self.path == "/script":
            self.state.faults[:] = body
            self._answer(200, {})
        elif self.path == "/texts":
            self.state.texts[:] = body
            self._answer(200, {})
        elif self.path == "/restore":
            with self.state.lock:
                self.state.forget()
                for each in body:
                    self.state.effect(each["kind"], each["thing"], each["key"])
            self._answer(200, {})
        elif self.path == "/things/batch":
            self._batch(body)
        else:
            self._write(body, lambda: self._create(body, self.headers.get("Idempotency-Key")))

    def do_PUT(self) -> None:
        """Put one."""
        body, name = self._body(), urllib.parse.unquote(self.path.rsplit("/", 1)[1])
        self._write(body, lambda: self._put(name, body))

    def do_DELETE(self) -> None:
        """Delete one."""
        name = urllib.parse.unquote(self.path.rsplit("/", 1)[1])
        self._body()
        self._write({}, lambda: self._delete(name))

    def _write(self, body: dict[str, Any], apply: Callable[[], tuple[int, dict[str, Any]]]) -> None:
        with self.state.lock:
            fault = self.state.faults.pop(0) if self.state.faults else "none"
            fault = "refused" if fault in APPLIED and _is_bad(body) else fault
            if fault in ("busy", "refused", "failed"):
                status = {"busy": 429, "refused": 422, "failed": 500}[fault]
                self._answer(status, {"error": fault}, {"Retry-After": "0"} if fault == "busy" else {})
                return
            status, said = apply()
        if fault == "dropped":
            self.close_connection = True
            self.connection.close()
            return
        self._answer(500 if fault == "failed-after" else status, said)

    def _create(self, body: dict[str, Any], key: str | None) -> tuple[int, dict[str, Any]]:
        if key is not None and key in self.state.keys:
            return 200, self.state.keys[key]
        thing = {**body, "id": f"api-{self.state.made + 1}"}
        self.state.effect("create", thing, key)
        return 201, thing

    def _put(self, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        there = self.state.things.get(name, {})
        if there.get("version", 0) > body.get("version", 0):
            return 409, {"error": "a newer version is there"}
        thing = {**body, "id": name}
        if there != thing:
            self.state.effect("put", thing, None)
        return 200, thing

    def _delete(self, name: str) -> tuple[int, dict[str, Any]]:
        if name not in self.state.things:
            return 404, {"error": "no such thing"}
        self.state.effect("delete", self.state.things[name], None)
        return 200, {}

    def _batch(self, body: dict[str, Any]) -> None:
        with self.state.lock:
            fault = self.state.faults.pop(0) if self.state.faults else "none"
            results = []
            for item in body["items"]:
                bad = _is_bad(item)
                said = {} if bad else self._put(item["id"], item)[1] if "id" in item else self._create(item, None)[1]
                results.append({"reference": item["reference"], "status": 422 if bad else 200, "id": said.get("id")})
        if fault == "odd-shape":
            self._answer(200, ["?"])
        else:
            self._answer(207, {"results": list(reversed(results[:-1] if fault == "lost-item" else results))})

    def _body(self) -> Any:
        length = int(self.headers.get("Content-Length") or 0)
        return json.loads(self.rfile.read(length)) if length else None

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for each in {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(*each)
        self.end_headers()
        self.wfile.write(data)


def _is_bad(body: Mapping[str, Any]) -> bool:
    text = str(body.get("text"))
    return text == "bad" or "\0" in text


def main() -> None:
    """Serve until stopped; the port is the first line printed."""
    handler = type("Handler", (_Handler,), {"state": _State(Path(sys.argv[1]))})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
