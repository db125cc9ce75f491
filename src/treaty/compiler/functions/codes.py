"""Codes: a check for each, as a question (``is_iban``) and as a reader that fails (``iban``).

A reader gives the code back as it was written, but for what its own standard calls presentation: spaces in an IBAN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from treaty.compiler.functions.code_lists import COUNTRIES, CURRENCIES, FOUR_DIGITS, LANGUAGES, NO_DIGITS, THREE_DIGITS, VAT_FORMS
from treaty.compiler.functions.definition import ExampleValue, Fails, Function, define, sql_text
from treaty.compiler.functions.numbers import full_match
from treaty.compiler.functions.text import replaced

Test = Callable[[str], str]
EMAIL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
UUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
BIC = r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?"
URL = r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#@\s]*@)?[^/?#@:\s]+(:[0-9]{1,5})?([/?#][^\s]*)?"
PLUS_INSIDE, KEPT = r"([0-9])\++", r"\1"
HOST = r"\A(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^/?#@]*@)?([^/?#:@]+\.[^/?#:@]+)"
E164 = r"\+[1-9][0-9]{6,14}"


def _listed(values: Sequence[str]) -> str:
    return f"[{', '.join(sql_text(each) for each in values)}]"


def _is_listed(values: Sequence[str]) -> Test:
    return lambda sql: f"list_contains({_listed(values)}, {sql})"


def _has_form(pattern: str) -> Test:
    return lambda sql: full_match(sql, pattern)


def _digit(sql: str) -> str:
    return f"(ascii({sql}) - 48)"


def _is_luhn(sql: str) -> str:
    doubled = f"CASE WHEN place % 2 = 1 THEN {_digit('each')} WHEN {_digit('each')} > 4 THEN {_digit('each')} * 2 - 9 ELSE {_digit('each')} * 2 END"
    total = f"list_sum(list_transform(string_split(reverse({sql}), ''), lambda each, place: {doubled}))"
    return f"({full_match(sql, '[0-9]{2,}')} AND {total} % 10 = 0)"


def _is_gs1(lengths: str) -> Test:
    def test(sql: str) -> str:
        weighed = f"CASE WHEN place % 2 = 1 THEN {_digit('each')} ELSE {_digit('each')} * 3 END"
        return f"({full_match(sql, lengths)} AND list_sum(list_transform(string_split(reverse({sql}), ''), lambda each, place: {weighed})) % 10 = 0)"

    return test


def _remainder_97(sql: str) -> str:
    """Return SQL of a code's remainder by 97, its letters read as 10 to 35 (ISO 7064)."""
    value = "CASE WHEN each >= 'A' THEN ascii(each) - 55 ELSE ascii(each) - 48 END"
    step = "lambda total, each: (total * CASE WHEN each > 9 THEN 100 ELSE 10 END + each) % 97"
    return f"list_reduce(list_transform(string_split({sql}, ''), lambda each: {value}), {step})"


def _bare(sql: str) -> str:
    return f"upper(replace({sql}, ' ', ''))"


def _is_iban(sql: str) -> str:
    bare = _bare(sql)
    return f"({full_match(bare, '[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}')} AND {_remainder_97(f'(substring({bare}, 5) || left({bare}, 4))')} = 1)"


def _is_lei(sql: str) -> str:
    return f"({full_match(sql, '[A-Z0-9]{18}[0-9]{2}')} AND {_remainder_97(sql)} = 1)"


def _is_vat(sql: str) -> str:
    return full_match(sql, "|".join(f"{country}({form})" for country, form in VAT_FORMS.items()))


def _pair(
    name: str, what: str, test: Test, good: str, bad: Sequence[str], *, form: Test | None = None, made: str | None = None
) -> tuple[Function, Function]:
    """Write the two rows of a code: the question and the reader."""
    reason = f"not-a-{name.replace('_', '-')}"
    if name[0] in "aeiou":
        reason = f"not-an-{name.replace('_', '-')}"
    form = form or (lambda sql: sql)
    asked: list[tuple[ExampleValue | Fails, ...]] = [(good, True), *((each, False) for each in (*bad, ""))]
    read: list[tuple[ExampleValue | Fails, ...]] = [(good, made or good), *((each, Fails(reason)) for each in (*bad, "")), (None, None)]
    return (
        define(f"is_{name}(text: string) -> boolean", "spelling", f"Whether it is {what}", lambda r, c: test(r[0]), asked),
        define(
            f"{name}(text: string) -> string",
            "spelling",
            f"The text if it is {what}, else a failure",
            lambda r, c: f"CASE WHEN {test(r[0])} THEN {form(r[0])} END",
            read,
            reason=reason,
        ),
    )


def _alpha3(rendered: str) -> str:
    return f"list_extract({_listed(tuple(COUNTRIES))}, list_position({_listed(tuple(COUNTRIES.values()))}, {rendered}))"


