"""Whatever a project says, checking it gives findings and no exception."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from treaty.project.loading import load_project, load_project_files
from treaty.rules.checking import check_project

CASES = Path(__file__).parents[2] / "cases" / "projects"
SIGNS = "[]{}():,'\"|>&*!-#x0 "
VALUES = (
    "null",
    "[]",
    "{}",
    "12",
    "true",
    '"x"',
    "[a, [b]]",
    "{a: {b: c}}",
    "a/b",
    "2026-13-01",
    "list<struct<a: string>>",
    "f(x: string) -> date",
)


def damaged(text: str, chance: random.Random) -> str:
    """Return a file's text with one line left out, repeated, or spoiled."""
    lines = text.split("\n")
    number = chance.randrange(len(lines))
    line = lines[number]
    match chance.randrange(4):
        case 0:
            lines.pop(number)
        case 1:
            lines.insert(number, chance.choice(lines))
        case 2:
            place = chance.randrange(len(line) + 1)
            lines[number] = line[:place] + chance.choice(SIGNS) + line[place + chance.choice([0, 1]) :]
        case 3 if ": " in line:
            lines[number] = f"{line.partition(': ')[0]}: {chance.choice(VALUES)}"
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(150))
def test_damaged_projects(seed: int) -> None:
    """A project with a few damaged lines is checked to the end, and each finding has a message and a remedy."""
    chance = random.Random(seed)
    stored = load_project(CASES / chance.choice(["planted", "ledger", "rules/base"])).files
    files = {name: content for name, content in stored.items() if not name.startswith("packs/")}
    for _ in range(chance.choice([1, 1, 2, 3])):
        name = chance.choice([each for each in files if files[each]])
        files[name] = damaged(files[name].decode(), chance).encode()
    found = check_project(load_project_files(files), date(2026, 11, 21))
    assert all(each.message and each.remedy for each in found)
