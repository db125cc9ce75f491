"""The function table: what rows say, how arguments fit, and what regular expressions and formats take."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treaty.compiler.functions import (
    FUNCTIONS,
    CallError,
    Function,
    fit,
    literal_of,
    resolve_call,
    resolve_operator,
    standard_functions,
    unify,
)
from treaty.compiler.functions.code_lists import CURRENCIES, FOUR_DIGITS, NO_DIGITS, THREE_DIGITS
from treaty.compiler.functions.formats import read_format
from treaty.compiler.functions.regexes import read_pattern
from treaty.compiler.functions.typing import widens
from treaty.compiler.ir import Call, Case, Literal, Node, Param
from treaty.compiler.types import BOOLEAN, DATE, INTEGER, NULL, STRING, DecimalType, ListType, Type, parse_type


def test_there_are_enough() -> None:
    """People can call at least 60 functions by name."""
    assert len(standard_functions()) >= 60


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda each: each.name)
def test_rows(function: Function) -> None:
    """A row has a family, a line of help, a signature that reads, and reasons in words joined by '-'."""
    assert function.family and function.doc and not function.doc.endswith(".")
    assert function.signature.startswith(f"{function.name}(")
    assert function.tag in ("spelling", "choosing")
    assert set(function.definitions) == {"duckdb"}
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*|a reason of your own", each) for each in function.reasons)
    names = [each.name for each in function.parameters]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "name",
    [
        "coalesce",
        "replace",
        "round",
        "substring",
        "upper",
        "nullif",
        "split_part",
        "list_first",
        "absolute" if "absolute" in FUNCTIONS else "abs",
    ],
)
def test_what_loses_or_chooses_is_choosing(name: str) -> None:
    """Functions that lose or choose something belong into a decision."""
    assert FUNCTIONS[name].tag == "choosing"


@pytest.mark.parametrize(
    "name", ["trim", "iso_date", "date_in", "plain_decimal", "to_decimal", "to_integer", "iso_timestamp", "in_zone", "starts_with", "only"]
)
def test_what_only_reads_is_spelling(name: str) -> None:
    """Functions that read a value as it is written may stand in a cell."""
    assert FUNCTIONS[name].tag == "spelling"


X = Param("x", STRING)
N = Param("n", INTEGER)
D = Param("d", DecimalType(18, 2))


@pytest.mark.parametrize(
    ("name", "args", "code"),
    [
        ("nothing", [X], "unknown-function"),
        ("+", [N, N], "unknown-function"),
        ("widen", [N], "unknown-function"),
        ("trim", [], "wrong-arguments"),
        ("trim", [X, X], "wrong-arguments"),
        ("coalesce", [], "wrong-arguments"),
        ("trim", [N], "type-error"),
        ("iso_date", [D], "type-error"),
        ("coalesce", [X, N], "type-error"),
        ("list_sum", [X], "type-error"),
        ("to_decimal", [X, N, literal_of(2)], "not-a-constant"),
        ("to_decimal", [X, literal_of(39), literal_of(2)], "bad-argument"),
        ("to_decimal", [X, literal_of(2), literal_of(3)], "bad-argument"),
        ("date_in", [X, literal_of("DD.MM.YY")], "bad-argument"),
        ("date_in", [X, literal_of("DD.MM.YYYY HH:MI")], "bad-argument"),
        ("in_zone", [Param("t", parse_type("local_timestamp")), literal_of("Europe/Nowhere")], "bad-argument"),
        ("round", [D, literal_of(2), literal_of("sometimes")], "bad-argument"),
        ("regex_match", [X, literal_of("(a+)+")], "bad-argument"),
        ("regex_replace", [X, literal_of("a*"), literal_of("")], "bad-argument"),
        ("regex_replace", [X, literal_of("(a)"), literal_of("\\2")], "bad-argument"),
        ("regex_extract", [X, literal_of("(a)"), literal_of(2)], "bad-argument"),
        ("split", [X, literal_of("")], "bad-argument"),
        ("split_part", [X, literal_of(","), literal_of(0)], "bad-argument"),
        ("boolean_in", [X, literal_of("a|b"), literal_of("b")], "bad-argument"),
        ("fail", [literal_of("Not Kebab")], "bad-argument"),
    ],
)
def test_calls_that_cannot_be(name: str, args: list[Node], code: str) -> None:
    """A call that cannot be says why, and what to do."""
    with pytest.raises(CallError) as caught:
        resolve_call(name, args)
    assert code == caught.value.code
    assert caught.value.remedy


def test_arguments_are_made_one_type() -> None:
    """Arguments that share a type are widened to the narrowest that holds all."""
    call = resolve_call("coalesce", [D, literal_of(Decimal("1.2345")), literal_of(None)])
    assert DecimalType(20, 4) == call.type
    assert all(each.type == call.type for each in call.args)
    assert DecimalType(18, 2) == resolve_call("coalesce", [D, literal_of(0)]).type


@pytest.mark.parametrize(
    ("operator", "left", "right", "wanted"),
    [
        ("+", D, D, "decimal(19,2)"),
        ("+", D, N, "decimal(22,2)"),
        ("-", N, N, "integer"),
        ("*", D, D, "decimal(36,4)"),
        ("*", D, literal_of(3), "decimal(19,2)"),
        ("*", Param("w", DecimalType(38, 12)), D, "decimal(38,14)"),
        ("+", Param("w", DecimalType(38, 12)), D, "decimal(38,12)"),
        ("=", D, N, "boolean"),
        ("||", X, X, "string"),
    ],
)
def test_declared_results(operator: str, left: Node, right: Node, wanted: str) -> None:
    """Arithmetic has the digits it needs, at most 38."""
    assert parse_type(wanted) == resolve_operator(operator, [left, right]).type


def test_only_what_may_overflow_can_fail() -> None:
    """An addition that has room for its result cannot fail; one that is capped or narrowed can."""
    room = resolve_operator("+", [D, D])
    assert not FUNCTIONS["+"].can_fail(room)
    narrow = fit(room, DecimalType(18, 2))
    assert isinstance(narrow, Call) and FUNCTIONS["+"].can_fail(narrow)
    wide = Param("w", DecimalType(38, 2))
    assert FUNCTIONS["+"].can_fail(resolve_operator("+", [wide, wide]))


def test_too_many_digits_after_the_point_are_refused() -> None:
    """A product with more than 38 digits after the point is refused when compiled."""
    small = Param("s", DecimalType(38, 20))
    with pytest.raises(CallError, match="round"):
        resolve_operator("*", [small, small])


@pytest.mark.parametrize(
    ("given_type", "wanted", "function"),
    [
        ("decimal(18,2)", "decimal(20,4)", "widen"),
        ("decimal(18,4)", "decimal(18,2)", "fit_decimal"),
        ("decimal(18,2)", "decimal(10,2)", "fit_decimal"),
        ("integer", "decimal(19,0)", "widen"),
        ("integer", "decimal(18,2)", "fit_decimal"),
        ("list<integer>", "list<decimal(20,1)>", "widen"),
        ("string", "decimal(18,2)", None),
        ("decimal(18,0)", "integer", None),
        ("date", "local_timestamp", None),
        ("list<decimal(18,4)>", "list<decimal(18,2)>", None),
    ],
)
def test_fitting(given_type: str, wanted: str, function: str | None) -> None:
    """A value is widened, or narrowed with a check; nothing else turns into another type by itself."""
    made = fit(Param("x", parse_type(given_type)), parse_type(wanted))
    assert function == (made.function if isinstance(made, Call) else made)


def test_literals_fit_only_exactly() -> None:
    """A number in an expression fits a type that holds it, and no other."""
    assert Literal(Decimal("1.5"), DecimalType(18, 2)) == fit(literal_of(Decimal("1.5")), DecimalType(18, 2))
    assert fit(literal_of(Decimal("1.555")), DecimalType(18, 2)) is None
    assert fit(literal_of(1000), DecimalType(4, 2)) is None
    assert Literal(None, DATE) == fit(Literal(None, NULL), DATE)


def test_plain_decimal_reads_straight_into_its_field() -> None:
    """plain_decimal takes the type of what it is assigned to, through the branches of a case."""
    plain = resolve_call("plain_decimal", [X])
    wanted = DecimalType(18, 2)
    assert Call("plain_decimal", (X,), wanted) == fit(plain, wanted)
    case = fit(Case(((Literal(True, BOOLEAN), plain),), Literal(None, NULL), plain.type), wanted)
    assert isinstance(case, Case) and Call("plain_decimal", (X,), wanted) == case.whens[0][1]


types = st.sampled_from(
    [
        STRING,
        INTEGER,
        NULL,
        DecimalType(18, 2),
        DecimalType(38, 12),
        DecimalType(5, 5),
        ListType(INTEGER),
        ListType(DecimalType(9, 1)),
        DATE,
    ]
)


@given(left=types, right=types)
def test_unify_is_even_handed(left: Type, right: Type) -> None:
    """The one type of two is the same either way, and both widen to it where digits suffice."""
    made = unify([left, right])
    assert made == unify([right, left])
    if made is not None and "38" not in str(made):
        assert widens(left, made) and widens(right, made)


# ---- regular expressions


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("a.c$", r"a[^\n]c\z"),
        (r"^\d+\.\w", r"\A[0-9]+\.[0-9A-Za-z_]"),
        ("[a-z&-]", r"[a-z\&\-]"),
        ("(?i)ab[c-e]", "[aA][bB][c-eC-E]"),
        ("(?:a|b){2,3}?", "(?:a|b){2,3}?"),
        (r"[\d\s]", r"[0-9\t\n\x0B\f\r ]"),
        (r"[^\]x]", r"[^\]x]"),
        ("ä{2}", "ä{2}"),
    ],
)
def test_patterns_are_rewritten(pattern: str, wanted: str) -> None:
    """A pattern is rewritten so that both engines read it alike."""
    assert wanted == read_pattern(pattern).text


REFUSED = r"""
(?=a) (?<n>a) (?i:a) a(?i)b \b (a)\1 \p{L} [[:alpha:]] (a+)+ (a*b*)* (a|b+){2,} a{1001} a{2,1} a{,3} a++ a** *a (a a) [a [] [z-a] a{ ] [\D] \ ^* $+
""".split()  # noqa: SIM905


@pytest.mark.parametrize("pattern", [*REFUSED, "x" * 1001])
def test_patterns_that_are_refused(pattern: str) -> None:
    """What the engines read differently, or too slowly, is refused."""
    with pytest.raises(ValueError, match=r"\w"):
        read_pattern(pattern)


@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")  # Python announces a change that RE2 has not made
@given(pattern=st.text(alphabet="ab0[]()^$.*+?{}|\\-,:1dws&", max_size=12), text=st.text(alphabet="ab0-1 \n", max_size=6))
def test_accepted_patterns_mean_what_python_says(pattern: str, text: str) -> None:
    """A pattern that is taken matches what Python's own engine, with ASCII classes, makes of the rewritten one."""
    try:
        read = read_pattern(pattern)
    except ValueError:
        return
    python = read.text.replace(r"\z", r"\Z")
    assert bool(re.fullmatch(python, "", re.ASCII)) == read.matches_empty or read.matches_empty
    if not pattern.endswith("$") and "$" not in pattern:
        assert bool(re.fullmatch(pattern, text, re.ASCII)) == bool(re.fullmatch(python, text, re.ASCII))


# ---- code lists


def test_currencies_are_those_of_now_and_of_archives() -> None:
    """No code stands twice; those withdrawn since 1999 are among them, and each list of odd digits names currencies alone."""
    assert len(CURRENCIES) == len(set(CURRENCIES))
    assert {"EUR", "XAD", "BGN", "HRK", "DEM", "ZWL"} <= set(CURRENCIES)
    assert {*NO_DIGITS, *THREE_DIGITS, *FOUR_DIGITS} <= set(CURRENCIES)


# ---- formats


@pytest.mark.parametrize(
    ("text", "time", "wanted"),
    [
        ("DD.MM.YYYY", False, "%d.%m.%Y"),
        ("YYYYMMDD", False, "%Y%m%d"),
        ("D/M/YYYY", False, "%-d/%-m/%Y"),
        ("DD-Mon-YYYY HH24:MI", True, "%d-%b-%Y %H:%M"),
    ],
)
def test_formats(text: str, time: bool, wanted: str) -> None:
    """A format is written as people write it."""
    assert wanted == read_format(text, time=time).strftime


@pytest.mark.parametrize("text", ["", "DD.MM", "DD.DD.YYYY", "DD.MM.YY", "TT.MM.JJJJ", "DD.MM.YYYY HH", "yyyy-mm-dd", "MM.M.YYYY DD"])
def test_formats_that_are_refused(text: str) -> None:
    """A format that lacks something, or names it twice or unknown, is refused."""
    with pytest.raises(ValueError, match=r"\w"):
        read_format(text, time=False)
