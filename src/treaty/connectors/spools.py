"""Bytes that come piece by piece and are read again: in memory while they are few, else in a private file."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

SMALL_BYTES = 1024 * 1024  # up to this they are kept in memory


class Spool:
    """What was written so far, with its size and hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = bytearray()
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        """Add to the bytes."""
        self._digest.update(data)
        self.size_bytes += len(data)
        if self._file is None:
            self._held += data
            if len(self._held) > SMALL_BYTES:
                handle, name = tempfile.mkstemp(dir=self._folder, prefix="spool-")
                self._file, self._path = open(handle, "wb"), Path(name)  # noqa: SIM115  content() or discard() closes it
                self._file.write(self._held)
                self._held.clear()
        else:
            self._file.write(data)

    def fill(self, pieces: Iterable[bytes]) -> None:
        """Add all pieces; where getting them fails, nothing stays."""
        try:
            for piece in pieces:
                self.write(piece)
        except BaseException:
            self.discard()
            raise

    def sha256(self) -> str:
        """Return the hash of the bytes."""
        return self._digest.hexdigest()

    def content(self) -> Path | bytes:
        """Return the bytes, or the file that holds them until :meth:`discard`; nothing can be added from then on."""
        if self._file is None or self._path is None:
            return bytes(self._held)
        self._file.close()
        return self._path

    def open(self) -> BinaryIO:
        """Open the bytes for reading."""
        content = self.content()
        return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")

    def discard(self) -> None:
        """Remove the file; harmless where there is none, or where it has been moved away."""
        self._held.clear()
        if self._file is not None and self._path is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)
