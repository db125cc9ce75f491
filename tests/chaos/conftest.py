"""One world, its undisturbed runs, and a count of what was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.chaos.comparing import Holdings, read_holdings
from tests.chaos.world import SCENARIOS, Kill, Ran, World

from treaty.faults import FAULT_POINTS

SEED = int(os.environ.get("TREATY_SEED", "20261121"))
KILLS = int(os.environ.get("TREATY_KILLS", "10"))


@dataclass(slots=True)
class Figures:
    """What was done, for the summary."""

    kills: int = 0
    rows: int = 0
    points: Counter[str] = field(default_factory=Counter)
    more: list[str] = field(default_factory=list)  # lines of other tests
    began: float = field(default_factory=time.monotonic)

    def count(self, kill: Kill, ran: Ran) -> None:
        """Count a run that was to be killed, if it was."""
        if not ran.killed:
            return
        self.kills += 1
        if kill.point:
            self.points[kill.point] += 1


FIGURES = Figures()


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """How the plain runs ended, and what stood after each."""

    runs: Mapping[str, Ran]
    holdings: Mapping[str, Holdings]

    @property
    def hits(self) -> Mapping[str, tuple[str, ...]]:
        """The fault points that each run hit, in order."""
        return {scenario: run.hits for scenario, run in self.runs.items()}


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A project with a server of its own."""
    folder = Path(tempfile.mkdtemp(prefix="treaty-chaos-"))
    made = World(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def undisturbed(world: World) -> Undisturbed:
    """Every scenario run to its end, each from where the one before it ended."""
    runs: dict[str, Ran] = {}
    holdings: dict[str, Holdings] = {}
    for scenario in SCENARIOS:
        if runs:
            world.save(scenario)
        world.begin(scenario)
        runs[scenario] = world.run(scenario)
        assert runs[scenario].status == 0, runs[scenario].output + runs[scenario].errors
        holdings[scenario] = read_holdings(world)
    return Undisturbed(runs, holdings)


@pytest.fixture(scope="session")
def figures() -> Figures:
    """The count of all kills."""
    return FIGURES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was killed (a worker process of xdist has no terminal to print to)."""
    if FIGURES.kills:
        at_points = FIGURES.points.total()
        terminalreporter.write_line(
            f"chaos: {FIGURES.kills} kills, {at_points} of them at {len(FIGURES.points)} of {len(FAULT_POINTS)} fault points and "
            f"{FIGURES.kills - at_points} at random moments (seed {SEED}); {FIGURES.rows} rows compared; {time.monotonic() - FIGURES.began:.0f} s"
        )
    for line in FIGURES.more:
        terminalreporter.write_line(f"chaos: {line}")
