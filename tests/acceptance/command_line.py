"""Runs the real command line in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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


def treaty(*arguments: str | Path, folder: Path | None = None, stdin: bytes = b"") -> Answer:
    """Run ``treaty`` with arguments in a folder."""
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "treaty", *map(str, arguments)], cwd=folder, input=stdin, capture_output=True, env=environment, check=False, timeout=300
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())
