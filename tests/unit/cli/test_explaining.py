"""How an explanation is told."""

from __future__ import annotations

import io

from treaty.cli.explaining import merge_landed, print_explanation, say
from treaty.cli.output import Output
from treaty.operations.explain import Explanation

LANDED = {"step": "landed", "system": "crm", "stream": "contacts", "source_key": "C-1", "landed_id": "x", "locator": 1, "received_at": "now", "origin": "a.jsonl"}


def test_paths_of_one_record_are_told_together() -> None:
    """Neighbouring landed steps of the same record become one, with all its paths."""
    merged = merge_landed([{**LANDED, "path": "a", "value": "1"}, {**LANDED, "path": "b", "value": None}, {"step": "cell"}])
    assert [[("a", "1"), ("b", None)], None] == [each.get("paths") for each in merged]


def test_an_explanation_ends_with_whether_it_agrees() -> None:
    """What differs is told with both values, and where the chain ends."""
    stream = io.StringIO()
    explained = Explanation("contact", "k", "city", "main", "id", "Here", "There", False, ({**LANDED, "path": "city", "value": "Here"},), "The end.")
    print_explanation(explained, Output(as_json=False, stream=stream))
    lines = stream.getvalue().splitlines()
    assert "contact.city = 'Here'" in lines
    assert ["What is stored differs: 'There'.", "The end."] == lines[-2:]


def test_values_are_said_as_people_read_them() -> None:
    """Null is (empty), texts are quoted, groups are spelled out."""
    assert ["(empty)", "'a'", "[{x: 1}]"] == [say(None), say("a"), say([{"x": 1}])]
