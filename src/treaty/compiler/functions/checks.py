"""What a contract demands of a field beyond its type: used by the compiler, called by nobody."""

from __future__ import annotations

from collections.abc import Sequence

from treaty.compiler.functions.definition import Fails, Function, constant_value, define
from treaty.compiler.functions.regexes import pattern_sql, read_pattern
from treaty.compiler.ir import Node


def _check_pattern(args: Sequence[Node]) -> None:
    read_pattern(str(constant_value(args[1])))


ROWS: tuple[Function, ...] = (
    define(
        "within_max_length(text: string, length: const integer) -> string",
        "spelling",
        "The text, if it has at most so many characters",
        "CASE WHEN length({0}) <= {1} THEN {0} END",
        [("abc", 3, "abc"), ("abcd", 3, Fails("too-long"))],
        reason="too-long",
        internal=True,
    ),
    define(
        "within_min_length(text: string, length: const integer) -> string",
        "spelling",
        "The text, if it has at least so many characters",
        "CASE WHEN length({0}) >= {1} THEN {0} END",
        [("abc", 3, "abc"), ("ab", 3, Fails("too-short"))],
        reason="too-short",
        internal=True,
    ),
    define(
        "matches_pattern(text: string, pattern: const string) -> string",
        "spelling",
        "The text, if something in it matches the pattern",
        lambda r, c: f"CASE WHEN regexp_matches({r[0]}, {pattern_sql(c)}) THEN {r[0]} END",
        [("AB1", "^[A-Z]+", "AB1"), ("1", "[A-Z]", Fails("pattern"))],
        reason="pattern",
        check=_check_pattern,
        internal=True,
    ),
    define(
        "within_minimum(value: O, bound: O) -> O",
        "spelling",
        "The value, if it is not below a bound",
        "CASE WHEN {0} >= {1} THEN {0} END",
        [(5, 5, 5), (4, 5, Fails("below-minimum"))],
        reason="below-minimum",
        internal=True,
    ),
    define(
        "within_maximum(value: O, bound: O) -> O",
        "spelling",
        "The value, if it is not above a bound",
        "CASE WHEN {0} <= {1} THEN {0} END",
        [(5, 5, 5), (6, 5, Fails("above-maximum"))],
        reason="above-maximum",
        internal=True,
    ),
)
