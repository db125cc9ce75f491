"""Every standard function over odd values as columns: none stops a query, and the important ones equal Python's exact arithmetic."""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treaty.compiler.functions import FUNCTIONS, CallError, Example, Function, literal_of
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.functions.rounding import ROUNDINGS
from treaty.compiler.functions.typing import fit, resolve_types
from treaty.compiler.ir import Call, Literal, Node, Param
from treaty.compiler.types import INTEGER, NULL, STRING, DecimalType, ListType, Type, parse_type
from treaty.engines.duckdb.scalars import render_reason, render_value

WHITE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2003\u2028\u2029\u202f\u205f\u3000"
TEXTS = [
    "", " ", "a", "0", "-", "+", ".", "-.", "1", "-1", "+1.5", "1.", ".5", "1e5", "1E400", "inf", "-Infinity",
    "nan", "NaN", "null", "0x10", "1_000", "1,5",
    "00012", "1.0000000000000", "0.1234567890123", "9" * 18, "9" * 19, "9" * 38, "9" * 39, "-" + "9" * 40, "1." + "9" * 50, "9223372036854775807", "-9223372036854775809",
    "٣", "１２", "½", "2026-01-31", "2026-02-30", "0000-01-01", "0001-01-01", "9999-12-31",
    "10000-01-01", "-2026-01-01", "infinity", "epoch", "2026-1-1",
    "2026-01-31T12:00:00Z", "2026-01-31T12:00:00", "2026-01-31T12:00:60Z", "2026-01-31T24:00:00Z",
    "2026-01-31 12:00+14:59", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
    "31.01.2026", "29.02.1900", "23:59:59.9999999", "24:00", "1700000000", "-62135596801", "253402300800", "999999999999999",
    "\x00", "a\x00b", "\ufeff1", "\u200b", "é", "e\u0301", "ß", "ẞ", "İ", "ı", "Σς", "👨\u200d👩\u200d👧", "\U0010ffff", "a" * 5000, " \t\n\xa0x\u2003 ",
    "'", "\\", "\\1", "%", "_", "(", "[", "{0}", "true", "TRUE", "1|0", "a@b.co", "@", "https://a.b/c", "://", "DE89370400440532013000", "79927398713", "DEU", "EUR", "JPY",
]  # fmt: skip
INTEGERS = [0, 1, -1, 2, 7, 31, 366, 9999, 10**6, -(10**6), 2**31, -(2**31) - 1, 2**62, 2**63 - 1, -(2**63)]
DECIMALS = [
    Decimal(each)
    for each in (
        "0",
        "0.01",
        "-0.01",
        "1",
        "-1.005",
        "2.5",
        "-2.5",
        "99999999999999999999999999.999999999999",
        "-99999999999999999999999999.999999999999",
    )
]
SMALL = [
    Decimal(each) for each in ("0", "0.005", "-0.005", "0.015", "1", "-1.5", "12345.675", "999999999999999.999", "-999999999999999.999")
]
DATES = [dt.date.min, dt.date.max, dt.date(2024, 2, 29), dt.date(2026, 1, 31), dt.date(1900, 3, 1)]
LOCALS = [
    dt.datetime(1, 1, 1),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
    dt.datetime(2026, 3, 29, 2, 30),
    dt.datetime(2026, 10, 25, 2, 30),
    dt.datetime(1900, 1, 1),
]
VALUES: dict[Type, list[Any]] = {
    STRING: TEXTS,
    INTEGER: INTEGERS,
    parse_type("decimal(38,12)"): DECIMALS,
    parse_type("decimal(18,3)"): SMALL,
    parse_type("boolean"): [True, False],
    parse_type("date"): DATES,
    parse_type("time"): [dt.time(0), dt.time(23, 59, 59, 999999)],
    parse_type("timestamp"): [each.replace(tzinfo=dt.UTC) for each in LOCALS],
    parse_type("local_timestamp"): LOCALS,
    parse_type("list<string>"): [[], [None], ["a"], ["a", None, "a"], TEXTS[:10]],
    parse_type("list<integer>"): [[], [None], [2**63 - 1, 2**63 - 1], [-(2**63), 1, None]],
    parse_type("list<decimal(38,12)>"): [[], [None], DECIMALS, [DECIMALS[-2]] * 20],
    parse_type("list<boolean>"): [[], [None], [True, False]],
    parse_type("list<date>"): [[], DATES, [None]],
}


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """One engine with a table of odd values for each type."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for number, (kind, values) in enumerate(VALUES.items()):
        connection.execute(f"CREATE TABLE v{number} (v {duckdb_type(kind)})")
        connection.executemany(f"INSERT INTO v{number} VALUES (?)", [(each,) for each in [*values, None]])
    yield connection
    connection.close()


def kinds_for(pattern: str) -> list[Type]:
    """Return the types of odd values that a parameter's pattern takes."""
    from treaty.compiler.functions.typing import matches

    return [kind for kind in VALUES if matches(pattern, kind)]


