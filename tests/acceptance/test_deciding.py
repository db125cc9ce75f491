"""Decisions get made: from what clients' overlays share, and from what is in quarantine."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import treaty
from small_project import write_small_project

SIZES = """\
---
id: words-for-sizes
title: Sizes are numbers, and some are words
status: accepted
date: 2026-11-21
decision-makers: [tests]
kind: value-map
governs: [thing.size]
function: "size_word(text: string) -> string"
otherwise: quarantine
map: {small: "1", large: "50"}  # what the catalogue says
examples:
  - {text: small, returns: "1"}
---

## Considered options

- words: they cannot be compared
- numbers

## Outcome

Numbers.
"""
HUGE = "---\nid: words-for-sizes\nreason: our suppliers say so\nmap: {huge: '90'%s}\n---\n"
CLIENTS = ("ada", "bob", "cyd")


@pytest.fixture
def shop(project: Path) -> Path:
    """Three clients with one code list, which two of them extend by the same word, and one of these by another as well."""
    write_small_project(project, CLIENTS)
    (project / "decisions/words-for-sizes.md").write_text(SIZES, encoding="utf-8")
    mapping = project / "mappings/store.things.yaml"
    mapping.write_text(mapping.read_text(encoding="utf-8").replace("to_integer(size)", "to_integer(size_word(size))"), encoding="utf-8")
    for client, more in (("ada", ""), ("bob", ", vast: '99'")):
        file = project / "clients" / client / "decisions/words-for-sizes.md"
        file.parent.mkdir(parents=True)
        file.write_text(HUGE % more, encoding="utf-8")
    for client in CLIENTS:
        inbox = project / "inbox" / client
        inbox.mkdir(parents=True)
        (inbox / "things.csv").write_text("id;name;size\nT1;ball;small\nT2;box;tiny\nT3;house;huge\n", encoding="utf-8")
    assert [] == treaty("check", "--json", "--project", project).json["findings"]
    return project


def test_an_override_that_clients_share_becomes_the_standard(shop: Path) -> None:
    """Two of three clients say `huge`: adopted, it stands in the standard, and only what is a client's own stays in its overlay."""
    (signal,) = treaty("signals", "--json", "--project", shop).json
    assert (["ada", "bob"], 3, "map.huge", "90") == (signal["clients"], signal["of"], signal["setting"], signal["value"])
    assert "2 of 3 clients map `huge` to `90` in words-for-sizes: adopt it?" == signal["text"]
    adopted = treaty("decide", "--promote", signal["id"], "--who", "the team", "--json", "--project", shop).json
    assert ["clients/ada/decisions/words-for-sizes.md"] == adopted["removed"]
    standard = (shop / "decisions/words-for-sizes.md").read_text(encoding="utf-8")
    assert "map: {small: \"1\", large: \"50\", huge: '90'}" in standard
    assert "# what the catalogue says" in standard
    assert "the team: 2 of 3 clients map `huge` to `90`" in standard
    assert "our suppliers say so" in standard
    own = [each for each in treaty("overlay", "bob", "--json", "--project", shop).json["entries"] if each["state"] == "overridden"]
    assert [[{"setting": "map.vast", "standard": None, "own": "99"}]] == [each["changes"] for each in own]
    assert [] == treaty("signals", "--json", "--project", shop).json
    assert [] == treaty("check", "--json", "--project", shop).json["findings"]


def test_a_signal_that_there_is_not_is_answered(shop: Path) -> None:
    """A mistyped name is answered with the nearest, and nothing is written."""
    answer = treaty("decide", "--promote", "words-for-size", "--project", shop)
    assert 2 == answer.status
    assert "'words-for-sizes'" in answer.errors


def test_an_override_that_says_nothing_new_is_retired(shop: Path) -> None:
    """An overlay that repeats the standard is a signal, and adopting it removes the file."""
    file = shop / "clients/cyd/decisions/words-for-sizes.md"
    file.parent.mkdir(parents=True)
    file.write_text("---\nid: words-for-sizes\nreason: habit\nmap: {small: '1'}\n---\n", encoding="utf-8")
    redundant = [each for each in treaty("signals", "--json", "--project", shop).json if each["kind"] == "redundant-override"]
    assert [["cyd"]] == [each["clients"] for each in redundant]
    assert 0 == treaty("decide", "--promote", redundant[0]["id"], "--project", shop).status
    assert not file.exists()


def test_what_is_in_quarantine_becomes_a_decision(shop: Path) -> None:
    """A group is drafted with its evidence; once a treatment is chosen and applied, its records leave quarantine. So do those of a code that is added."""
    assert 0 == treaty("run", "--project", shop).status
    (group,) = (each for each in treaty("quarantine", "list", "--json", "--project", shop).json if each["field"] == "size")
    assert (4, ["ada", "bob", "cyd"]) == (group["records"], group["clients"])
    drafted = treaty("decide", "--from-quarantine", group["group"], "--id", "odd-sizes", "--json", "--project", shop).json
    assert ["words-for-sizes"] == drafted["code_lists"]
    told = {each["treatment"]: each["states"] for each in drafted["trials"]}
    assert {"normalise": {"canonical": 4}, "preserve": {"quarantined": 4}, "reject": {"filtered": 4}, "quarantine": {"quarantined": 4}} == told
    file = shop / "decisions/odd-sizes.md"
    draft = file.read_text(encoding="utf-8")
    assert "| cyd | 2 |" in draft
    assert "| `tiny` | 3 |" in draft
    assert "odd-sizes" in (shop / "models/thing.yaml").read_text(encoding="utf-8")
    assert [] == treaty("check", "--json", "--project", shop).json["findings"]
    assert 0 == treaty("run", "--project", shop).status  # a draft changes nothing
    assert 2 == treaty("decide", "--from-quarantine", group["group"], "--map", "huge=90", "--client", "cyd", "--project", shop).status  # no reason
    added = treaty("decide", "--from-quarantine", group["group"], "--map", "huge=90", "--client", "cyd", "--reason", "it is", "--json", "--project", shop).json
    assert ["clients/cyd/decisions/words-for-sizes.md"] == added["written"]
    file.write_text(draft.replace("treatment: quarantine", "treatment: reject").replace("status: draft", "status: accepted"), encoding="utf-8")
    assert 0 == treaty("run", "--apply", "--project", shop).status
    assert [] == treaty("quarantine", "list", "--json", "--project", shop).json
    verified = treaty("verify", "--json", "--project", shop).json
    assert {("ada", 2, 1), ("bob", 2, 1), ("cyd", 2, 1)} == {(each["client"], each["canonical"], each["filtered"]) for each in verified["streams"]}


def test_what_was_set_aside_on_purpose_is_not_drafted(shop: Path) -> None:
    """Records of a decision that quarantines are answered with that decision and its place."""
    file = shop / "decisions/things-without-size-are-small.md"
    text = file.read_text(encoding="utf-8").replace("treatment: normalise", "treatment: quarantine").replace('set: {size: "1"}\n', "")
    file.write_text(text.replace("size is null and not failed(size)", "name = 'ball'"), encoding="utf-8")
    assert 0 == treaty("run", "--client", "ada", "--project", shop).status
    (group,) = (each for each in treaty("quarantine", "list", "--json", "--project", shop).json if each["reason"] == "things-without-size-are-small")
    answer = treaty("decide", "--from-quarantine", group["group"], "--project", shop)
    assert 2 == answer.status
    assert "on purpose, by the decision things-without-size-are-small" in answer.errors
