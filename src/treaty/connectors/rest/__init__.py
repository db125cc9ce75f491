"""The connector ``rest``: reads JSON APIs page by page. A source only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Connector, Site
from treaty.connectors.secrets import Secret
from treaty.project.declarations import System, declared

if TYPE_CHECKING:
    from treaty.connectors.rest.source import RestSource


@dataclass(frozen=True, slots=True, kw_only=True)
class RestConnection:
    """``connection:`` of a JSON API. Its host and port are all that is reached; redirects and the environment's proxies are not followed."""

    url: str = declared("the address that the streams' paths begin from: https, or http on a private network that the installation lists", example="https://api.example.com/v1")
    auth: Literal["none", "header", "query", "basic", "bearer"] = declared("how the secret is sent", default="none")
    secret: Secret | None = declared("the key, token or password, as a reference", default=None, example="env:SHOP_TOKEN", secret=True)
    name: str = declared("auth header and query: the name of the header or parameter", default="X-API-Key")
    user: str | None = declared("auth basic: the user", default=None, example="treaty")
    deadline_seconds: int = declared("how long one answer may take in all", default=60)
    attempts: int = declared("how often a request is sent before the run leaves it for later", default=4)
    wait_seconds: int = declared("the longest wait between attempts, whatever Retry-After says", default=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestRead:
    """``read:`` of a stream: one path, read whole each time; an answer with the same bytes as the last from its address is left out."""

    path: str = declared("the path below the connection's `url`", example="customers")
    parameters: Mapping[str, str] = declared("parameters of the query", factory=dict, example={"expand": "address"})
    pages: Literal["none", "link", "next", "cursor", "page", "offset"] = declared(
        "how one page leads to the next: by the Link header, by an address in the answer (`next_field`), by a cursor in it, by number, or by offset",
        default="none",
    )  # fmt: skip
    next_field: str = declared("pages next and cursor: the path in the answer of the next address or cursor", default="next")
    parameter: str = declared("pages cursor, page and offset: the parameter that says where to go on", default="page")
    first: int = declared("pages page: the number of the first", default=1)
    most_pages: int = declared("more pages than this stop the run: the API is likely to repeat itself", default=100_000)


def open_rest_source(system: System, site: Site) -> RestSource:
    """Open an API for reading."""
    from treaty.connectors.rest.source import RestSource

    return RestSource(read_configuration(RestConnection, system.connection, f"systems/{system.name}, connection"))


CONNECTOR = Connector(kind="rest", connection=RestConnection, read=RestRead, write=None, open_source=open_rest_source, open_sink=None)
