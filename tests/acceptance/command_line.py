"""Runs the real command line: in this process, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from treaty.cli.main import main


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command line said: exit status, output and errors."""

    status: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        """The output as one JSON document."""
        return json.loads(self.output)

    @property
    def lines(self) -> list[Any]:
        """The output as JSON Lines."""
        return [json.loads(line) for line in self.output.splitlines()]


def treaty(*arguments: str | Path, stdin: bytes = b"") -> Answer:
    """Run the command line in this process: as a user's, less the start of the interpreter."""
    output, errors = io.StringIO(), io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(stdin))
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors), mock.patch.object(sys, "stdin", given):
        status = main([str(each) for each in arguments])
    return Answer(status, output.getvalue(), errors.getvalue())


def treaty_process(*arguments: str | Path, folder: Path | None = None) -> Answer:
    """Run the command line in a process of its own, in a folder."""
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "treaty", *map(str, arguments)], cwd=folder, capture_output=True, env=environment, check=False, timeout=300
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())
