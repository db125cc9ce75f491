"""Functions over exact numbers. Nothing rounds silently; where digits do not suffice the result is a failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from treaty.compiler.functions.definition import Fails, Function, constant_value, define, sql_text
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.functions.typing import INTEGER_DIGITS, MAX_DIGITS, SHORT_DIGITS, digits_of
from treaty.compiler.ir import Call, Node
from treaty.compiler.types import INTEGER, NULL, DecimalType, ListType, Type

AROUND = r"[ \t\r\n]*"
ANY_DECIMAL = rf"{AROUND}[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+){AROUND}"
ANY_INTEGER = rf"{AROUND}[+-]?[0-9]+{AROUND}"
NUMBER_REASONS = ("not-a-decimal", "too-many-digits", "overflow")


def number_of(node: Node) -> int:
    """Return a constant integer argument."""
    return int(str(constant_value(node)))


def full_match(sql: str, pattern: str) -> str:
    """Return SQL that says whether a whole text matches an RE2 pattern."""
    return f"regexp_full_match({sql}, {sql_text(pattern)})"


def decimal_pattern(scale: int) -> str:
    """Return the pattern of a plain decimal with at most so many digits after the point, zeros apart."""
    if scale == 0:
        return rf"{AROUND}[+-]?([0-9]+(\.0*)?|\.0+){AROUND}"
    return rf"{AROUND}[+-]?([0-9]+(\.[0-9]{{0,{scale}}}0*)?|\.[0-9]{{1,{scale}}}0*){AROUND}"


def _scale(call: Call) -> int:
    assert isinstance(call.type, DecimalType)
    return call.type.scale


def _parse(rendered: Sequence[str], call: Call) -> str:
    """The guard refuses exponents, inf, underscores and lost digits; the cast then cannot round."""
    return (
        f"CASE WHEN {full_match(rendered[0], decimal_pattern(_scale(call)))} THEN try_cast({rendered[0]} AS {duckdb_type(call.type)}) END"
    )


def _parse_why(rendered: Sequence[str], call: Call) -> str:
    return (
        f"CASE WHEN NOT {full_match(rendered[0], ANY_DECIMAL)} THEN 'not-a-decimal' "
        f"WHEN NOT {full_match(rendered[0], decimal_pattern(_scale(call)))} THEN 'too-many-digits' ELSE 'overflow' END"
    )


def _declared(args: Sequence[Node]) -> Type:
    precision, scale = number_of(args[1]), number_of(args[2])
    if not (1 <= precision <= MAX_DIGITS and 0 <= scale <= precision):
        raise ValueError(f"decimal({precision},{scale}): precision is 1 to 38, scale 0 to precision")
    return DecimalType(precision, scale)


def _parse_rounded(rendered: Sequence[str], call: Call) -> str:
    return f"CASE WHEN {full_match(rendered[0], ANY_DECIMAL)} THEN try_cast({rendered[0]} AS {duckdb_type(call.type)}) END"


def _parse_integer(rendered: Sequence[str], call: Call) -> str:
    return f"CASE WHEN {full_match(rendered[0], ANY_INTEGER)} THEN try_cast({rendered[0]} AS BIGINT) END"


# ---- fitting, used by the compiler wherever a value is assigned to a narrower decimal


def _fit_decimal(rendered: Sequence[str], call: Call) -> str:
    sql, given, wanted = rendered[0], call.args[0].type, call.type
    cast = f"try_cast({sql} AS {duckdb_type(wanted)})"
    if not isinstance(given, DecimalType) or not isinstance(wanted, DecimalType) or given.scale <= wanted.scale:
        return cast
    return f"CASE WHEN try_cast({cast} AS {duckdb_type(given)}) = {sql} THEN {cast} END"


def _fit_why(rendered: Sequence[str], call: Call) -> str:
    return f"CASE WHEN try_cast({rendered[0]} AS {duckdb_type(call.type)}) IS NULL THEN 'overflow' ELSE 'too-many-digits' END"


# ---- the rest


def _strict_choice(name: str) -> Callable[[Sequence[str], Call], str]:
    def render(rendered: Sequence[str], call: Call) -> str:
        there = " AND ".join(f"{each} IS NOT NULL" for each in rendered)
        return f"CASE WHEN {there} THEN {name}({', '.join(rendered)}) END"

    return render


def _whole(rendered: Sequence[str], call: Call) -> str:
    if call.args[0].type == INTEGER:
        return rendered[0]
    return f"CASE WHEN try_cast(try_cast({rendered[0]} AS BIGINT) AS {duckdb_type(call.args[0].type)}) = {rendered[0]} THEN try_cast({rendered[0]} AS BIGINT) END"


def _shifted(sql: str, call: Call) -> str:
    kind, digits = digits_of(call.args[0]), number_of(call.args[1])
    wide = DecimalType(max(kind.precision, SHORT_DIGITS + 1), kind.scale)
    return f"TRY(CAST({sql} AS {duckdb_type(wide)}) * CAST('1{'0' * digits}' AS DECIMAL({digits + 1},0)))"


def _to_minor(rendered: Sequence[str], call: Call) -> str:
    shifted = _shifted(rendered[0], call)
    return f"CASE WHEN TRY({shifted} % 1) = 0 THEN try_cast({shifted} AS BIGINT) END"


def _to_minor_why(rendered: Sequence[str], call: Call) -> str:
    return f"CASE WHEN TRY({_shifted(rendered[0], call)} % 1) <> 0 THEN 'too-many-digits' ELSE 'overflow' END"


def _check_minor(args: Sequence[Node]) -> None:
    if not 0 <= number_of(args[1]) <= 6:
        raise ValueError("a currency has 0 to 6 digits after the point")


def _from_minor(rendered: Sequence[str], call: Call) -> str:
    digits = number_of(call.args[1])
    return f"CAST(CAST({rendered[0]} AS DECIMAL({INTEGER_DIGITS},0)) * CAST('1e-{digits}' AS DECIMAL({digits + 1},{digits})) AS {duckdb_type(call.type)})"


def _decimal_text(rendered: Sequence[str], call: Call) -> str:
    given, scale, point = digits_of(call.args[0]), number_of(call.args[1]), str(constant_value(call.args[2]))
    wanted = DecimalType(min(given.precision - given.scale + scale, MAX_DIGITS), scale)
    sql = f"CAST({rendered[0]} AS {duckdb_type(given)})"
    cast = f"try_cast({sql} AS {duckdb_type(wanted)})"
    same = cast if scale >= given.scale else f"CASE WHEN try_cast({cast} AS {duckdb_type(given)}) = {sql} THEN {cast} END"
    return f"replace(CAST({same} AS VARCHAR), '.', {sql_text(point)})"


def _sign(rendered: Sequence[str], call: Call) -> str:
    return f"CAST(sign({rendered[0]}) AS BIGINT)"


def _absolute(rendered: Sequence[str], call: Call) -> str:
    if call.type == INTEGER:
        return f"try_cast(abs(CAST({rendered[0]} AS HUGEINT)) AS BIGINT)"
    return f"abs({rendered[0]})"


def _boolean_in(rendered: Sequence[str], call: Call) -> str:
    words = [", ".join(sql_text(word) for word in str(constant_value(each)).split("|")) for each in call.args[1:]]
    return f"CASE WHEN {rendered[0]} IN ({words[0]}) THEN true WHEN {rendered[0]} IN ({words[1]}) THEN false END"


def _check_words(args: Sequence[Node]) -> None:
    words = [str(constant_value(each)).split("|") for each in args[1:]]
    if set(words[0]) & set(words[1]):
        raise ValueError("a word cannot mean both true and false")


def _to_boolean(rendered: Sequence[str], call: Call) -> str:
    true, false = (full_match(rendered[0], f"{AROUND}({words}){AROUND}") for words in ("true|1", "false|0"))
    return f"CASE WHEN {true} THEN true WHEN {false} THEN false END"


def _widen(rendered: Sequence[str], call: Call) -> str:
    if call.args[0].type == NULL or isinstance(call.type, ListType) or call.args[0].type != call.type:
        return f"CAST({rendered[0]} AS {duckdb_type(call.type)})"
    return rendered[0]


ROWS: tuple[Function, ...] = (
    define(
        "plain_decimal(text: string) -> decimal(38,12)",
        "spelling",
        "A number written plainly: digits, a point, a sign. It takes the digits of the field it is assigned to, and rounds nothing",
        _parse,
        [
            ("12.50", Decimal("12.5")),
            ("-.5", Decimal("-0.5")),
            (" +7 ", Decimal(7)),
            ("5.", Decimal(5)),
            ("1e3", Fails("not-a-decimal")),
            ("1,5", Fails("not-a-decimal")),
            ("", Fails("not-a-decimal")),
            ("inf", Fails("not-a-decimal")),
            ("1_000", Fails("not-a-decimal")),
            ("٣", Fails("not-a-decimal")),
            ("0.1234567890123", Fails("too-many-digits")),
            ("9" * 27, Fails("overflow")),
            (None, None),
        ],
        reason=NUMBER_REASONS,
        why=_parse_why,
    ),
    define(
        "to_decimal(text: string, precision: const integer, scale: const integer) -> decimal",
        "spelling",
        "A plain number of at most so many digits, `scale` of them after the point; rounds nothing",
        _parse,
        [
            ("1234.50", 18, 2, Decimal("1234.50")),
            ("1.500", 18, 2, Decimal("1.50")),
            ("1.505", 18, 2, Fails("too-many-digits")),
            ("12345", 4, 0, Fails("overflow")),
            ("1.5e2", 18, 2, Fails("not-a-decimal")),
            ("nan", 18, 2, Fails("not-a-decimal")),
            (None, 18, 2, None),
        ],
        reason=NUMBER_REASONS,
        why=_parse_why,
        infer=_declared,
    ),
    define(
        "to_decimal_rounded(text: string, precision: const integer, scale: const integer) -> decimal",
        "choosing",
        "Like to_decimal, further digits rounded half away from zero",
        _parse_rounded,
        [
            ("1.505", 18, 2, Decimal("1.51")),
            ("-1.505", 18, 2, Decimal("-1.51")),
            ("1.5e2", 18, 2, Fails("not-a-decimal")),
            ("12345", 4, 0, Fails("overflow")),
        ],
        reason=("not-a-decimal", "overflow"),
        infer=_declared,
        why=lambda r, c: f"CASE WHEN {full_match(r[0], ANY_DECIMAL)} THEN 'overflow' ELSE 'not-a-decimal' END",
    ),
    define(
        "to_integer(text: string) -> integer",
        "spelling",
        "A whole number written in digits, with or without a sign",
        _parse_integer,
        [
            ("42", 42),
            (" -7 ", -7),
            ("+7", 7),
            ("007", 7),
            ("5.0", Fails("not-an-integer")),
            ("0x1F", Fails("not-an-integer")),
            ("", Fails("not-an-integer")),
            ("9223372036854775808", Fails("overflow")),
            (None, None),
        ],
        reason=("not-an-integer", "overflow"),
        why=lambda r, c: f"CASE WHEN {full_match(r[0], ANY_INTEGER)} THEN 'overflow' ELSE 'not-an-integer' END",
    ),
    define(
        "to_boolean(text: string) -> boolean",
        "spelling",
        "true or 1, false or 0, as XML Schema writes them",
        _to_boolean,
        [("true", True), ("0", False), (" 1 ", True), ("TRUE", Fails("not-a-boolean")), ("yes", Fails("not-a-boolean"))],
        reason="not-a-boolean",
    ),
    define(
        "boolean_in(text: string, true_words: const string, false_words: const string) -> boolean",
        "spelling",
        "True for one of these words, false for one of those; words are parted by |",
        _boolean_in,
        [("ja", "ja|J", "nein|N", True), ("N", "ja|J", "nein|N", False), ("?", "ja", "nein", Fails("not-a-boolean")), ("", "X", "", False)],
        reason="not-a-boolean",
        check=_check_words,
    ),
    define(
        "whole(number: number) -> integer",
        "spelling",
        "A decimal without a fraction as an integer",
        _whole,
        [(Decimal("5.00"), 5), (Decimal("5.10"), Fails("not-whole")), (7, 7)],
        reason="not-whole",
        fails=lambda call: call.args[0].type != INTEGER,
    ),
    define(
        "fit_digits(number: number, precision: const integer, scale: const integer) -> decimal",
        "spelling",
        "The same number with so many digits; a failure where it has more",
        _fit_decimal,
        [(Decimal("1.50"), 10, 1, Decimal("1.5")), (Decimal("1.55"), 10, 1, Fails("too-many-digits")), (123, 2, 0, Fails("overflow"))],
        reason=("overflow", "too-many-digits"),
        why=_fit_why,
        infer=_declared,
    ),
    define(
        "to_minor_units(amount: number, digits: const integer) -> integer",
        "spelling",
        "An amount in the smallest unit of its currency: 12.50 is 1250 with 2 digits",
        _to_minor,
        [(Decimal("12.50"), 2, 1250), (Decimal("12.505"), 2, Fails("too-many-digits")), (7, 0, 7)],
        reason=("too-many-digits", "overflow"),
        why=_to_minor_why,
        check=_check_minor,
    ),
    define(
        "from_minor_units(amount: integer, digits: const integer) -> decimal",
        "spelling",
        "An amount given in the smallest unit of its currency: 1250 is 12.50 with 2 digits",
        _from_minor,
        [(1250, 2, Decimal("12.50")), (-5, 3, Decimal("-0.005")), (9223372036854775807, 6, Decimal("9223372036854.775807"))],
        check=_check_minor,
        infer=lambda args: DecimalType(INTEGER_DIGITS, number_of(args[1])),
    ),
    define(
        "decimal_text(number: number, scale: const integer, point: const string) -> string",
        "spelling",
        "The number with exactly so many digits after this point: 12,50",
        _decimal_text,
        [(Decimal("12.5"), 2, ",", "12,50"), (Decimal("12.505"), 2, ".", Fails("too-many-digits")), (3, 0, ".", "3")],
        reason="too-many-digits",
    ),
    define(
        "abs(number: N) -> N",
        "choosing",
        "The number without its sign",
        _absolute,
        [(-5, 5), (Decimal("-1.5"), Decimal("1.5"))],
        reason="overflow",
        fails=lambda call: call.type == INTEGER,
    ),
    define("sign(number: number) -> integer", "spelling", "-1, 0 or 1", _sign, [(-5, -1), (0, 0), (Decimal("0.01"), 1)]),
    define(
        "remainder(a: integer, b: integer) -> integer",
        "spelling",
        "What is left of a divided by b, with the sign of a",
        "CASE WHEN {1} <> 0 THEN CAST(CAST({0} AS HUGEINT) % {1} AS BIGINT) END",
        [(7, 3, 1), (-7, 3, -1), (7, 0, Fails("division-by-zero"))],
        reason="division-by-zero",
    ),
    define(
        "least(value: O, more: O…) -> O",
        "choosing",
        "The lowest; null if one is null",
        _strict_choice("least"),
        [(3, 1, 2, 1), ("b", "a", "a"), (1, None, None)],
    ),
    define(
        "greatest(value: O, more: O…) -> O",
        "choosing",
        "The highest; null if one is null",
        _strict_choice("greatest"),
        [(3, 1, 2, 3), (1, None, None)],
    ),
    define("widen(value: any) -> any", "spelling", "A value as a wider type", _widen, internal=True),
    define(
        "fit_decimal(value: number) -> decimal",
        "spelling",
        "A number as a decimal of fewer digits",
        _fit_decimal,
        reason=("overflow", "too-many-digits"),
        why=_fit_why,
        internal=True,
    ),
)
