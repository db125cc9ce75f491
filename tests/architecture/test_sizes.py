"""Files, functions and interfaces stay small enough to be read at one sitting."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "src").rglob("*.py"))
MOST_LINES_OF_A_FILE = 600
MOST_LINES_OF_A_FUNCTION = 60
MOST_METHODS_OF_AN_INTERFACE = 5


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_file_is_short(path: Path) -> None:
    """A file has fewer than 600 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) < MOST_LINES_OF_A_FILE


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_functions_are_short(path: Path) -> None:
    """A function has at most 60 lines of code, its docstring left out."""
    long = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
        lines = (node.end_lineno or 0) - body[0].lineno + 1
        if lines > MOST_LINES_OF_A_FUNCTION:
            long.append((node.name, lines))
    assert long == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_interfaces_are_narrow(path: Path) -> None:
    """A Protocol asks for at most five methods."""
    wide = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases):
            methods = [child.name for child in node.body if isinstance(child, ast.FunctionDef)]
            if len(methods) > MOST_METHODS_OF_AN_INTERFACE:
                wide.append((node.name, methods))
    assert wide == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_public_things_are_documented(path: Path) -> None:
    """Modules, public classes and public functions of a module have a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")]
    bare = [node.name for node in definitions if ast.get_docstring(node) is None]
    assert bare == []
    assert not tree.body or ast.get_docstring(tree)
