"""Every code that a finding can have is documented, and none is documented that is never found."""

from __future__ import annotations

import re
from pathlib import Path

from treaty.project.problems import PROBLEMS
from treaty.rules.checking import RULES
from treaty.rules.compiled import OTHERS_RULES, CompiledRule

SOURCE = Path(__file__).parents[3] / "src" / "treaty"
LOADER = re.compile(r"(?:error|warning)\(\s*\"([a-z0-9-]+)\"")
COMPILER = re.compile(r"(?:find|_find|problem|CallError|Problem)\(\s*\"([a-z]+-[a-z0-9-]+)\"")


def codes_in(package: str, pattern: re.Pattern[str]) -> set[str]:
    """Return the codes that a package's source reports."""
    return {code for path in (SOURCE / package).rglob("*.py") for code in pattern.findall(path.read_text(encoding="utf-8"))}


def test_loader_codes() -> None:
    """The loader's codes are those of the list for the manual."""
    assert set(PROBLEMS) == codes_in("project", LOADER)


def test_compiler_codes() -> None:
    """Each code of the compiler has a rule that says why it matters."""
    rules = {rule.code for rule in RULES} | {code for rule in RULES if issubclass(rule, CompiledRule) for code in rule.codes}
    assert set() == codes_in("compiler", COMPILER) - rules - set(OTHERS_RULES)


def test_loader_and_rules_do_not_share_codes() -> None:
    """A code is of the loader or of a rule."""
    assert set() == set(PROBLEMS) & {rule.code for rule in RULES}