def _minor_digits(sql: str) -> str:
    tests = [f"WHEN {_is_listed(codes)(sql)} THEN {digits}" for codes, digits in ((NO_DIGITS, 0), (THREE_DIGITS, 3), (FOUR_DIGITS, 4))]
    return f"CAST(CASE {' '.join(tests)} WHEN {_is_listed(CURRENCIES)(sql)} THEN 2 END AS BIGINT)"


ROWS: tuple[Function, ...] = (
    *_pair("country_code", "a country's code of two letters (ISO 3166-1)", _is_listed(tuple(COUNTRIES)), "DE", ["de", "XX", "DEU"]),
    *_pair("currency_code", "a currency's code (ISO 4217, those withdrawn since 1999 too)", _is_listed(CURRENCIES), "EUR", ["eur", "€", "EURO"]),
    *_pair("language_code", "a language's code of two letters (ISO 639-1)", _is_listed(LANGUAGES), "de", ["DE", "deu"]),
    *_pair(
        "iban",
        "an IBAN with the right check digits; spaces and case are presentation",
        _is_iban,
        "de89 3704 0044 0532 0130 00",
        ["DE89370400440532013001", "DE8937040044", "hello"],
        form=_bare,
        made="DE89370400440532013000",
    ),
    *_pair("bic", "a bank's code (ISO 9362) by its form", _has_form(BIC), "COBADEFFXXX", ["COBADEF", "cobadeff"]),
    *_pair(
        "vat_number",
        "a VAT number by its country's form, prefix included",
        _is_vat,
        "DE123456789",
        ["123456789", "DE12345678", "XX123456789"],
    ),
    *_pair(
        "lei",
        "a legal entity's identifier (ISO 17442) with the right check digits",
        _is_lei,
        "529900T8BM49AURSDO55",
        ["529900T8BM49AURSDO56", "529900"],
    ),
    *_pair(
        "gln",
        "a location's number of 13 digits (GS1) with the right check digit",
        _is_gs1("[0-9]{13}"),
        "4012345000009",
        ["4012345000008", "401234500000"],
    ),
    *_pair(
        "gtin",
        "an article's number of 8, 12, 13 or 14 digits (GS1) with the right check digit",
        _is_gs1("[0-9]{8}|[0-9]{12,14}"),
        "4006381333931",
        ["4006381333932", "12345"],
    ),
    *_pair("luhn", "digits that end in the right Luhn check digit", _is_luhn, "79927398713", ["79927398710", "7a"]),
    *_pair(
        "email",
        "an e-mail address by its form",
        _has_form(EMAIL),
        "jo.doe@example.co.uk",
        ["jo@example", "jo doe@example.com", "@example.com", "a@b@c.de"],
    ),
    *_pair("url", "a web address by its form", _has_form(URL), "https://example.com/a?b=1", ["example.com", "https://", "https://a b"]),
    *_pair("uuid", "a UUID", _has_form(UUID), "123e4567-e89b-12d3-a456-426614174000", ["123e4567", "123e4567e89b12d3a456426614174000"]),
    *_pair(
        "e164",
        "a telephone number written internationally: +4930123456",
        _has_form(E164),
        "+4930123456",
        ["4930123456", "+49 30 12", "+0123456789"],
    ),
    define(
        "country_from_alpha3(text: string) -> string",
        "spelling",
        "A country's code of two letters from that of three (ISO 3166-1)",
        lambda r, c: _alpha3(r[0]),
        [("DEU", "DE"), ("GBR", "GB"), ("XXX", Fails("not-a-country-code"))],
        reason="not-a-country-code",
    ),
    define(
        "currency_digits(code: string) -> integer",
        "spelling",
        "How many digits a currency has after the point (ISO 4217)",
        lambda r, c: _minor_digits(r[0]),
        [("EUR", 2), ("JPY", 0), ("KWD", 3), ("X", Fails("not-a-currency-code"))],
        reason="not-a-currency-code",
    ),
    define(
        "email_domain(text: string) -> string",
        "choosing",
        "What stands after the last @ of an e-mail address, in lower case; null without one",
        lambda r, c: f"nullif(lower(regexp_extract({r[0]}, '@([^@]+)\\z', 1)), '')",
        [("Jo@Example.COM", "example.com"), ("jo", None)],
    ),
    define(
        "url_host(text: string) -> string",
        "choosing",
        "The host of a web address, in lower case, without port and user; null without one",
        lambda r, c: f"nullif(lower(regexp_extract({r[0]}, {sql_text(HOST)}, 1)), '')",
        [("https://www.Example.com:8080/a", "www.example.com"), ("example.com/x", "example.com"), ("nothing", None)],
    ),
    define(
        "phone_digits(text: string) -> string",
        "choosing",
        "The digits of a telephone number, with its leading +",
        lambda r, c: replaced(replaced(r[0], "[^0-9+]+"), PLUS_INSIDE, KEPT),
        [("+49 (30) 12-34", "+49301234"), ("030/12", "03012"), ("1+2", "12")],
    ),
)
