"""Reads resources of dlt: through our own tap, told which source to run."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from treaty.connectors.configuration import read_configuration
from treaty.connectors.dlt import DltConnection, DltRead
from treaty.connectors.interface import Site, StreamRequest
from treaty.connectors.singer import SingerConnection, SingerRead
from treaty.connectors.singer.source import SingerSource
from treaty.errors import StopError

TAP = (sys.executable, "-P", "-m", "treaty.connectors.dlt.tap")


class DltSource(SingerSource):
    """Reads the resources of one source."""

    def __init__(self, connection: DltConnection, site: Site) -> None:
        if find_spec("dlt") is None:
            raise StopError("resources of dlt need the package dlt.", remedy="Install treaty[dlt].")
        config = {"source": _named(connection.source, site.root), "arguments": connection.arguments}
        super().__init__(SingerConnection(command=TAP, config=config, silent_seconds=connection.silent_seconds), site)

    def check(self) -> None:
        """Prove that the source can be made."""
        self.discover()

    def _program(self) -> list[str]:
        return [*self._connection.command]

    def _choice(self, folder: Path, stream: str) -> list[str]:
        return ["--stream", stream]

    def _settings(self, request: StreamRequest) -> SingerRead:
        return SingerRead(stream=read_configuration(DltRead, request.stream.read, f"{request.system}/{request.name}, read").resource)


def _named(source: str, root: Path) -> str:
    """Return a source's name with its file's path. Raises StopError for what is no name, or a file outside the project."""
    place, _, attribute = source.rpartition(":")
    if not place or not attribute.isidentifier():
        raise StopError(f"connection.source {source!r} names no source.", remedy="Write `file.py:name`, or `package.module:name`.")
    if not place.endswith(".py"):
        return source
    path = (root / place).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        raise StopError(f"connection.source: {place} is not a file in the project.", remedy="Put it into the project folder.")
    return f"{path}:{attribute}"