def calls_of(function: Function, example: Example) -> Iterator[tuple[Call, list[Type]]]:
    """Yield the function's call over columns of every combination of types, constants as in the example."""
    choices: list[list[Node]] = []
    for position, value in enumerate(example.args):
        parameter = function.parameters[min(position, len(function.parameters) - 1)]
        column = [Param(f"c{position}", kind) for kind in kinds_for(parameter.pattern)]
        choices.append([literal_of(value)] if parameter.const else list(column))
    for args in itertools.islice(itertools.product(*choices), 40):
        try:
            call = resolve_types(function, args)
        except CallError:
            continue
        yield call, [each.type for each in args if isinstance(each, Param)]


@pytest.mark.parametrize("function", [each for each in FUNCTIONS.values() if each.examples], ids=lambda each: each.name)
def test_no_value_stops_a_query(engine: duckdb.DuckDBPyConnection, function: Function) -> None:
    """A function over odd values gives a value of its type or fails with a reason; where it failed there is no value."""
    tables = list(VALUES)
    ran = 0
    for call, kinds in calls_of(function, function.examples[0]):
        names = [
            f"c{each}"
            for each, value in enumerate(function.examples[0].args)
            if not function.parameters[min(each, len(function.parameters) - 1)].const
        ]
        froms = ", ".join(f"(SELECT v AS {name} FROM v{tables.index(kind)}) t{name}" for name, kind in zip(names, kinds, strict=True))
        columns = lambda node: node.name if isinstance(node, Param) else None
        value, reason = render_value(call, columns), render_reason(call, columns) or "CAST(NULL AS VARCHAR)"
        limit = f"SELECT * FROM {froms} LIMIT 40000" if froms else "SELECT 1"
        rows = engine.execute(
            f"SELECT count(*) FILTER (r IS NOT NULL AND x IS NOT NULL), count(x), any_value(typeof(x)) FROM (SELECT {value} AS x, {reason} AS r FROM ({limit}))"
        ).fetchone()
        assert rows is not None
        assert 0 == rows[0]
        if rows[1] and call.type != NULL:
            assert engine.execute(f"SELECT typeof(CAST(NULL AS {duckdb_type(call.type)}))").fetchone() == (rows[2],)
        ran += 1
    assert ran


def column(engine: duckdb.DuckDBPyConnection, node: Node, kind: Type, values: list[Any]) -> list[tuple[Any, Any]]:
    """Return value and reason of a node over the column ``x``."""
    columns = lambda each: "x" if isinstance(each, Param) else None
    engine.execute(f"CREATE OR REPLACE TEMP TABLE given (n INTEGER, x {duckdb_type(kind)})")
    engine.executemany("INSERT INTO given VALUES (?, ?)", list(enumerate(values)))
    reason = render_reason(node, columns) or "NULL"
    return engine.execute(f"SELECT {render_value(node, columns)}, {reason} FROM given ORDER BY n").fetchall()


def over(name: str, kind: Type, *constants: Any) -> Call:
    """Return a call over the column ``x``."""
    return resolve_types(FUNCTIONS[name], [Param("x", kind), *(literal_of(each) for each in constants)])


def test_trim_is_unicode(engine: duckdb.DuckDBPyConnection) -> None:
    """trim and collapse_spaces know the white space that Unicode knows, and nothing else."""
    texts = [f"{a}x{b}{c}y{a}" for a in ["", *WHITE] for b in ["", " ", "\u200b"] for c in WHITE]
    assert [(each.strip(WHITE), None) for each in texts] == column(engine, over("trim", STRING), STRING, texts)
    collapsed = [(re.sub(f"[{WHITE}]+", " ", each).strip(" "), None) for each in texts]
    assert collapsed == column(engine, over("collapse_spaces", STRING), STRING, texts)


@pytest.mark.parametrize(("precision", "scale"), [(18, 2), (38, 12), (5, 0), (4, 4)])
def test_decimals_as_python_reads_them(engine: duckdb.DuckDBPyConnection, precision: int, scale: int) -> None:
    """to_decimal takes plain numbers that fit, exactly, and names what is wrong with the rest."""

    def wanted(text: str) -> tuple[Decimal | None, str | None]:
        bare = text.strip(" \t\r\n")
        if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", bare):
            return None, "not-a-decimal"
        with decimal.localcontext(prec=200):
            value = Decimal(bare)
            if value != value.quantize(Decimal(1).scaleb(-scale)):
                return None, "too-many-digits"
            if abs(value) >= Decimal(10) ** (precision - scale):
                return None, "overflow"
            return value.quantize(Decimal(1).scaleb(-scale)), None

    assert [wanted(each) for each in TEXTS] == column(engine, over("to_decimal", STRING, precision, scale), STRING, TEXTS)


