"""``test``: the examples of decisions, run on the engine that production uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treaty.errors import UsageError
from treaty.operations.examples import ExampleBench, given_of
from treaty.operations.workspace import Folder, Workspace, find_root
from treaty.project.declarations import ClientProject, DecisionRecord
from treaty.project.findings import nearest
from treaty.project.overlays import client_project, clients
from treaty.rules.interface import CheckedProject


@dataclass(frozen=True, slots=True)
class FailedExample:
    """An example that does not give what it says: as which client, which one (from 1), what it gives, expects and got."""

    decision: str
    client: str | None  # None: as the standard has it
    example: int
    position: str
    given: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class ExamplesResult:
    """How many examples of how many decisions ran, which failed, and which transformations have none."""

    ok: bool
    decisions: int
    examples: int
    passed: int
    failures: tuple[FailedExample, ...]
    without_examples: tuple[str, ...]


def test(project: Folder = None, *, decisions: Sequence[str] = (), client: str | None = None) -> ExamplesResult:  # noqa: PT028 - a verb of the API, not a test
    """Run the examples of a project folder's decisions: the standard's, and those of each client's overlay."""
    workspace = Workspace(find_root(project), "local")
    workspace.ensure_sound()
    workspace.ensure_client(client)
    _ensure_decisions(workspace, decisions)
    ran, without, failures = 0, [], []
    names: set[str] = set()
    with ExampleBench(workspace.project.settings.limits) as bench:
        for view, records in _views(workspace, client):
            chosen = tuple(each for each in records if each.function and each.runs and (not decisions or each.id in decisions))
            without += [each.id for each in chosen if not each.examples]
            names |= {each.id for each in chosen}
            ran += sum(len(each.examples) for each in chosen)
            by_id = {each.id: each for each in chosen}
            for failure in bench.run(view, tuple(each for each in chosen if each.examples)):
                record = by_id[failure.decision]
                failures.append(
                    FailedExample(
                        record.id, view.client or None, failure.number + 1, str(record.at(f"examples.{failure.number}")),
                        given_of(record.examples[failure.number]), failure.expected, failure.found,
                    )
                )
    return ExamplesResult(not failures, len(names), ran, ran - len(failures), tuple(failures), tuple(dict.fromkeys(without)))


def _views(workspace: Workspace, client: str | None) -> list[tuple[ClientProject, list[DecisionRecord]]]:
    """Return the standard and each overlay's own decisions; or all decisions of the one client that is named."""
    project = workspace.project
    if client is not None:
        view = client_project(project, client)
        return [(view, list(view.decisions.values()))]
    views = [(CheckedProject(project).standard, list(project.decisions.values()))]
    for name in clients(project):
        overlay = project.overlays.get(name)
        if overlay is not None and overlay.decisions:
            views.append((client_project(project, name), list(overlay.decisions.values())))
    return views


def _ensure_decisions(workspace: Workspace, wanted: Sequence[str]) -> None:
    known = {*workspace.project.decisions, *(name for overlay in workspace.project.overlays.values() for name in overlay.decisions)}
    for name in wanted:
        if name not in known:
            found = nearest(name, known)
            raise UsageError(f"There is no decision {name!r}.", remedy=f"Did you mean {found!r}?" if found else "`treaty coverage` lists them.")
