"""A plan conforms but the records of which a change makes something else; what it says is what it says when it conforms all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from small_project import EDGE_CASE, write_small_project
from test_plan import edit

import treaty
from treaty.compiler.mapping import compile_mapping
from treaty.flows import reconforming, unaffected
from treaty.flows.unaffected import part_differing
from treaty.project.loading import load_project
from treaty.project.overlays import client_project

NAMES, SIZES, MODEL, MAPPING = "decisions/names-are-trimmed.md", "decisions/things-without-size-are-small.md", "models/thing.yaml", "mappings/store.things.yaml"
EXPRESSION, WHEN = "replace(trim(text), '|', '/')", "when: size is null and not failed(size)"
TREATMENT = 'treatment: normalise\nset: {size: "1"}'
SIZE = "      - {name: size,"
Edits = tuple[tuple[str, str, str], ...]
CHANGES: dict[str, Edits] = {
    "a spelling of one": ((NAMES, EXPRESSION, f"replace({EXPRESSION}, 'ball', 'globe')"),),
    "nothing for one": ((NAMES, EXPRESSION, f"nullif({EXPRESSION}, 'box')"),),
    "a failure for one": (("decisions/thirty-is-unreadable.md", "'x', ''", "'30', 'thirty'"),),
    "a repair": ((SIZES, WHEN, "when: failed(size)"),),
    "another repair": ((SIZES, TREATMENT, TREATMENT.replace("1", "2")),),
    "a refusal": ((SIZES, WHEN, "when: size > 20"), (SIZES, TREATMENT, "treatment: quarantine")),
    "a rejection": ((SIZES, WHEN, "when: size = 4"), (SIZES, TREATMENT, "treatment: reject")),
    "a rule": ((MODEL, "implementation: size < 100", "implementation: size < 20"),),
    "a longer refusal": (("decisions/large-things-are-refused.md", "size > 200", "size > 20"),),
    "another rejection": (("decisions/ropes-are-left-out.md", "name = 'rope'", "name = 'box'"),),
    "most records": ((NAMES, EXPRESSION, f"upper({EXPRESSION})"), (NAMES, '"a/b"', '"A/B"')),
    "another decision": ((MAPPING, "size: to_integer(believed(size))", "size: to_integer(size)"),),
    "a key": (("decisions/same-thing.md", "parts: [code]", "parts: [size]"),),
    "a field": ((MODEL, SIZE, f"{SIZE.replace('size', 'mark')} logicalType: string, physicalType: string}}\n{SIZE}"), (MAPPING, "  code: id", "  code: id\n  mark: name")),
}  # fmt: skip
ALL_CONFORMED = ("a refusal", "a rejection", "another decision", "a key", "a field")
BELIEVED = """\
---
id: thirty-is-unreadable
title: Sizes that are believed
status: accepted
date: 2026-11-21
decision-makers: [tests]
kind: transformation
governs: [thing.size]
function: "believed(text: string) -> string"
expression: replace(text, 'x', '')
examples:
  - {text: "3", returns: "3"}
---

## Considered options

- as written
- without what says nothing

## Outcome

