"""Sends one GET through the egress gate, within a deadline and a number of bytes, and again where that may help."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from treaty.connectors.egress import ensure_allowed
from treaty.connectors.rest import RestConnection
from treaty.connectors.secrets import redact
from treaty.errors import RetryError, StopError

EXCERPT = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes of an answer as sent, and the address of the next page by its Link header."""

    content: bytes
    link: str | None


def wait_of(header: str | None, attempt: int, most: int) -> float:
    """Return how many seconds to wait: what Retry-After says in seconds or as a date, else longer each time; never beyond ``most``."""
    wait = float(2**attempt)
    if header:
        try:
            wait = float(int(header)) if header.strip().removeprefix("-").isdigit() else (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            wait = float(2**attempt)
    return min(max(wait, 0.0), float(most))


class RestClient:
    """Requests to one API."""

    def __init__(self, connection: RestConnection) -> None:
        self.connection = connection
        self.base = httpx.URL(connection.url.rstrip("/") + "/")
        if self.base.scheme not in ("https", "http") or not self.base.host or self.base.userinfo:
            raise StopError("connection.url is not the plain address of an API.", remedy="Write it like https://api.example.com/v1, without user or password.")
        if connection.auth != "none" and connection.secret is None:
            raise StopError(f"connection: auth {connection.auth} needs a secret.", remedy="Add `secret: env:NAME`.")

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
        """Return the answer. Raises StopError or RetryError."""
        problem = ""
        for attempt in range(max(self.connection.attempts, 1)):
            header = None
            try:
                answer, header, problem = self._once(url, most_bytes)
            except httpx.TransportError as error:
                answer, problem = None, redact(f"{type(error).__name__}: {error}")
            if answer is not None:
                return answer
            if attempt + 1 < self.connection.attempts:
                time.sleep(wait_of(header, attempt, self.connection.wait_seconds))
        raise RetryError(f"{self.base.host} did not answer ({problem}).", remedy="The next run tries again.")

    def _once(self, url: httpx.URL, most_bytes: int) -> tuple[Answer | None, str | None, str]:
        until = time.monotonic() + self.connection.deadline_seconds
        port = port_of(url)
        to = ensure_allowed(url.host, port, [(self.base.host, port_of(self.base))])
        if url.scheme == "http" and not to.private:
            raise StopError("connection.url is http, which anyone on the way can read.", remedy="Write https.")
        headers, sent = self._authorised(url)
        headers |= {"Host": url.netloc.decode("ascii"), "Accept": "application/json", "Accept-Encoding": "identity"}
        verify = ssl.create_default_context() if url.scheme == "https" else False
        with (
            httpx.Client(trust_env=False, follow_redirects=False, verify=verify, timeout=min(self.connection.deadline_seconds, 30)) as client,
            client.stream("GET", sent.copy_with(host=to.address), headers=headers, extensions={"sni_hostname": to.host}) as response,
        ):
            content = bytearray()
            for chunk in response.iter_raw():
                content += chunk
                if len(content) > most_bytes:
                    raise StopError(f"an answer of {url.host} is larger than limits.file_bytes ({most_bytes}).", remedy="Ask for smaller pages.")
                if time.monotonic() > until:
                    return None, None, f"slower than {self.connection.deadline_seconds} seconds"
            return self._judge(response, bytes(content))

    def _authorised(self, url: httpx.URL) -> tuple[dict[str, str], httpx.URL]:
        told = self.connection
        if told.auth == "none" or told.secret is None:
            return {}, url
        secret = told.secret.reveal()
        if told.auth == "query":
            return {}, url.copy_set_param(told.name, secret)
        if told.auth == "basic":
            return {"Authorization": httpx.BasicAuth(told.user or "", secret)._auth_header}, url
        return ({"Authorization": f"Bearer {secret}"} if told.auth == "bearer" else {told.name: secret}), url

    def _judge(self, response: httpx.Response, content: bytes) -> tuple[Answer | None, str | None, str]:
        status = response.status_code
        if status == 429 or status >= 500:
            return None, response.headers.get("Retry-After"), f"status {status}"
        if 300 <= status < 400:
            raise StopError(f"{self.base.host} answers with a redirect ({status}), which is not followed.", remedy="Write the final address as connection.url.")
        if status in (401, 403):
            raise StopError(f"{self.base.host} refuses the credentials ({status}).", remedy="Mend `connection: secret` or the rights it has.")
        if status != 200:
            raise StopError(f"{self.base.host} answers {status}: {redact(content.decode('utf-8', 'replace'))[:EXCERPT]!r}.", remedy="Mend `read: path`.")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise StopError(f"{self.base.host} compresses its answer although asked not to.", remedy="Have it honour Accept-Encoding: identity.")
        return Answer(content, response.links.get("next", {}).get("url")), None, ""


def port_of(url: httpx.URL) -> int:
    """Return the port of an address."""
    return url.port or (443 if url.scheme == "https" else 80)


