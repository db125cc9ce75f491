"""Hostile CSV files."""

from __future__ import annotations

from tests.cases.hostile import Case, Format, good

HEAD = "id;text;amount;day;at\n"
LONG_DIGITS = "9" * 400


def rows(*lines: str, head: str = HEAD) -> str:
    """Return a file of these lines, each filled up to all columns."""
    return head + "".join(line + ";" * (4 - line.count(";")) + "\n" for line in lines)


def texts(name: str, *values: str) -> str:
    """Return a file with a record for each text."""
    return rows(*(f"{name}{number};{value}" for number, value in enumerate(values)))


def amounts(name: str, *values: str) -> str:
    """Return a file with a record for each amount."""
    return rows(*(f"{name}{number};;{value}" for number, value in enumerate(values)))


CASES = [
    Case("huge-field", "D1", texts("huge", "a", "x" * 70_000, "b"), [good(text="a"), "record-too-large", good(text="b")]),
    Case("many-columns", "D1 D6", "id;" + ";".join(f"c{number}" for number in range(10_001)) + "\n", ["too-many-fields"]),
    Case("invalid-utf-8", "D4 D5", rows("utf1;caf").encode().replace(b"caf", b"caf\xe9"), ["bad-encoding"]),
    Case("overlong-utf-8", "D4", rows("utf2;x").encode().replace(b"x;", b"\xc0\xaf;"), ["bad-encoding"]),
    Case("surrogate-bytes", "D4", rows("utf3;x").encode().replace(b"x;", b"\xed\xa0\x80;"), ["bad-encoding"]),
    Case("nul", "D4 D6", texts("nul", "a", "b\0c", "d"), [good(text="a"), "nul-character", good(text="d")]),
    Case("byte-order-mark", "D5", "\ufeff" + texts("bom", "é"), [good(code="bom0", text="é")]),
    Case("utf-16-with-mark", "D5", texts("wide", "é漢").encode("utf-16"), [good(text="é漢")]),
    Case("utf-16-without-mark", "D5", texts("narrow", "é").encode("utf-16-le"), ["bad-encoding"]),
    Case("utf-32", "D5", texts("wider", "é").encode("utf-32"), [good(text="é")]),
    Case("cp1252-declared", "D5", texts("win", "é€").encode("cp1252"), [good(text="é€")], stream="csv-cp1252"),
    Case("cp1252-hole", "D5", texts("hole", "x").encode().replace(b"x", b"\x81"), ["bad-encoding"], stream="csv-cp1252"),
    Case("two-encodings", "D5", texts("two", "é").encode() + "two1;é;;;\n".encode("cp1252"), ["bad-encoding"]),
    Case("line-ends", "D6", HEAD + "le1;a;;;\rle2;b;;;\r\nle3;c;;;\n", [good(text="a"), good(text="b"), good(text="c")]),
    Case("quoted-lines", "D6", HEAD + 'ql1;"two\nlines; ""x""";;;\n', [good(text='two\nlines; "x"')]),
    Case("open-quote", "D6", HEAD + 'oq1;a;;;\noq2;"open;;;\noq3;c;;;\n', [good(text="a"), "bad-csv", good(code="oq3", text="c")]),
    Case("text-behind-quote", "D6", HEAD + 'tq1;"a"b;;;\ntq2;c;;;\n', ["bad-csv", good(text="c")]),
    Case("ragged", "D6", HEAD + "rg1;a;;;\nrg2;b\nrg3;c;;;;\nrg4;d;;;\n", ["canonical", "ragged-row", "ragged-row", "canonical"]),
    Case("header-alone", "D6", HEAD, []),
    Case("empty-file", "D6", "", ["empty-file"]),
    Case("blank-lines", "D6", "\n\n", ["empty-file"]),
    Case("large-integers", "D7", amounts("int", "9223372036854775807", "9223372036854775808", "-9223372036854775809"), ["null: overflow"] * 3),
    Case("sixteen-digits", "D7", amounts("dig", "1234567890123456.70", "12345678901234567.70"), [good(amount="1234567890123456.70"), "null: overflow"]),
    Case("endless-digits", "D7", amounts("end", LONG_DIGITS, "0." + LONG_DIGITS), ["null: overflow", "null: too-many-digits"]),
    Case("exponents", "D7", amounts("exp", "1e400", "1E5", "1.5e-3"), ["null: not-a-decimal"] * 3),
    Case("no-numbers", "D7", amounts("nan", "NaN", "Infinity", "-inf", "0x1F", "1_000"), ["null: not-a-decimal"] * 5),
    Case("signs-and-zeros", "D7", amounts("sig", "-0", "+1.5", "007", "-0.00"), [good(amount=v) for v in ("0.00", "1.50", "7.00", "0.00")]),
    Case("locale-commas", "D7", amounts("loc", "1,5", "1.234,50", "1'000"), ["null: not-a-decimal"] * 3),
    Case("far-digits", "D7", amounts("far", "１２", "٣", "1 000"), ["null: not-a-decimal"] * 3),
    Case("repeated-column", "D13", "id;text;text\nrc1;a;b\n", [good(text=None)]),  # neither is taken for `text`
    Case(
        "days", "D14",
        rows(*(f"day{number};;;{day};" for number, day in enumerate((
            "2024-02-29", "2026-02-29", "0000-01-01", "10000-01-01", "infinity", "46023", "26-01-05", "05/01/2026",
        )))),
        [good(day="2024-02-29"), *["null: not-a-date"] * 7],
    ),
    Case(
        "instants", "D14",
        rows(*(f"at{number};;;;{at}" for number, at in enumerate((
            "2026-03-29T02:30:00", "2026-03-29T02:30:00+01:00", "2026-12-31T24:00:00Z", "2016-12-31T23:59:60Z", "0000-01-01T00:00:00Z",
        )))),
        ["null: no-zone", good(at="2026-03-29 01:30:00+00"), *["null: not-a-timestamp"] * 3],
    ),
    Case("composed-and-not", "D15", rows("nfc-\u00e9;a", "nfc-e\u0301;b"), ["canonical", "canonical"], golden=1),
    Case("case-folding", "D15", rows("straße;a", "STRASSE;b", "STRAẞE;c"), ["canonical"] * 3, golden=1),
    Case("dotted-i", "D15", rows("İx;a", "ix;b"), ["canonical"] * 2, golden=1),
    Case("zero-width", "D15", rows("zero\u200bwidth;a", "zerowidth;b"), ["canonical"] * 2, golden=1),
    Case("homoglyphs", "D15", rows("homo-a;a", "homo-а;b"), ["canonical"] * 2, golden=2),
    Case("direction", "D15", texts("rtl", "\u202egnp.exe"), [good(text="\u202egnp.exe")]),
    Case("spaces-around", "D15", rows("sp1;  a  ", "sp1 ;b"), [good(text="  a  "), "canonical"], golden=1),
    Case("no-key", "D16", rows(";a", "  ;b", "   ;c", "\t;d"), ["missing-key", "canonical", "canonical", "canonical"], golden=3),
    Case("long-keys", "D16", rows("k" * 10_000 + "1;a", "k" * 10_000 + "2;b", "a" * 70 + ";c"), ["canonical"] * 3, golden=3),
    Case("parts-with-separators", "D16", rows("a|b;c", "a;b|c", "a\\\\;|b|c", "a\\\\|;b|c"), ["canonical"] * 4, stream="csv-parts"),
    Case("key-comes-again", "D16", rows("ka;a", "ka;b", "ka;b"), ["superseded", good(text="b")]),  # the third says nothing new, and is not landed
    Case("formulas", "D17", texts("fx", "=1+1", "@SUM(A1)", "-2+3"), [good(text="=1+1"), good(text="@SUM(A1)"), good(text="-2+3")]),
    Case("statements", "D16", HEAD + '"x""\'; drop table t; --";a;;;\n', ["canonical"]),
]
FORMAT = Format(
    "csv", "csv",
    {"csv": 'key: [id], read: {delimiter: ";", ', "csv-cp1252": 'key: [id], read: {delimiter: ";", encoding: cp1252, ', "csv-parts": 'key: [id, text], read: {delimiter: ";", '},
    {"code": "id", "text": "text", "amount": "to_decimal(amount, 18, 2)", "day": "iso_date(day)", "at": "iso_timestamp(at)"},
    CASES,
)  # fmt: skip
