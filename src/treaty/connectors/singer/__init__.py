"""The connector ``singer``: any Singer tap, a process that writes its records as JSON lines."""

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
class SingerConnection:
    """``connection:`` of a tap. The command is code, trusted like a hook: it runs with the rights of Treaty, without a shell."""

    command: tuple[str, ...] = declared(
        "the tap and its arguments: a file of the project, or a program installed beside Treaty", example=["tap-csv"]
    )
    config: Mapping[str, Any] = declared(
        "the tap's own settings; references in it are resolved, and the tap gets them in a private file", factory=dict,
        example={"api_key": "env:SHOP_KEY", "start_date": "2026-01-01T00:00:00Z"}, secret=True,
    )  # fmt: skip
    catalog: str | None = declared(
        "a catalog in the project; `none` gives the tap no catalog; else the tap is asked for it and the stream is selected", default=None
    )
    silent_seconds: int = declared("how long the tap may say nothing before it is ended", default=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class SingerRead:
    """``read:`` of a stream."""

    stream: str = declared("the stream as the tap names it", example="orders")
    page_rows: int = declared("records after which an arrival ends at the tap's next state", default=50_000)


def open_singer_source(system: System, site: Site) -> SingerSource:
    """Open a tap for reading; it is started when it is first read."""
    from treaty.connectors.singer.source import SingerSource

    return SingerSource(read_configuration(SingerConnection, system.connection, f"systems/{system.name}, connection"), site)


CONNECTOR = Connector(
    kind="singer", connection=SingerConnection, read=SingerRead, write=None, open_source=open_singer_source, open_sink=None
)
