"""Functions over dates. A date is a day of the years 1 to 9999; text becomes one only in a named format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from treaty.compiler.functions.definition import Fails, Function, constant, constant_value, define, sql_text
from treaty.compiler.functions.formats import YEAR, Format, read_format
from treaty.compiler.functions.numbers import AROUND, full_match
from treaty.compiler.ir import Call, Node

ISO_DATE = rf"{AROUND}{YEAR}-[0-9]{{2}}-[0-9]{{2}}{AROUND}"
IN_RANGE = "BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"


def _bounded(sql: str) -> str:
    return f"CASE WHEN {sql} {IN_RANGE} THEN {sql} END"


def _date_format(call: Call, position: int = 1) -> Format:
    return read_format(constant(call, position), time=False)


def _check_format(args: Sequence[Node]) -> None:
    read_format(str(constant_value(args[1])), time=False)


def _date_in(rendered: Sequence[str], call: Call) -> str:
    form = _date_format(call)
    guard = full_match(rendered[0], f"[ ]*{form.pattern}[ ]*")
    return f"CASE WHEN {guard} THEN CAST(try_strptime({rendered[0]}, {sql_text(form.strptime)}) AS DATE) END"


def _iso_date(rendered: Sequence[str], call: Call) -> str:
    """A date that is written back as it stood is one; the rest is looked at more closely. Only what looks like a date is cast: failing is slow."""
    text, day = rendered[0], f"try_cast({rendered[0]} AS DATE)"
    plain = f"CASE WHEN CAST({day} AS VARCHAR) = {text} THEN {day} END"
    return f"CASE WHEN {text} LIKE '____-__-__' THEN {plain} WHEN {full_match(text, ISO_DATE)} THEN {day} END"


def _check_century(args: Sequence[Node]) -> None:
    read_format(str(constant_value(args[1])), time=False, century=False)
    if "YYYY" in str(constant_value(args[1])):
        raise ValueError("a format with YYYY names its century; use date_in(text, format)")
    if not 1 <= int(str(constant_value(args[2]))) <= 9900:
        raise ValueError("the first year is 1 to 9900")


def _date_in_century(rendered: Sequence[str], call: Call) -> str:
    form, first = read_format(constant(call, 1), time=False, century=False), int(constant(call, 2))
    # Read with 2000 in front of the two digits, a leap year, so that 29 February is not refused before its year is known.
    parsed = (
        f"CASE WHEN {full_match(rendered[0], f'[ ]*{form.pattern}[ ]*')} THEN try_strptime({rendered[0]}, {sql_text(form.strptime)}) END"
    )
    digits = f"(year({parsed}) % 100)"
    year = f"({first} + ({digits} - {first % 100} + 100) % 100)"
    return f"try_cast(printf('%04d-%02d-%02d', {year}, month({parsed}), day({parsed})) AS DATE)"


def _format_date(rendered: Sequence[str], call: Call) -> str:
    return f"strftime({rendered[0]}, {sql_text(_date_format(call).strftime)})"


def _moved(unit: str) -> Callable[[Sequence[str], Call], str]:
    def render(rendered: Sequence[str], call: Call) -> str:
        day, count = rendered
        bounded = f"CASE WHEN {count} BETWEEN -4000000 AND 4000000 THEN CAST({count} AS INTEGER) END"
        moved = f"TRY({day} + ({bounded}))" if unit == "day" else f"TRY(CAST({day} + to_months({bounded}) AS DATE))"
        return _bounded(moved)

    return render


def _part(name: str) -> str:
    return f"CAST({name}({{0}}) AS BIGINT)"


ROWS: tuple[Function, ...] = (
    define(
        "iso_date(text: string) -> date",
        "spelling",
        "A date written YYYY-MM-DD",
        _iso_date,
        [
            ("2026-01-31", date(2026, 1, 31)),
            (" 2024-02-29 ", date(2024, 2, 29)),
            ("2026-02-29", Fails("not-a-date")),
            ("2026-1-5", Fails("not-a-date")),
            ("2026/01/05", Fails("not-a-date")),
            ("0000-01-01", Fails("not-a-date")),
            ("2026-01-05T00:00:00", Fails("not-a-date")),
            ("", Fails("not-a-date")),
            ("epoch", Fails("not-a-date")),
            (None, None),
        ],
        reason="not-a-date",
    ),
    define(
        "date_in(text: string, format: const string) -> date",
        "spelling",
        "A date in this very format, of YYYY, MM or M or Mon or Month, DD or D; Mon and Month are English",
        _date_in,
        [
            ("31.01.2026", "DD.MM.YYYY", date(2026, 1, 31)),
            ("20260131", "YYYYMMDD", date(2026, 1, 31)),
            ("1/2/2026", "D/M/YYYY", date(2026, 2, 1)),
            ("31 Jan 2026", "DD Mon YYYY", date(2026, 1, 31)),
            ("31.02.2026", "DD.MM.YYYY", Fails("not-a-date")),
            ("1.1.2026", "DD.MM.YYYY", Fails("not-a-date")),
            ("31.01.26", "DD.MM.YYYY", Fails("not-a-date")),
            ("January 5, 2026", "Month D, YYYY", date(2026, 1, 5)),
        ],
        reason="not-a-date",
        check=_check_format,
    ),
    define(
        "date_in_century(text: string, format: const string, first_year: const integer) -> date",
        "choosing",
        "A date with a year of two digits, in the hundred years from the first year on",
        _date_in_century,
        [
            ("31.01.26", "DD.MM.YY", 1970, date(2026, 1, 31)),
            ("31.01.70", "DD.MM.YY", 1970, date(1970, 1, 31)),
            ("29.02.00", "DD.MM.YY", 1950, date(2000, 2, 29)),
            ("29.02.25", "DD.MM.YY", 1950, Fails("not-a-date")),
            ("x", "DD.MM.YY", 1950, Fails("not-a-date")),
        ],
        reason="not-a-date",
        check=_check_century,
    ),
    define(
        "make_date(year: integer, month: integer, day: integer) -> date",
        "spelling",
        "The date of a year, a month and a day",
        lambda r, c: (
            f"CASE WHEN {r[0]} BETWEEN 1 AND 9999 AND {r[1]} BETWEEN 1 AND 12 AND {r[2]} BETWEEN 1 AND 31 "
            f"THEN try_cast(printf('%04d-%02d-%02d', {r[0]}, {r[1]}, {r[2]}) AS DATE) END"
        ),
        [(2026, 1, 31, date(2026, 1, 31)), (2026, 2, 30, Fails("not-a-date")), (0, 1, 1, Fails("not-a-date"))],
        reason="not-a-date",
    ),
    define(
        "format_date(day: date, format: const string) -> string",
        "spelling",
        "The date in a format, as date_in reads it",
        _format_date,
        [
            (date(2026, 1, 5), "DD.MM.YYYY", "05.01.2026"),
            (date(2026, 1, 5), "D/M/YYYY", "5/1/2026"),
            (date(2026, 1, 5), "YYYYMMDD", "20260105"),
        ],
        check=_check_format,
    ),
    define(
        "add_days(day: date, days: integer) -> date",
        "spelling",
        "So many days later, or earlier",
        _moved("day"),
        [
            (date(2026, 1, 31), 1, date(2026, 2, 1)),
            (date(2026, 1, 1), -1, date(2025, 12, 31)),
            (date(2026, 1, 1), 2**40, Fails("overflow")),
            (date(9999, 12, 31), 1, Fails("overflow")),
        ],
        reason="overflow",
    ),
    define(
        "add_months(day: date, months: integer) -> date",
        "choosing",
        "So many months later; the month's last day where it has no such day",
        _moved("month"),
        [
            (date(2026, 1, 31), 1, date(2026, 2, 28)),
            (date(2026, 3, 31), -1, date(2026, 2, 28)),
            (date(2026, 1, 1), 2**40, Fails("overflow")),
        ],
        reason="overflow",
    ),
    define(
        "date_diff_days(from_day: date, to_day: date) -> integer",
        "spelling",
        "How many days from one date to the other",
        "CAST({1} - {0} AS BIGINT)",
        [(date(2026, 1, 1), date(2026, 1, 31), 30), (date(2026, 1, 2), date(2026, 1, 1), -1)],
    ),
    define("year(day: date) -> integer", "spelling", "The year of a date", _part("year"), [(date(2026, 1, 31), 2026)]),
    define("month(day: date) -> integer", "spelling", "The month of a date, 1 to 12", _part("month"), [(date(2026, 1, 31), 1)]),
    define("day(day: date) -> integer", "spelling", "The day of the month, 1 to 31", _part("day"), [(date(2026, 1, 31), 31)]),
    define("quarter(day: date) -> integer", "spelling", "The quarter of the year, 1 to 4", _part("quarter"), [(date(2026, 4, 1), 2)]),
    define(
        "day_of_week(day: date) -> integer",
        "spelling",
        "The day of the week, 1 for Monday to 7 for Sunday (ISO 8601)",
        _part("isodow"),
        [(date(2026, 11, 22), 7), (date(2026, 11, 23), 1)],
    ),
    define(
        "iso_week(day: date) -> integer",
        "spelling",
        "The week of the year, 1 to 53 (ISO 8601)",
        _part("weekofyear"),
        [(date(2026, 1, 1), 1), (date(2027, 1, 1), 53)],
    ),
    define(
        "start_of_month(day: date) -> date",
        "choosing",
        "The first day of its month",
        "CAST(date_trunc('month', {0}) AS DATE)",
        [(date(2026, 1, 31), date(2026, 1, 1))],
    ),
    define(
        "end_of_month(day: date) -> date", "choosing", "The last day of its month", "last_day({0})", [(date(2024, 2, 1), date(2024, 2, 29))]
    ),
    define(
        "start_of_year(day: date) -> date",
        "choosing",
        "The first day of its year",
        "CAST(date_trunc('year', {0}) AS DATE)",
        [(date(2026, 5, 31), date(2026, 1, 1))],
    ),
)
