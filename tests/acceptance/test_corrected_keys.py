"""A steward's correction of a field that is part of a key: the record is found by what people see of it, and by what its source says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_project import IDENTITY, write_small_project

import treaty


@pytest.mark.parametrize(
    ("parts", "corrections", "keys", "not_keys"),
    [
        ("code", [("A", "code", "B")], ["A", "B"], ["C"]),
        ("code, name", [("A|ball", "name", "a|b"), ("A|a\\|b", "code", "B")], ["A|ball", "B|a\\|b"], ["A|a\\|b", "B|ball", "B"]),
    ],
)
def test_a_record_is_known_by_its_corrected_key(
    tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, parts: str, corrections: list[tuple[str, str, str]],
    keys: list[str], not_keys: list[str],
) -> None:  # fmt: skip
    """Explain and correct find it by the key with all corrections in it, and by the old one; by nothing between the two."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, database="env:TREATY_DATABASE")
    (tmp_path / "decisions/same-thing.md").write_text(IDENTITY.replace("[code]", f"[{parts}]"), encoding="utf-8")
    inbox = tmp_path / "inbox/store"
    inbox.mkdir(parents=True)
    (inbox / "1.csv").write_text("id;name;size\nA;ball;3\nX;box;4\n", encoding="utf-8")
    assert treaty.run(tmp_path).ok
    ids = {treaty.correct("thing", key, field, value, reason="a typing error", project=tmp_path).canonical_id for key, field, value in corrections}
    assert 1 == len(ids)
    assert ids == {treaty.explain("thing", key, project=tmp_path).canonical_id for key in keys}
    assert {None} == {treaty.explain("thing", key, project=tmp_path).canonical_id for key in not_keys}
