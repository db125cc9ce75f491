"""Fault points: off in production, registered, each one called somewhere."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from treaty.errors import DefectError
from treaty.faults import FAULT_POINTS, InjectedFault, faultpoint, forget_hits

SOURCE = Path(__file__).parents[2] / "src" / "treaty"


def called() -> set[str]:
    """The names of all fault points in the source."""
    return {name for path in SOURCE.rglob("*.py") for name in re.findall(r'faultpoint\("([a-z_.]+)"\)', path.read_text(encoding="utf-8"))}


def test_every_fault_point_is_registered_and_every_registered_one_is_called() -> None:
    """The registry and the source name the same points (A1, I14)."""
    assert FAULT_POINTS.keys() == called()


def test_without_the_variable_nothing_happens() -> None:
    """A fault point costs a look at the environment and nothing else."""
    started = time.process_time()
    for _ in range(1000):
        faultpoint("commit.locked")
    assert time.process_time() - started < 0.1


def test_a_fault_strikes_at_its_hit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The second hit raises, the others pass, and the log tells of all of them."""
    forget_hits()
    monkeypatch.setenv("TREATY_FAULT", "commit.locked:2:raise,land.pre_commit:1:sleep:0")
    monkeypatch.setenv("TREATY_FAULT_LOG", str(tmp_path / "log"))
    faultpoint("commit.locked")
    faultpoint("land.pre_commit")
    with pytest.raises(InjectedFault):
        faultpoint("commit.locked")
    faultpoint("commit.locked")
    assert ["commit.locked", "land.pre_commit", "commit.locked", "commit.locked"] == (tmp_path / "log").read_text().split()
    forget_hits()


def test_an_unknown_point_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """A point that is not registered is found by the first armed test."""
    monkeypatch.setenv("TREATY_FAULT", "x:1:raise")
    with pytest.raises(DefectError):
        faultpoint("not.there")
