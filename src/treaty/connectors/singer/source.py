"""Reads the streams of a tap: what it offers, and what it says of one stream from a state on."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from treaty.connectors.configuration import read_configuration
from treaty.connectors.interface import Arrival, Cursor, Site, StreamDescription, StreamRequest
from treaty.connectors.secrets import Secret
from treaty.connectors.singer import SingerConnection, SingerRead
from treaty.connectors.singer.conversation import ENVELOPE_BYTES, Conversation
from treaty.connectors.singer.process import find_command, run_lines
from treaty.errors import StopError

CATALOG_BYTES = 64 * 1024 * 1024


class SingerSource:
    """Reads the streams of one tap."""

    def __init__(self, connection: SingerConnection, site: Site) -> None:
        self._connection = connection
        self._site = site

    def check(self) -> None:
        """Prove that the tap is there."""
        self._program()

    def discover(self) -> Sequence[StreamDescription]:
        """List what the tap says that it offers."""
        with tempfile.TemporaryDirectory(prefix="treaty-") as folder:
            streams = self._discover(Path(folder))
        return [StreamDescription(_name(each), "jsonl", tuple((each.get("schema") or {}).get("properties") or ())) for each in streams]

    def read(self, request: StreamRequest) -> Iterator[Arrival]:
        """Start the tap from the state in ``request.cursor`` and yield what it says of the stream."""
        place = f"{request.system}/{request.name}"
        if request.stream.format != "jsonl":
            raise StopError(f"{place}: a tap writes JSON lines.", remedy="Write `format: jsonl`.")
        read = self._settings(request)
        with (
            tempfile.TemporaryDirectory(prefix="treaty-") as folder,
            tempfile.TemporaryDirectory(prefix="treaty-", dir=request.spool) as spool,
        ):
            command = self._command(Path(folder), read.stream, request.cursor)
            with closing(
                run_lines(command, self._site.root, self._connection.silent_seconds, request.limits.record_bytes + ENVELOPE_BYTES)
            ) as lines:
                yield from Conversation(read, request, Path(spool)).arrivals(lines)

    def _program(self) -> list[str]:
        """Return the program and its own arguments. Raises StopError where it is not there."""
        return find_command(self._connection.command, self._site.root)

    def _settings(self, request: StreamRequest) -> SingerRead:
        return read_configuration(SingerRead, request.stream.read, f"{request.system}/{request.name}, read")

    def _command(self, folder: Path, stream: str, cursor: Cursor) -> list[str]:
        command = [*self._program(), "--config", str(self._config(folder)), *self._choice(folder, stream)]
        if cursor:
            if not isinstance(cursor.get("state"), Mapping):
                raise StopError(
                    "the stream's stored position is not a tap's state.", remedy="Reset the stream so that it is read from its start."
                )
            command += ["--state", str(_write(folder / "state.json", cursor["state"]))]
        return command

    def _choice(self, folder: Path, stream: str) -> list[str]:
        """Return the arguments that choose the stream."""
        if self._connection.catalog == "none":
            return []
        if self._connection.catalog is None:
            chosen = [_selected(each) for each in self._discover(folder) if _name(each) == stream]
            if not chosen:
                raise StopError(f"the tap offers no stream {stream!r}.", remedy="Mend `read: stream`, or give a `catalog`.")
            return ["--catalog", str(_write(folder / "catalog.json", {"streams": chosen}))]
        path = (self._site.root / self._connection.catalog).resolve()
        if not path.is_relative_to(self._site.root.resolve()) or not path.is_file():
            raise StopError("`catalog` is not a file in the project.", remedy="Put it into the project folder.")
        return ["--catalog", str(path)]

    def _config(self, folder: Path) -> Path:
        return _write(folder / "config.json", _revealed(self._connection.config))

    def _discover(self, folder: Path) -> list[dict[str, Any]]:
        command = [*self._program(), "--config", str(self._config(folder)), "--discover"]
        told = b"\n".join(run_lines(command, self._site.root, self._connection.silent_seconds, CATALOG_BYTES))
        try:
            streams = json.loads(told)["streams"]
            return [each for each in streams if isinstance(each, dict)]
        except (ValueError, KeyError, TypeError):
            raise StopError("the tap tells no catalog with --discover.", remedy="Give a `catalog`, or `catalog: none`.") from None


def _revealed(value: Any) -> Any:
    """Return settings with their secrets as texts, for the private file only."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: _revealed(each) for key, each in value.items()}
    return [_revealed(each) for each in value] if isinstance(value, list) else value


def _write(path: Path, value: Any) -> Path:
    """Write a file that only this user can read."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file)
    return path


def _name(stream: Mapping[str, Any]) -> str:
    return str(stream.get("tap_stream_id") or stream.get("stream"))


def _selected(stream: dict[str, Any]) -> dict[str, Any]:
    """Return a catalog entry with the stream selected, in the new way and the old one."""
    others = [each for each in stream.get("metadata") or [] if each.get("breadcrumb")]
    own = next((each.get("metadata") or {} for each in stream.get("metadata") or [] if not each.get("breadcrumb")), {})
    metadata = [{"breadcrumb": [], "metadata": {**own, "selected": True}}, *others]
    return {**stream, "metadata": metadata, "schema": {**(stream.get("schema") or {}), "selected": True}}
