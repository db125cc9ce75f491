"""Measure what many small runs leave behind: the same work on a lake after them, and once more after it was compacted.

    python bench/small_runs.py --runs 1000 [--folder DIR]

Each run brings one file in which a few of a few hundred records have changed, in one process, with the upkeep that a project has by
default. Then a run, ``records`` and ``explain`` are measured, the lake is compacted as if nobody read it, and they are measured again.
Processor time is that of the process and of the PostgreSQL server, since wall time tells more of the machine than of the lake.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil

import treaty

RECORDS, CHANGED, TIMES = 200, 5, 7
FILES = {
    "treaty.yaml": "name: small\nowners: {bench: bench@example.com}\n",
    "systems/store.yaml": """\
connector: files
connection: {folder: inbox}
owner: bench
streams:
  things: {format: csv, key: [id], read: {files: "*.csv"}}
""",
    "models/thing.yaml": """\
apiVersion: v3.1.0
kind: DataContract
id: thing
version: 1.0.0
status: active
schema:
  - name: thing
    logicalType: object
    physicalType: table
    properties:
      - {name: code, logicalType: string, physicalType: string, required: true}
      - {name: name, logicalType: string, physicalType: string}
      - {name: size, logicalType: integer, physicalType: integer}
""",
    "decisions/same-thing.md": """\
---
id: same-thing
title: Things are the same where their codes are
status: accepted
date: 2026-11-21
decision-makers: [bench]
kind: identity
governs: [thing]
keys:
  - {parts: [code]}
---

## Considered options

- by name
- by code

## Outcome

By code.
""",
    "mappings/store.things.yaml": "from: store/things\nto: thing\nfields:\n  code: id\n  name: trim(name)\n  size: to_integer(size)\n",
    "flows/things.yaml": "mappings: [store.things]\nowner: bench\n",
}


class Workload:
    """A project whose one file changes a little before each run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.chance = random.Random(1)
        self.sizes = [0] * RECORDS
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (folder / "inbox").mkdir(exist_ok=True)

    def run(self) -> None:
        """Change a few records and run."""
        for place in self.chance.sample(range(RECORDS), CHANGED):
            self.sizes[place] += 1
        rows = "".join(f"k{place},thing {place},{size}\n" for place, size in enumerate(self.sizes))
        (self.folder / "inbox" / "things.csv").write_text("id,name,size\n" + rows)
        result = treaty.run(self.folder)
        assert result.ok and result.changed, result

    def records(self) -> None:
        """Read every golden record."""
        assert RECORDS == treaty.records("thing", project=self.folder).num_rows

    def explain(self) -> None:
        """Explain one field."""
        assert treaty.explain("thing", f"k{self.chance.randrange(RECORDS)}", "size", project=self.folder).agrees

    def measure(self) -> dict[str, dict[str, float]]:
        """Return the medians of several times each, in seconds."""
        found: dict[str, dict[str, float]] = {}
        for name, work in (("run", self.run), ("records", self.records), ("explain", self.explain)):
            samples = [self._timed(work) for _ in range(TIMES)]
            found[name] = {"wall": statistics.median(wall for wall, _ in samples), "cpu": statistics.median(cpu for _, cpu in samples)}
        return found

    def _timed(self, work: Callable[[], None]) -> tuple[float, float]:
        wall, cpu = time.perf_counter(), self._processor_seconds()
        work()
        return time.perf_counter() - wall, self._processor_seconds() - cpu

    def _processor_seconds(self) -> float:
        """Return what this process and the PostgreSQL server, those of its processes that have ended included, have used by now."""
        pid = next(self.folder.rglob("postmaster.pid")).read_text().split()[0]
        server = psutil.Process(int(pid)).cpu_times()
        return time.process_time() + server.user + server.system + server.children_user + server.children_system


def main() -> int:
    """Run, measure, compact, measure; print the figures and their ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="treaty-small-runs-"))
    work = Workload(folder)
    began = time.perf_counter()
    for number in range(1, arguments.runs + 1):
        work.run()
        if number % 100 == 0:
            print(f"{number} runs, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    after = work.measure()
    compacted = compact(folder)
    clean = work.measure()
    ratios = {name: {kind: round(after[name][kind] / clean[name][kind], 2) for kind in ("wall", "cpu")} for name in after}
    print(json.dumps({"runs": arguments.runs, "after": after, "compacted": clean, "ratios": ratios, "files": compacted}, indent=1))
    treaty.stop(folder)
    return 0


def compact(folder: Path) -> tuple[int, int]:
    """Compact the lake, keeping no snapshot; return its number of files before and after."""
    from treaty.lake.compaction import compact as compact_lake
    from treaty.lake.scope import AllClients
    from treaty.operations.workspace import find_workspace

    with find_workspace(folder, None).open() as session:
        done = compact_lake(session, AllClients("bench"), keep=timedelta(0))
    return done.files_before, done.files_after


if __name__ == "__main__":
    sys.exit(main())
