"""Hostile XML documents."""

from __future__ import annotations

from xml.sax.saxutils import escape

from tests.cases.hostile import Case, Format, good

MANY = "".join(f"<f{number}/>" for number in range(10_001))
BODY = "<all><r><id>%s</id></r></all>"


def records(name: str, *texts: str) -> str:
    """Return a document with a record for each text."""
    return "<all>" + "".join(f"<r><id>{name}{number}</id><text>{text}</text></r>" for number, text in enumerate(texts)) + "</all>"


def with_field(name: str, field: str, *values: str) -> str:
    """Return a document with a record for each value of one field."""
    return "<all>" + "".join(f"<r><id>{name}{number}</id><{field}>{escape(value)}</{field}></r>" for number, value in enumerate(values)) + "</all>"


def refused(name: str, danger: str, prologue: str) -> Case:
    """Return a case of a prologue that refuses its document."""
    return Case(name, danger, prologue + BODY % name, ["doctype"])


CASES = [
    Case("huge-text", "D1", records("xh", "a", "x" * 70_000), ["canonical", "record-too-large"]),
    Case("huge-attribute", "D1", f"<all><r><id>xa</id></r><r a='{'x' * 70_000}'/></all>", ["canonical", "record-too-large"]),
    Case("many-elements", "D2", f"<all><r><id>xm</id></r><r>{MANY}</r></all>", ["canonical", "too-many-fields"]),
    Case("deep", "D3", f"<all><r><id>xd</id></r><r>{'<d>' * 10_000}{'</d>' * 10_000}</r></all>", ["canonical", "too-deep"]),
    Case("deep-above", "D3", "<d>" * 10_000 + BODY % "xu", ["too-deep"]),
    Case("invalid-utf-8", "D4", (BODY % "X").encode().replace(b"X", b"\xe9\xe9"), ["bad-xml"]),
    Case("nul", "D4", records("xn", "a\0b"), ["bad-xml"]),
    Case("nul-entity", "D4", records("xo", "a&#0;b"), ["bad-xml"]),
    Case("surrogate-entity", "D4", records("xp", "&#xD800;"), ["bad-xml"]),
    Case("byte-order-mark", "D5", "\ufeff" + records("xb", "é"), [good(text="é")]),
    Case("utf-16", "D5", ('<?xml version="1.0" encoding="utf-16"?>' + records("xw", "é漢")).encode("utf-16"), [good(text="é漢")]),
    Case("latin-declared", "D5", ('<?xml version="1.0" encoding="iso-8859-1"?>' + records("xl", "é")).encode("latin-1"), [good(text="é")]),
    Case("declared-wrongly", "D5", ('<?xml version="1.0" encoding="utf-8"?>' + records("xy", "é")).encode("latin-1"), ["bad-xml"]),
    Case("utf-7", "D5 D8", '<?xml version="1.0" encoding="utf-7"?>' + BODY % "x7", ["bad-encoding"]),
    Case("empty", "D6", "", ["empty-file"]),
    Case("cut-off", "D6", records("xc", "a", "b")[:-30], ["canonical", "bad-xml"]),
    Case("no-records", "D6", "<all><s/></all>", ["no-records"]),
    Case("line-ends", "D6", records("xe", "a\r\nb\rc"), [good(text="a\nb\nc")]),
    Case("numbers", "D7", with_field("x#", "amount", "1e400", "NaN", "9" * 400, "-0", " 1.50 ", "1,5"), [
        "null: not-a-decimal", "null: not-a-decimal", "null: overflow", good(amount="0.00"), good(amount="1.50"), "null: not-a-decimal",
    ]),
    refused("doctype", "D8", "<!DOCTYPE all>"),
    refused("external-file", "D8", '<!DOCTYPE all [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
    refused("external-http", "D8", '<!DOCTYPE all [<!ENTITY e SYSTEM "http://127.0.0.1:9/x">]>'),
    refused("parameter-entity", "D8", '<!DOCTYPE all [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>'),
    refused("public-dtd", "D8", '<!DOCTYPE all PUBLIC "-//X//Y" "http://127.0.0.1:9/x.dtd">'),
    refused("behind-a-comment", "D8", "<?x y?><!-- > --><!DOCTYPE all>"),
    Case("doctype-in-utf-16", "D8", ("<!DOCTYPE all>" + BODY % "x").encode("utf-16"), ["doctype"]),
    Case("xinclude", "D8",
         '<all xmlns:xi="http://www.w3.org/2001/XInclude"><r><id>xi</id><text><xi:include href="file:///etc/passwd" parse="text"/></text></r></all>', [good(code="xi", text=None)]),
    Case("stylesheet", "D8", '<?xml-stylesheet type="text/xsl" href="http://127.0.0.1:9/x.xsl"?>' + BODY % "xs", ["canonical"]),
    Case("schema-location", "D8",
         '<all xmlns:s="http://www.w3.org/2001/XMLSchema-instance" s:noNamespaceSchemaLocation="http://127.0.0.1:9/x.xsd"><r><id>xsd</id></r></all>', ["canonical"]),
    refused("billion-laughs", "D9", '<!DOCTYPE all [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'),
    refused("quadratic", "D9", f'<!DOCTYPE all [<!ENTITY a "{"x" * 10_000}">]>'),
    Case("unknown-entity", "D9", records("xk", "&e;"), ["bad-xml"]),
    Case("doubled-attribute", "D13", "<all><r><id>xq</id></r><r a='1' a='2'/></all>", ["canonical", "bad-xml"]),
    Case("doubled-element", "D13", "<all><r><id>xr1</id><id>xr2</id></r></all>", ["many-values"]),
    Case("days", "D14", with_field("xt", "day", "2026-02-29", "0000-01-01", "2026-01-05Z"), ["null: not-a-date"] * 3),
    Case("instants", "D14", with_field("xz", "at", "2026-03-29T02:30:00", "2026-03-29T24:00:00Z"), ["null: no-zone", "null: not-a-timestamp"]),
    Case("no-key", "D16", "<all><r><text>x</text></r><r><id/></r><r><id> </id></r></all>", ["missing-key", "missing-key", "canonical"]),
    Case("long-key", "D16", BODY % ("k" * 10_000 + "x"), ["canonical"]),
    Case("character-data", "D6", records("xcd", "<![CDATA[<b> & ]]]]><![CDATA[>]]>"), [good(text="<b> & ]]>")]),
]  # fmt: skip
FORMAT = Format(
    "xml", "xml", {"xml": "key: [id], record: r, read: {"},
    {"code": "id", "text": "text", "amount": "to_decimal(amount, 18, 2)", "day": "iso_date(day)", "at": "iso_timestamp(at)"}, CASES,
)  # fmt: skip