def test_plain_decimal_takes_the_digits_of_its_field(engine: duckdb.DuckDBPyConnection) -> None:
    """plain_decimal assigned to a narrower decimal is read as that decimal, without a detour."""
    plain = fit(over("plain_decimal", STRING), DecimalType(18, 2))
    assert plain is not None
    assert column(engine, over("to_decimal", STRING, 18, 2), STRING, TEXTS) == column(engine, plain, STRING, TEXTS)


def test_iso_dates_as_python_reads_them(engine: duckdb.DuckDBPyConnection) -> None:
    """iso_date takes what Python's own reader takes of the form YYYY-MM-DD."""

    def wanted(text: str) -> tuple[dt.date | None, str | None]:
        bare = text.strip(" \t\r\n")
        try:
            return (dt.date.fromisoformat(bare), None) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", bare) else (None, "not-a-date")
        except ValueError:
            return None, "not-a-date"

    texts = [
        *TEXTS,
        *(
            f"{year:04d}-{month:02d}-{day:02d}"
            for year in (0, 1, 1900, 2000, 2024, 9999)
            for month in (0, 2, 6, 13)
            for day in (0, 28, 29, 30, 31)
        ),
    ]
    assert [wanted(each) for each in texts] == column(engine, over("iso_date", STRING), STRING, texts)
    german = ["{}.{}.{}".format(*each.split("-")[::-1]) for each in texts[len(TEXTS) :]]
    assert [wanted(each) for each in texts[len(TEXTS) :]] == column(engine, over("date_in", STRING, "DD.MM.YYYY"), STRING, german)


def test_zones_as_python_knows_them(engine: duckdb.DuckDBPyConnection) -> None:
    """in_zone equals zoneinfo, and fails where clocks skip or repeat."""
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Europe/Berlin")
    start = dt.datetime(2026, 3, 29)
    locals_ = [start + dt.timedelta(minutes=15 * each) for each in range(24)] + [
        dt.datetime(2026, 10, 25) + dt.timedelta(minutes=15 * each) for each in range(24)
    ]

    def wanted(local: dt.datetime) -> tuple[dt.datetime | None, str | None]:
        first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
        if first.astimezone(zone).replace(tzinfo=None) != local:
            return None, "no-such-time"
        return (first, None) if first == second else (None, "time-shown-twice")

    got = column(engine, over("in_zone", parse_type("local_timestamp"), "Europe/Berlin"), parse_type("local_timestamp"), locals_)
    assert [wanted(each) for each in locals_] == got


ROUND = {
    "half-up": decimal.ROUND_HALF_UP, "half-even": decimal.ROUND_HALF_EVEN, "half-down": decimal.ROUND_HALF_DOWN, "up": decimal.ROUND_UP,
    "down": decimal.ROUND_DOWN, "ceiling": decimal.ROUND_CEILING, "floor": decimal.ROUND_FLOOR,
}  # fmt: skip
numbers = st.decimals(min_value=-(10**12), max_value=10**12, places=4, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("mode", ROUNDINGS)
@settings(max_examples=25, deadline=None)
@given(values=st.lists(numbers, min_size=1, max_size=40), scale=st.integers(0, 5))
def test_rounding_is_exact(engine: duckdb.DuckDBPyConnection, mode: str, values: list[Decimal], scale: int) -> None:
    """Every rounding equals the decimal module's."""
    kind = parse_type("decimal(18,4)")
    near = [each + Decimal(5).scaleb(-scale - 1) for each in values if scale < 4]
    given_values = [*values, *(each.quantize(Decimal("0.0001")) for each in near)]
    unit = Decimal(1).scaleb(-scale)
    wanted = [(each.quantize(unit, ROUND[mode]), None) for each in given_values]
    assert wanted == column(engine, over("round", kind, scale, mode), kind, given_values)


@pytest.mark.parametrize("mode", ROUNDINGS)
@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(numbers, min_size=1, max_size=40),
    by=st.decimals(min_value=-9999, max_value=9999, places=3).filter(bool),
    scale=st.integers(0, 8),
)
def test_division_is_exact(engine: duckdb.DuckDBPyConnection, mode: str, values: list[Decimal], by: Decimal, scale: int) -> None:
    """divide equals exact division, rounded once."""
    kind = parse_type("decimal(18,4)")
    with decimal.localcontext(prec=200):
        wanted = [((each / by).quantize(Decimal(1).scaleb(-scale), ROUND[mode]), None) for each in values]
    assert wanted == column(engine, over("divide", kind, by, scale, mode), kind, values)


