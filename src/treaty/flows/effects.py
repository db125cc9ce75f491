"""What a changed project does to one client: which mappings mean something else, which rules of resolving, which deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.lookups import dependents
from treaty.compiler.outbound import CompiledOutbound, compile_outbound
from treaty.compiler.sharing import SharedMappings
from treaty.lake.cursors import CursorPosition
from treaty.lake.relationships import relationships
from treaty.lake.task import match_keys, survivorship_rules
from treaty.project.declarations import ClientProject
from treaty.project.findings import Finding, Severity
from treaty.project.overlays import running_mappings

Positions = Mapping[tuple[str, str], CursorPosition]  # (client, mapping) → how far it has come


@dataclass(frozen=True, slots=True)
class Effects:
    """For one client: what must be conformed anew, withdrawn, joined anew and told to sinks."""

    client: str
    conform: tuple[CompiledMapping, ...] = ()
    withdraw: tuple[CompiledMapping, ...] = ()  # inbound mappings that run no more, as they were
    survivorship: frozenset[str] = frozenset()  # models
    relationships: frozenset[str] = frozenset()  # models
    outbound: tuple[CompiledOutbound, ...] = ()
    silenced: tuple[str, ...] = ()  # outbound mappings that run no more
    streams: tuple[str, ...] = ()  # streams whose key, version or deletes are told otherwise: what landed keeps the old ones
    errors: tuple[Finding, ...] = ()

    @property
    def models(self) -> frozenset[str]:
        """The models whose records may change."""
        named = {each.model for each in (*self.conform, *self.withdraw)}
        return frozenset(named | {each.model for each in self.outbound} | self.survivorship | self.relationships)

    @property
    def resolves(self) -> frozenset[str]:
        """The models that are resolved anew."""
        return frozenset({each.model for each in (*self.conform, *self.withdraw)} | self.survivorship)

    def __bool__(self) -> bool:
        return bool(self.models or self.silenced or self.streams or self.errors)


@dataclass(slots=True)
class EffectFinder:
    """Compares resultants of clients before and after a change; equal mappings of several clients are compiled once."""

    before: SharedMappings
    after: SharedMappings

    def find(self, before: ClientProject, after: ClientProject, positions: Positions | None) -> Effects:
        """Return what differs for one client.

        With ``positions`` a mapping is compared with the version that it last ran in; without, with the project before.
        """
        old, new = running_mappings(before), running_mappings(after)
        conform, streams, errors = [], [], []
        for name in new:
            if not after.mappings[name].inbound:
                continue
            mapping = self.after.compile(after, name)
            known = self.before.compile(before, name) if name in old and before.mappings[name].inbound else None
            ran = (positions or {}).get((after.client, name))
            version = ran.position.get("version") if ran is not None else known.version if known is not None else None
            if version == mapping.version:
                continue
            conform.append(mapping)
            errors += [each for each in mapping.findings if each.severity is Severity.ERROR]
            if known is not None and known.stream != mapping.stream:
                streams.append(mapping.stream.name)
        gone = [name for name in old if name not in new]
        withdraw = [self.before.compile(before, name) for name in gone if before.mappings[name].inbound]
        models = {each for each in after.models if each in before.models}
        joined = frozenset(each for each in models if _joining(before, each) != _joining(after, each))
        looking = dependents(after, new, {each.model for each in (*conform, *withdraw)} | joined)
        changed = {each.name for each in conform}
        conform += [self.after.compile(after, each) for each in looking if each not in changed]
        outbound = _outbound(before, after, old, new)
        errors += [each for mapping in outbound for each in mapping.findings if each.severity is Severity.ERROR]
        return Effects(
            after.client, tuple(conform), tuple(withdraw), joined,
            frozenset(each for each in models if relationships(before, each) != relationships(after, each)), outbound,
            tuple(name for name in gone if not before.mappings[name].inbound), tuple(dict.fromkeys(streams)), tuple(errors),
        )  # fmt: skip


def _joining(project: ClientProject, model: str) -> object:
    """Return what decides how contributions are joined, the keys themselves left out: each mapping's version has those."""
    rules = [(rule.fields, rule.prefer, rule.null_is_answer) for rule in survivorship_rules(project, model)]
    keys = match_keys(project, model)
    return rules, keys.strong, keys.weak


def _outbound(before: ClientProject, after: ClientProject, old: tuple[str, ...], new: tuple[str, ...]) -> tuple[CompiledOutbound, ...]:
    changed = []
    for name in new:
        if after.mappings[name].inbound:
            continue
        mapping = compile_outbound(after, name)
        if name not in old or before.mappings[name].inbound or compile_outbound(before, name).version != mapping.version:
            changed.append(mapping)
    return tuple(changed)
