"""Rounding, division and conversion: each names its scale and its rounding, and computes exactly."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from treaty.compiler.functions.definition import Fails, Function, constant_value, define
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.functions.numbers import number_of
from treaty.compiler.functions.operators import natural_type, render_arithmetic
from treaty.compiler.functions.typing import MAX_DIGITS, SHORT_DIGITS, digits_of
from treaty.compiler.ir import Call, Literal, Node
from treaty.compiler.types import DecimalType, Type

ROUNDINGS = ("half-up", "half-even", "half-down", "up", "down", "ceiling", "floor")


def check_rounding(node: Node) -> None:
    """Raise ValueError for a rounding that is not one of :data:`ROUNDINGS`."""
    if constant_value(node) not in ROUNDINGS:
        raise ValueError(f"rounding is one of {', '.join(ROUNDINGS)}")


def _check_scale(node: Node) -> None:
    if not 0 <= number_of(node) <= MAX_DIGITS - 1:
        raise ValueError("a scale is 0 to 37")


def _check_round(args: Sequence[Node]) -> None:
    _check_scale(args[1])
    check_rounding(args[2])


def _round_type(args: Sequence[Node]) -> Type:
    given, scale = digits_of(args[0]), number_of(args[1])
    return DecimalType(min(given.precision - given.scale + 1 + scale, MAX_DIGITS), scale)


def _round(rendered: Sequence[str], call: Call) -> str:
    """Round half away from zero as DuckDB does, then move by one unit where the rounding wants another neighbour.

    Every part that can overflow is in a TRY of its own: DuckDB computes what stands twice once, outside a TRY around it.
    """
    given, wanted, mode = digits_of(call.args[0]), call.type, str(constant_value(call.args[2]))
    assert isinstance(wanted, DecimalType)
    sql = rendered[0] if isinstance(call.args[0].type, DecimalType) else f"CAST({rendered[0]} AS {duckdb_type(given)})"
    near = _nearest(sql, given, wanted)
    if wanted.scale >= given.scale or mode == "half-up":
        return near
    wide = DecimalType(min(given.precision + 1, MAX_DIGITS), given.scale)
    unit, half = _literal("1", wanted.scale, wanted.scale), _literal("5", wanted.scale + 1, given.scale)
    over = f"TRY(try_cast({near} AS {duckdb_type(wide)}) - {sql})"  # above zero where the neighbour is the higher one
    lower, higher = f"try_cast(TRY({near} - {unit}) AS {duckdb_type(wanted)})", f"try_cast(TRY({near} + {unit}) AS {duckdb_type(wanted)})"
    back = f"CASE WHEN {over} > 0 THEN {lower} ELSE {higher} END"
    moves = {
        "down": f"WHEN {over} > 0 AND {sql} > 0 THEN {lower} WHEN {over} < 0 AND {sql} < 0 THEN {higher}",
        "up": f"WHEN {over} < 0 AND {sql} > 0 THEN {higher} WHEN {over} > 0 AND {sql} < 0 THEN {lower}",
        "floor": f"WHEN {over} > 0 THEN {lower}",
        "ceiling": f"WHEN {over} < 0 THEN {higher}",
        "half-down": f"WHEN abs({over}) = {half} THEN {back}",
        "half-even": f"WHEN abs({over}) = {half} AND {near} % {_literal('2', wanted.scale, wanted.scale)} <> 0 THEN {back}",
    }[mode]
    return f"CASE {moves} WHEN {over} IS NOT NULL THEN {near} END"


def _nearest(sql: str, given: DecimalType, wanted: DecimalType) -> str:
    """Return SQL that rounds half away from zero; in 64 bits where the number fits, which is some twenty times faster."""
    slow = f"try_cast({sql} AS {duckdb_type(wanted)})"
    if given.precision <= SHORT_DIGITS or wanted.scale >= given.scale or given.scale > SHORT_DIGITS:
        return slow
    short = DecimalType(SHORT_DIGITS, given.scale)
    rounded = DecimalType(SHORT_DIGITS - given.scale + wanted.scale + 1, wanted.scale)
    return (
        f"coalesce(try_cast(try_cast(try_cast({sql} AS {duckdb_type(short)}) AS {duckdb_type(rounded)}) AS {duckdb_type(wanted)}), {slow})"
    )


def _literal(digit: str, place: int, scale: int) -> str:
    """Return SQL of a number that is one digit, so many places after the point."""
    return f"CAST('{digit}e-{place}' AS {duckdb_type(DecimalType(scale + 1, scale))})"


def _round_may_fail(call: Call) -> bool:
    given = digits_of(call.args[0])
    assert isinstance(call.type, DecimalType)
    return given.precision - given.scale + 1 > call.type.precision - call.type.scale or given.precision >= MAX_DIGITS - 1


def _divide_type(args: Sequence[Node]) -> Type:
    left, right, scale = digits_of(args[0]), digits_of(args[1]), number_of(args[2])
    return DecimalType(min(left.precision - left.scale + right.scale + 1 + scale, MAX_DIGITS), scale)


def _divide(rendered: Sequence[str], call: Call) -> str:
    """Divide as whole numbers of 128 bits: exact, with the remainder to round by."""
    left, right = digits_of(call.args[0]), digits_of(call.args[1])
    assert isinstance(call.type, DecimalType)
    tens = _power_of_ten(call.args[1])
    if tens is not None and left.scale + tens < MAX_DIGITS and left.precision + tens <= MAX_DIGITS:
        return _shift(rendered[0], call, tens)
    shift = call.type.scale + right.scale - left.scale
    above = _unscaled(rendered[0], left, max(shift, 0))
    below = _unscaled(rendered[1], right, max(-shift, 0))
    quotient, remainder = f"({above} // {below})", f"({above} % {below})"
    away = f"CASE WHEN ({above} < 0) <> ({below} < 0) THEN -1 ELSE 1 END"
    left_over, missing = f"abs({remainder})", f"(abs({below}) - abs({remainder}))"
    moved = {
        "down": "false",
        "up": f"{remainder} <> 0",
        "floor": f"{remainder} <> 0 AND ({away}) = -1",
        "ceiling": f"{remainder} <> 0 AND ({away}) = 1",
        "half-up": f"{left_over} >= {missing}",
        "half-down": f"{left_over} > {missing}",
        "half-even": f"{left_over} > {missing} OR ({left_over} = {missing} AND {quotient} % 2 <> 0)",
    }[str(constant_value(call.args[3]))]
    whole = f"({quotient} + CASE WHEN {moved} THEN {away} ELSE 0 END)"
    unit = f"CAST('1e-{call.type.scale}' AS {duckdb_type(DecimalType(call.type.scale + 1, call.type.scale))})"
    made = f"TRY(CAST({whole} AS DECIMAL({MAX_DIGITS - call.type.scale},0)) * {unit})"
    return f"CASE WHEN {rendered[1]} <> 0 THEN try_cast({made} AS {duckdb_type(call.type)}) END"


def _power_of_ten(node: Node) -> int | None:
    """Return n of a constant that is the nth power of ten, by which dividing is only moving the point."""
    text = str(constant_value(node))
    return len(text) - 1 if text[:1] == "1" and text[1:] == "0" * (len(text) - 1) else None


def _shift(sql: str, call: Call, tens: int) -> str:
    given = digits_of(call.args[0])
    smaller = Literal(Decimal(1).scaleb(-tens), DecimalType(tens + 1, tens))
    product = Call("*", (call.args[0], smaller), DecimalType(given.precision + tens, given.scale + tens))
    moved = render_arithmetic("*", [sql, _literal("1", tens, tens)], product)
    return _round([moved], Call("round", (product, *call.args[2:]), call.type))


def _unscaled(sql: str, kind: DecimalType, shift: int) -> str:
    factor = kind.scale + shift
    if factor == 0:
        return f"CAST({sql} AS HUGEINT)"
    wide = DecimalType(max(kind.precision, SHORT_DIGITS + 1), kind.scale)
    power = f"CAST('1{'0' * factor}' AS DECIMAL({min(factor + 1, MAX_DIGITS)},0))"
    slow = f"TRY(CAST(CAST({sql} AS {duckdb_type(wide)}) * {power} AS HUGEINT))"
    if kind.precision > SHORT_DIGITS or factor >= SHORT_DIGITS:
        return slow
    return f"coalesce(CAST(TRY(CAST(CAST({sql} AS {duckdb_type(kind)}) * {power} AS BIGINT)) AS HUGEINT), {slow})"


def _check_divide(args: Sequence[Node]) -> None:
    _check_scale(args[2])
    check_rounding(args[3])
    left, right = digits_of(args[0]), digits_of(args[1])
    if left.scale + max(number_of(args[2]) + right.scale - left.scale, 0) > MAX_DIGITS - 1:
        raise ValueError("so many digits after the point cannot be divided exactly; use a smaller scale")


def _convert_type(args: Sequence[Node]) -> Type:
    amount, rate, scale = digits_of(args[0]), digits_of(args[1]), number_of(args[2])
    if amount.scale + rate.scale > MAX_DIGITS:
        raise ValueError("amount and rate have too many digits after the point")
    return DecimalType(min(amount.precision - amount.scale + rate.precision - rate.scale + 1 + scale, MAX_DIGITS), scale)


def _check_convert(args: Sequence[Node]) -> None:
    _check_scale(args[2])
    check_rounding(args[3])


def _convert(rendered: Sequence[str], call: Call) -> str:
    natural = natural_type("*", call.args[:2])
    product = Call("*", call.args[:2], DecimalType(min(natural.precision, MAX_DIGITS), natural.scale))
    rounded = Call("round", (product, *call.args[2:]), call.type)
    return _round([render_arithmetic("*", rendered[:2], product)], rounded)


ROWS: tuple[Function, ...] = (
    define(
        "round(number: number, scale: const integer, rounding: const string) -> decimal",
        "choosing",
        "Rounded to so many digits after the point: half-up (away from zero), half-even, half-down, up, down, ceiling or floor",
        _round,
        [
            (Decimal("2.345"), 2, "half-up", Decimal("2.35")),
            (Decimal("-2.345"), 2, "half-up", Decimal("-2.35")),
            (Decimal("2.345"), 2, "half-even", Decimal("2.34")),
            (Decimal("2.355"), 2, "half-even", Decimal("2.36")),
            (Decimal("2.345"), 2, "half-down", Decimal("2.34")),
            (Decimal("-2.341"), 2, "up", Decimal("-2.35")),
            (Decimal("-2.349"), 2, "down", Decimal("-2.34")),
            (Decimal("-2.341"), 2, "floor", Decimal("-2.35")),
            (Decimal("2.341"), 2, "ceiling", Decimal("2.35")),
            (5, 2, "half-up", Decimal("5.00")),
            (Decimal("0.5"), 0, "half-even", Decimal(0)),
            (Decimal("1.5"), 0, "half-even", Decimal(2)),
        ],
        reason="overflow",
        fails=_round_may_fail,
        infer=_round_type,
        check=_check_round,
    ),
    define(
        "divide(a: number, b: number, scale: const integer, rounding: const string) -> decimal",
        "choosing",
        "a divided by b, computed exactly and rounded to so many digits after the point",
        _divide,
        [
            (10, 3, 2, "half-up", Decimal("3.33")),
            (Decimal("1.00"), 3, 4, "up", Decimal("0.3334")),
            (-1, 8, 2, "half-even", Decimal("-0.12")),
            (1, 8, 2, "half-up", Decimal("0.13")),
            (-1, 8, 2, "floor", Decimal("-0.13")),
            (1, 0, 2, "half-up", Fails("division-by-zero")),
            (Decimal("7.5"), Decimal("0.25"), 0, "down", Decimal(30)),
        ],
        reason=("division-by-zero", "overflow"),
        infer=_divide_type,
        check=_check_divide,
        why=lambda r, c: f"CASE WHEN {r[1]} = 0 THEN 'division-by-zero' ELSE 'overflow' END",
    ),
    define(
        "convert(amount: number, rate: number, scale: const integer, rounding: const string) -> decimal",
        "choosing",
        "An amount in another currency: amount times rate, rounded to so many digits after the point",
        _convert,
        [(Decimal("10.00"), Decimal("1.08375"), 2, "half-up", Decimal("10.84")), (3, 2, 0, "half-up", Decimal(6))],
        reason="overflow",
        infer=_convert_type,
        check=_check_convert,
    ),
)
