"""Hostile X12 interchanges. What the parser makes of odd envelopes is written down in tests/unit/connectors/edi."""

from __future__ import annotations

from tests.cases.hostile import Case, Format, good

HEAD = "ISA*00*          *00*          *ZZ*BUYER          *ZZ*SELLER         *260105*0915*U*00401*000000077*0*P*>~GS*PO*BUYER*SELLER*20260105*0915*7*X*004010~"


def interchange(*sets: str) -> str:
    """Return an interchange of transaction sets, each given by its segments between header and trailer."""
    told = ""
    for number, each in enumerate(sets, 1):
        told += f"ST*850*{number:04}~{each}SE*{each.count('~') + 2}*{number:04}~"
    return f"{HEAD}{told}GE*{len(sets)}*7~IEA*1*000000077~"


def order(name: str, text: str = "", amount: str = "", day: str = "") -> str:
    """Return the segments of an order with a field or two."""
    return f"BEG*00*SA*{name}~" + (f"MSG*{text}~" if text else "") + (f"AMT*TT*{amount}~" if amount else "") + (f"DTM*002*{day}~" if day else "")


CASES = [
    Case("huge-element", "D1", interchange(order("th1"), order("th2", "x" * 70_000), order("th3")), ["canonical", "record-too-large", "canonical"]),
    Case("many-elements", "D2", interchange(order("tm1"), order("tm2", "a" + "*b" * 11_000), order("tm3")), ["canonical", "too-many-fields", "canonical"]),
    Case("latin", "D5", interchange(order("tl1"), order("tl2", "Müller")).encode("latin-1"), ["canonical", "bad-encoding"]),
    Case("nul", "D4", interchange(order("tn1"), order("tn2", "a\0b")), ["canonical", "nul-character"]),
    Case("byte-order-mark", "D5", "\ufeff" + interchange(order("tb1")), ["canonical"]),
    Case("line-ends", "D6", interchange(order("te1", "a")).replace("~", "~\r\n"), [good(text="a")]),
    Case("empty", "D6", "", ["empty-file"]),
    Case("cut-off", "D6", interchange(order("tc1"), order("tc2"))[:-45], ["canonical", "truncated", "truncated"]),
    Case("wrong-count", "D6", interchange(order("tw1"), order("tw2")).replace("SE*3*0002", "SE*4*0002"), ["canonical", "wrong-count"]),
    Case("numbers", "D7", interchange(*(order(f"t#{n}", amount=amount) for n, amount in enumerate(("1e400", "NaN", "9" * 400, "-0", "1.50", "1,50")))), [
        "null: not-a-decimal", "null: not-a-decimal", "null: overflow", good(amount="0.00"), good(amount="1.50"), "null: not-a-decimal",
    ]),
    Case("days", "D14", interchange(*(order(f"td{n}", day=day) for n, day in enumerate(("2026-02-29", "20260105", "2026-01-05")))), [
        "null: not-a-date", "null: not-a-date", good(day="2026-01-05"),
    ]),
    Case("repeated-segment", "D13", interchange("BEG*00*SA*tz1~BEG*00*SA*tz2~"), ["many-values"]),
    Case("no-key", "D16", interchange("MSG*a~", order("", "b")), ["missing-key", "missing-key"]),
    Case("long-key", "D16", interchange(order("k" * 10_000 + "t")), ["canonical"]),
]  # fmt: skip
FORMAT = Format(
    "x12", "x12", {"x12": "key: [BEG/BEG03], read: {"},
    {"code": "BEG/BEG03", "text": "MSG/MSG01", "amount": "to_decimal(AMT/AMT02, 18, 2)", "day": "iso_date(DTM/DTM02)"}, CASES,
)  # fmt: skip
