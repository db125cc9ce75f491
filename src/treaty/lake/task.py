"""One piece of resolving: which batch of which mapping, what the identity and survivorship decisions say, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from treaty.lake.current import ModelTables
from treaty.lake.names import quote_text
from treaty.project.declarations import ClientProject, DecisionRecord, FieldSurvivorship


@dataclass(frozen=True, slots=True)
class MatchKeys:
    """An identity decision as the resolver needs it: which positions of ``_keys`` (from 0) merge and which only propose."""

    decision: str | None = None
    strong: tuple[int, ...] = ()
    weak: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ResolveTask:
    """One batch of one (client, mapping), conformed.

    ``conformed`` is a relation with the columns of the contribution table but for ``_batch``; ``set_aside`` one with
    ``_landed_id, _member_id, _system, _stream, _source_key, _source_version, _received_at, _state, _reason, _field, _rule,
    _value, _findings, _fields``. ``files`` are the Parquet files behind ``conformed`` where they were written wide
    (see :data:`treaty.lake.golden.WIDE_COLUMNS`), so that they can serve as contribution, golden and cross-reference alike.
    """

    client: str
    tables: ModelTables
    mapping: str
    generation: int
    system: str
    stream: str
    batch: int
    conformed: str = "conformed"
    set_aside: str | None = None
    landed: str | None = None  # the stream's landed table; needed to place records that are in quarantine
    files: tuple[Path, ...] = ()
    beside: str | None = None  # the relation of the conformed rows that are in no file
    keys: MatchKeys = MatchKeys()
    rules: tuple[FieldSurvivorship, ...] = ()
    replaces: bool = False  # this batch is the whole mapping in a new generation: members it does not name are gone
    siblings: bool = False  # another mapping makes the same model of the same stream
    caused_at: datetime | None = None  # an apply's time; a landing's own time where not given

    @property
    def of_mapping(self) -> str:
        """The SQL condition that picks this mapping's rows of this generation."""
        return f"_client = {quote_text(self.client)} and _mapping = {quote_text(self.mapping)} and _generation = {self.generation}"


@dataclass(frozen=True, slots=True)
class PreparedWrite:
    """Rows for one table: what a query gives (matched by column name), or wide Parquet files as they are."""

    table: str  # unqualified
    relation: str | None = None  # a query
    files: tuple[Path, ...] = ()
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Proposal:
    """Two golden records that a weak key says may be one: for a person to decide."""

    model: str
    first: str
    second: str
    key: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one commit must write, and what it comes to."""

    writes: tuple[PreparedWrite, ...]
    dispositions: Mapping[str, int] = field(default_factory=dict)  # state → records of this batch
    golden_written: int = 0
    proposals: tuple[Proposal, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to commit."""
        return not self.writes


def match_keys(project: ClientProject, model: str) -> MatchKeys:
    """Return the match keys of the model's identity decision, or none."""
    decision = _decision(project, model, "identity")
    if decision is None:
        return MatchKeys()
    places = [(place, key.strength) for place, key in enumerate(decision.keys)]
    strong = tuple(place for place, strength in places if strength == "strong")
    return MatchKeys(decision.id, strong, tuple(place for place, strength in places if strength == "weak"))


def identity_keys(project: ClientProject, model: str) -> tuple[tuple[str, ...], ...]:
    """Return the parts of each match key of the model's identity decision, as the decision says them."""
    decision = _decision(project, model, "identity")
    return () if decision is None else tuple(key.expressions for key in decision.keys)


def survivorship_rules(project: ClientProject, model: str) -> tuple[FieldSurvivorship, ...]:
    """Return what the model's survivorship decisions say, in the order of their ids."""
    found = [each for each in project.decisions.values() if each.kind == "survivorship" and each.runs and _governs(each, model)]
    return tuple(rule for each in sorted(found, key=lambda each: each.id) for rule in each.survivorship)


def _governs(decision: DecisionRecord, model: str) -> bool:
    return any(each == model or each.startswith(f"{model}.") for each in decision.governs)


def _decision(project: ClientProject, model: str, kind: str) -> DecisionRecord | None:
    found = [each for each in project.decisions.values() if each.kind == kind and each.runs and _governs(each, model)]
    return min(found, key=lambda each: each.id, default=None)
