"""Operators, and the functions that look at nulls: the few that are not strict are here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from treaty.compiler.functions.definition import ExampleValue, Fails, Function, Render, constant_value, define
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.functions.typing import MAX_DIGITS, SHORT_DIGITS, digits_of
from treaty.compiler.ir import Call, Literal, Node
from treaty.compiler.types import INTEGER, NULL, DecimalType, ListType, StructType, Type

BIGGEST = 2**63 - 1


def natural_type(operator: str, args: Sequence[Node]) -> DecimalType:
    """Return the decimal that holds every result of ``+ - *``; it may have more digits than there are (38)."""
    left, right = digits_of(args[0]), digits_of(args[1])
    if operator == "*":
        return DecimalType(left.precision + right.precision, left.scale + right.scale)
    scale = max(left.scale, right.scale)
    return DecimalType(max(left.precision - left.scale, right.precision - right.scale) + scale + 1, scale)


def arithmetic_type(operator: str, args: Sequence[Node]) -> Type:
    """Return the declared result: integer of integers, else the natural decimal of at most 38 digits."""
    if all(each.type == INTEGER for each in args):
        return INTEGER
    natural = natural_type(operator, args)
    if natural.scale > MAX_DIGITS:
        raise ValueError(f"the result would have {natural.scale} digits after the point; round() an operand first")
    return DecimalType(min(natural.precision, MAX_DIGITS), natural.scale)


def _may_overflow(operator: str, call: Call) -> bool:
    return not isinstance(call.type, DecimalType) or natural_type(operator, call.args).precision > call.type.precision


def render_arithmetic(operator: str, rendered: Sequence[str], call: Call) -> str:
    """Render ``+ - *``: in 64 bits where all fit, in 128 elsewhere, under TRY where digits may not suffice."""
    if not isinstance(call.type, DecimalType):
        return f"try_cast(CAST({rendered[0]} AS HUGEINT) {operator} CAST({rendered[1]} AS HUGEINT) AS BIGINT)"
    kinds = [digits_of(each) for each in call.args]
    natural = natural_type(operator, call.args)
    scale = 0 if operator == "*" else natural.scale  # a sum is computed at the result's scale
    short = call.type.precision <= SHORT_DIGITS and all(
        each.precision <= SHORT_DIGITS and each.precision - each.scale + scale <= SHORT_DIGITS for each in kinds
    )
    sides = [_side(sql, node, kind, short) for sql, node, kind in zip(rendered, call.args, kinds, strict=True)]
    sql = f"({sides[0]} {operator} {sides[1]})"
    if natural.precision > call.type.precision or natural.precision >= MAX_DIGITS:
        return f"try_cast(TRY{sql} AS {duckdb_type(call.type)})"
    return f"CAST({sql} AS {duckdb_type(call.type)})"


def _side(sql: str, node: Node, kind: DecimalType, short: bool) -> str:
    wanted = kind if short else DecimalType(max(kind.precision, SHORT_DIGITS + 1), kind.scale)
    return sql if node.type == wanted else f"CAST({sql} AS {duckdb_type(wanted)})"


def _arithmetic_row(operator: str, word: str, examples: Sequence[tuple[ExampleValue | Fails, ...]]) -> Function:
    return define(
        f"{operator}(a: number, b: number) -> number",
        "spelling",
        f"{word} exact numbers; the result has the digits it needs, at most 38, and is the failure overflow beyond",
        lambda rendered, call: render_arithmetic(operator, rendered, call),
        examples,
        reason="overflow",
        fails=lambda call: _may_overflow(operator, call),
        infer=lambda args: arithmetic_type(operator, args),
        operator=True,
    )


def _member_of(rendered: Sequence[str], call: Call) -> str:
    """Constant texts are one list, which a function looks through once for each entry of a dictionary; DuckDB makes a join of a long IN."""
    if all(isinstance(each, Literal) and isinstance(each.value, str) for each in call.args[1:]):
        return f"list_contains([{', '.join(rendered[1:])}], {rendered[0]})"
    return f"({rendered[0]} IN ({', '.join(rendered[1:])}))"


def _refuse_nested(args: Sequence[Node]) -> None:
    if any(isinstance(each.type, ListType | StructType) for each in args):
        raise ValueError("lists and structs are not compared; compare their members")


def _comparison(operator: str, word: str, kind: str, examples: Sequence[tuple[ExampleValue | Fails, ...]]) -> Function:
    return define(
        f"{operator}(a: {kind}, b: {kind}) -> boolean",
        "spelling",
        f"Whether a is {word} b; texts by their code points",
        f"({{0}} {operator} {{1}})",
        examples,
        check=_refuse_nested,
        operator=True,
    )


def _check_reason(args: Sequence[Node]) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", str(constant_value(args[0]))):
        raise ValueError("a reason is a few words in lower case, joined by '-'")


def _joined(word: str) -> Render:
    return lambda rendered, call: "(" + f" {word} ".join(rendered) + ")"


def _negated(rendered: Sequence[str], call: Call) -> str:
    if call.type == INTEGER:
        return f"try_cast(-CAST({rendered[0]} AS HUGEINT) AS BIGINT)"
    return f"(-{rendered[0]})"


ROWS = (
    _arithmetic_row("+", "Adds", [(1, 2, 3), (BIGGEST, 1, Fails("overflow")), (None, 1, None)]),
    _arithmetic_row("-", "Subtracts", [(1, 2, -1), (-BIGGEST, 2, Fails("overflow"))]),
    _arithmetic_row("*", "Multiplies", [(3, -4, -12), (BIGGEST, 2, Fails("overflow"))]),
    define(
        "negate(a: N) -> N",
        "spelling",
        "Changes the sign",
        _negated,
        [(5, -5), (-5, 5)],
        reason="overflow",
        fails=lambda call: call.type == INTEGER,
        operator=True,
    ),
    _comparison("=", "equal to", "T", [("a", "a", True), ("a", "A", False), (1, None, None)]),
    _comparison("<>", "different from", "T", [("a", "b", True), (1, 1, False)]),
    _comparison("<", "less than", "O", [(1, 2, True), ("Z", "a", True)]),
    _comparison("<=", "at most", "O", [(2, 2, True)]),
    _comparison(">", "greater than", "O", [(1, 2, False)]),
    _comparison(">=", "at least", "O", [(2, 2, True)]),
    define("not(a: boolean) -> boolean", "spelling", "The opposite", "(NOT {0})", [(True, False), (None, None)], operator=True),
    define(
        "and(a: boolean, b: boolean…) -> boolean",
        "spelling",
        "Whether all are true; false if one is false, else null if one is null",
        _joined("AND"),
        [(True, None, None), (False, None, False), (True, True, True)],
        strict=False,
        operator=True,
    ),
    define(
        "or(a: boolean, b: boolean…) -> boolean",
        "spelling",
        "Whether one is true; true if one is true, else null if one is null",
        _joined("OR"),
        [(True, None, True), (False, None, None)],
        strict=False,
        operator=True,
    ),
    define(
        "in(value: T, members: T…) -> boolean",
        "spelling",
        "Whether the value is one of the members",
        _member_of,
        [("a", "a", "b", True), ("c", "a", "b", False), (None, "a", None)],
        strict=False,
        check=_refuse_nested,
        operator=True,
    ),
    define(
        "is_distinct(a: T, b: T) -> boolean",
        "spelling",
        "Whether a differs from b, null being a value like another",
        "({0} IS DISTINCT FROM {1})",
        [(None, None, False), ("a", None, True)],
        strict=False,
        check=_refuse_nested,
        operator=True,
    ),
    define(
        "||(a: string, b: string) -> string",
        "spelling",
        "The texts one after the other",
        "({0} || {1})",
        [("a", "b", "ab"), ("a", None, None)],
        operator=True,
    ),
    define(
        "no_effective_date(day: date) -> any",
        "spelling",
        "The failure of a cell whose decision applies by a date that is not there",
        "NULL",
        reason="no-effective-date",
        internal=True,
    ),
    define(
        "no_decision_in_force(day: date) -> any",
        "spelling",
        "The failure of a cell whose decision does not apply on its date",
        "NULL",
        reason="no-decision-in-force",
        internal=True,
    ),
    define(
        "is_null(value: any) -> boolean",
        "spelling",
        "Whether there is no value",
        "({0} IS NULL)",
        [("a", False), (None, True), ("", False)],
        strict=False,
    ),
    define(
        "coalesce(value: T, more: T…) -> T",
        "choosing",
        "The first value that is not null; a failed one is a failure, not a null",
        lambda rendered, call: f"coalesce({', '.join(rendered)})",
        [(None, "b", "b"), ("a", "b", "a"), (None, None, None)],
        strict=False,
    ),
    define(
        "fail(reason: const string) -> null",
        "choosing",
        "No value: the failure with this reason, where no other branch of a case fits",
        "NULL",
        [("no-such-form", Fails("no-such-form"))],
        reason="a reason of your own",
        why=lambda rendered, call: rendered[0],
        infer=lambda args: NULL,
        check=_check_reason,
    ),
    define(
        "nullif(value: T, null_value: T) -> T",
        "choosing",
        "Null where the two are equal, else the value",
        "nullif({0}, {1})",
        [("-", "-", None), ("a", "-", "a"), (None, "-", None)],
        strict=False,
        check=_refuse_nested,
    ),
)
