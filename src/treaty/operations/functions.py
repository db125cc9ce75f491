"""``functions``: the standard functions, as the compiler has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from treaty.compiler.functions import Example, Fails, Function, standard_functions
from treaty.operations.spelling import spell


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """One standard function: how it is called, whether it chooses, what it does, how it fails, and examples that run."""

    name: str
    signature: str
    tag: str  # spelling | choosing
    group: str
    help: str
    strict: bool
    reasons: tuple[str, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FunctionsResult:
    """The standard functions, in the order of the manual."""

    functions: tuple[FunctionEntry, ...]

    def to_json(self) -> Any:
        """The documented shape: a list of functions."""
        return self.functions


def functions(search: str | None = None) -> FunctionsResult:
    """Return the standard functions, or those with ``search`` in their name, group or help."""
    entries = [_entry(each) for each in standard_functions()]
    if search:
        wanted = search.lower()
        entries = [each for each in entries if any(wanted in text.lower() for text in (each.name, each.group, each.help))]
    return FunctionsResult(tuple(entries))


def _entry(function: Function) -> FunctionEntry:
    examples = tuple(_spell_example(function, each) for each in function.examples)
    return FunctionEntry(
        function.name, function.signature, function.tag, function.family, function.doc, function.strict, function.reasons, examples
    )


def _spell_example(function: Function, example: Example) -> str:
    given = ", ".join(spell(each) for each in example.args)
    result = f"fails: {example.result.reason}" if isinstance(example.result, Fails) else spell(example.result)
    return f"{function.name}({given}) → {result}"
