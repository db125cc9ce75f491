"""Hostile lines of JSON: each between two good ones, so that it is seen to take only itself along."""

from __future__ import annotations

from tests.cases.hostile import Case, Format, Outcome, good

FIELDS = {"code": "id", "text": "text", "amount": "to_decimal(amount, 18, 2)", "day": "iso_date(day)", "at": "iso_timestamp(at)"}


def between(name: str, tests: str, line: bytes | str, *expected: Outcome) -> Case:
    """Return a case of one line (or more) between two good ones."""
    raw = line if isinstance(line, bytes) else line.encode()
    content = f'{{"id": "{name}-before"}}\n'.encode() + raw.replace(b"ID", name.encode()) + f'\n{{"id": "{name}-after"}}\n'.encode()
    return Case(name, tests, content, [good(code=f"{name}-before"), *expected, good(code=f"{name}-after")])


def amount(name: str, literal: str, *expected: Outcome) -> Case:
    """Return a case of an amount between two good lines."""
    return between(name, "D7", f'{{"id": "ID", "amount": {literal}}}', *expected)


CASES = [
    between("huge-text", "D1", '{"id": "ID", "text": "' + "x" * 70_000 + '"}', "record-too-large"),
    between("huge-key", "D1", '{"id": "ID", "' + "k" * 70_000 + '": 1}', "record-too-large"),
    between("many-fields", "D2", '{"id": "ID", ' + ", ".join(f'"{n}":1' for n in range(6_000)) + "}", "canonical"),
    between("deep-arrays", "D3", '{"id": ' + "[" * 20_000 + "]" * 20_000 + "}", "too-deep"),
    between("deep-objects", "D3", '{"a":' * 5_000 + "1" + "}" * 5_000, "too-deep"),
    between("deep-and-open", "D3", "[" * 30_000, "too-deep"),
    between("brackets-in-text", "D3", '{"id": "ID", "text": "' + "[" * 500 + '"}', "canonical"),
    between("invalid-utf-8", "D4", b'{"id": "ID", "text": "caf\xe9"}', "bad-encoding"),
    between("overlong", "D4", b'{"id": "ID", "text": "\xc0\xaf"}', "bad-encoding"),
    between("surrogate-bytes", "D4", b'{"id": "ID", "text": "\xed\xa0\x80"}', "bad-encoding"),
    between("lone-surrogate", "D4", '{"id": "ID", "text": "\\ud800"}', "bad-encoding"),
    between("surrogate-pair", "D4", '{"id": "ID", "text": "\\ud83d\\ude00"}', good(text="😀")),
    between("escaped-nul", "D4", '{"id": "ID", "text": "a\\u0000b"}', "nul-character"),
    between("plain-nul", "D4", b'{"id": "ID", "text": "a\0b"}', "bad-json"),
    between("nul-in-key", "D4", '{"id": "ID", "a\\u0000b": 1}', "nul-character"),
    between("control-character", "D4", '{"id": "ID", "text": "a\tb"}', "bad-json"),
    Case("byte-order-mark", "D5", '\ufeff{"id": "jl-bom", "text": "é"}\n', [good(text="é")]),
    Case("utf-16", "D5", '{"id": "jl-wide", "text": "é漢"}\n'.encode("utf-16"), [good(text="é漢")]),
    Case("empty-file", "D6", "", []),
    Case("no-last-line-end", "D6", '{"id": "jl-last"}', ["canonical"]),
    Case("carriage-returns", "D6", '{"id": "jl-cr1"}\r\n\r\n{"id": "jl-cr2"}\r\n', ["canonical", "canonical"]),
    between("two-on-a-line", "D6", '{"id": "ID"}{"id": "ID2"}', "bad-json"),
    between("cut-off", "D6", '{"id": "ID", "text": "a', "bad-json"),
    amount("int64", "9223372036854775807", "null: overflow"),
    amount("int64-and-one", "9223372036854775808", "null: overflow"),
    amount("kept-to-the-digit", "1234567890123456.70", good(amount="1234567890123456.70")),
    amount("text-amount", '"1.50"', good(amount="1.50")),
    amount("infinite-exponent", "1e400", "null: not-a-decimal"),
    amount("four-hundred-digits", "9" * 400, "null: overflow"),
    amount("five-thousand-digits", "9" * 5_000, "number-too-long"),
    amount("minus-zero", "-0", good(amount="0.00")),
    amount("minus-zero-point", "-0.0", good(amount="0.00")),
    amount("nan", "NaN", "bad-json"),
    amount("minus-infinity", "-Infinity", "bad-json"),
    amount("leading-zero", "01", "bad-json"),
    amount("leading-plus", "+1", "bad-json"),
    amount("locale-comma", '"1,5"', "null: not-a-decimal"),
    amount("a-list", "[1, 2]", "null: many-values"),
    amount("an-object", '{"value": 1}', "null: not-a-decimal"),
    amount("true", "true", "null: not-a-decimal"),
    between("doubled-key", "D13", '{"id": "ID", "id": "ID2"}', "duplicate-key"),
    between("doubled-key-escaped", "D13", '{"id": "ID", "\\u0069d": "ID2"}', "duplicate-key"),
    between("doubled-key-within", "D13", '{"id": "ID", "more": {"a": 1, "a": 2}}', "duplicate-key"),
    between("keys-that-differ-by-form", "D13 D15", '{"id": "ID", "caf\u00e9": 1, "cafe\u0301": 2}', "canonical"),
    between("proto", "D13", '{"id": "ID", "__proto__": {"text": "x"}, "constructor": 1}', good(text=None)),
    between("leap-day", "D14", '{"id": "ID", "day": "2026-02-29"}', "null: not-a-date"),
    between("no-zone", "D14", '{"id": "ID", "at": "2026-03-29T02:30:00"}', "null: no-zone"),
    between("end-of-day", "D14", '{"id": "ID", "at": "2026-03-29T24:00:00Z"}', "null: not-a-timestamp"),
    between("leap-second", "D14", '{"id": "ID", "at": "2016-12-31T23:59:60Z"}', "null: not-a-timestamp"),
    between("serial-day", "D14", '{"id": "ID", "day": 46023}', "null: not-a-date"),
    between("null-key", "D16", '{"id": null, "text": "x"}', "missing-key"),
    between("no-key", "D16", '{"text": "x"}', "missing-key"),
    between("empty-key", "D16", '{"id": ""}', "missing-key"),
    between("list-as-key", "D16", '{"id": ["ID"]}', "canonical"),
    between("long-key", "D16", '{"id": "' + "k" * 10_000 + 'ID"}', "canonical"),
    between("no-object", "D6", '"text"', "missing-key"),
    between("null", "D6", "null", "missing-key"),
    between("python", "D6", "{'id': 'ID'}", "bad-json"),
    between("trailing-comma", "D6", '{"id": "ID",}', "bad-json"),
    between("comment", "D6", '{"id": "ID"} // x', "bad-json"),
]
FORMAT = Format("jsonl", "jsonl", {"jsonl": "key: [id], read: {"}, FIELDS, CASES)