Without what says nothing.
"""


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, make_new_database: Callable[[], str]) -> Iterator[Path]:
    """A small project with records that are corrected, marked, empty, unreadable, refused and left out."""
    folder = tmp_path_factory.mktemp("unaffected")
    write_small_project(folder, database="env:TREATY_DATABASE")
    (folder / "decisions/thirty-is-unreadable.md").write_text(BELIEVED, encoding="utf-8")
    edit(folder, MAPPING, "to_integer(size)", "to_integer(believed(size))")
    edit(folder, MODEL, "[things-without-size-are-small]", "[things-without-size-are-small, large-things-are-refused, ropes-are-left-out]")
    for name, when, treatment in (("large-things-are-refused", "size > 200", "quarantine"), ("ropes-are-left-out", "name = 'rope'", "reject")):
        text = EDGE_CASE.replace("id: things-without-size-are-small", f"id: {name}").replace(WHEN, f"when: {when}").replace(TREATMENT, f"treatment: {treatment}")
        (folder / f"decisions/{name}.md").write_text(text, encoding="utf-8")
    inbox = folder / "inbox/store"
    inbox.mkdir(parents=True)
    things = ["A-1; ball;3", "A-2;box;4", "A-3;tower;30", "A-4;lamp;many", "A-5;mast;300", "A-6;ball;", "A-7;a|b;5", "A-8;;6", "A-9;rope;2", "A-10;box;4", "A-12;oar;1x"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TREATY_DATABASE", make_new_database())
        (inbox / "1.csv").write_text("\n".join(["id;name;size", *things, ""]), encoding="utf-8")
        assert treaty.run(folder).ok
        (inbox / "2.csv").write_text("id;name;size\nA-2;crate;4\nA-7;ball;7\nA-11;box;30\n", encoding="utf-8")
        assert treaty.run(folder).ok
        yield folder


@contextmanager
def changed(folder: Path, edits: Edits) -> Iterator[None]:
    """Change files of a project for a while."""
    before = {file: (folder / file).read_bytes() for file, _, _ in edits}
    try:
        for each in edits:
            edit(folder, *each)
        yield
    finally:
        for file, content in before.items():
            (folder / file).write_bytes(content)


@pytest.mark.parametrize("change", [pytest.param(each, marks=() if each == "a longer refusal" else pytest.mark.slow) for each in CHANGES])
def test_plan_is_that_of_all_records(standing: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts, fields, samples and classes are those of a plan that conforms all records; where all may differ, all are conformed."""
    found: list[bool] = []

    def watched(*arguments: Any) -> bool:
        found.append(unaffected.find_affected(*arguments))
        return found[-1]

    monkeypatch.setattr(reconforming, "find_affected", watched)
    monkeypatch.setattr(unaffected, "MOST_AFFECTED", 1)
    with changed(standing, CHANGES[change]):
        whole = treaty.plan(standing)
        monkeypatch.setattr(unaffected, "MANY_ROWS", 1)
        few = treaty.plan(standing)
    assert [False, change not in ALL_CONFORMED] == found
    assert (True, change != "a rule") == (whole.complete, any(each.differences for each in whole.changes))  # a mark is no value
    assert (whole.plan_class, whole.changes) == (few.plan_class, few.changes)


@pytest.mark.slow
def test_what_many_records_differ_in_is_conformed_whole(standing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more than a share of the records is affected, all are conformed."""
    monkeypatch.setattr(unaffected, "MANY_ROWS", 1)
    asked: list[str] = []
    monkeypatch.setattr(reconforming, "contributions_kept", lambda work: asked.append(work.mapping.name) or unaffected.contributions_kept(work))
    with changed(standing, CHANGES["most records"]):
        assert 8 == treaty.plan(standing).changes[0].differences[0].records["changed"]
    assert [] == asked


def compiled(folder: Path, edits: Edits) -> Any:
    """Compile the mapping of the project with other texts."""
    with changed(folder, edits):
        return compile_mapping(client_project(load_project(folder), "main"), "store.things")


def test_part_differing(standing: Path) -> None:
    """The part has the fields and edge cases that a change reaches; other keys, fields, treatments or decisions give none."""
    before = compiled(standing, ())
    part = part_differing(before, compiled(standing, CHANGES["a spelling of one"]))
    assert part is not None
    found = tuple(([one.name for one in each.fields], [one.decision for one in each.edge_cases], list(each.rules)) for each in part)
    assert ((["name"], ["ropes-are-left-out"], []),) * 2 == found
    repaired = part_differing(before, compiled(standing, CHANGES["a repair"]))
    assert repaired is not None
    assert (["size"], 3) == ([each.name for each in repaired[1].fields], len(repaired[1].edge_cases))
    assert [None] * len(ALL_CONFORMED) == [part_differing(before, compiled(standing, CHANGES[each])) for each in ALL_CONFORMED]


def test_part_differing_of_what_is_looked_up(standing: Path) -> None:
    """A mapping that looks up a model is conformed whole: the model may change with it, though the mapping is the same."""
    from dataclasses import replace

    before = compiled(standing, ())
    assert part_differing(before, before) is not None
    assert part_differing(before, replace(before, references=("party",))) is None
    assert part_differing(replace(before, references=("party",)), before) is None
    assert part_differing(before, replace(before, references=("store/kinds",))) is not None
