"""One project that is run, killed and run again: its folders and databases can be put back to where a scenario begins.

A scenario is one command: ``first`` is ``treaty run`` in a folder in which nothing has run, ``correct`` a steward's correction after it,
``second`` the run on the next day's files, which also ends the correction. The embedded server runs through all of it; databases and
files are put back by copying, and what the sources give are always the same files.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg.conninfo import make_conninfo

HERE = Path(__file__).parent
SCENARIOS = ("first", "correct", "second")
DATABASES = ("treaty", "ledger", "billing")
FILES = ("lake", "objects", "tmp", "swept")
INBOXES = {"first": "day1", "correct": "day1", "second": "day2"}
COMMANDS = {
    "first": ("run", "--as-of", "2026-11-21"),
    "correct": (
        "correct",
        "contact",
        "kim@kim.example",
        "city",
        "Busan",
        "--reason",
        "she said so",
        "--who",
        "steward",
        "--until",
        "2026-11-22",
    ),
    "second": ("run", "--as-of", "2026-11-22"),
}
SETTINGS = {"TREATY_LAND_BATCH_ARRIVALS": "2", "TREATY_THREADS": "1"}  # several commits a stream, so that a kill can stand between them
TRUSTED_SECONDS = 2.2  # a file younger than two seconds is not known by its stamp, and its receipt says so


@dataclass(frozen=True, slots=True)
class Kill:
    """Where one run is killed: at a hit of a fault point, or so many seconds after so many hits of any."""

    scenario: str
    point: str = ""
    hit: int = 1
    delay: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.scenario}: {self.point} {self.hit}"
            if self.point
            else f"{self.scenario}: {self.delay * 1000:.0f} ms after {self.hit} points"
        )


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended: its status (negative for a signal), what it said, and the fault points it hit, in order."""

    status: int
    output: str
    errors: str
    hits: tuple[str, ...]
    seconds: float

    @property
    def killed(self) -> bool:
        """Whether it was ended by SIGKILL."""
        return self.status == -signal.SIGKILL


class World:
    """A project folder with an embedded server of its own."""

    scenarios: ClassVar[Sequence[str]] = SCENARIOS
    databases: ClassVar[Sequence[str]] = DATABASES
    sources: ClassVar[Sequence[str]] = ("billing",)  # databases that hold something before the first run
    settings: ClassVar[Mapping[str, str]] = SETTINGS
    doubling: ClassVar[frozenset[str]] = frozenset()  # sinks that may get a message twice: which id they give it the last time is left open

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.state = self.root / ".treaty"
        self._saved = folder / "saved"
        self._inboxes = folder / "inboxes"
        self._log = folder / "hits"
        self._inboxes.mkdir()
        self.write_project(self._inboxes)
        self._placed: str | None = None
        self._written_at = time.monotonic()

    def write_project(self, inboxes: Path) -> None:
        """Write the project, and what the sources give on each day."""
        shutil.copytree(HERE / "project", self.root)
        shutil.copytree(HERE / "day1/inbox", inboxes / "day1")
        shutil.copytree(HERE / "day1/inbox", inboxes / "day2")
        shutil.copytree(HERE / "day2/inbox", inboxes / "day2", dirs_exist_ok=True)

    # ---- where a scenario begins

    def start(self) -> None:
        """Start the server, as a first ``treaty`` command would."""
        from treaty.sessions.embedded import ensure_embedded
        from treaty.settings import RuntimeSettings

        self._conninfo = ensure_embedded(self.state, RuntimeSettings())
        with self._server() as server:
            server.execute("create role treaty_guest login")
            for name in self.sources:
                server.execute(f"create database {name}_first owner treaty_guest".encode())
        for name in self.sources:
            self._fill(name, "first")
        time.sleep(max(0.0, self._written_at + TRUSTED_SECONDS - time.monotonic()))

    def stop(self) -> None:
        """Stop the server."""
        from treaty.sessions.embedded import stop_embedded

        stop_embedded(self.state, at_once=True)

    def begin(self, scenario: str) -> None:
        """Put everything to where a scenario begins."""
        if self._placed is not None:
            (self.root / "inbox").rename(self._inboxes / self._placed)
        self._placed = INBOXES[scenario]
        (self._inboxes / self._placed).rename(self.root / "inbox")  # the files keep their stamps
        with self._server() as server:
            for name in self.databases:
                server.execute(f'drop database if exists "{name}" with (force)'.encode())
                if scenario != "first" or name in self.sources:
                    server.execute(f'create database "{name}" template "{name}_{scenario}" strategy file_copy'.encode())
        for name in FILES:
            _remove(self.state / name)
            if scenario != "first":
                _copy(self._saved / scenario / name, self.state / name)

    def save(self, scenario: str) -> None:
        """Keep the present state as where a scenario begins."""
        with self._server() as server:
            for name in self.databases:
                server.execute(f'create database "{name}_{scenario}" template "{name}" strategy file_copy'.encode())
        if INBOXES[scenario] == "day2":
            for name in self.sources:
                self._fill(name, scenario)
        for name in FILES:
            _copy(self.state / name, self._saved / scenario / name)

    def _fill(self, source: str, scenario: str) -> None:
        """Add what a source has on the day of a scenario."""
        with psycopg.connect(make_conninfo(self._conninfo, dbname=f"{source}_{scenario}", user="treaty_guest")) as connection:
            connection.execute((HERE / INBOXES[scenario] / f"{source}.sql").read_bytes())

    # ---- runs

    def run(self, scenario: str, kill: Kill | None = None, source: Path | None = None) -> Ran:
        """Run a scenario's command to its end, or to where it is to be killed; ``source`` is another tree of Treaty's source."""
        self._log.unlink(missing_ok=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TREATY_")}
        environment |= {**self.settings} | {"TREATY_FAULT_LOG": str(self._log)}
        if source is not None:
            environment["PYTHONPATH"] = str(source)
        if kill is not None and kill.point:
            environment["TREATY_FAULT"] = f"{kill.point}:{kill.hit}:kill"
        began = time.monotonic()
        command = [sys.executable, "-m", "treaty", *COMMANDS[scenario], "--json"]
        process = subprocess.Popen(command, cwd=self.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if kill is not None and not kill.point:
            self._kill_later(process, kill)
        output, errors = process.communicate(timeout=240)
        return Ran(process.returncode, output, errors, self._hits(), time.monotonic() - began)

    def _kill_later(self, process: subprocess.Popen[str], kill: Kill) -> None:
        while process.poll() is None and len(self._hits()) < kill.hit:
            time.sleep(0.002)
        time.sleep(kill.delay)
        process.kill()

    def _hits(self) -> tuple[str, ...]:
        return tuple(self._log.read_text(encoding="utf-8").split()) if self._log.exists() else ()

    # ---- what stands

    def database(self, name: str) -> str:
        """The superuser's connection string of one of the databases."""
        return make_conninfo(self._conninfo, dbname=name)

    @contextmanager
    def _server(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        with psycopg.connect(self.database("postgres"), autocommit=True) as connection:
            yield connection


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
