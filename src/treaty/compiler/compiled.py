"""What a mapping compiles to: typed, engine-neutral, with the lineage that coverage and explain read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from treaty.compiler import ir
from treaty.compiler.decisions import FUNCTIONS_VERSION, definitions_used
from treaty.compiler.types import Type
from treaty.project.findings import Finding

UNREADABLE_VERSION = "unreadable-version"
"""The rule under which a record stands in quarantine whose version cannot be read."""


@dataclass(frozen=True, slots=True)
class CompiledField:
    """One canonical field: ``cell`` before, ``node`` after edge cases and contract."""

    name: str
    type: Type
    cell: ir.Node
    node: ir.Node
    required: bool
    text: str  # the cell as written, for people
    origin: str  # standard | overlay


@dataclass(frozen=True, slots=True)
class CompiledEdgeCase:
    """One edge case in its place of the model's order; ``when`` is a :class:`~treaty.compiler.ir.Fired`."""

    decision: str
    when: ir.Fired
    treatment: str
    sets: tuple[str, ...]
    waives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A quality rule: the record is marked where ``kept`` is false and no waiver fired."""

    id: str
    kept: ir.Node
    waived_by: tuple[ir.Fired, ...]


@dataclass(frozen=True, slots=True)
class CompiledKey:
    """One match key: its parts over the final fields; a null or blank part makes no key."""

    decision: str
    strength: str
    parts: tuple[ir.Node, ...]


@dataclass(frozen=True, slots=True)
class CompiledStream:
    """How a landed record of a stream is identified and ordered: what landing runs."""

    name: str  # system/stream
    format: str
    empty_is_null: bool
    nested: tuple[str, ...]  # columns whose text is JSON
    key: tuple[ir.Node, ...]
    version: ir.Node | None  # None: landing order
    tombstone: ir.Node | None


@dataclass(frozen=True)
class CompiledMapping:
    """One inbound mapping of one client, ready to run on any engine.

    ``decisions`` numbers the bits of ``_fired``.
    """

    name: str
    client: str
    model: str
    stream: CompiledStream
    scopes: tuple[tuple[str, ir.Fired], ...]
    fields: tuple[CompiledField, ...]
    edge_cases: tuple[CompiledEdgeCase, ...]
    rules: tuple[CompiledRule, ...]
    keys: tuple[CompiledKey, ...]
    decisions: tuple[str, ...]
    references: tuple[str, ...]  # streams and models it looks up or joins
    governed: Mapping[str, tuple[str, ...]]  # field path → decisions that had a hand in it
    findings: tuple[Finding, ...]

    @property
    def roots(self) -> tuple[ir.Node, ...]:
        """Every node that conforming a record computes."""
        nodes: list[ir.Node] = [fired for _, fired in self.scopes]
        nodes += [each.node for each in self.fields]
        nodes += [case.when for case in self.edge_cases]
        nodes += [rule.kept for rule in self.rules]
        return (*nodes, *(part for key in self.keys for part in key.parts))

    @property
    def nodes_read(self) -> tuple[ir.Node, ...]:
        """Every node that conforming a record may compute: the roots, and the version of a record that landed without one."""
        return (*self.roots, *((self.stream.version,) if self.stream.version else ()))

    @cached_property
    def version(self) -> str:
        """A hash of everything that can change a value, the definitions of the functions it calls included.

        The client is no part of it, nor how a cell is spelled and whether the standard or an overlay says it.
        """
        fields = tuple((each.name, each.type, each.cell, each.node, each.required) for each in self.fields)
        what = (FUNCTIONS_VERSION, self.stream, self.scopes, fields, self.edge_cases, self.rules, self.keys, definitions_used(*self.roots))
        ordered = "" if self.stream.version is None else repr((UNREADABLE_VERSION, definitions_used(self.stream.version)))
        return hashlib.sha256((repr(what) + ordered).encode()).hexdigest()

    def for_client(self, client: str) -> CompiledMapping:
        """Return the same mapping for another client."""
        made = replace(self, client=client)
        made.__dict__["version"] = self.version  # which a client is no part of
        return made
