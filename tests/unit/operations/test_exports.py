"""The public Python API: what ``import treaty`` gives."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import treaty


@pytest.mark.parametrize("name", treaty.__all__)
def test_each_export_is_there_and_documented(name: str) -> None:
    """Every public name can be used, and says what it is."""
    assert inspect.getdoc(getattr(treaty, name))


def test_types_and_names_agree() -> None:
    """What a type checker sees of the package is what it gives."""
    tree = ast.parse(Path(inspect.getsourcefile(treaty) or "").read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert sorted(str(each) for each in seen) == list(treaty.__all__)


def test_unknown_names_are_refused() -> None:
    """A name that is not public raises as any module does."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        treaty.nothing  # noqa: B018


def test_importing_treaty_is_cheap() -> None:
    """``import treaty`` loads none of its own modules."""
    code = "import treaty, sys; print([name for name in sys.modules if name.startswith('treaty.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_hook_is_the_function_itself() -> None:
    """The decorator marks a function and leaves it as it is."""

    def double(values: object) -> object:
        return values

    assert treaty.hook("double(x: integer) -> integer", pure=True)(double) is double
    assert double.__treaty_hook__ == ("double(x: integer) -> integer", True)  # type: ignore[attr-defined]
