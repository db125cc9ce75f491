"""The connector ``rest`` against a real HTTP server in its own process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from tenacity import RetryCallState, Retrying

from treaty.connectors.interface import Arrival, Cursor, StreamRequest
from treaty.connectors.rest import RestConnection
from treaty.connectors.rest.retries import NotNowError, WaitAsTold, try_again
from treaty.connectors.rest.source import RestSource
from treaty.connectors.secrets import Secret
from treaty.errors import RetryError, StopError
from treaty.project.declarations import Limits, Stream

SERVER = '''
import http.server, json, urllib.parse
busy = []
tokens = []
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path); query = dict(urllib.parse.parse_qsl(url.query)); name = url.path.strip("/")
        status, headers, body = 200, {}, {}
        here = int(query.get("page", query.get("offset", query.get("after", 0))))
        if name in ("page", "offset", "link", "next", "cursor"):
            start = here * 2 if name != "offset" else here
            body = {"data": [{"id": i} for i in range(start, min(start + 2, 5))]}
            more = start + 2 < 5
            if name == "link" and more: headers["Link"] = f'</link?page={here + 1}>; rel="next"'
            if name == "next" and more: body["next"] = f"/next?page={here + 1}"
            if name == "cursor" and more: body["next"] = here + 1
        elif name == "loop": body = {"data": [{"id": 1}], "next": "/loop"}
        elif name == "foreign": body = {"data": [], "next": "http://evil.example/x"}
        elif name == "emptied" and here == 2: status = 204
        elif name == "emptied": body = {"data": [{"id": here}]}
        elif name == "always-busy": status = 429
        elif name == "moved": status, headers = 302, {"Location": "/page"}
        elif name == "busy" and not busy: busy.append(1); status, headers = 429, {"Retry-After": "-5"}
        elif name == "busy": body = {"data": [{"id": 9}]}
        elif name == "secret":
            if self.headers.get("Authorization") == "Bearer t0ken-of-a-test": body = {"data": [{"id": 7}]}
            else: status = 401
        elif name == "given":
            if self.headers.get("Authorization") in {f"Bearer token-{n}" for n in range(2, 9)}: body = {"data": [{"id": 7}]}
            else: status = 401
        elif name == "grown":
            rows = [{"id": 1, "at": "2026-01-01T00:00:00Z"}, {"id": 2, "at": "2026-01-02T00:00:00Z"}, {"id": 3, "at": "2026-01-02T00:00:00Z"}]
            body = {"data": [each for each in rows if each["at"] >= query.get("since", "")]}
        data = json.dumps(body).encode()
        self.send_response(status)
        for each in headers.items(): self.send_header(*each)
        if status == 204: self.end_headers(); return
        self.send_header("Content-Length", str(len(data))); self.end_headers(); self.wfile.write(data)
    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode(); tokens.append(form)
        data = json.dumps({"access_token": f"token-{len(tokens)}", "expires_in": 3600}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(data))); self.end_headers(); self.wfile.write(data)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
'''


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Run the server in a process of its own."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.1")


def read(
    address: str, path: str, connection: dict[str, object] | None = None, known: dict[str, str] | None = None, cursor: Cursor | None = None, **settings: object
) -> list[Arrival]:
    stream = Stream(format="json", record="data", read={"path": path, **settings})
    request = StreamRequest("api", "s", "main", stream, cursor or {}, known or {}, Limits())
    return list(RestSource(RestConnection(url=address, **(connection or {}))).read(request))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("page", {"pages": "page", "first": 0}), ("offset", {"pages": "offset", "parameter": "offset"}), ("link", {"pages": "link"}),
        ("next", {"pages": "next"}), ("cursor", {"pages": "cursor", "parameter": "after"}),
    ],
)  # fmt: skip
def test_pages_are_followed_to_the_end(address: str, path: str, settings: dict[str, object]) -> None:
    """Each way of paging gives all five records once, and a page with known bytes is left out (B1)."""
    arrivals = read(address, path, **settings)
    assert b"".join(each.content for each in arrivals if isinstance(each.content, bytes)).count(b'"id"') == 5
    assert read(address, path, known={each.origin: each.sha256 for each in arrivals}, **settings) == []


@pytest.mark.parametrize(("path", "reason"), [("loop", "in a circle"), ("foreign", "another host"), ("moved", "redirect"), ("secret", "credentials")])
def test_what_leads_astray_is_refused_with_its_reason(address: str, path: str, reason: str) -> None:
    """Loops, foreign hosts, redirects and refused credentials stop the read, and say why (B9)."""
    with pytest.raises(StopError, match=reason):
        read(address, path, pages="next")


def test_a_busy_server_is_asked_again(address: str) -> None:
    """A 429 with a negative Retry-After is asked again at once (B5)."""
    assert 1 == len(read(address, "busy"))


def test_no_content_is_the_end_of_the_pages(address: str) -> None:
    """An API that answers 204 where there are no records has none there: nothing is wrong, and nothing arrives."""
    assert [b'{"data": [{"id": 0}]}', b'{"data": [{"id": 1}]}'] == [each.content for each in read(address, "emptied", pages="page", first=0)]
    assert [] == read(address, "emptied?page=2")


def test_a_server_that_stays_busy_is_told_as_such(address: str) -> None:
    """It did answer: with what, how often it was asked, and which settings that is."""
    with pytest.raises(RetryError, match=r"cannot be read now: it answers 429, 2 times\.") as told:
        read(address, "always-busy", {"attempts": 2, "wait_seconds": 0})
    assert "wait_seconds" in told.value.remedy


def test_a_token_is_sent_as_bearer(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bearer token goes into the header and nowhere else."""
    monkeypatch.setenv("REST_TOKEN", "t0ken-of-a-test")
    (arrival,) = read(address, "secret", {"auth": "bearer", "secret": Secret("env:REST_TOKEN")})
    assert f"{address}/secret" == arrival.origin.rstrip("?")


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("3", 3, 3), ("999999999", 30, 30), ("-5", 0, 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0), ("soon", 1, 2), (None, 1, 2)],
)
def test_retry_after_is_bounded(header: str | None, least: float, most: float) -> None:
    """Seconds, dates, negative, absurd and garbled values of Retry-After give a wait within the cap; without one it is a second with jitter (B5)."""
    state = RetryCallState(Retrying(), None, (), {})
    state.set_exception((NotNowError, NotNowError("busy", header), None))  # type: ignore[arg-type]
    assert least <= WaitAsTold(30)(state) <= most


