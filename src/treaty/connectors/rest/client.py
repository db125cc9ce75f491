"""Sends requests through the egress gate, within a deadline and a number of bytes, and reads again where that may help."""

from __future__ import annotations

import base64
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from treaty.connectors.egress import ensure_allowed
from treaty.connectors.rest import RestConnection
from treaty.connectors.rest.retries import Answered, NotNowError, try_again
from treaty.connectors.secrets import note_revealed, redact
from treaty.errors import RetryError, StopError

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses, in which a key may stand
EXCERPT = 4096  # characters of an answer that are kept in a message
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
TOKEN_MARGIN_SECONDS = 30
NOTHING = 204  # the status of an answer without content
CHECK_BYTES = 16 * 1024 * 1024


class UnknownOutcomeError(Exception):
    """The request was sent, at least in part, and no answer tells whether it was carried out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status and bytes as sent, what Retry-After says, and the address of the next page by its Link header."""

    status: int
    content: bytes
    retry_after: str | None = None
    link: str | None = None

    @property
    def busy(self) -> bool:
        """Whether the API certainly did nothing and may do it later."""
        return self.status == 429

    @property
    def excerpt(self) -> str:
        """What may be shown of it."""
        return redact(self.content[: 4 * EXCERPT].decode("utf-8", "replace"))[:EXCERPT]


@dataclass(slots=True)
class _Token:
    text: str = field(default="", repr=False)
    until: float = 0.0


