"""Hostile JSON documents: what is wrong with the document as a whole, and what takes one record of it along."""

from __future__ import annotations

import gzip
import io
import warnings
import zipfile

from tests.cases.hostile import Case, Format, good
from tests.cases.hostile.jsonl import FIELDS


def document(*records: str) -> str:
    """Return a document of these records."""
    return f'{{"data": [{", ".join(records)}], "next": null}}'


def zipped(*members: tuple[str, bytes], again: int = 0) -> bytes:
    """Return an archive of members; ``again`` times within each other."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name
        for name, content in members:
            archive.writestr(name, content)
    return zipped(("inner.zip", made.getvalue()), again=again - 1) if again else made.getvalue()


def one(name: str) -> bytes:
    """Return a document with one record."""
    return document(f'{{"id": "{name}"}}').encode()


CASES = [
    Case("huge-record", "D1", document('{"id": "js-h1"}', '{"id": "js-h2", "text": "' + "x" * 70_000 + '"}', '{"id": "js-h3"}'), ["canonical", "record-too-large", "canonical"]),
    Case("many-records", "D2", document(*(f'{{"id": "js-m{n % 3}"}}' for n in range(3_000))), ["canonical"] * 3),  # those that say nothing new are not landed
    Case("deep-record", "D3", document('{"id": "js-d1"}', "[" * 10_000 + "]" * 10_000, '{"id": "js-d2"}'), ["canonical", "too-deep", "canonical"]),
    Case("deep-beside-the-records", "D3", '{"other": ' + "[" * 10_000 + "]" * 10_000 + ', "data": [{"id": "js-d3"}]}', ["too-deep"]),
    Case("deep-document", "D3", "[" * 100_000, ["bad-json"]),
    Case("bad-byte", "D4", document('{"id": "js-b1"}', '{"id": "X"}', '{"id": "js-b2"}').encode().replace(b"X", b"\xff"), ["canonical", "bad-encoding", "canonical"]),
    Case("byte-order-mark", "D5", "\ufeff" + document('{"id": "js-bom"}'), ["canonical"]),
    Case("utf-16", "D5", document('{"id": "js-wide", "text": "é"}').encode("utf-16"), [good(text="é")]),
    Case("utf-32", "D5", document('{"id": "js-wider", "text": "é"}').encode("utf-32"), [good(text="é")]),
    Case("cp1252", "D5", document('{"id": "js-win", "text": "é"}').encode("cp1252"), ["bad-encoding"]),
    Case("empty", "D6", "", ["empty-file"]),
    Case("blank", "D6", " \n ", ["empty-file"]),
    Case("no-records", "D6", '{"other": []}', ["no-records"]),
    Case("none", "D6", '{"data": []}', []),
    Case("null", "D6", '{"data": null}', ["missing-key"]),
    Case("one-record", "D6", '{"data": {"id": "js-one"}}', ["canonical"]),
    Case("cut-off", "D6", '{"data": [{"id": "js-c1"}, {"id": "js-c2', ["canonical", "bad-json"]),
    Case("more-behind", "D6", document('{"id": "js-x1"}') + "{}", ["canonical", "bad-json"]),
    Case("numbers", "D7",
         document('{"id": "js-n1", "amount": 1.10}', '{"id": "js-n2", "amount": 1e400}', '{"id": "js-n3", "amount": NaN}'),
         [good(amount="1.10"), "null: not-a-decimal", "bad-json"]),
    Case("doubled-key", "D13", document('{"id": "js-k1", "id": "js-k2"}', '{"id": "js-k3"}'), ["duplicate-key", "canonical"]),
    Case("doubled-records", "D13", '{"data": [{"id": "js-r1"}], "data": [{"id": "js-r2"}]}', ["canonical", "duplicate-key"]),
    Case("days", "D14", document('{"id": "js-t1", "day": "0000-01-01"}', '{"id": "js-t2", "day": "10000-01-01"}'), ["null: not-a-date"] * 2),
    Case("zip", "D10", zipped(("a.json", one("js-z1")), ("b/c.json", one("js-z2"))), ["canonical", "canonical"], stream="json-packed", suffix="zip"),
    Case("zip-bomb", "D10", zipped(("a.json", b'{"data": [{"id": "js-zb", "text": "' + b" " * 50_000_000)), ["archive-too-large"], stream="json-packed", suffix="zip"),
    Case("zips-in-zips", "D10", zipped(("a.json", one("js-zz")), again=4), ["too-deep"], stream="json-packed", suffix="zip"),
    Case("zip-cut-off", "D10", zipped(("a.json", one("js-zc")))[:-10], ["bad-archive"], stream="json-packed", suffix="zip"),
    Case("gzip-cut-off", "D10", gzip.compress(one("js-gc"))[:-4], ["bad-archive"], stream="json-packed", suffix="json.gz"),
    Case("climbing-name", "D11", zipped(("../../etc/a.json", one("js-up"))), ["bad-member-name"], stream="json-packed", suffix="zip"),
    Case("absolute-name", "D11", zipped(("/etc/a.json", one("js-abs"))), ["bad-member-name"], stream="json-packed", suffix="zip"),
    Case("doubled-name", "D11", zipped(("a.json", one("js-dn1")), ("a.json", one("js-dn2"))), ["duplicate-member"], stream="json-packed", suffix="zip"),
]
FORMAT = Format("json", "json", {"json": "key: [id], record: data, read: {", "json-packed": "key: [id], record: data, read: {"}, FIELDS, CASES)