def test_attempts_are_counted() -> None:
    """What stays not now is tried as often as was said, and then raised as it was (B5)."""
    made = []
    with pytest.raises(NotNowError, match="third"):
        try_again(lambda: _fail(made), 3, 0)
    assert ["first", "second", "third"] == made


def _fail(made: list[str]) -> None:
    made.append(("first", "second", "third")[len(made)])
    raise NotNowError(made[-1])


def test_a_check_proves_that_the_api_answers(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is there passes, one that is not is told; with a path, credentials that are refused and a path that is not there are told too."""
    monkeypatch.setenv("REST_TOKEN", "t0ken-of-a-test")
    RestSource(RestConnection(url=address)).check()
    signed = {"url": address, "auth": "bearer", "secret": Secret("env:REST_TOKEN"), "check_path": "secret"}
    RestSource(RestConnection(**signed)).check()
    monkeypatch.setenv("REST_TOKEN", "a-wrong-token")
    with pytest.raises(StopError, match="credentials"):
        RestSource(RestConnection(**signed)).check()
    with pytest.raises(RetryError, match="cannot be reached"):
        RestSource(RestConnection(url="http://127.0.0.1:1")).check()


def test_a_token_of_client_credentials_is_renewed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is asked for once; one that the API does not take any more is asked for anew, once (C12)."""
    monkeypatch.setenv("REST_CLIENT", "s3cret-of-a-client")
    connection = {"auth": "oauth2", "user": "treaty", "secret": Secret("env:REST_CLIENT"), "token_url": f"{address}/token"}
    (arrival,) = read(address, "given", connection)  # the server does not take its first token
    assert b'{"data": [{"id": 7}]}' == arrival.content


def test_only_what_has_grown_is_read_again(address: str) -> None:
    """The next run goes on at the largest value seen, which comes again with its ties; the same answer is then left out (C1)."""
    settings = {"since_field": "at"}
    (first,) = read(address, "grown", **settings)
    assert {"last": first.origin, "since": "2026-01-02T00:00:00Z"} == first.cursor
    (again,) = read(address, "grown", cursor=first.cursor, **settings)
    assert 2 == bytes(again.content).count(b'"id"')  # type: ignore[arg-type]
    assert [] == read(address, "grown", cursor=again.cursor, known={again.origin: again.sha256}, **settings)
