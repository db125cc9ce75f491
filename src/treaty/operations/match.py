"""``match``: which field of one side is which field of the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from treaty.errors import UsageError
from treaty.matching.matcher import Correspondence, EarlierMapping, match_profiles
from treaty.onboarding.earlier import earlier_mappings
from treaty.operations.sides import SAMPLE_RECORDS, Side, read_side
from treaty.operations.workspace import Folder, find_root


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
