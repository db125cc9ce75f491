"""The layers of the code are what pyproject.toml says they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("contract", ["layers", "sessions", "drivers"])
def test_imports_keep_the_contract(contract: str) -> None:
    """Imports point downward, databases are opened in sessions alone, drivers stand in their connector."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--contract", contract, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_has_a_name_that_says_nothing() -> None:
    """No module or package is called core, common, utils or helpers."""
    vague = {"core", "common", "util", "utils", "helper", "helpers", "misc", "base"}
    found = [path for path in (ROOT / "src").rglob("*") if path.stem in vague]
    assert found == []


def test_the_catalog_holds_data_only() -> None:
    """Packs have no Python of ours beside the hooks that a pack may ship."""
    found = [path for path in (ROOT / "src/treaty/catalog").rglob("*.py") if path.parent.name != "hooks"]
    assert found == []
