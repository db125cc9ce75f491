"""Sources that break in the middle: what came before has landed, what broke is told, and a mended source goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from command_line import treaty
from small_project import write_small_project

SYSTEM = """\
connector: rest
connection: {url: "ADDRESS", attempts: 1}
owner: tests
streams:
  things: {format: json, record: data, key: [id], read: {path: things, pages: page, first: 1}}
"""


class Api(BaseHTTPRequestHandler):
    """Three pages of one record each; the second one is as it is told to be."""

    second: tuple[int, bytes] = (200, b"")

    def do_GET(self) -> None:
        """Answer a page."""
        page = int(self.path.partition("page=")[2])
        good = {"data": [{"id": f"A-{page}", "name": "x", "size": "1"}] if page < 4 else []}
        status, body = self.second if page == 2 and self.second[1] else (200, json.dumps(good).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the API in a thread."""
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_pages_before_a_broken_one_have_landed(project: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is no JSON is in quarantine, and one that is not given is told; either way the run fails, and the records before it are there."""
    write_small_project(project)
    (project / "systems" / "store.yaml").write_text(SYSTEM.replace("ADDRESS", address))
    monkeypatch.setattr(Api, "second", (500, b"{}"))
    answer = treaty("run", "--project", project)
    assert (1, True) == (answer.status, "it answers 500" in answer.output), answer.output
    assert ["A-1"] == [each["code"] for each in treaty("records", "thing", "--project", project, "--json").lines]

    monkeypatch.setattr(Api, "second", (200, b"<html>"))
    answer = treaty("run", "--project", project)
    assert (1, True) == (answer.status, "the pages after it are not known" in answer.output), answer.output
    assert ["bad-json"] == [each["reason"] for each in treaty("quarantine", "list", "--project", project, "--json").json]
    assert treaty("verify", "--project", project, "--json").json["ok"]

    monkeypatch.setattr(Api, "second", (200, b""))
    assert 0 == treaty("run", "--project", project).status
    assert ["A-1", "A-2", "A-3"] == sorted(each["code"] for each in treaty("records", "thing", "--project", project, "--json").lines)
