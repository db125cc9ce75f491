"""What coverage tells, as frozen results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

EdgeCaseKind: TypeAlias = Literal["empty", "placeholder", "zero", "negative", "future-date", "placeholder-date", "duplicate", "unit-mix", "currency-mix"]


@dataclass(frozen=True, slots=True)
class FieldCoverage:
    """One field: governed (by decisions), copied, constant, or ungoverned, and the mappings that fill it.

    A field is ungoverned where nothing fills it, or where a cell chooses outside of any decision.
    """

    field: str
    state: str
    decisions: tuple[str, ...]
    mappings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelCoverage:
    """The fields of one model for one client, groups' fields as ``lines.quantity``."""

    model: str
    client: str
    fields: tuple[FieldCoverage, ...]


@dataclass(frozen=True, slots=True)
class UnmappedValue:
    """A source value that a code list does not name, in how many current records it stands, and what the list says becomes of it."""

    decision: str
    client: str
    mapping: str
    value: str
    records: int
    otherwise: str  # quarantine | preserve | null | the value that is taken instead


@dataclass(frozen=True, slots=True)
class NeverFired:
    """A decision that runs for a client and has changed no current record."""

    decision: str
    client: str
    passed: int  # records that went through it


@dataclass(frozen=True, slots=True)
class ObservedEdgeCase:
    """An odd case that golden records hold, in how many of them, with samples, and the edge-case decisions about it: none means nobody decided."""

    model: str
    client: str
    field: str
    case: EdgeCaseKind
    records: int
    sample_values: tuple[str, ...]
    decisions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CoverageResult:
    """Coverage of the folder's project; values, firing and edge cases are those of what has landed, and empty where nothing ``ran`` yet."""

    models: tuple[ModelCoverage, ...]
    unmapped_values: tuple[UnmappedValue, ...]
    never_fired: tuple[NeverFired, ...]
    edge_cases: tuple[ObservedEdgeCase, ...]
    ran: bool
