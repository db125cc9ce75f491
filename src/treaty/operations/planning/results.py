"""What a plan says: frozen results that the command line prints, a comment shows and an apply follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from treaty.lake.differences import Difference

CLASSES = ("cosmetic", "additive", "value-changing", "breaking", "unknown")  # from the mildest to the worst


def worst(classes: Iterable[str]) -> str:
    """Return the worst of some classes; ``cosmetic`` for none."""
    return max(classes, key=CLASSES.index, default=CLASSES[0])


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One changed thing of the project: its class, what it does to each client and model, and what could not be decided."""

    what: str  # decision | mapping | model | overlay | flow
    id: str
    change_class: str
    differences: tuple[Difference, ...] = ()
    undecided: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The documented shape; ``undecided`` and ``notes`` only where there are some."""
        shaped = {"what": self.what, "id": self.id, "class": self.change_class, "clients": [shape_difference(each) for each in self.differences]}
        return shaped | ({"undecided": self.undecided} if self.undecided else {}) | ({"notes": self.notes} if self.notes else {})


@dataclass(frozen=True, slots=True)
class OverrideNote:
    """An override of a client that is redundant or stale now."""

    client: str
    what: str  # decision | mapping
    id: str
    field: str | None
    text: str


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What applying the folder would change. A plan that is not complete has no verdict: its class is ``unknown``."""

    plan_id: str
    complete: bool
    plan_class: str
    changes: tuple[PlannedChange, ...] = ()
    redundant_overrides: tuple[OverrideNote, ...] = ()
    stale_overrides: tuple[OverrideNote, ...] = ()
    together: tuple[Difference, ...] = ()  # all changes at once, where two of them change the same records
    undecided: tuple[str, ...] = ()
    sample: int | None = None
    client: str | None = None
    fails: bool = False  # by the project's policy
    relies: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The documented shape; what is beside it only where there is some."""
        shaped: dict[str, Any] = {
            "plan_id": self.plan_id, "complete": self.complete, "class": self.plan_class, "changes": self.changes,
            "redundant_overrides": self.redundant_overrides, "stale_overrides": self.stale_overrides,
        }  # fmt: skip
        beside = {
            "together": [shape_difference(each) for each in self.together], "undecided": self.undecided, "sample": self.sample, "client": self.client,
        }  # fmt: skip
        return shaped | {name: value for name, value in beside.items() if value}


def shape_difference(difference: Difference) -> dict[str, Any]:
    """Return one client's and model's part as its documented shape."""
    return {
        "client": difference.client, "model": difference.model, "records": difference.records, "fields": difference.fields,
        "rewrites": difference.rewrites, "samples": difference.samples,
    }  # fmt: skip