class RestClient:
    """Requests to one API; within a ``with`` block connections to it are kept open."""

    def __init__(self, connection: RestConnection) -> None:
        self.connection = connection
        self.base = _address(connection.url, "connection.url")
        self._token_url = _address(connection.token_url, "connection.token_url") if connection.token_url else None
        if connection.auth != "none" and connection.secret is None:
            raise StopError(f"connection: auth {connection.auth} needs a secret.", remedy="Add `secret: env:NAME`.")
        if connection.auth == "oauth2" and (self._token_url is None or not connection.user):
            raise StopError("connection: auth oauth2 needs `token_url` and `user`, the client id.", remedy="Add them.")
        self._token = _Token()
        self._clients: dict[str, httpx.Client] = {}

    def __enter__(self) -> RestClient:
        """Keep connections open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def __repr__(self) -> str:
        return f"<RestClient {self.base.host}>"

    def following(self, current: httpx.URL, link: str) -> httpx.URL:
        """Return the address of a link. Raises StopError where it leads to another host."""
        try:
            found = current.join(link)
        except httpx.InvalidURL:
            raise StopError("the API gave a next page that is no address.", remedy="Mend `read: next_field`.") from None
        if (found.scheme, found.host, port_of(found)) != (self.base.scheme, self.base.host, port_of(self.base)):
            raise StopError(f"the API's next page is on another host ({found.host}).", remedy="Ask the API's owner; Treaty follows pages of one host only.")
        return found

    def get(self, url: httpx.URL, most_bytes: int) -> Answer:
        """Return an answer of status 200, or of 204, which says that there is nothing. Raises StopError or RetryError."""

        def once() -> Answer:
            try:
                answer = self.send("GET", url, most_bytes=most_bytes)
            except (RetryError, UnknownOutcomeError) as error:  # reading changes nothing
                raise NotNowError(str(error)) from None
            if answer.status in (200, NOTHING):
                return answer
            if answer.busy or answer.status >= 500:
                raise NotNowError(f"it answers {answer.status}", answer.retry_after)
            raise StopError(f"{self.base.host} answers {answer.status}: {answer.excerpt[:200]!r}.", remedy="Mend `path`.")

        try:
            return self.again(once)
        except NotNowError as error:
            told = f"{self.base.host} cannot be read now: {str(error).removesuffix('.')}, {self.connection.attempts} times."
            raise RetryError(told, remedy="The next run tries again; `attempts` and `wait_seconds` say how long one waits.") from None

    def again(self, attempt: Callable[[], Answered]) -> Answered:
        """Call until it does not raise NotNowError, as often as the connection says; the last one is raised."""
        return try_again(attempt, self.connection.attempts, self.connection.wait_seconds)

    def check(self) -> None:
        """Prove that the API answers; where the connection names a `check_path`, that its answer is good. Raises StopError or RetryError."""
        with self:
            if self.connection.check_path is not None:
                self.get(self.base.join(self.connection.check_path.lstrip("/")), CHECK_BYTES)
                return
            try:
                answer = self._once("GET", self.base, None, {}, CHECK_BYTES)
            except UnknownOutcomeError as error:
                raise RetryError(f"{self.base.host} did not answer ({error}).", remedy="Check the API and the network.") from None
        if answer.status >= 500:
            raise RetryError(f"{self.base.host} answers {answer.status}.", remedy="Ask the API's owner, or name a `check_path` that is there.")

    def send(self, method: str, url: httpx.URL, *, body: Any = None, headers: Mapping[str, str] | None = None, most_bytes: int) -> Answer:
        """Send one request once, but for an expired token, which is asked for anew.

        Raises RetryError where certainly nothing was sent, UnknownOutcomeError where that is not known, StopError for what a person must mend.
        """
        content = None if body is None else orjson.dumps(body)
        answer = self._once(method, url, content, dict(headers or {}), most_bytes)
        if answer.status == 401 and self.connection.auth == "oauth2" and self._token.text:
            self._token = _Token()
            answer = self._once(method, url, content, dict(headers or {}), most_bytes)
        if 300 <= answer.status < 400:
            raise StopError(f"{url.host} answers with a redirect ({answer.status}), which is not followed.", remedy="Write the final address as connection.url.")
        if answer.status in (401, 403):
            raise StopError(f"{url.host} refuses the credentials ({answer.status}).", remedy="Mend `connection: secret` or the rights it has.")
        return answer

    def _once(self, method: str, url: httpx.URL, content: bytes | None, headers: dict[str, str], most_bytes: int) -> Answer:
        more, sent = self._authorised(url)
        more = {**self.connection.headers, **more}
        return self._exchange(method, sent, content, {"Content-Type": "application/json", **more, **headers} if content is not None else {**more, **headers}, most_bytes)

    def _exchange(self, method: str, url: httpx.URL, content: bytes | None, headers: dict[str, str], most_bytes: int) -> Answer:
        """Exchange one request for its answer, with the host resolved, judged and pinned."""
        until = time.monotonic() + self.connection.deadline_seconds
        allowed = [(each.host, port_of(each)) for each in (self.base, self._token_url) if each is not None]
        to = ensure_allowed(url.host, port_of(url), allowed)
        if url.scheme == "http" and not to.private:
            raise StopError("connection.url is http, which anyone on the way can read.", remedy="Write https.")
        headers |= {"Host": url.netloc.decode("ascii"), "Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            with self._client(url.scheme).stream(
                method, url.copy_with(host=to.address), headers=headers, content=content, extensions={"sni_hostname": to.host}
            ) as response:
                received = bytearray()
                for chunk in response.iter_raw():
                    received += chunk
                    if len(received) > most_bytes:
                        raise StopError(f"an answer of {url.host} is larger than limits.file_bytes ({most_bytes}).", remedy="Ask for smaller pages.")
                    if time.monotonic() > until:
                        raise UnknownOutcomeError(f"slower than {self.connection.deadline_seconds} seconds")
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise StopError(f"{url.host} compresses its answer although asked not to.", remedy="Have it honour Accept-Encoding: identity.")
                return Answer(response.status_code, bytes(received), response.headers.get("Retry-After"), response.links.get("next", {}).get("url"))
        except NOT_SENT as error:
            raise RetryError(f"{url.host} cannot be reached ({type(error).__name__}).", remedy="The next run tries again.") from None
        except httpx.HTTPError as error:
            raise UnknownOutcomeError(redact(f"{type(error).__name__}: {error}")) from None

    def _client(self, scheme: str) -> httpx.Client:
        if scheme not in self._clients:
            verify = ssl.create_default_context() if scheme == "https" else False
            self._clients[scheme] = httpx.Client(trust_env=False, follow_redirects=False, verify=verify, timeout=min(self.connection.deadline_seconds, 30))
        return self._clients[scheme]

    def _authorised(self, url: httpx.URL) -> tuple[dict[str, str], httpx.URL]:
        told = self.connection
        if told.auth == "none" or told.secret is None:
            return {}, url
        if told.auth == "oauth2":
            return {"Authorization": f"Bearer {self._ask_token()}"}, url
        secret = told.secret.reveal()
        if told.auth == "query":
            return {}, url.copy_set_param(told.name, secret)
        if told.auth == "basic":
            return {"Authorization": _basic(told.user, secret)}, url
        return ({"Authorization": f"Bearer {secret}"} if told.auth == "bearer" else {told.name: secret}), url

    def _ask_token(self) -> str:
        """Return a token of the client credentials grant (RFC 6749, section 4.4), a new one where the last has run out."""
        told, now = self.connection, time.monotonic()
        if self._token.text and now < self._token.until:
            return self._token.text
        assert self._token_url is not None and told.secret is not None, "the constructor has seen to it"
        form = {"grant_type": "client_credentials", **({"scope": told.scope} if told.scope else {})}
        headers = {"Authorization": _basic(told.user, told.secret.reveal()), "Content-Type": "application/x-www-form-urlencoded"}
        try:
            answer = self._exchange("POST", self._token_url, str(httpx.QueryParams(form)).encode(), headers, 1_000_000)
        except UnknownOutcomeError as error:
            raise RetryError(f"{self._token_url.host} gave no token ({error}).", remedy="The next run tries again.") from None
        try:
            found = orjson.loads(answer.content) if answer.status == 200 else {}
        except orjson.JSONDecodeError:
            found = {}
        if not isinstance(found, dict) or not isinstance(found.get("access_token"), str):
            if answer.status == 429 or answer.status >= 500:
                raise RetryError(f"{self._token_url.host} gave no token (status {answer.status}).", remedy="The next run tries again.")
            raise StopError(f"{self._token_url.host} gave no token (status {answer.status}).", remedy="Mend `connection: user`, `secret` or `scope`.")
        note_revealed(found["access_token"])
        lives = found.get("expires_in")
        self._token = _Token(found["access_token"], now + (float(lives) if isinstance(lives, int | float) else 300.0) - TOKEN_MARGIN_SECONDS)
        return self._token.text


def _basic(user: str | None, secret: str) -> str:
    text = base64.b64encode(f"{user or ''}:{secret}".encode()).decode()
    note_revealed(text)
    return f"Basic {text}"


def _address(text: str, what: str) -> httpx.URL:
    try:
        found = httpx.URL(text.rstrip("/") + ("/" if what == "connection.url" else ""))
    except httpx.InvalidURL:
        found = httpx.URL()
    if found.scheme not in ("https", "http") or not found.host or found.userinfo:
        raise StopError(f"{what} is not the plain address of an API.", remedy="Write it like https://api.example.com/v1, without user or password.")
    return found


def port_of(url: httpx.URL) -> int:
    """Return the port of an address."""
    return url.port or (443 if url.scheme == "https" else 80)
