"""Hostile EDIFACT interchanges. What the parser makes of odd envelopes is written down in tests/unit/connectors/edi."""

from __future__ import annotations

from tests.cases.hostile import Case, Format, good


def interchange(*messages: str, syntax: str = "UNOC", count: int | None = None) -> str:
    """Return an interchange of messages, each given by its segments between header and trailer."""
    told = ""
    for number, message in enumerate(messages, 1):
        told += f"UNH+{number}+TEST:D:96A:UN'{message}UNT+{segments(message) + 2}+{number}'"
    return f"UNB+{syntax}:3+A+B+260105:0915+1'{told}UNZ+{len(messages) if count is None else count}+1'"


def segments(text: str) -> int:
    """Return how many segments end in a text."""
    plain = text.replace("??", "")
    return plain.count("'") - plain.count("?'")


def message(name: str, text: str = "", amount: str = "", day: str = "") -> str:
    """Return the segments of a message with a field or two."""
    return f"BGM+1+{name}'" + (f"FTX+{text}'" if text else "") + (f"MOA+{amount}'" if amount else "") + (f"DTM+{day}'" if day else "")


def latin(text: str) -> bytes:
    """Return a text as UNOC has it."""
    return text.encode("latin-1")


CASES = [
    Case("huge-element", "D1", interchange(message("fh1"), message("fh2", "x" * 70_000), message("fh3")), ["canonical", "record-too-large", "canonical"]),
    Case("many-elements", "D2", interchange(message("fm1"), message("fm2", "a" + "+b" * 11_000), message("fm3")), ["canonical", "too-many-fields", "canonical"]),
    Case("unoc", "D5", latin(interchange(message("fc1", "Müller"))), [good(text="Müller")]),
    Case("unoa-with-other-bytes", "D4 D5", latin(interchange(message("fa1"), message("fa2", "Müller"), syntax="UNOA")), ["canonical", "bad-encoding"]),
    Case("nul", "D4", latin(interchange(message("fn1"), message("fn2", "a\0b"))), ["canonical", "nul-character"]),
    Case("byte-order-mark", "D5", b"\xef\xbb\xbf" + latin(interchange(message("fb1"))), ["canonical"]),
    Case("utf-16", "D5", interchange(message("fw1"), syntax="UNOA").encode("utf-16"), ["canonical"]),
    Case("released", "D6", latin(interchange(message("fr1", "O?'Neill ?+ Sons ??"))), [good(text="O'Neill + Sons ?")]),
    Case("unreleased-quote", "D6", latin(interchange(message("fq1"), message("fq2", "O'Neill"))), ["canonical", "bad-segment"]),
    Case("line-ends", "D6", latin(interchange(message("fl1", "a")).replace("'", "'\r\n")), [good(text="a")]),
    Case("empty", "D6", b"", ["empty-file"]),
    Case("cut-off", "D6", latin(interchange(message("fx1"), message("fx2")))[:-30], ["canonical", "stray-segment", "truncated"]),
    Case("lost-message", "D6", latin(interchange(message("fy1"), count=2)), ["canonical", "wrong-count"]),
    Case("numbers", "D7", latin(interchange(*(message(f"f#{n}", amount=amount) for n, amount in enumerate(("1e400", "NaN", "9" * 400, "-0", "1.50", "1,50"))))), [
        "null: not-a-decimal", "null: not-a-decimal", "null: overflow", good(amount="0.00"), good(amount="1.50"), "null: not-a-decimal",
    ]),
    Case("days", "D14", latin(interchange(*(message(f"fd{n}", day=day) for n, day in enumerate(("2026-02-29", "20260105", "2026-01-05"))))), [
        "null: not-a-date", "null: not-a-date", good(day="2026-01-05"),
    ]),
    Case("repeated-segment", "D13", latin(interchange("BGM+1+fz1'BGM+1+fz2'")), ["many-values"]),
    Case("no-key", "D16", latin(interchange("FTX+a'", message("", "b"))), ["missing-key", "missing-key"]),
    Case("long-key", "D16", latin(interchange(message("k" * 10_000 + "f"))), ["canonical"]),
]  # fmt: skip
FORMAT = Format(
    "edifact", "edi", {"edifact": "key: [BGM/BGM02], read: {"},
    {"code": "BGM/BGM02", "text": "FTX/FTX01", "amount": "to_decimal(MOA/MOA01, 18, 2)", "day": "iso_date(DTM/DTM01)"}, CASES,
)  # fmt: skip
