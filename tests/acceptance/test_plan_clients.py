"""Plans over two clients that deliver into one ledger: the class of each kind of change, overrides, samples, several changes, and what sinks are told."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_project import NAME, write_small_project
from test_plan import edit

import treaty

NAMES, SIZES, MODEL = "decisions/names-are-trimmed.md", "decisions/things-without-size-are-small.md", "models/thing.yaml"
INBOUND, OUTBOUND, STORE, FLOW = "mappings/store.things.yaml", "mappings/thing.ledger.yaml", "systems/store.yaml", "flows/things.yaml"
HOOK = """\
import treaty


@treaty.hook("as_it_is(text: string) -> string", pure=True)
def as_it_is(text):
    return text
"""
KINDS = """\
---
id: kinds
title: What the store's marks mean
status: accepted
date: 2026-11-21
decision-makers: [tests]
kind: value-map
governs: [thing.kind]
function: "kind_of(text: string) -> string"
match: exact
map:
  b: blue
  r: red
otherwise: "null"
---

## Considered options

- as written
- in words

## Outcome

In words.
"""
LEDGER = """\
connector: postgresql
connection: {embedded: ledger}
owner: tests
streams:
  things: {format: table, write: {table: ledger.thing, create: true}}
"""
EXPRESSION = "replace(trim(text), '|', '/')"
UPPER = ((NAMES, EXPRESSION, f"upper({EXPRESSION})"), (NAMES, '"a/b"', '"A/B"'))
LOWER = ((NAMES, EXPRESSION, f"lower({EXPRESSION})"),)
REFUSE_LARGE = (
    (SIZES, "size is null and not failed(size)", "size > 20"), (SIZES, 'treatment: normalise\nset: {size: "1"}', "treatment: quarantine"),
)  # fmt: skip
KIND = "      - {name: kind, logicalType: string, physicalType: string}\n"
Edits = tuple[tuple[str, str, str], ...]


@pytest.fixture(scope="module")
def standing() -> Iterator[Path]:
    """Two clients that have run and delivered; beta writes names in capitals, and each has one thing of an unreadable size."""
    root = Path(tempfile.mkdtemp(prefix="treaty-plans-"))  # short: a socket is in it
    folder = root / "project"
    write_small_project(folder, clients=("acme", "beta"))
    more = {
        "hooks/texts.py": HOOK, "decisions/kinds.md": KINDS, FLOW: "mappings: [store.things, thing.ledger]\nowner: tests\n",
        "clients/beta/" + NAMES: NAME.replace("title:", "reason: beta's labels are in capitals\ntitle:").replace(EXPRESSION, f"upper({EXPRESSION})").replace('"a/b"', '"A/B"'),
        "systems/ledger.yaml": LEDGER,
        OUTBOUND: "from: thing\nto: ledger/things\nkey: [client, code]\nmode: upsert\ndelete: send\nfields:\n  client: \"'nobody'\"\n  code: code\n  name: name\n",
        **{f"clients/{each}/{OUTBOUND}": f"reason: one table for all\nfields:\n  client: {{cell: \"'{each}'\", reason: names the client}}\n" for each in ("acme", "beta")},
    }  # fmt: skip
    for name, text in more.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for client in ("acme", "beta"):
        (folder / f"inbox/{client}").mkdir(parents=True)
        rows = f"id;name;size;mark\n{client}-1; ball;3;b\n{client}-2;BOX;4;r\n{client}-3;tower;30;x\n{client}-4;lamp;many;b\n{client}-5;RACK;4;r\n"
        (folder / f"inbox/{client}/things.csv").write_text(rows, encoding="utf-8")
    for change in (
        (MODEL, "      - {name: size,", f"{KIND}      - {{name: size,"), (INBOUND, "name: thing_name(name)", "name: as_it_is(thing_name(name))\n  kind: kind_of(mark)"),
        ("treaty.yaml", "deliver: false", "deliver: true"),
    ):  # fmt: skip
        edit(folder, *change)
    try:
        done = treaty.run(folder)
        assert done.ok, done
        assert [4, 4] == [each.acknowledged for flow in done.flows for each in flow.deliveries]
        yield folder
    finally:
        treaty.stop(folder)
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def changed(folder: Path, edits: Edits) -> Iterator[None]:
    """Change files of a project for a while; a file without a new text is taken away."""
    before = {file: (folder / file).read_bytes() for file, _, _ in edits}
    try:
        for file, old, new in edits:
            edit(folder, file, old, new) if old else (folder / file).unlink()
        yield
    finally:
        for file, content in before.items():
            (folder / file).write_bytes(content)


def counts(difference: treaty.Difference) -> dict[str, int]:
    """Return the counts of records that are not 0."""
    return {name: number for name, number in difference.records.items() if number}


CLASSES: dict[str, tuple[str, Edits]] = {
    "prose": ("cosmetic", ((NAMES, "Trimmed, with slashes.", "Trimmed, and with slashes."),)),
    "title": ("cosmetic", ((NAMES, "title: Names", "title: All names"),)),
    "owner": ("cosmetic", ((FLOW, "owner: tests", "owner: tests # and others"),)),
    "entry for empty values": ("additive", (("decisions/kinds.md", "  r: red", "  r: red\n  x: violet"),)),
    "entry that nothing has": ("additive", (("decisions/kinds.md", "  r: red", "  r: red\n  y: yellow"),)),
    "out of quarantine": ("additive", ((SIZES, "size is null and not failed(size)", "failed(size)"),)),
    "new field": ("additive", ((MODEL, KIND, KIND + KIND.replace("kind", "mark")), (INBOUND, "kind: kind_of(mark)", "kind: kind_of(mark)\n  mark: mark"))),
    "other value": ("value-changing", UPPER),
    "other value of a map": ("value-changing", (("decisions/kinds.md", "r: red", "r: scarlet"),)),
    "entry gone": ("value-changing", (("decisions/kinds.md", "  r: red\n", ""),)),
    "other order of edge cases unseen": ("value-changing", ((SIZES, 'set: {size: "1"}', 'set: {size: "2"}'),)),
    "column of a sink": ("value-changing", ((OUTBOUND, "  name: name\n", "  name: code\n"),)),
    "into quarantine": ("breaking", REFUSE_LARGE),
    "field gone": ("breaking", ((MODEL, KIND, ""), (INBOUND, "  kind: kind_of(mark)\n", ""), ("decisions/kinds.md", "", ""))),
    "required": ("breaking", ((MODEL, KIND, KIND.replace("string}", "string, required: true}")),)),
    "identity": ("breaking", (("decisions/same-thing.md", "parts: [code]", "parts: [size]"),)),
    "sink gets nothing more": ("breaking", ((FLOW, ", thing.ledger]", "]"),)),
    "mapping withdrawn": ("breaking", ((FLOW, "[store.things, ", "["),)),
    "hook": ("unknown", (("hooks/texts.py", "return text", "return text  # the same"),)),
    "drift policy": ("unknown", ((FLOW, "owner: tests", "owner: tests\ndrift: freeze"),)),
    "stream": ("unknown", ((STORE, "key: [id]", "key: [id, mark]"),)),
    "connection": ("unknown", ((STORE, "inbox/{client}", "inbox/{client}/more"),)),
}


QUICK = ("prose", "entry for empty values", "other value", "into quarantine", "hook")  # one of each class


@pytest.mark.parametrize("change", [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in CLASSES])
def test_class(standing: Path, change: str) -> None:
    """Each kind of change gets its class, alone and as a plan; nothing of it stays."""
    expected, edits = CLASSES[change]
    before = treaty.records("thing", standing, client="acme").to_pylist()
    with changed(standing, edits):
        plan = treaty.plan(standing)
    assert (True, expected) == (plan.complete, plan.plan_class), plan
    assert (expected in ("breaking", "unknown")) == plan.fails
    assert expected == max((each.change_class for each in plan.changes), key=("cosmetic", "additive", "value-changing", "breaking", "unknown").index, default="cosmetic")
    assert before == treaty.records("thing", standing, client="acme").to_pylist()


def test_client_gone(standing: Path, tmp_path: Path) -> None:
    """What becomes of a client that is in the project no more is unknown."""
    shutil.move(standing / "clients/beta", tmp_path / "beta")
    try:
        plan = treaty.plan(standing)
    finally:
        shutil.move(tmp_path / "beta", standing / "clients/beta")
    assert "unknown" == plan.plan_class
    assert any("in the project no more" in text for each in plan.changes for text in each.undecided)


def test_overrides(standing: Path) -> None:
    """An override is redundant once the standard says the same, stale where the standard says something else than it did, and else not named."""
    with changed(standing, UPPER):
        redundant = treaty.plan(standing)
    with changed(standing, LOWER):
        stale = treaty.plan(standing)
    with changed(standing, ((NAMES, "Trimmed, with slashes.", "Trimmed."),)):
        prose = treaty.plan(standing)
    beta = [("beta", "decision", "names-are-trimmed")]
    named = [[[(each.client, each.what, each.id) for each in notes] for notes in (plan.redundant_overrides, plan.stale_overrides)] for plan in (redundant, stale, prose)]
    assert [[beta, []], [[], beta], [[], []]] == named
    assert ["acme"] == [each.client for each in redundant.changes[0].differences]
    assert {"changed": 2} == counts(redundant.changes[0].differences[0])


def test_sample_has_no_verdict(standing: Path) -> None:
    """A sample says what it saw, and can neither pass nor be applied; of one client alone the comparison is exact, and cannot be applied either."""
    with changed(standing, ((OUTBOUND, "  name: name\n", "  name: code\n"), *UPPER)):
        whole, sample, one = treaty.plan(standing, sample=100), treaty.plan(standing, sample=1), treaty.plan(standing, client="acme")
        for plan, reason in ((sample, "a sample of 1 records"), (one, "only acme")):
            with pytest.raises(treaty.StopError, match=reason):
                treaty.apply(plan.plan_id, standing)
    for plan in (whole, sample):
        assert (False, "unknown", True) == (plan.complete, plan.plan_class, plan.fails)
        assert any("a sample of" in text for text in plan.undecided)
    (seen,) = [each for change in whole.changes for each in change.differences]
    assert ("acme", {"changed": 2}, {"name": 2}) == (seen.client, counts(seen), dict(seen.fields))
    assert all(sum(counts(each).values()) <= 1 for change in sample.changes for each in change.differences)
    assert (True, {"acme"}) == (one.complete, {each.client for change in one.changes for each in change.differences})


def test_several_changes(standing: Path) -> None:
    """Changes of the same records are counted each alone and all together, where a record that several change counts once."""
    with changed(standing, (*UPPER, *REFUSE_LARGE)):
        plan = treaty.plan(standing)
    alone = {each.id: {one.client: counts(one) for one in each.differences} for each in plan.changes}
    lost = {"removed": 1, "into_quarantine": 1}
    assert {"names-are-trimmed": {"acme": {"changed": 2}}, "things-without-size-are-small": {"acme": lost, "beta": lost}} == alone
    assert {"acme": {"changed": 1, **lost}, "beta": lost} == {each.client: counts(each) for each in plan.together}
    assert ["breaking", "value-changing"] == [each.change_class for each in plan.changes]


def test_rewrites_are_what_is_delivered(standing: Path) -> None:
    """What a plan says that sinks are told anew, or are told is gone, is what they are told once it is applied."""
    for edits, expected in (
        ((*UPPER, *REFUSE_LARGE), {"acme": 2, "beta": 1}),
        (((OUTBOUND, "  name: name\n", "  name: code\n"),), {"acme": 3, "beta": 3}),
        (((INBOUND, "  kind: kind_of(mark)\n", "  kind: mark\n"),), {}),
    ):
        for change in edits:
            edit(standing, *change)
        plan = treaty.plan(standing)
        parts = plan.together or [each for one in plan.changes for each in one.differences]
        assert expected == {each.client: each.rewrites["ledger/things"] for each in parts if each.rewrites}
        done = treaty.apply(plan.plan_id, standing)
        assert done.ok
        assert sum(expected.values()) == sum(each.acknowledged for each in done.deliveries)
    assert treaty.verify(standing).ok
