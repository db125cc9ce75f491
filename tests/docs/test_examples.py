"""The examples of the manual are those of a project that is checked and run; its transcripts are what people see."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import treaty
from treaty.compiler.cells import parse_cell
from treaty.project.findings import Severity

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "docs" / "examples" / "shop"
TREATY = Path(sys.executable).with_name("treaty")
ELIDED = "…"


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of a language on a page: what stands behind its name, and the text."""
    return re.findall(rf"^```{language} ?(\S*)\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("file", "text"), blocks(ROOT / "docs" / "decision-kinds.md", "yaml"), ids=lambda part: part.partition("\n")[0])
def test_decision_on_the_page_is_that_of_the_example(file: str, text: str) -> None:
    """Front matter shown in the manual is that of the example project."""
    front = (SHOP / file).read_text(encoding="utf-8").split("---\n")[1]
    assert front == text


def cells_of_the_manual() -> list[str]:
    """Return the cells in the table of the page on cells."""
    page = (ROOT / "docs" / "cells.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE)


@pytest.mark.parametrize("cell", cells_of_the_manual())
def test_cell_of_the_manual_can_be_read(cell: str) -> None:
    """A cell shown in the manual is one."""
    assert parse_cell(cell) is not None


def test_example_project_has_no_problem() -> None:
    """The example project is without findings."""
    assert treaty.check(SHOP).findings == ()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """A copy of the example project that may run; its database is stopped at the end."""
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns(".treaty"))
    yield folder
    treaty.stop(folder)


def test_example_project_runs(shop: Path) -> None:
    """The example project does what the manual says of its decisions: each kind has its effect."""
    result = treaty.run(shop)
    assert result.ok
    orders = {row["number"]: row for row in treaty.records("order", shop).to_pylist()}
    customers = {row["email"]: row for row in treaty.records("customer", shop).to_pylist()}
    assert {"A-1001", "A-1002", "A-1003"} == set(orders)
    assert ("1234.50", "-12.00") == (str(orders["A-1001"]["total"]), str(orders["A-1003"]["total"]))
    assert "paid" == orders["A-1002"]["status"]
    assert ("17", "Ana Costa Silva") == (customers["ana@example.com"]["number"], customers["ana@example.com"]["name"])
    assert {("total", "not-a-decimal"), ("status", "unmapped-value")} == {
        (each.field, each.reason) for each in treaty.quarantine_groups(shop)
    }
    assert treaty.verify(shop).ok


def test_packs_have_no_errors() -> None:
    """A project on each shipped pack is without errors."""
    from treaty.project.files import catalog_folder, shipped_packs

    for pack in shipped_packs():
        assert [each for each in treaty.check(catalog_folder() / pack).findings if each.severity is Severity.ERROR] == []


def matches(transcript: list[str], output: list[str]) -> str | None:
    """Return the first line of a transcript that the output has not in its place, or None; … stands for any lines."""
    position, free = 0, False
    for line in transcript:
        if line == ELIDED:
            free = True
            continue
        found = next((number for number in range(position, len(output)) if output[number] == line), None) if free else position
        if found is None or found >= len(output) or output[found] != line:
            return line
        position, free = found + 1, False
    return None if free or position == len(output) else f"(the output goes on: {output[position]})"


def test_transcripts_of_the_readme_are_true(tmp_path: Path) -> None:
    """What the README shows is what the demo prints, line by line."""
    folder = tmp_path
    try:
        for _, text in blocks(ROOT / "README.md", "console"):
            command, *expected = text.splitlines()
            for part in command.removeprefix("$ ").split("; "):
                if part.startswith("cd "):
                    folder = folder / part.removeprefix("cd ")
                    continue
                arguments = part.split()[1:]
                done = subprocess.run([TREATY, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
                assert done.returncode == 0, done.stderr
                assert matches(expected, done.stdout.splitlines()) is None, done.stdout
    finally:
        if (tmp_path / "demo").exists():
            treaty.stop(tmp_path / "demo")
