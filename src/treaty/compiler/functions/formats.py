"""Formats of dates and times, as people write them: ``DD.MM.YYYY HH:MI:SS``.

Every format is fixed: its pattern takes exactly what the format says, so that no engine guesses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

YEAR = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"  # 0001 to 9999

TOKENS = {  # token: (RE2 pattern, strptime, strftime)
    "YYYY": (YEAR, "%Y", "%Y"),
    "YY": ("[0-9]{2}", "%y", "%y"),
    "MM": ("(?:0[1-9]|1[0-2])", "%m", "%m"),
    "Mon": ("[A-Z][a-z]{2}", "%b", "%b"),
    "Month": ("[A-Z][a-z]{2,8}", "%B", "%B"),
    "M": ("(?:[1-9]|1[0-2])", "%m", "%-m"),
    "DD": ("(?:0[1-9]|[12][0-9]|3[01])", "%d", "%d"),
    "D": ("(?:[1-9]|[12][0-9]|3[01])", "%d", "%-d"),
    "HH24": ("(?:[01][0-9]|2[0-3])", "%H", "%H"),
    "HH12": ("(?:0[1-9]|1[0-2])", "%I", "%I"),
    "HH": ("(?:[01][0-9]|2[0-3])", "%H", "%H"),
    "MI": ("[0-5][0-9]", "%M", "%M"),
    "SS": ("[0-5][0-9]", "%S", "%S"),
    "US": ("[0-9]{6}", "%f", "%f"),
    "MS": ("[0-9]{3}", "%g", "%g"),
    "AM": ("(?:AM|PM)", "%p", "%p"),
}
DATE_TOKENS = {"YYYY", "YY", "MM", "Mon", "Month", "M", "DD", "D"}
TOKEN = re.compile("|".join(sorted(TOKENS, key=len, reverse=True)))


@dataclass(frozen=True, slots=True)
class Format:
    """A format as a pattern that texts must match, and as strptime and strftime formats."""

    pattern: str
    strptime: str
    strftime: str


def read_format(text: str, *, time: bool, century: bool = True) -> Format:
    """Read a format; raises ValueError naming what it lacks. ``century`` wants ``YYYY``, else ``YY``."""
    found = TOKEN.findall(text)
    kinds = {_kind(token) for token in found}
    if len(kinds) != len(found):
        raise ValueError(f"{text!r} names something twice")
    if "YY" in found and century:
        raise ValueError("YY chooses a century; write YYYY, or use date_in_century(text, format, first_year)")
    wanted = {"year", "month", "day"} | ({"hour", "minute"} if time else set())
    if not wanted <= kinds or (not time and kinds - {"year", "month", "day"}):
        example = "DD.MM.YYYY HH:MI:SS" if time else "DD.MM.YYYY" if century else "DD.MM.YY"
        raise ValueError(f"{text!r} is no {'time' if time else 'date'} format; write it as in {example}")
    if ("HH12" in found) != ("AM" in found):
        raise ValueError("HH12 needs AM, and AM needs HH12")
    pattern, parse, write, position = "", "", "", 0
    for match in TOKEN.finditer(text):
        between = _between(text[position : match.start()])
        token = TOKENS[match.group()]
        pattern += re.escape(between) + token[0]
        parse += between.replace("%", "%%") + token[1]
        write += between.replace("%", "%%") + token[2]
        position = match.end()
    rest = _between(text[position:])
    return Format(pattern + re.escape(rest), parse + rest.replace("%", "%%"), write + rest.replace("%", "%%"))


def _kind(token: str) -> str:
    return {"Y": "year", "D": "day", "H": "hour", "S": "second", "U": "fraction", "A": "half"}.get(
        token[0], {"MI": "minute", "MS": "fraction"}.get(token, "month")
    )


def _between(text: str) -> str:
    strange = re.search(r"[A-SU-Za-z0-9]", text)
    if strange:
        raise ValueError(f"{strange.group()!r} is no part of a format; known are {', '.join(TOKENS)}")
    return text
