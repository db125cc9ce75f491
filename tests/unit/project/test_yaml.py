"""YAML as configuration only."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from treaty.project.findings import Findings, Position
from treaty.project.yaml import MapNode, Node, parse_yaml, wrap_position


def parsed(text: str) -> tuple[Node | None, list[tuple[str, int, int]]]:
    """Return the node and the problems as (code, line, column)."""
    findings = Findings()
    node = parse_yaml(text, "f.yaml", findings)
    return node, [(each.code, each.position.line, each.position.column) for each in findings]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("010", "010"), ("1:30", "1:30"), ("yes", "yes"), ("0x1F", "0x1F"), ("1e3", "1e3"), ("1_000", "1_000"), ("+1", "+1"),
        (".5", ".5"), ("2026-01-31", "2026-01-31"), ("~", None), ("null", None), ("12", 12), ("-12.50", Decimal("-12.50")), ("true", True),
        ("False", False), ("'true'", "true"), ('"12"', "12"), ("|\n  12\n", "12\n"),
    ],
)  # fmt: skip
def test_scalars(text: str, value: Any) -> None:
    """Only plain true, false, null and numbers without leading zeros are other than text."""
    node, findings = parsed(f"key: {text}")
    assert node is not None
    assert [] == findings
    assert {"key": value} == node.value
    assert type(value) is type(node.value["key"])


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: !!python/object:os.system x", "yaml-tag", 1, 4),
        ("a: !!str 1", "yaml-tag", 1, 4),
        ("a: &x 1\n", "yaml-alias", 1, 4),
        ("a: 1\nb: *x\n", "yaml-alias", 2, 4),
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
        ("<<: {a: 1}\n", "merge-key", 1, 1),
        ("a: 1\n---\nb: 2\n", "yaml-documents", 2, 1),
        ("? [a, b]\n: 1\n", "yaml-key", 1, 3),
        ("a: [1, 2\n", "yaml-syntax", 2, 1),
        ("a: 1\n\tb: 2\n", "yaml-syntax", 2, 1),
        ("", "empty-file", 1, 1),
        ("a: \x07", "yaml-syntax", 1, 1),
        ("purpose: Who is billed: the account\n", "yaml-syntax", 1, 23),
        ("k: [a[1], b]\nf: g(x: string) -> date\nt: one: two\n", "yaml-syntax", 3, 7),
        ("[" * 60 + "]" * 60, "yaml-depth", 1, 51),
    ],
)
def test_refused(text: str, code: str, line: int, column: int) -> None:
    """What is more than configuration is refused at its place."""
    assert (code, line, column) in parsed(text)[1]


def test_a_colon_in_a_value_wants_quotes() -> None:
    """The finding on a colon in a plain value says to quote the value, and a quoted one is read."""
    findings = Findings()
    parse_yaml("purpose: Who is billed: the account\n", "f.yaml", findings)
    assert ["Quote the value"] == [each.remedy[:15] for each in findings]
    node, problems = parsed("purpose: 'Who is billed: the account'\n")
    assert node is not None
    assert ({"purpose": "Who is billed: the account"}, []) == (node.value, problems)


def test_not_utf8() -> None:
    """A byte that is not UTF-8 is named with its place."""
    findings = Findings()
    assert parse_yaml(b"a: 1\nb: caf\xe9\n", "f.yaml", findings) is None
    assert [("not-utf-8", Position("f.yaml", 2, 7))] == [(each.code, each.position) for each in findings]


def test_byte_order_mark() -> None:
    """A byte order mark is no part of the first key."""
    findings = Findings()
    node = parse_yaml(b"\xef\xbb\xbfa: 1\n", "f.yaml", findings)
    assert node is not None
    assert {"a": 1} == node.value


def test_first_of_duplicates_wins() -> None:
    """A key written twice keeps its first value."""
    node, _ = parsed("a: 1\na: 2")
    assert node is not None
    assert {"a": 1} == node.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("function: f(text: string) -> decimal(18,2)\n", {"function": "f(text: string) -> decimal(18,2)"}),
        ("- function: f(a: string, b: date) -> date # why\n", [{"function": "f(a: string, b: date) -> date"}]),
        ("key: [cac:Party/cac:Scheme[1]/cbc:ID, cbc:ID]\n", {"key": ["cac:Party/cac:Scheme[1]/cbc:ID", "cbc:ID"]}),
        ("f: {email: emails[type='work']/value, b: \"c: d\"}\n", {"f": {"email": "emails[type='work']/value", "b": "c: d"}}),
        (
            "a: [x[1],\n  y[cac:A/cbc:B='t, u']/z]\nf: g(x: string) -> date\n",
            {"a": ["x[1]", "y[cac:A/cbc:B='t, u']/z"], "f": "g(x: string) -> date"},
        ),
        ("t: |\n  a: b: [c\nf: g(x: string) -> date\n", {"t": "a: b: [c\n", "f": "g(x: string) -> date"}),
    ],
)
def test_signatures_and_paths_need_no_quotes(text: str, value: Any) -> None:
    """Treaty's own spellings may stand in a plain text, although strict YAML would refuse the file."""
    node, findings = parsed(text)
    assert [] == findings
    assert node is not None
    assert value == node.value


def test_places_stay_right_without_quotes() -> None:
    """Lines and columns are those of the file, also where a text stood unquoted."""
    node, _ = parsed("k: [a[1], b]\nf: g(x: string) -> date\nz: 1\n")
    assert isinstance(node, MapNode)
    assert Position("f.yaml", 3, 1) == node.keys["z"]
    assert Position("f.yaml", 1, 11) == node.items["k"].items[1].position  # type: ignore[union-attr,index]


def test_places_inside_texts() -> None:
    """A text's place is that of its first character, and counting on leads over line ends."""
    text = "a: 'x y'\nb: >-\n  one two\n  three\nc: plain\n   more\n"
    node, _ = parsed(text)
    assert isinstance(node, MapNode)
    assert Position("f.yaml", 1, 5) == node.items["a"].position
    folded, plain = node.items["b"].position, node.items["c"].position
    assert Position("f.yaml", 3, 3) == folded
    assert "three" == node.value["b"][8:]
    assert Position("f.yaml", 4, 3) == wrap_position(Position("f.yaml", folded.line, folded.column + 8), text.encode())
    assert "more" == node.value["c"][6:]
    assert Position("f.yaml", 6, 4) == wrap_position(Position("f.yaml", plain.line, plain.column + 6), text.encode())
    assert Position("f.yaml", 1, 6) == wrap_position(Position("f.yaml", 1, 6), text.encode())
