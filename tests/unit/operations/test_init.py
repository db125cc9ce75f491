"""``init``: a project folder that runs as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

import treaty
from treaty.project.loading import load_project


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
    """Two packs of which one would take the place of what the other declares are refused with the places, and nothing is made."""
    with pytest.raises(treaty.UsageError, match=r"the model 'invoice' differs from what packs/einvoice/models/invoice.yaml:\d+ says.*packs/billing/models"):
        treaty.init(tmp_path / "both", packs=["einvoice", "billing"])
    assert not (tmp_path / "both").exists()


def test_packs_may_add_streams_to_one_system(tmp_path: Path) -> None:
    """Packs whose systems have one name, and streams of their own, stand together; the README of a folder that both read tells of both."""
    made = treaty.init(tmp_path / "two", packs=["einvoice", "order"])
    assert ("invoice", "order") == made.models
    told = (made.folder / "inbox/ubl/README.md").read_text(encoding="utf-8")
    assert ["UBL 2.1 invoices", "UBL 2.1 orders"] == [each for each in ("UBL 2.1 invoices", "UBL 2.1 orders") if each in told]
    assert ["invoices", "credit_notes", "orders"] == list(load_project(made.folder).systems["ubl"].streams)
