"""The one table of standard functions: typed, tagged, defined for each engine, with examples that run.

``spelling`` functions lose nothing and choose nothing; a ``choosing`` one belongs into a decision record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from treaty.compiler.functions import checks, codes, dates, lists, numbers, operators, regexes, rounding, text, times
from treaty.compiler.functions.definition import Definition, Example, Fails, Function, Parameter
from treaty.compiler.functions.typing import CallError, fit, literal_of, resolve_types, unify, unify_nodes
from treaty.compiler.ir import Call, Node

FAMILIES = {
    "text": text.ROWS,
    "regular expressions": regexes.ROWS,
    "numbers": numbers.ROWS + rounding.ROWS,
    "dates": dates.ROWS,
    "times and zones": times.ROWS,
    "lists": lists.ROWS,
    "codes": codes.ROWS,
    "operators": operators.ROWS,
    "contract": checks.ROWS,
}


def _gather() -> Mapping[str, Function]:
    table: dict[str, Function] = {}
    for family, rows in FAMILIES.items():
        for row in rows:
            assert row.name not in table, row.name
            table[row.name] = replace(row, family=family)
    return MappingProxyType(table)


FUNCTIONS: Mapping[str, Function] = _gather()


def standard_functions() -> tuple[Function, ...]:
    """Return the functions that people call by name, in the order of the manual."""
    return tuple(each for each in FUNCTIONS.values() if not each.operator and not each.internal)


def resolve_call(name: str, args: Sequence[Node]) -> Call:
    """Return the typed call of a standard function by name; raises :class:`CallError`."""
    function = FUNCTIONS.get(name)
    if function is None or function.operator or function.internal:
        names = [each.name for each in standard_functions()]
        raise CallError("unknown-function", f"there is no function {name!r}", "See `treaty functions`.", known=names)
    return resolve_types(function, args)


def resolve_operator(name: str, args: Sequence[Node]) -> Call:
    """Return the typed call of an operator such as ``+`` or ``in``; raises :class:`CallError`."""
    return resolve_types(FUNCTIONS[name], args)


__all__ = [
    "FAMILIES",
    "FUNCTIONS",
    "CallError",
    "Definition",
    "Example",
    "Fails",
    "Function",
    "Parameter",
    "fit",
    "literal_of",
    "resolve_call",
    "resolve_operator",
    "standard_functions",
    "unify",
    "unify_nodes",
]