@settings(max_examples=60, deadline=None)
@given(
    left=st.lists(st.decimals(places=2, min_value=-(10**16) + 1, max_value=10**16 - 1), min_size=1, max_size=20),
    right=st.decimals(places=3, min_value=-(10**14), max_value=10**14),
)
@pytest.mark.parametrize("operator", ["+", "-", "*"])
def test_arithmetic_is_exact_or_overflows(engine: duckdb.DuckDBPyConnection, operator: str, left: list[Decimal], right: Decimal) -> None:
    """+ - * of decimals are exact in their declared type; fitted to a narrower one they overflow or stay exact."""
    kind = parse_type("decimal(18,2)")
    call = resolve_types(FUNCTIONS[operator], [Param("x", kind), Literal(right, DecimalType(18, 3))])
    with decimal.localcontext(prec=200):
        exact = [{"+": each + right, "-": each - right, "*": each * right}[operator] for each in left]
    assert [(each, None) for each in exact] == column(engine, call, kind, left)
    assert isinstance(call.type, DecimalType)
    narrow = fit(call, DecimalType(18, call.type.scale))
    assert narrow is not None
    limit = Decimal(10) ** (18 - call.type.scale)
    wanted = [(each, None) if abs(each) < limit else (None, "overflow") for each in exact]
    assert wanted == column(engine, narrow, kind, left)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=20), min_size=1, max_size=20))
def test_fold_folds_what_is_the_same(engine: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    """fold is the same for a text's composed and decomposed form, and does nothing twice."""
    folded = column(engine, over("fold", STRING), STRING, texts)
    again = column(engine, over("fold", STRING), STRING, [each for each, _ in folded])
    assert folded == again
    decomposed = [unicodedata.normalize("NFD", each) for each in texts]
    assert folded == column(engine, over("fold", STRING), STRING, decomposed)


def gs1_digit(digits: str) -> int:
    """Return the check digit after GS1."""
    return -sum(int(each) * (3 if place % 2 == 0 else 1) for place, each in enumerate(reversed(digits))) % 10


@settings(max_examples=40, deadline=None)
@given(digits=st.lists(st.text("0123456789", min_size=13, max_size=13), min_size=1, max_size=20))
def test_check_digits(engine: duckdb.DuckDBPyConnection, digits: list[str]) -> None:
    """gln and iban accept what their standards' arithmetic accepts."""
    assert [int(each[-1]) == gs1_digit(each[:-1]) for each in digits] == [
        value for value, _ in column(engine, over("is_gln", STRING), STRING, digits)
    ]
    ibans = [f"DE{each[:2]}{each}{each[:5]}" for each in digits] + [
        f"MT{98 - int(f'{int(each)}222900') % 97:02d}{int(each):015d}" for each in digits
    ]

    def valid(iban: str) -> bool:
        return int("".join(str(int(each, 36)) for each in iban[4:] + iban[:4])) % 97 == 1

    assert [valid(each) for each in ibans] == [value for value, _ in column(engine, over("is_iban", STRING), STRING, ibans)]
    assert any(valid(each) for each in ibans)


@pytest.mark.parametrize(
    ("operator", "left", "right"),
    [("+", "9" * 38, "1"), ("-", "-" + "9" * 38, "1"), ("*", "9" * 20, "9" * 19), ("*", "1" + "0" * 19, "1" + "0" * 19)],
)
def test_more_than_38_digits_overflow(engine: duckdb.DuckDBPyConnection, operator: str, left: str, right: str) -> None:
    """A result of 39 digits is the failure overflow, though 128 bits would hold it."""
    kind = DecimalType(38, 0)
    call = resolve_types(FUNCTIONS[operator], [Param("x", kind), Literal(Decimal(right), kind)])
    assert [(None, "overflow")] == column(engine, call, kind, [Decimal(left)])


def test_list_sum_overflows_as_a_failure(engine: duckdb.DuckDBPyConnection) -> None:
    """A sum of more than 38 digits fails; it is never a wrong number and never stops the query."""
    kind = ListType(DecimalType(38, 0))
    rows = column(engine, over("list_sum", kind), kind, [[Decimal("9" * 38), Decimal(1)], [Decimal(1), None], []])
    assert [(None, "overflow"), (Decimal(1), None), (Decimal(0), None)] == rows
