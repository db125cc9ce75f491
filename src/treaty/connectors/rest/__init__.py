"""The connector ``rest``: JSON APIs, read page by page and written record by record or in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Connector, Site
from treaty.connectors.secrets import Secret
from treaty.project.declarations import System, declared

if TYPE_CHECKING:
    from treaty.connectors.rest.sink import RestSink
    from treaty.connectors.rest.source import RestSource

MODES = frozenset({"upsert", "idempotency-key", "read-back", "at-least-once"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RestConnection:
    """``connection:`` of a JSON API. Its host and port are all that is reached; redirects and the environment's proxies are not followed."""

    url: str = declared("the address that the streams' paths begin from: https, or http on a private network that the installation lists", example="https://api.example.com/v1")
    auth: Literal["none", "header", "query", "basic", "bearer", "oauth2"] = declared("how the secret is sent; oauth2 is the client credentials grant", default="none")
    secret: Secret | None = declared("the key, token, password or client secret, as a reference", default=None, example="env:SHOP_TOKEN", secret=True)
    name: str = declared("auth header and query: the name of the header or parameter", default="X-API-Key")
    user: str | None = declared("auth basic: the user; oauth2: the client id", default=None, example="treaty")
    token_url: str | None = declared("auth oauth2: where tokens are given; its host and port are reached too", default=None, example="https://login.example.com/token")
    scope: str | None = declared("auth oauth2: the scope that is asked for", default=None)
    headers: Mapping[str, str] = declared("headers sent with every request; references are taken", factory=dict, example={"X-Tenant": "env:SHOP_TENANT"})
    check_path: str | None = declared(
        "what `treaty doctor` asks for, which must answer 200; without it any answer of `url` proves that the API is there", default=None, example="me"
    )
    deadline_seconds: int = declared("how long one answer may take in all", default=60)
    attempts: int = declared("how often a request is sent before the run leaves it for later", default=4)
    wait_seconds: int = declared("the longest wait between attempts, whatever Retry-After says", default=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestRead:
    """``read:`` of a stream: one path; an answer with the same bytes as the last from its address is left out."""

    path: str = declared("the path below the connection's `url`", example="customers")
    parameters: Mapping[str, str] = declared("parameters of the query", factory=dict, example={"expand": "address"})
    pages: Literal["none", "link", "next", "cursor", "page", "offset"] = declared(
        "how one page leads to the next: by the Link header, by an address in the answer (`next_field`), by a cursor in it, by number, or by offset",
        default="none",
    )  # fmt: skip
    next_field: str = declared("pages next and cursor: the path in the answer of the next address or cursor; in a list by number, as data/-1/id", default="next")
    parameter: str = declared("pages cursor, page and offset: the parameter that says where to go on", default="page")
    first: int = declared("pages page: the number of the first", default=1)
    most_pages: int = declared("more pages than this stop the run: the API is likely to repeat itself", default=100_000)
    since_field: str | None = declared("incremental: the path in a record of what only grows; its largest value is where the next run goes on", default=None, example="updated_at")
    since_parameter: str = declared("incremental: the parameter that takes it; what is equal to it must come again", default="since", example="updated_since")
    overlap_seconds: int = declared("incremental: how far the next run goes back, for records that the API shows late", default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestWrite:
    """``write:`` of a stream: where records are created, and how they are changed, deleted and found."""

    path: str = declared("where records are created, below the connection's `url`", example="customers")
    update_path: str | None = declared("where one record is changed: `{id}` is the API's own id, `{key}` the delivery key; else `path`/{id}, upsert `path`/{key}", default=None)
    create_method: Literal["POST", "PUT"] = declared("how a record is created", default="POST")
    update_method: Literal["PUT", "PATCH", "POST"] = declared("how a record is changed", default="PUT")
    delete_method: Literal["DELETE", "POST"] = declared("how a record is deleted", default="DELETE")
    archive: Mapping[str, str] = declared("the fields that mark an archived record, sent as a change", factory=dict, example={"status": "archived"})
    id_field: str = declared("the path in an answer of the API's own id", default="id")
    record: str | None = declared("a field around the record in requests and answers, where there is one", default=None, example="customer")
    version_field: str | None = declared("a field that takes the version of the delivery", default=None, example="treaty_version")
    key_header: str = declared("mode idempotency-key: the header of the key", default="Idempotency-Key")
    window_hours: int = declared("mode idempotency-key: how long the API knows a key; automatic retries stop after five sixths of it", default=24)
    reference_field: str = declared("mode read-back, and batches: the field that takes the message's id", default="reference")
    find_path: str | None = declared("mode read-back: where records are found, `{reference}` being the message's id", default=None, example="customers?reference={reference}")
    find_record: str = declared("mode read-back: the path in that answer of the records found", default="data")
    batch_path: str | None = declared("where many records are created or changed in one request; each item has its own result", default=None, example="customers/batch")
    batch_size: int = declared("batches: at most so many items a request", default=100)
    batch_field: str = declared("batches: the field of the request that holds the items", default="items")
    results_field: str = declared("batches: the path in the answer of the list of results", default="results")
    result_status: str = declared("batches: the path in a result of its HTTP status", default="status")


def _configure(system: System) -> RestConnection:
    return read_configuration(RestConnection, system.connection, f"systems/{system.name}, connection")


def open_rest_source(system: System, site: Site) -> RestSource:
    """Open an API for reading."""
    from treaty.connectors.rest.source import RestSource

    return RestSource(_configure(system))


def open_rest_sink(system: System, site: Site) -> RestSink:
    """Open an API for writing."""
    from treaty.connectors.rest.sink import RestSink

    return RestSink(_configure(system))


CONNECTOR = Connector(
    kind="rest", connection=RestConnection, read=RestRead, write=RestWrite, open_source=open_rest_source, open_sink=open_rest_sink, modes=MODES
)
