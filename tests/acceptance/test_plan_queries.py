"""Which mappings a plan and an apply conform, and for which clients at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_project import MAPPING, MODEL, NAME, SYSTEM, write_small_project

import treaty
from treaty.engines.duckdb.conform import conform_sql
from treaty.flows import conforming, shared_queries

EXPRESSION = "replace(trim(text), '|', '/')"
ALONE, SHARED = conforming.__name__, shared_queries.__name__
Queried = list[tuple[str, str]]  # which module asked, for which mapping


@pytest.fixture
def queried(monkeypatch: pytest.MonkeyPatch) -> Queried:
    """The conform queries that were made since, as they are made."""
    found: Queried = []

    def watched(module: str) -> Callable[..., str]:
        def make(mapping: Any, *arguments: Any, **options: Any) -> str:
            found.append((module, mapping.name))
            return conform_sql(mapping, *arguments, **options)

        return make

    for module in (conforming, shared_queries):
        monkeypatch.setattr(module, "conform_sql", watched(module.__name__))
    return found


@pytest.fixture
def several(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two clients of the standard, each with a corrected thing and one in quarantine, one that writes names its own way, and one without records."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, clients=("acme", "beta", "gamma", "delta"), database="env:TREATY_DATABASE")
    own = tmp_path / "clients/gamma/decisions/names-are-trimmed.md"
    own.parent.mkdir()
    own.write_text(NAME.replace("title:", "reason: as they write it\ntitle:").replace(EXPRESSION, "trim(text)").replace('"a/b"', '"a|b"'), encoding="utf-8")
    for client in ("acme", "beta", "gamma"):
        inbox = tmp_path / f"inbox/{client}"
        inbox.mkdir(parents=True)
        (inbox / "1.csv").write_text(f"id;name;size\n{client}-1;ball;3\n{client}-2;box;4\n{client}-3;lamp;many\n", encoding="utf-8")
    (tmp_path / "inbox/delta").mkdir()
    assert treaty.run(tmp_path).ok
    (tmp_path / "inbox/acme/2.csv").write_text("id;name;size\nacme-2;crate;4\nacme-4;tower;5\n", encoding="utf-8")
    assert treaty.run(tmp_path).ok
    return tmp_path


def use_capitals(folder: Path) -> None:
    """Let names be in capitals; what a client of its own says stays."""
    path = folder / "decisions/names-are-trimmed.md"
    path.write_text(NAME.replace(EXPRESSION, f"upper({EXPRESSION})").replace('"a/b"', '"A/B"'), encoding="utf-8")


def changed_by_client(plan: treaty.PlanResult) -> dict[str, int]:
    """Return how many records a plan of one change says are changed."""
    (change,) = plan.changes
    return {each.client: each.records["changed"] for each in change.differences}


def names(folder: Path) -> dict[str, str]:
    """Return the name of each record by its code."""
    return {row["code"]: row["name"] for row in treaty.records("thing", folder).to_pylist()}


CAPITALS = {
    "acme-1": "BALL", "acme-2": "CRATE", "acme-4": "TOWER", "beta-1": "BALL", "beta-2": "BOX", "gamma-1": "ball", "gamma-2": "box",
}  # fmt: skip


def test_clients_share_a_query(several: Path, queried: Queried) -> None:
    """Clients for whom a changed mapping is the same are conformed in one query; a client for whom nothing changes in none."""
    use_capitals(several)
    plan = treaty.plan(several)
    assert [(SHARED, "store.things")] == queried
    assert {"acme": 3, "beta": 2} == changed_by_client(plan)
    treaty.apply(plan.plan_id, several)
    assert [(SHARED, "store.things")] * 2 == queried
    assert CAPITALS == names(several)
    assert treaty.verify(several).ok


@pytest.mark.slow
def test_large_clients_have_their_own_query(several: Path, queried: Queried, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of many records is conformed by itself, and whoever is left alone then too; the plan says the same."""
    monkeypatch.setattr(shared_queries, "FEW_ROWS", 3)
    use_capitals(several)
    assert {"acme": 3, "beta": 2} == changed_by_client(treaty.plan(several))
    assert [(ALONE, "store.things")] * 2 == queried


@pytest.mark.slow
def test_queries_that_fail_for_several_run_for_each(several: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the query of several clients fails, each is conformed by itself."""
    monkeypatch.setattr(shared_queries, "conform_sql", lambda *arguments, **options: "select * from nowhere")
    use_capitals(several)
    plan = treaty.plan(several)
    assert (True, {"acme": 3, "beta": 2}) == (plan.complete, changed_by_client(plan))


@pytest.mark.slow
def test_what_lands_meanwhile_is_seen(several: Path, queried: Queried, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that landed after clients were conformed together are not taken for conformed: their client is conformed by itself."""
    use_capitals(several)
    rows_of = shared_queries.SharedQueries.rows_of

    def land_before(self: Any, work: Any, chunks: Any) -> str | None:
        if work.mapping.client == "beta":
            more = [conforming.Chunk(each.condition, each.rows + 1, each.batch + 1, None) for each in chunks]
            return rows_of(self, work, more)
        return rows_of(self, work, chunks)

    monkeypatch.setattr(shared_queries.SharedQueries, "rows_of", land_before)
    assert {"acme": 3, "beta": 2} == changed_by_client(treaty.plan(several))
    assert [(SHARED, "store.things"), (ALONE, "store.things")] == queried


def test_only_affected_mappings_run(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, queried: Queried) -> None:
    """Of two models, one of which uses the changed decision, plan and apply conform that one alone; the other keeps its generation."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, database="env:TREATY_DATABASE")
    stream = "  boxes:\n    format: csv\n    key: [id]\n    read: {files: \"boxes/*.csv\", delimiter: \";\"}\n"
    more = {
        "models/box.yaml": MODEL.replace("id: thing", "id: box").replace("name: thing", "name: box").replace("[things-without-size-are-small]", "[]"),
        "systems/store.yaml": SYSTEM.replace("FOLDER", "store") + stream,
        "mappings/store.boxes.yaml": MAPPING.replace("store/things", "store/boxes").replace("to: thing", "to: box").replace("thing_name(name)", "name"),
        "flows/things.yaml": "mappings: [store.things, store.boxes]\nowner: tests\n",
        "inbox/store/things.csv": "id;name;size\nA-1; ball;3\n",
        "inbox/store/boxes/boxes.csv": "id;name;size\nB-1; box;3\n",
    }
    for name, text in more.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert treaty.run(tmp_path).ok
    assert {(ALONE, "store.things"), (ALONE, "store.boxes")} == set(queried)
    queried.clear()
    use_capitals(tmp_path)
    plan = treaty.plan(tmp_path)
    assert [(ALONE, "store.things")] == queried
    assert ["thing"] == [each.model for each in plan.changes[0].differences]
    treaty.apply(plan.plan_id, tmp_path)
    assert [(ALONE, "store.things")] * 2 == queried
    assert (["BALL"], [" box"]) == tuple([row["name"] for row in treaty.records(model, tmp_path).to_pylist()] for model in ("thing", "box"))
