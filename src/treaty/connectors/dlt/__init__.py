"""The connector ``dlt``: any resource of dlt, run in a process of its own that speaks as a Singer tap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Connector, Site
from treaty.project.declarations import System, declared

if TYPE_CHECKING:
    from treaty.connectors.singer.source import SingerSource


@dataclass(frozen=True, slots=True, kw_only=True)
class DltConnection:
    """``connection:`` of a dlt source; it wants `treaty[dlt]`. What it names is code, trusted like a hook: it runs with the rights of Treaty."""

    source: str = declared(
        "a source or resource, or a function that makes one: `file.py:name` in the project, or `package.module:name`",
        example="dlt.sources.rest_api:rest_api_source",
    )
    arguments: Mapping[str, Any] = declared(
        "the function's arguments; references in them are resolved, and the process gets them in a private file",
        factory=dict, example={"api_key": "env:SHOP_KEY"}, secret=True,
    )  # fmt: skip
    silent_seconds: int = declared("how long the resource may give nothing before it is ended", default=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class DltRead:
    """``read:`` of a stream."""

    resource: str = declared("the resource's name", example="orders")


def open_dlt_source(system: System, site: Site) -> SingerSource:
    """Open a source of dlt; its process is started when it is first read."""
    from treaty.connectors.dlt.source import DltSource

    return DltSource(read_configuration(DltConnection, system.connection, f"systems/{system.name}, connection"), site)


CONNECTOR = Connector(kind="dlt", connection=DltConnection, read=DltRead, write=None, open_source=open_dlt_source, open_sink=None)
