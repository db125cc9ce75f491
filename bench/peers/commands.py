"""What every peer can be asked for: load a file into its store, and export the store so that it can be checked."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path


def answer(load: Callable[[Path, Path], dict[str, int]], export: Callable[[Path, Path], None]) -> None:
    """Read the command line: ``load FILE STORE`` or ``export STORE OUT.parquet``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=("load", "export"))
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    arguments = parser.parse_args()
    if arguments.verb == "load":
        print(json.dumps(load(arguments.first, arguments.second)))
    else:
        export(arguments.first, arguments.second)


def make_durable(path: Path) -> None:
    """Wait until a file and its name are on disk: what a database's commit does for itself."""
    for target in (path, path.parent):
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
