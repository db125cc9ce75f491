"""Finds hooks without running them: functions decorated ``@treaty.hook("name(x: string) -> string", pure=True)``."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator

from treaty.project.declarations import FORMS, Hook
from treaty.project.findings import Findings, Position
from treaty.project.yaml import decode_text


def find_hooks(content: bytes, file: str, findings: Findings) -> Iterator[Hook]:
    """Yield the hooks that a Python file declares; what cannot be read statically is a finding."""
    text = decode_text(content, file, findings)
    if text is None:
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line, column = (error.lineno or 1, error.offset or 1) if isinstance(error, SyntaxError) else (1, 1)
        findings.error(
            "hook-syntax",
            f"not Python: {error.args[0]}",
            "Mend the line; Treaty reads hooks without running them.",
            Position(file, line, column),
        )
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and _is_hook(decorator.func):
                    found = _hook(decorator, node, file, text, findings)
                    if found:
                        yield found


def _is_hook(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr == "hook" and isinstance(function.value, ast.Name) and function.value.id == "treaty"
    return isinstance(function, ast.Name) and function.id == "hook"


def _hook(decorator: ast.Call, node: ast.FunctionDef | ast.AsyncFunctionDef, file: str, code: str, findings: Findings) -> Hook | None:
    where = Position(file, decorator.lineno, decorator.col_offset + 1)
    first = decorator.args[0] if decorator.args else None
    signature = first.value if isinstance(first, ast.Constant) else None
    if not isinstance(signature, str) or not re.match(FORMS["signature"], signature):
        findings.error(
            "hook-signature", f"hook {node.name!r} has no signature", 'Write @treaty.hook("name(x: string) -> string", pure=True).', where
        )
        return None
    pure = False
    for keyword in decorator.keywords:
        if keyword.arg == "pure" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool):
            pure = keyword.value.value
        else:
            findings.error(
                "hook-signature",
                f"hook {node.name!r}: only 'pure=True' or 'pure=False' may follow the signature",
                "Remove the rest.",
                where,
            )
    if isinstance(node, ast.AsyncFunctionDef):
        findings.error("hook-signature", f"hook {node.name!r} is async", "Write a plain function over Arrow arrays.", where)
        return None
    name = signature.partition("(")[0].strip()
    return Hook(
        name=name,
        signature=signature,
        pure=pure,
        file=file,
        content_hash=hashlib.sha256(code.encode()).hexdigest(),
        code=code,
        position=where,
    )
