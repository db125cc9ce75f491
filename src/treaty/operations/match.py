"""``match``: which field of one side is which field of the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treaty.errors import UsageError
from treaty.matching.matcher import Correspondence, EarlierMapping, match_profiles
from treaty.operations.sides import SAMPLE_RECORDS, Side, read_side
from treaty.operations.workspace import Folder, find_root

if TYPE_CHECKING:
    from treaty.compiler.cells import Cell
    from treaty.project.declarations import FieldMapping
    from treaty.project.loading import Project


@dataclass(frozen=True, slots=True)
class MatchResult:
    """One correspondence for each source field, and both sides as they were read."""

    source: Side
    target: Side
    correspondences: tuple[Correspondence, ...]

    def to_json(self) -> Any:
        """The documented shape: a list of correspondences."""
        return self.correspondences


def match(
    source: str, target: str, *, source_part: str = "", target_part: str = "", project: Folder = None, client: str | None = None,
    environment: str | None = None, records: int = SAMPLE_RECORDS,
) -> MatchResult:  # fmt: skip
    """Match two sides. Accepted mappings of the project, where there is one, are evidence.

    Raises:
        UsageError: a side is not there, or says nothing of fields.
    """
    if records < 1:
        raise UsageError(f"{records} records say nothing.", remedy="Let at least one be looked at.")
    left = read_side(source, source_part, project=project, client=client, environment=environment, records=records)
    right = read_side(target, target_part, project=project, client=client, environment=environment, records=records)
    earlier = tuple(_earlier(project, right.profile.name)) if right.kind == "contract" else ()
    return MatchResult(left, right, match_profiles(left.profile, right.profile, earlier=earlier))


def _earlier(folder: Folder, model: str) -> Iterator[EarlierMapping]:
    from treaty.project.loading import load_project

    try:
        root = find_root(folder)
    except UsageError:
        return
    yield from earlier_mappings(load_project(root), model)


def earlier_mappings(project: Project, model: str) -> Iterator[EarlierMapping]:
    """Yield what inbound mappings to a model say, the standard's and each client's own: each path that a field reads, with the field's ``/`` path."""
    for mapping in project.mappings.values():
        if mapping.inbound and mapping.to == model:
            yield from _fields(mapping.fields, "", own=False)
    for overlay in project.overlays.values():
        for mapping in overlay.mappings.values():
            if mapping.inbound and mapping.to == model:
                yield from _fields(mapping.fields, "", own=True)


def _fields(fields: Mapping[str, FieldMapping], above: str, *, own: bool) -> Iterator[EarlierMapping]:
    """Yield the fields of a mapping; of an overlay's only its ``own``: what it inherits is the standard's, and counted there."""
    from treaty.compiler.cells import CellError, parse_cell

    for name, each in fields.items():
        if each.cell and not (own and each.origin == "standard"):
            try:
                yield from (EarlierMapping(path, f"{above}{name}") for path in _paths(parse_cell(each.cell)))
            except CellError:
                continue  # `check` tells
        yield from _fields(each.fields, f"{above}{name}/", own=own)


def _paths(cell: Cell) -> Iterator[str]:
    from treaty.compiler.cells import CallCell, PathCell

    if isinstance(cell, PathCell):
        yield "/".join(step.name for step in cell.path.steps)
    elif isinstance(cell, CallCell) and cell.name != "lookup":
        for _, below in cell.args:
            yield from _paths(below)
