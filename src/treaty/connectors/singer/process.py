"""Runs a tap: without a shell, with no secret of our environment, its output read line by line within limits and deadlines."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import IO

from treaty.connectors.secrets import redact
from treaty.errors import RetryError, StopError

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
PIECE_BYTES = 65_536
SAID_BYTES = 600


def find_command(command: Sequence[str], root: Path) -> list[str]:
    """Return the command with its program's path. Raises StopError where there is none."""
    if not command:
        raise StopError("the connection names no command.", remedy="Add `command:` to `connection`.")
    name = command[0]
    own, beside = (root / name).resolve(), Path(sys.executable).parent / name
    if own.is_relative_to(root.resolve()) and own.is_file() and os.access(own, os.X_OK):
        return [str(own), *command[1:]]
    found = str(beside) if "/" not in name and beside.is_file() else shutil.which(name) if "/" not in name else None
    if found is None:
        raise StopError(
            f"the tap {name!r} is neither an executable file of the project nor installed.", remedy="Install it, or mend `command`."
        )
    return [found, *command[1:]]


def run_lines(command: Sequence[str], root: Path, silent_seconds: int, most_bytes: int) -> Generator[bytes, None, None]:
    """Yield the lines that a process writes; one that is longer is cut just above ``most_bytes``.

    Raises RetryError where it fails or says nothing for too long, StopError where it ends with ``EX_CONFIG`` of sysexits(3). It is ended, with all
    it started, when no more lines are asked for.
    """
    environment = {name: value for name, value in os.environ.items() if name in KEPT}
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, start_new_session=True
            )
        except OSError as error:
            raise StopError(f"{command[0]} cannot be started: {error.strerror}.", remedy="Mend `command`.") from None
        assert process.stdout is not None, "it is a pipe"
        try:
            yield from _lines(process.stdout.fileno(), silent_seconds, most_bytes)
            status = process.wait(silent_seconds)
        except (TimeoutError, subprocess.TimeoutExpired):
            raise RetryError(
                f"the tap said nothing for {silent_seconds} seconds and was ended.{_tail(said)}", remedy="It is tried again."
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.stdout.close()
            process.wait()
        if status == os.EX_CONFIG:
            raise StopError(f"the tap cannot run as it is set up.{_tail(said)}", remedy="Mend `connection` or `read`.")
        if status:
            raise RetryError(f"the tap ended with status {status}.{_tail(said)}", remedy="What it gave up to its last state stays.")


def _lines(descriptor: int, silent_seconds: int, most_bytes: int) -> Generator[bytes, None, None]:
    pending = bytearray()
    cut = False
    deadline = time.monotonic() + silent_seconds
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        piece = os.read(descriptor, PIECE_BYTES)
        if not piece:
            if pending:
                yield bytes(pending)
            return
        *whole, rest = piece.split(b"\n")
        for part in whole:
            line = bytes(pending) if cut else bytes(pending) + part
            pending.clear()
            cut = False
            yield line
        if not cut:
            pending += rest
        if len(pending) > most_bytes:
            cut = True
            del pending[most_bytes + 1 :]
        deadline = time.monotonic() + silent_seconds


def _tail(said: IO[bytes]) -> str:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - SAID_BYTES))
    text = redact(said.read().decode("utf-8", "replace")).strip()
    return f" It said: {text}." if text else ""
