"""A process that lands a folder of CSV files for one client: run by tests that need several, or one to kill."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


def start(state: Path, url: str, client: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a worker; it prints ``landed N`` when it is done."""
    command = [sys.executable, "-m", "tests.integration.lake.worker", str(state), url, client, str(folder)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TREATY_")}
    return subprocess.Popen(
        command, cwd=ROOT, env=clean | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(worker: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a worker; return its exit status and what it said."""
    out, err = worker.communicate(timeout=180)
    return worker.returncode, out + err


def main(state: str, url: str, client: str, folder: str) -> None:
    """Land every file of the folder, in order of name, from where the cursor is."""
    from tests.integration.lake.landings import csv_arrival, csv_request

    from treaty.connectors.interface import Arrival
    from treaty.lake.landing import land
    from treaty.lake.schema import prepare_lake
    from treaty.lake.scope import OneClient
    from treaty.project.declarations import Limits
    from treaty.sessions import open_session

    with open_session(Path(state), None if url == "embedded" else url, Limits()) as session:
        prepare_lake(session)

        def read(cursor: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Arrival]:
            for path in sorted(Path(folder).glob("*.csv")):
                if path.name > cursor.get("at", ""):
                    arrival = csv_arrival(session.temp_folder, path.read_text(), path.stem.split("-")[0], {"at": path.name})
                    yield arrival

        session.settings = _small_commits(session.settings)
        result = land(session, OneClient(client), csv_request(), read)
        sys.stdout.write(f"landed {result.landed}\n")


def _small_commits(settings: Any) -> Any:
    from dataclasses import replace

    return replace(settings, land_batch_arrivals=1, packed_object_bytes=200)  # a commit for each file; some have objects of their own


if __name__ == "__main__":
    main(*sys.argv[1:])
