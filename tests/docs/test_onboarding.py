"""Day one, as the manual has it: a person at a terminal, from an empty folder to the first delivered records."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.docs.terminal import TYPED, type_command
from tests.docs.test_examples import blocks, matches

import treaty
from treaty.testing.api import FakeApi, run_api

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "onboarding.md"
SAMPLES = ROOT / "docs" / "examples" / "onboarding"
TREATY = Path(sys.executable).with_name("treaty")
MOST_CHARACTERS, MOST_PROMPTS, MOST_SECONDS = 1_500, 25, 1_800
ADDRESS, TOKEN = "http://127.0.0.1:8080", "sk_live_51Example"  # as the page has them
PATHS = ("A CSV export", "A Stripe-like JSON API", "A UBL inbox")


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a transcript: what is typed, what it shows, and what is answered."""

    command: str
    shown: list[str]

    @property
    def answers(self) -> list[str]:
        """What is typed at the prompts, in their order; nothing where Enter takes what is proposed."""
        return [matched.group(1) for line in self.shown if (matched := TYPED.fullmatch(f"{line} " if line.endswith("]") else line))]


def steps_of(path: str) -> list[Step]:
    """Return the steps of a path's transcript."""
    number = PATHS.index(path)
    lines = blocks(PAGE, "console")[number][1].splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("$ ")]
    return [Step(lines[start].removeprefix("$ "), lines[start + 1 : end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


@pytest.mark.parametrize("path", PATHS)
def test_little_is_typed(path: str) -> None:
    """The table's numbers are those of the transcript, and within what day one may take; nothing that is typed is Python."""
    steps = steps_of(path)
    typed = sum(len(each.command) + 1 + sum(len(answer) + 1 for answer in each.answers) for each in steps)
    prompts = len(steps) + sum(len(each.answers) for each in steps)
    row = re.search(rf"^\| {path} \| ([\d,]+) \| (\d+) \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert row is not None
    assert (typed, prompts) == (int(row[1].replace(",", "")), int(row[2]))
    assert typed <= MOST_CHARACTERS and prompts <= MOST_PROMPTS
    assert {"treaty", "cd", "export"} >= {each.command.split()[0] for each in steps}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeApi]:
    """A Stripe-like API with the customers of the manual's example."""
    with run_api(tmp_path_factory.mktemp("api") / "log") as running:
        running.offer("customers", json.loads((SAMPLES / "customers.json").read_text(encoding="utf-8")), TOKEN)
        yield running


@pytest.mark.parametrize("path", [PATHS[0], pytest.param(PATHS[1], marks=pytest.mark.slow), pytest.param(PATHS[2], marks=pytest.mark.slow)])
def test_day_one_is_as_the_manual_shows(path: str, api: FakeApi, tmp_path: Path) -> None:
    """Typed on a terminal, the transcript comes out line by line, records are delivered, and the time from the first file to them is known."""
    shutil.copytree(SAMPLES, tmp_path, dirs_exist_ok=True)
    folder, environment, started = tmp_path, {"TREATY_EGRESS_PRIVATE": "127.0.0.1"}, time.monotonic()
    try:
        for step in steps_of(path):
            verb, *arguments = step.command.replace(ADDRESS, api.address).split()
            if verb == "cd":
                folder = folder / arguments[0]
            elif verb == "export":
                name, _, value = arguments[0].partition("=")
                environment[name] = value
            else:
                shown = type_command([str(TREATY), *arguments], step.answers, folder=folder, environment=environment)
                assert shown.status in (0, 1), shown.lines
                assert matches([line.rstrip() for line in step.shown], [line.rstrip() for line in shown.lines]) is None, "\n".join(shown.lines)
        elapsed = time.monotonic() - started
        (status,) = treaty.onboarding_status(folder)
        assert status.seconds is not None and 0 <= status.seconds <= elapsed + 1 <= MOST_SECONDS
        assert 0 == status.open_questions
        assert treaty.deliveries(folder, state="acknowledged")
        assert treaty.check(folder).ok and treaty.verify(folder).ok
    finally:
        treaty.stop(tmp_path / "books")
