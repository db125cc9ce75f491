"""What a value looks like: its shape, its pattern, and its one spelling for comparing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

_CURRENCIES = """
AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HRK HUF IDR ILS INR ISK JPY KRW KWD MAD MXN MYR NOK NZD PEN PHP PKR PLN QAR RON RSD
RUB SAR SEK SGD THB TND TRY TWD UAH USD UYU VND ZAR
"""
CURRENCIES = frozenset(_CURRENCIES.split())
_COUNTRIES = """
AE AR AT AU BE BG BR CA CH CL CN CO CY CZ DE DK EE EG ES FI FR GB GR HK HR HU IE IL IN IS IT JP KR LI LT LU LV MA MT MX MY NL NO NZ PE PH PL PT QA RO
RS RU SA SE SG SI SK TH TN TR TW UA US UY VN ZA
"""
COUNTRIES = frozenset(_COUNTRIES.split())
_LANGUAGES = """
ar bg cs da de el en es et fi fr he hr hu it ja ko lt lv nb nl no pl pt ro ru sk sl sr sv tr uk vi zh
"""
LANGUAGES = frozenset(_LANGUAGES.split())

NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
BLANKS, MARKS, QUOTES = " \u00a0\u202f", "€$£¥", "'\u2019"
"""What stands between the thousands of an amount in some countries, the signs of currencies, and the apostrophes of Switzerland."""
_BEFORE, _AFTER = rf"\(?[+-]?(?:[{MARKS}][{BLANKS}]?)?[+-]?", rf"(?:[{BLANKS}]?[{MARKS}])?-?\)?"
_BLANK_GROUPS = rf"\d{{1,3}}(?:[{BLANKS}]\d{{3}})+"
COMMA_NUMBER = re.compile(rf"{_BEFORE}(?:\d{{1,3}}(?:\.\d{{3}})+|{_BLANK_GROUPS}|\d+),\d{{1,4}}{_AFTER}")
GROUPED_NUMBER = re.compile(
    rf"{_BEFORE}(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d{{1,4}})?|\d{{1,3}}(?:[{QUOTES}]\d{{3}})+(?:[.,]\d{{1,4}})?|{_BLANK_GROUPS}\.\d{{1,4}}){_AFTER}"
    rf"|[+-]?[{MARKS}][{BLANKS}]?[+-]?\d+(?:\.\d{{1,4}})?|\d+(?:\.\d{{1,4}})?[{BLANKS}]?[{MARKS}]"
)
"""An amount with a point before the decimals, if any: with commas, apostrophes or blanks between the thousands, or with the sign of a currency."""
TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d?\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s?(Z|UTC|[+-]\d\d:?(?:\d\d)?)?")
LOCAL_TIMESTAMP = re.compile(r"(?:\d{1,2}([./-])\d{1,2}\1\d{4}|\d{4}([./])\d\d\2\d\d)[T ]\d?\d:\d\d(?::\d\d)?")
TESTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("boolean", re.compile(r"true|false|yes|no|ja|nein|oui|non|wahr|falsch|[tfyn]", re.I)),
    ("timestamp", TIMESTAMP),
    ("timestamp", LOCAL_TIMESTAMP),
    ("date", re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d\d)|\d{4}/\d\d/\d\d|20[0-4]\d[01]\d[0-3]\d")),
    ("time", re.compile(r"\d\d:\d\d(:\d\d)?")),
    ("epoch", re.compile(r"1[0-9]{9}(?:\d{3})?")),
    ("integer", re.compile(r"[+-]?\d+")),
    ("decimal", NUMBER),
    ("comma-decimal", COMMA_NUMBER),
    ("comma-decimal", GROUPED_NUMBER),
    ("email", re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")),
    ("url", re.compile(r"(?:https?|ftp)://\S+|www\.\S+", re.I)),
    ("uuid", re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)),
    ("ip", re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){4,7}", re.I)),
    ("iban", re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?")),
    ("tax-id", re.compile(r"(?:AT|BE|BG|CH|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK)[ -]?[A-Z]?\d[\dA-Z. ]{6,12}")),
    ("phone", re.compile(r"(?:\+|00|\(0|0)[\d ()/.\-]{6,20}|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}")),
    ("json", re.compile(r"\{.*\}|\[.*\]", re.S)),
    ("html", re.compile(r"<[a-z!][^>]*>.*", re.I | re.S)),
    ("key", re.compile(r"[a-z]{2,6}_[0-9A-Za-z]{8,}")),
    ("hash", re.compile(r"(?=.*\d)[0-9a-f]{16,64}|[0-9A-Za-z+/]{20,}={0,2}")),
    ("locale", re.compile(r"[a-z]{2}[-_][A-Z]{2}")),
    ("zone", re.compile(r"(?:Europe|America|Asia|Africa|Australia|Pacific|Atlantic)/[A-Za-z_]+")),
    ("percent", re.compile(r"\d+(?:[.,]\d+)? ?%")),
)
TRUE, FALSE = frozenset({"true", "t", "yes", "wahr", "oui", "ja"}), frozenset({"false", "f", "no", "falsch", "non", "nein"})


def find_shape(value: str) -> str:
    """Return the shape of one value: ``email``, ``date``, ``currency``, ``word``, ``text`` and the like."""
    if len(value) > 400:
        return "json" if value[0] in "{[" else "text"
    if len(value) <= 3 and value.isalpha():
        upper = value.upper()
        if len(value) == 3 and upper in CURRENCIES and value in (upper, value.lower()):
            return "currency"
        if len(value) == 2 and value == upper and upper in COUNTRIES:
            return "country"
        if len(value) == 2 and value in LANGUAGES and value != "no":
            return "language"
    for name, test in TESTS:
        if test.fullmatch(value):
            return name
    words = value.split()
    if len(words) > 6:
        return "text"
    if len(words) > 1:
        return "words" if value[0].isalpha() and not any(each.isdigit() for each in value) else "words-and-digits"
    if value.replace("_", "").replace("-", "").isalpha():
        return "code" if value.isupper() or "_" in value else ("name" if value[0].isupper() else "word")
    return "mixed"


def find_pattern(value: str) -> str:
    """Return the pattern of a value: runs of capitals are ``A``, of small letters ``a``, of digits ``9``; the rest stays. At most 16 long."""
    found: list[str] = []
    for each in value[:48]:
        kind = "9" if each.isdigit() else ("A" if each.isupper() else "a" if each.isalpha() else each)
        if not found or found[-1] != kind:
            found.append(kind)
            if len(found) == 16:
                break
    return "".join(found)


def find_prefix(value: str) -> str:
    """Return the letters before the first separator of an identifier such as ``INV-0042`` or ``cus_9a8b``; empty where there are none."""
    matched = re.match(r"([A-Za-z]{1,6})[-_]?(?=[\dA-Z])", value)
    return matched.group(1).lower() if matched and any(each.isdigit() for each in value) else ""


def spell_value(value: str, shape: str = "") -> str:
    """Return the one spelling under which equal values are found equal: numbers without trailing zeros, instants to the second, small letters."""
    text = value.strip()
    if not text:
        return ""
    first = text[0]
    if first.isdigit() or first in "+-(" or first in MARKS:
        if matched := TIMESTAMP.fullmatch(text):
            return _spell_instant(matched)
        if NUMBER.fullmatch(text):
            return _spell_number(text)
        if COMMA_NUMBER.fullmatch(text):
            return _spell_amount(text, ".", ",")
        if GROUPED_NUMBER.fullmatch(text):
            return _spell_amount(text, ",", ".")
        if matched := re.fullmatch(r"(\d{1,2})[.](\d{1,2})[.](\d{4})", text):
            return f"{matched[3]}-{int(matched[2]):02}-{int(matched[1]):02}"
    small = text.casefold()
    if len(small) <= 6:
        return "true" if small in TRUE else "false" if small in FALSE else small
    return " ".join(small.split())


def _spell_amount(text: str, grouping: str, point: str) -> str:
    sign = "-" if "-" in text or text[0] == "(" else ""
    bare = text.translate({ord(each): None for each in f"()+-{BLANKS}{MARKS}{QUOTES}"})
    return _spell_number(sign + bare.replace(grouping, "").replace(point, "."))


def _spell_number(text: str) -> str:
    text = text.lstrip("+")
    sign = "-" if text.startswith("-") else ""
    whole, _, part = text.lstrip("-").partition(".")
    part = part.rstrip("0")
    if part or len(whole) < 15:
        whole = whole.lstrip("0") or "0"
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


def _spell_instant(matched: re.Match[str]) -> str:
    day, clock, fraction, _ = matched.groups()
    hour, _, rest = clock.partition(":")
    clock = f"{hour:0>2}:{rest if len(rest) == 5 else rest + ':00'}"
    fraction = (fraction or "").rstrip("0")[:3].rstrip("0")
    if clock == "00:00:00" and not fraction:
        return str(day)
    return f"{day} {clock}{'.' + fraction if fraction else ''}"


def spell_epochs(values: Iterable[str]) -> dict[str, str]:
    """Return seconds or milliseconds since 1970 as instants in the spelling of :func:`spell_value`."""
    found = {}
    for each in values:
        if len(each) in (10, 13) and each.isdigit():
            number = int(each) / (1000 if len(each) == 13 else 1)
            found[each] = spell_value(datetime.fromtimestamp(number, UTC).isoformat())
    return found
