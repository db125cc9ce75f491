"""JSON and JSON Lines: numbers to the letter, hostile texts refused one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from treaty.project.declarations import Limits

SUITE = Path(__file__).parents[4] / "shared/data/conformance/json-test-suite/test_parsing"
# What the suite leaves open, decided: numbers of any size are taken to the letter, a byte order mark tells the encoding; texts that
# are not Unicode, or UTF-16 without a mark, are refused, and so is nesting beyond limits.depth.
OPEN_CASES_TAKEN = {
    "i_number_double_huge_neg_exp", "i_number_huge_exp", "i_number_neg_int_huge_exp", "i_number_pos_double_huge_exp",
    "i_number_real_neg_overflow", "i_number_real_pos_overflow", "i_number_real_underflow", "i_number_too_big_neg_int",
    "i_number_too_big_pos_int", "i_number_very_big_negative_int", "i_structure_UTF-8_BOM_empty_object", "i_string_UTF-16LE_with_BOM",
}  # fmt: skip
NAMES = sorted(path.stem for path in SUITE.glob("*.json"))


@pytest.fixture
def documents(inbox: Any) -> Any:
    """A JSON stream over the folder."""
    inbox.format = "json"
    return inbox


def _payloads(inbox: Any, content: bytes | str) -> tuple[list[Any], list[str]]:
    rows, refusals, _ = inbox.one(content)
    return [row.get("", row) for row in rows], [each.reason for each in refusals]


@pytest.mark.skipif(not NAMES, reason="JSONTestSuite is not there")
@pytest.mark.parametrize("name", NAMES)
def test_json_test_suite(name: str, documents: Any) -> None:
    """`y_` is taken, `n_` refused, `i_` as decided, and nothing raises (D19); but `y_` with doubled keys or NUL is refused (D4, D13)."""
    data = (SUITE / f"{name}.json").read_bytes()
    rows, reasons = _payloads(documents, data)
    if name.startswith("y_") and not set(reasons) & {"duplicate-key", "nul-character"}:
        value = json.loads(data)
        assert [] == reasons
        assert (len(value) if isinstance(value, list) else 1) == len(rows)
    elif name.startswith("n_") or (name.startswith("i_") and name not in OPEN_CASES_TAKEN):
        assert reasons
    elif name.startswith("i_"):
        assert [] == reasons


def test_numbers_are_kept_to_the_letter(documents: Any) -> None:
    """Floats and long integers become their literal text; integers that fit stay numbers (D7)."""
    digits = "9" * 400
    rows, reasons = _payloads(documents, f'{{"a": 1.10, "b": 1e400, "c": -0.0, "d": {digits}, "e": 9223372036854775807, "f": [1.50, {{"g": {digits}.5}}]}}')
    assert [] == reasons
    assert [{"a": "1.10", "b": "1e400", "c": "-0.0", "d": digits, "e": 9223372036854775807, "f": ["1.50", {"g": f"{digits}.5"}]}] == rows


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('{"a": 1, "a": 2}', "duplicate-key"), ('{"a": 1, "\\u0061": 2}', "duplicate-key"), ('{"a": "\\ud800"}', "bad-encoding"),
        ('{"a": "\\u0000"}', "nul-character"), ('{"a": NaN}', "bad-json"), ('{"a": Infinity}', "bad-json"), ("{'a': 1}", "bad-json"),
        ('{"a": 01}', "bad-json"), ('{"a": ' + "[" * 150 + "]" * 150 + "}", "too-deep"), ('{"a": ' + "9" * 5000 + "}", "number-too-long"),
        ('{"a": "' + "x" * 70_000 + '"}', "record-too-large"), ('{"a"', "bad-json"),
    ],
)  # fmt: skip
def test_a_hostile_line_is_refused_and_its_neighbours_pass(record: str, reason: str, inbox: Any) -> None:
    """Each has its reason and place; the lines around it are records (D3, D4, D7, D13)."""
    inbox.format, inbox.limits = "jsonl", Limits(record_bytes=65_536)
    rows, (refusal,), _ = inbox.one(f'{{"n": 1}}\n\n{record}\n{{"n": 2}}')
    assert [{"n": 1}, {"n": 2}] == rows
    assert (2, reason) == (refusal.locator, refusal.reason)
    assert refusal.message.startswith("line 3:")
    assert len(refusal.excerpt) <= 200


def test_bad_utf8_is_refused_by_record(inbox: Any) -> None:
    """A byte that is not UTF-8 takes its record alone (D4)."""
    inbox.format = "jsonl"
    rows, refusals, _ = inbox.one(b'{"n": 1}\n{"n": "\xff"}\n{"n": 3}\n')
    assert [1, 3] == [row["n"] for row in rows]
    assert ["bad-encoding"] == [each.reason for each in refusals]


@pytest.mark.parametrize(("record", "document"), [("data", '{"data": [%s], "next": null}'), ("a/b", '{"a": {"z": [1], "b": [%s]}}'), (None, "[%s]")])
@pytest.mark.parametrize("rows", [0, 1, 3, 100_000])
def test_records_below_a_path(record: str | None, document: str, rows: int, documents: Any) -> None:
    """An array at the path is its elements, in small documents and in ones larger than is held in memory."""
    documents.record = record
    found, reasons = _payloads(documents, document % " , ".join(f'{{"n": {n}, "t": "]}}\\"["}}' for n in range(rows)))
    assert [] == reasons
    assert list(range(rows)) == [row["n"] for row in found]


def test_a_path_that_is_not_there(documents: Any) -> None:
    """The file is refused, naming the step."""
    documents.record = "data/items"
    _, (refusal,), _ = documents.one('{"data": {"other": []}}')
    assert "no-records" == refusal.reason
    assert "'items'" in refusal.message


def test_what_is_no_json_is_told_as_such(documents: Any) -> None:
    """A page of HTML lacks no path, it is no JSON."""
    documents.record = "data"
    _, (refusal,), _ = documents.one("<html></html>")
    assert "bad-json" == refusal.reason


def test_one_object_is_one_record(documents: Any) -> None:
    """Of a document that is no array."""
    assert ([{"id": 1}], []) == _payloads(documents, ' {"id": 1} ')


def test_a_record_that_is_cut_off(documents: Any) -> None:
    """What stands before the end of a cut file passes; the rest is refused with the offset (C11)."""
    rows, (refusal,), _ = documents.one('[{"n": 1}, {"n": 2}, {"n": ')
    assert [1, 2] == [row["n"] for row in rows]
    assert (3, "bad-json") == (refusal.locator, refusal.reason)
    assert "byte" in refusal.message


@pytest.mark.parametrize("depth", [1_000, 100_000, 1_000_000])
def test_depth_is_bounded(depth: int, documents: Any) -> None:
    """Nesting of any depth is refused and nothing crashes (D3)."""
    rows, reasons = _payloads(documents, "[[" + '{"a":[' * depth + "]}" * depth + "]]")
    assert ([], ["too-deep"]) == (rows, reasons)


def test_too_many_fields(documents: Any) -> None:
    """An object of more fields than the limit names the setting."""
    _, (refusal,), _ = documents.one(json.dumps({str(n): n for n in range(10_001)}))
    assert "limits.fields" in refusal.message
