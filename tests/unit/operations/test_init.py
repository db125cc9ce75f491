"""``init``: a project folder that runs as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

import treaty


def test_a_project_of_a_pack_has_its_models_and_inboxes(tmp_path: Path) -> None:
    """A project made with the pack einvoice has the model invoice and the folders that its systems read."""
    made = treaty.init(tmp_path / "ledger", ["einvoice"])
    assert "invoice" in made.models
    assert set(made.inboxes) == {"inbox/ubl", "inbox/cii", "inbox/edifact", "inbox/x12"}
    assert [each for each in made.inboxes if not (made.folder / each).is_dir()] == []


def test_an_empty_project_is_a_project(tmp_path: Path) -> None:
    """Without packs there is a folder for each kind of file, and nothing in them."""
    made = treaty.init(tmp_path / "own")
    assert (made.models, made.flows) == ((), ())
    assert {each.name for each in made.folder.iterdir() if each.is_dir()} >= {"systems", "models", "decisions", "mappings", "flows", "hooks"}


def test_a_project_is_not_made_twice(tmp_path: Path) -> None:
    """What is a project already is left as it is."""
    treaty.init(tmp_path / "own")
    with pytest.raises(treaty.UsageError, match="is a Treaty project already"):
        treaty.init(tmp_path / "own")


def test_an_unknown_pack_names_the_nearest(tmp_path: Path) -> None:
    """A mistyped pack is answered with the one that was meant, and nothing is made."""
    with pytest.raises(treaty.UsageError, match="Did you mean 'einvoice'"):
        treaty.init(tmp_path / "own", ["einvoce"])
    assert not (tmp_path / "own").exists()


def test_packs_that_declare_the_same_are_told_apart(tmp_path: Path) -> None:
    """Two packs of which one would take the place of what the other declares are refused by name, and nothing is made; others stand together."""
    with pytest.raises(treaty.UsageError, match="einvoice and order cannot stand in one project: both declare systems/edifact, systems/ubl, systems/x12"):
        treaty.init(tmp_path / "both", packs=["einvoice", "order"])
    assert not (tmp_path / "both").exists()
    assert ("party", "order") == treaty.init(tmp_path / "two", packs=["party", "order"]).packs
