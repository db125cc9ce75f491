"""Functions over times. A timestamp is an instant; a local timestamp is what a clock shows, and becomes an instant in a zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import cache

from treaty.compiler.functions.definition import Fails, Function, Render, constant, constant_value, define, sql_text
from treaty.compiler.functions.formats import YEAR, read_format
from treaty.compiler.functions.numbers import AROUND, full_match
from treaty.compiler.ir import Call, Node

HOURS = r"([01][0-9]|2[0-3]):[0-5][0-9]"
SECONDS = r":[0-5][0-9](\.[0-9]{1,6}0*)?"
CLOCK = rf"{HOURS}({SECONDS})?"
INNER_YEAR = "(?:000[2-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])"  # no offset leaves the years
DAY = rf"{YEAR}-[0-9]{{2}}-[0-9]{{2}}[T ]"
INNER_DAY = rf"{INNER_YEAR}-[0-9]{{2}}-[0-9]{{2}}[T ]"
LOCAL = rf"{DAY}{CLOCK}"
ZONE = r"(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
LAST_SECOND = 253_402_300_799
FIRST_SECOND = -62_135_596_800


@cache
def zone_names() -> frozenset[str]:
    """Return the names of the time zones there are."""
    import pytz

    return frozenset(pytz.all_timezones)


def _check_zone(args: Sequence[Node]) -> None:
    name = str(constant_value(args[1]))
    if name not in zone_names():
        raise ValueError(f"there is no time zone {name!r}; write one such as Europe/Berlin")


def _bounded(sql: str, kind: str) -> str:
    zone = "+00" if kind == "TIMESTAMPTZ" else ""
    return f"CASE WHEN {sql} BETWEEN {kind} '0001-01-01 00:00:00{zone}' AND {kind} '9999-12-31 23:59:59.999999{zone}' THEN {sql} END"


def _iso_timestamp(rendered: Sequence[str], call: Call) -> str:
    """DuckDB wants seconds where there is a zone, so a time without them is given some."""
    text = rendered[0]
    inner = full_match(text, f"{AROUND}{INNER_DAY}{HOURS}{SECONDS}{ZONE}{AROUND}")
    full = full_match(text, f"{AROUND}{DAY}{HOURS}{SECONDS}{ZONE}{AROUND}")
    short = full_match(text, f"{AROUND}{DAY}{HOURS}{ZONE}{AROUND}")
    longer = f"regexp_replace({text}, {sql_text(f'([T ]{HOURS})')}, {sql_text(chr(92) + '1:00')})"
    edges = f"CASE WHEN {full} THEN try_cast({text} AS TIMESTAMPTZ) WHEN {short} THEN try_cast({longer} AS TIMESTAMPTZ) END"
    return f"CASE WHEN {inner} THEN try_cast({text} AS TIMESTAMPTZ) ELSE {_bounded(edges, 'TIMESTAMPTZ')} END"


def _local_timestamp(rendered: Sequence[str], call: Call) -> str:
    guard = full_match(rendered[0], f"{AROUND}{LOCAL}{AROUND}")
    return f"CASE WHEN {guard} THEN try_cast({rendered[0]} AS TIMESTAMP) END"


def _check_format(args: Sequence[Node]) -> None:
    read_format(str(constant_value(args[1])), time=True)


def _local_in(rendered: Sequence[str], call: Call) -> str:
    form = read_format(constant(call, 1), time=True)
    guard = full_match(rendered[0], f"[ ]*{form.pattern}[ ]*")
    return f"CASE WHEN {guard} THEN try_strptime({rendered[0]}, {sql_text(form.strptime)}) END"


def _format_timestamp(rendered: Sequence[str], call: Call) -> str:
    return f"strftime({rendered[0]}, {sql_text(read_format(constant(call, 1), time=True).strftime)})"


def _round_trips(local: str, zone: str) -> str:
    return f"timezone({zone}, timezone({zone}, {local})) = {local}"


def _other_reading(local: str, zone: str) -> str:
    """Return SQL that says whether a local time is shown twice, an hour or half an hour apart."""
    instant = f"timezone({zone}, {local})"
    tests = [
        f"timezone({zone}, {instant} {shift}) = {local}"
        for shift in ("- to_minutes(60)", "- to_minutes(30)", "+ to_minutes(60)", "+ to_minutes(30)")
    ]
    return f"({' OR '.join(tests)})"


def _in_zone(rendered: Sequence[str], call: Call) -> str:
    local, zone = rendered
    if constant(call, 1) == "UTC":
        return f"timezone('UTC', {local})"
    return f"CASE WHEN {_round_trips(local, zone)} AND NOT {_other_reading(local, zone)} THEN timezone({zone}, {local}) END"


def _in_zone_earlier(rendered: Sequence[str], call: Call) -> str:
    local, zone = rendered
    instant = f"timezone({zone}, {local})"
    steps = " ".join(
        f"WHEN timezone({zone}, {instant} - to_minutes({minutes})) = {local} THEN {instant} - to_minutes({minutes})" for minutes in (60, 30)
    )
    return f"CASE WHEN NOT {_round_trips(local, zone)} THEN NULL {steps} ELSE {instant} END"


def _in_zone_why(rendered: Sequence[str], call: Call) -> str:
    return f"CASE WHEN {_round_trips(*rendered)} THEN 'time-shown-twice' ELSE 'no-such-time' END"


def _epoch(digits: int, factor: int) -> Render:
    """Read whole numbers in 64 bits, which most are, and fractions as decimals, which are slow."""

    def render(rendered: Sequence[str], call: Call) -> str:
        text = rendered[0]
        number = f"try_cast({text} AS BIGINT)"
        within = f"{number} BETWEEN {FIRST_SECOND * 1_000_000 // factor} AND {LAST_SECOND * 1_000_000 // factor}"
        whole = full_match(text, rf"{AROUND}-?[0-9]{{1,{digits}}}{AROUND}")
        made = f"WHEN {whole} THEN CASE WHEN {within} THEN make_timestamptz({number} * {factor}) END"
        if factor == 1_000_000:
            pattern = rf"{AROUND}-?[0-9]{{1,{digits}}}\.[0-9]{{1,6}}0*{AROUND}"
            fraction = f"contains({text}, '.') AND {full_match(text, pattern)}"
            micros = f"CAST(try_cast({text} AS DECIMAL(19,6)) * CAST(1000000 AS DECIMAL(7,0)) AS BIGINT)"
            bounds = f"try_cast({text} AS DECIMAL(19,6)) BETWEEN {FIRST_SECOND} AND {LAST_SECOND}"
            made += f" WHEN {fraction} THEN CASE WHEN {bounds} THEN make_timestamptz({micros}) END"
        return f"CASE {made} END"

    return render


def _no_zone_why(rendered: Sequence[str], call: Call) -> str:
    return f"CASE WHEN {full_match(rendered[0], f'{AROUND}{LOCAL}{AROUND}')} THEN 'no-zone' ELSE 'not-a-timestamp' END"


def _has_zone_why(rendered: Sequence[str], call: Call) -> str:
    return f"CASE WHEN {full_match(rendered[0], f'{AROUND}{LOCAL}{ZONE}{AROUND}')} THEN 'has-zone' ELSE 'not-a-timestamp' END"


def _at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def _shown(*parts: int) -> datetime:
    return _at(*parts).replace(tzinfo=None)


ROWS: tuple[Function, ...] = (
    define(
        "iso_timestamp(text: string) -> timestamp",
        "spelling",
        "An instant written YYYY-MM-DDTHH:MM:SS with Z or an offset; without either it is the failure no-zone",
        _iso_timestamp,
        [
            ("2026-01-31T12:00:00Z", _at(2026, 1, 31, 12)),
            ("2026-01-31 12:00:00.5+01:00", _at(2026, 1, 31, 11, 0, 0, 500000)),
            ("2026-01-31T12:00+0130", _at(2026, 1, 31, 10, 30)),
            ("2026-01-31T12:00Z", _at(2026, 1, 31, 12)),
            ("0000-01-01T00:00:00Z", Fails("not-a-timestamp")),
            ("2026-01-31T12:00:00", Fails("no-zone")),
            ("2026-01-31", Fails("not-a-timestamp")),
            ("2026-01-31T24:00:00Z", Fails("not-a-timestamp")),
            ("2026-02-31T12:00:00Z", Fails("not-a-timestamp")),
            ("2026-01-31T12:00:00+25:00", Fails("not-a-timestamp")),
            (None, None),
        ],
        reason=("no-zone", "not-a-timestamp"),
        why=_no_zone_why,
    ),
    define(
        "epoch_seconds(text: string) -> timestamp",
        "spelling",
        "An instant in seconds since 1970, with or without a fraction",
        _epoch(12, 1_000_000),
        [
            ("1700000000", _at(2023, 11, 14, 22, 13, 20)),
            ("0.5", _at(1970, 1, 1, 0, 0, 0, 500000)),
            ("-1", _at(1969, 12, 31, 23, 59, 59)),
            ("1e9", Fails("not-a-timestamp")),
            ("999999999999", Fails("not-a-timestamp")),
        ],
        reason="not-a-timestamp",
    ),
    define(
        "epoch_millis(text: string) -> timestamp",
        "spelling",
        "An instant in thousandths of a second since 1970",
        _epoch(15, 1_000),
        [("1700000000123", _at(2023, 11, 14, 22, 13, 20, 123000)), ("x", Fails("not-a-timestamp"))],
        reason="not-a-timestamp",
    ),
    define(
        "local_timestamp(text: string) -> local_timestamp",
        "spelling",
        "A local time written YYYY-MM-DDTHH:MM:SS, without a zone; with one it is the failure has-zone",
        _local_timestamp,
        [
            ("2026-01-31T12:00:00", _shown(2026, 1, 31, 12)),
            ("2026-01-31 12:00", _shown(2026, 1, 31, 12)),
            ("2026-01-31T12:00:00Z", Fails("has-zone")),
            ("x", Fails("not-a-timestamp")),
        ],
        reason=("has-zone", "not-a-timestamp"),
        why=_has_zone_why,
    ),
    define(
        "local_timestamp_in(text: string, format: const string) -> local_timestamp",
        "spelling",
        "A local time in this very format, of a date's parts and HH, MI, SS, MS or US; or HH12 and AM",
        _local_in,
        [
            ("31.01.2026 23:05:59", "DD.MM.YYYY HH:MI:SS", _shown(2026, 1, 31, 23, 5, 59)),
            ("01/31/2026 11:05 PM", "MM/DD/YYYY HH12:MI AM", _shown(2026, 1, 31, 23, 5)),
            ("31.01.2026 24:00:00", "DD.MM.YYYY HH:MI:SS", Fails("not-a-timestamp")),
            ("20260131T230559", "YYYYMMDDTHHMISS", _shown(2026, 1, 31, 23, 5, 59)),
        ],
        reason="not-a-timestamp",
        check=_check_format,
    ),
    define(
        "in_zone(local: local_timestamp, zone: const string) -> timestamp",
        "spelling",
        "The instant at which clocks in a zone show this; a failure where they never do (no-such-time) or do twice (time-shown-twice)",
        _in_zone,
        [
            (_shown(2026, 1, 31, 12), "Europe/Berlin", _at(2026, 1, 31, 11)),
            (_shown(2026, 7, 1, 12), "Europe/Berlin", _at(2026, 7, 1, 10)),
            (_shown(2026, 3, 29, 2, 30), "Europe/Berlin", Fails("no-such-time")),
            (_shown(2026, 10, 25, 2, 30), "Europe/Berlin", Fails("time-shown-twice")),
            (_shown(2026, 1, 31, 12), "UTC", _at(2026, 1, 31, 12)),
        ],
        reason=("no-such-time", "time-shown-twice"),
        why=_in_zone_why,
        fails=lambda call: constant(call, 1) != "UTC",
        check=_check_zone,
    ),
    define(
        "in_zone_earlier(local: local_timestamp, zone: const string) -> timestamp",
        "choosing",
        "Like in_zone, but the earlier instant where clocks show this twice",
        _in_zone_earlier,
        [
            (_shown(2026, 10, 25, 2, 30), "Europe/Berlin", _at(2026, 10, 25, 0, 30)),
            (_shown(2026, 10, 25, 3, 30), "Europe/Berlin", _at(2026, 10, 25, 2, 30)),
            (_shown(2026, 3, 29, 2, 30), "Europe/Berlin", Fails("no-such-time")),
        ],
        reason="no-such-time",
        check=_check_zone,
    ),
    define(
        "to_zone(instant: timestamp, zone: const string) -> local_timestamp",
        "spelling",
        "What clocks in a zone show at an instant",
        "timezone({1}, {0})",
        [(_at(2026, 1, 31, 11), "Europe/Berlin", _shown(2026, 1, 31, 12))],
        check=_check_zone,
    ),
    define(
        "date_at(instant: timestamp, zone: const string) -> date",
        "choosing",
        "The day it is in a zone at an instant",
        "CAST(timezone({1}, {0}) AS DATE)",
        [(_at(2026, 1, 31, 23, 30), "Europe/Berlin", date(2026, 2, 1)), (_at(2026, 1, 31, 23, 30), "UTC", date(2026, 1, 31))],
        check=_check_zone,
    ),
    define(
        "date_of(local: local_timestamp) -> date",
        "choosing",
        "The day of a local time",
        "CAST({0} AS DATE)",
        [(_shown(2026, 1, 31, 23), date(2026, 1, 31))],
    ),
    define(
        "time_of(local: local_timestamp) -> time",
        "choosing",
        "The time of day of a local time",
        "CAST({0} AS TIME)",
        [(_shown(2026, 1, 31, 23, 5), time(23, 5))],
    ),
    define(
        "iso_time(text: string) -> time",
        "spelling",
        "A time of day written HH:MM or HH:MM:SS",
        lambda r, c: f"CASE WHEN {full_match(r[0], f'{AROUND}{CLOCK}{AROUND}')} THEN try_cast({r[0]} AS TIME) END",
        [("23:05", time(23, 5)), ("23:05:59.25", time(23, 5, 59, 250000)), ("24:00", Fails("not-a-time")), ("7:00", Fails("not-a-time"))],
        reason="not-a-time",
    ),
    define(
        "format_timestamp(local: local_timestamp, format: const string) -> string",
        "spelling",
        "A local time in a format, as local_timestamp_in reads it",
        _format_timestamp,
        [(_shown(2026, 1, 31, 23, 5, 59), "DD.MM.YYYY HH:MI:SS", "31.01.2026 23:05:59")],
        check=_check_format,
    ),
    define(
        "seconds_between(start: timestamp, end: timestamp) -> integer",
        "spelling",
        "Whole seconds from one instant to the other",
        "CAST(date_sub('second', {0}, {1}) AS BIGINT)",
        [(_at(2026, 1, 1), _at(2026, 1, 1, 0, 1), 60), (_at(2026, 1, 1, 0, 1), _at(2026, 1, 1), -60)],
    ),
    define(
        "add_seconds(instant: timestamp, seconds: integer) -> timestamp",
        "spelling",
        "So many seconds later, or earlier",
        lambda r, c: _bounded(
            f"TRY({r[0]} + to_seconds(CASE WHEN {r[1]} BETWEEN -400000000000 AND 400000000000 THEN {r[1]} END))", "TIMESTAMPTZ"
        ),
        [(_at(2026, 1, 1), 90, _at(2026, 1, 1, 0, 1, 30)), (_at(2026, 1, 1), 2**62, Fails("overflow"))],
        reason="overflow",
    ),
)
