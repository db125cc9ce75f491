"""What resolving should come to, worked out from all that has landed in the slowest and plainest way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from plain_lake import Landed, Row, member

from treaty.project.declarations import FieldSurvivorship

FIELDS = ("a", "b")


def newest_order(each: Landed) -> tuple[Any, ...]:
    """Return what versions of a record are ordered by."""
    version = each.row.version
    return (version is not None, version or 0, each.received_at, each.landed_id.int)


@dataclass
class Expected:
    """The states, groups and golden contents that follow from what has landed."""

    landed: Sequence[Landed]
    rules: Sequence[FieldSurvivorship] = ()
    states: dict[UUID, str] = field(default_factory=dict)
    newest: dict[UUID, Landed] = field(default_factory=dict)
    groups: dict[UUID, UUID] = field(default_factory=dict)  # living member → canonical id
    golden: dict[UUID, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        versions: dict[UUID, list[Landed]] = defaultdict(list)
        for each in self.landed:
            versions[each.member_id].append(each)
        order: dict[UUID, tuple[Any, ...]] = {}
        keys: dict[UUID, list[str | None]] = {}
        for who, all_of in versions.items():
            good = sorted((each for each in all_of if not each.row.bad), key=newest_order)
            for each in all_of:
                overtaken = bool(good) and newest_order(each) < newest_order(good[-1])
                self.states[each.landed_id] = "superseded" if overtaken else "quarantined" if each.row.bad else "canonical"
            upserts = [each for each in good if each.row.op != "delete"]
            if upserts:
                order[who] = min((each.received_at, each.landed_id.int) for each in upserts)
                keys[who] = upserts[-1].keys
                if good[-1].row.op != "delete":
                    self.newest[who] = good[-1]
        self._group(order, keys)
        self._contents()

    def _group(self, order: dict[UUID, tuple[Any, ...]], keys: dict[UUID, list[str | None]]) -> None:
        steward = {each.member_id: each.row.pin for each in self.landed if each.row.pin is not None}
        living = [who for who in self.newest if who not in steward]
        groups = [{who} for who in living]
        merged = True
        while merged:
            merged = False
            for left in groups:
                for right in groups:
                    if left is not right and self._keys_of(left, keys) & self._keys_of(right, keys):
                        left |= right
                        groups.remove(right)
                        merged = True
                        break
                if merged:
                    break
        candidates = {id(group): set(group) for group in groups}
        for who in order:
            if who in self.newest or who in steward:
                continue
            for key in keys[who]:
                home = [group for group in groups if key is not None and key in self._keys_of(group, keys)]
                if home:
                    candidates[id(home[0])].add(who)
                    break
        for group in groups:
            first = min(candidates[id(group)], key=lambda who: order[who])
            self.groups.update(dict.fromkeys(group, first))
        for who, pin in steward.items():
            target = member(*pin.split(":"))
            if who in self.newest and target in self.groups:
                self.groups[who] = self.groups[target]

    def _keys_of(self, group: set[UUID], keys: dict[UUID, list[str | None]]) -> set[str]:
        return {key for who in group for key in keys[who] if key is not None}

    def _contents(self) -> None:
        records: dict[UUID, list[Landed]] = defaultdict(list)
        for who, canonical_id in self.groups.items():
            records[canonical_id].append(self.newest[who])
        for canonical_id, rows in records.items():
            content: dict[str, Any] = {}
            for rule in [*self.rules, *(FieldSurvivorship(fields=(name,), prefer=("latest",)) for name in FIELDS)]:
                names = [name for name in rule.fields if name not in content]
                content.update(self._survivor(rows, names, rule) if names else {})
            self.golden[canonical_id] = content

    def _survivor(self, rows: list[Landed], names: list[str], rule: FieldSurvivorship) -> dict[str, Any]:
        ordered = sorted(rows, key=newest_order, reverse=True)
        for criterion in reversed(rule.prefer):
            if criterion == "latest":
                ordered.sort(key=newest_order, reverse=True)
            elif criterion == "earliest":
                ordered.sort(key=lambda each: (each.row.version is None, each.row.version or 0, each.received_at, each.landed_id.int))
            elif criterion == "most-complete":
                counted = names if len(names) > 1 else FIELDS
                ordered.sort(key=lambda each: -sum(getattr(each.row, name) is not None for name in counted))
            else:
                ordered.sort(key=lambda each, name=criterion: each.row.system != name)
        plain = [each for each in ordered if each.row.system != "steward"]
        answers = [each for each in plain if rule.null_is_answer or any(getattr(each.row, name) is not None for name in names)]
        values = {name: getattr(answers[0].row, name) if answers else None for name in names}
        for each in sorted((each for each in rows if each.row.system == "steward"), key=newest_order):
            values.update({name: getattr(each.row, name) for name in names if getattr(each.row, name) is not None})
        return values


__all__ = ["Expected", "Row"]
