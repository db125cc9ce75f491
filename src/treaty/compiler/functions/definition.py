"""What one row of the function table says, and how a row is written.

A signature is text: ``replace(text: string, part: const string, by: const string) -> string``. In it

- ``const`` marks an argument that must be written as a literal (formats, patterns, scales);
- ``T``, ``N`` (a number), ``O`` (anything with an order) and ``K`` (a key: no list or struct) stand for one type that all their arguments share;
- ``number`` is any integer or decimal, each on its own; ``any`` is any type; ``scalar`` is anything but lists and structs;
- a last parameter with ``…`` may be given any number of times, none included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal as OneOf
from typing import TypeAlias

from treaty.compiler.ir import Call, Node
from treaty.compiler.types import Type

Render: TypeAlias = Callable[[Sequence[str], Call], str]
Definition: TypeAlias = str | Render
Tag = OneOf["spelling", "choosing"]
ExampleValue: TypeAlias = "str | bool | int | Decimal | date | datetime | time | list[ExampleValue] | None"


@dataclass(frozen=True, slots=True)
class Fails:
    """The expected outcome of an example that fails, by its reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Example:
    """Arguments and what the function makes of them; every example runs on every engine."""

    args: tuple[ExampleValue, ...]
    result: ExampleValue | Fails


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its name, the pattern of its type, and whether it must be a literal."""

    name: str
    pattern: str
    const: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """One standard function.

    ``definitions`` gives each engine's meaning: a template with ``{0}``, ``{1}`` …, or a function of the rendered arguments
    and the call. It never raises on any data, and is null where it fails. ``why`` gives, where the value is null though the
    arguments are there, the reason or null (not a failure); without it the one reason of ``reasons`` holds.
    """

    name: str
    parameters: tuple[Parameter, ...]
    variadic: bool
    returns: str
    tag: Tag
    family: str
    doc: str
    definitions: Mapping[str, Definition]
    strict: bool = True
    reasons: tuple[str, ...] = ()
    why: Mapping[str, Definition] = field(default_factory=dict)
    fails: Callable[[Call], bool] | None = None  # whether this call can fail at all; None: always, if there are reasons
    infer: Callable[[Sequence[Node]], Type] | None = None  # the result's type; raises ValueError(message)
    check: Callable[[Sequence[Node]], None] | None = None  # of constant arguments; raises ValueError(message)
    examples: tuple[Example, ...] = ()
    operator: bool = False  # written as an operator, not called by name
    internal: bool = False  # used by the compiler alone

    @property
    def signature(self) -> str:
        """The signature as people write it."""
        parts = [f"{each.name}: {'const ' if each.const else ''}{each.pattern}" for each in self.parameters]
        if self.variadic:
            parts[-1] += "…"
        return f"{self.name}({', '.join(parts)}) -> {self.returns}"

    def can_fail(self, call: Call) -> bool:
        """Return whether this very call can fail by itself."""
        return bool(self.reasons) and (self.fails is None or self.fails(call))


_SIGNATURE = re.compile(r"(?P<name>[^\s(]+)\((?P<params>.*)\)\s*->\s*(?P<returns>.+)")


def split_top(text: str) -> list[str]:
    """Split a list of parameters at the commas that are in no bracket."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "(<") - (character in ")>")
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def examples_of(rows: Sequence[tuple[ExampleValue | Fails, ...]]) -> tuple[Example, ...]:
    """Read examples written as ``(arg, …, result)``."""
    made = []
    for row in rows:
        *args, result = row
        made.append(Example(tuple(each for each in args if not isinstance(each, Fails)), result))
    return tuple(made)


def define(
    signature: str,
    tag: Tag,
    doc: str,
    duckdb: Definition,
    examples: Sequence[tuple[ExampleValue | Fails, ...]] = (),
    *,
    strict: bool = True,
    reason: str | tuple[str, ...] = (),
    why: Definition | None = None,
    fails: Callable[[Call], bool] | None = None,
    infer: Callable[[Sequence[Node]], Type] | None = None,
    check: Callable[[Sequence[Node]], None] | None = None,
    operator: bool = False,
    internal: bool = False,
) -> Function:
    """Write one row of the table; the family is set where rows are gathered."""
    found = _SIGNATURE.fullmatch(signature)
    assert found is not None, signature
    parameters, variadic = [], False
    for text in split_top(found["params"]):
        name, _, pattern = (part.strip() for part in text.partition(":"))
        if pattern.endswith("…"):
            pattern, variadic = pattern[:-1].strip(), True
        const = pattern.startswith("const ")
        parameters.append(Parameter(name, pattern.removeprefix("const ").strip(), const))
    return Function(
        name=found["name"],
        parameters=tuple(parameters),
        variadic=variadic,
        returns=found["returns"].strip(),
        tag=tag,
        family="",
        doc=doc,
        definitions={"duckdb": duckdb},
        strict=strict,
        reasons=(reason,) if isinstance(reason, str) else reason,
        why={} if why is None else {"duckdb": why},
        fails=fails,
        infer=infer,
        check=check,
        examples=examples_of(examples),
        operator=operator,
        internal=internal,
    )


def sql_text(text: str) -> str:
    """Write a text as a DuckDB literal; a NUL character cannot stand in one."""
    parts = ["'" + part.replace("'", "''") + "'" for part in text.split("\0")]
    return parts[0] if len(parts) == 1 else "(" + " || chr(0) || ".join(parts) + ")"


def constant(call: Call, position: int) -> str:
    """Return the literal text (or number, as text) given for a ``const`` parameter."""
    return str(constant_value(call.args[position]))


def constant_value(node: Node) -> object:
    """Return the value of a literal node; the compiler has made sure that it is one."""
    return getattr(node, "value", None)
