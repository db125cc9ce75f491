"""Signatures of decision functions and hooks: ``legacy_amount(text: string) -> decimal(18,2)``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from treaty.compiler.functions import CallError, fit
from treaty.compiler.functions.definition import split_top
from treaty.compiler.ir import Node
from treaty.compiler.types import Type, parse_type

NAME = re.compile(r"[a-z][a-z0-9_]*")
WRITTEN = re.compile(r"\s*([^\s(]*)\s*\((.*)\)\s*->\s*(.+?)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's name, its parameters with their types in order, and the type it returns."""

    name: str
    parameters: tuple[tuple[str, Type], ...]
    returns: Type

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}: {kind}' for name, kind in self.parameters)}) -> {self.returns}"


def parse_signature(text: str) -> Signature:
    """Read ``name(param: type, …) -> type``; raises ValueError saying what is wrong."""
    found = WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no signature; write name(param: type) -> type")
    name, inside, returns = found.groups()
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a function; use a-z, 0-9 and _")
    parameters: dict[str, Type] = {}
    for part in split_top(inside):
        parameter, colon, kind = (each.strip() for each in part.partition(":"))
        if not NAME.fullmatch(parameter) or not colon:
            raise ValueError(f"{part!r} is no parameter; write name: type")
        if parameter in parameters:
            raise ValueError(f"the parameter {parameter!r} stands twice")
        parameters[parameter] = parse_type(kind)
    return Signature(name, tuple(parameters.items()), parse_type(returns))


def signature_name(text: str) -> str:
    """Return the name in a signature, be the rest well written or not."""
    return text.partition("(")[0].strip()


def match_arguments(signature: Signature, given: Sequence[tuple[str | None, Node]]) -> tuple[Node, ...]:
    """Return the arguments in the order of the parameters, each fitted to its type; raises :class:`CallError`."""
    usage = f"Write it as {signature}."
    names = [name for name, _ in signature.parameters]
    placed: dict[str, Node] = {}
    for position, (name, node) in enumerate(given):
        if name is None and position >= len(names):
            raise CallError("wrong-arguments", f"{signature.name}() takes {len(names)} arguments, not {len(given)}", usage)
        target = names[position] if name is None else name
        if target not in names:
            raise CallError("wrong-arguments", f"{signature.name}() has no parameter {target!r}", usage, argument=position)
        if target in placed:
            raise CallError("wrong-arguments", f"{signature.name}() is given {target!r} twice", usage, argument=position)
        placed[target] = node
    missing = [name for name in names if name not in placed]
    if missing:
        raise CallError("wrong-arguments", f"{signature.name}() lacks {', '.join(missing)}", usage)
    fitted = []
    for position, (name, kind) in enumerate(signature.parameters):
        made = fit(placed[name], kind)
        if made is None:
            message = f"{name} of {signature.name}() is {kind}, and this is {placed[name].type}"
            raise CallError("type-error", message, "Convert it with a named function first.", argument=position)
        fitted.append(made)
    return tuple(fitted)
