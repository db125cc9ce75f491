"""Compositions: a target that several source fields make together, and a source that is made of several targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treaty.matching.names import find_meanings
from treaty.matching.profiles import FieldProfile

if TYPE_CHECKING:
    from treaty.matching.matcher import Alternative

# whole → its parts, as meanings; the separator is for the reason alone
WHOLES: tuple[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]], ...] = (
    (("full", "name"), (("first", "name"), ("last", "name"))),
    (("name",), (("first", "name"), ("last", "name"))),
    (("contact", "name"), (("first", "name"), ("last", "name"))),
    (("street",), (("street",), ("house", "number"))),
    (("address",), (("street",), ("postal", "code"), ("city",))),
    (("phone",), (("country", "prefix"), ("phone",))),
    (("created",), (("created", "date"), ("created", "time"))),
    (("start",), (("start", "date"), ("start", "time"))),
)
COMPOSED_CONFIDENCE = 0.45  # below any answer: a person decides whether parts are joined


@dataclass(frozen=True, slots=True)
class Composition:
    """What one source field takes part in."""

    target: str
    said: tuple[str, ...]

    def add_to(self, others: tuple[Alternative, ...]) -> tuple[tuple[Alternative, ...], tuple[str, ...]]:
        """Return the alternatives with the composed target among the first ones, and the reason."""
        from treaty.matching.matcher import Alternative

        if any(each.target == self.target and each.confidence >= COMPOSED_CONFIDENCE for each in others):
            return others, self.said
        rest = tuple(each for each in others if each.target != self.target)
        return (tuple(sorted((*rest, Alternative(self.target, COMPOSED_CONFIDENCE)), key=lambda each: -each.confidence))), self.said


def find_wholes(name: str, targets: Sequence[str]) -> tuple[str, ...]:
    """Return the targets that are a whole made of the same parts as a source field is by its name: ``name`` and ``full_name``."""
    meanings = find_meanings(name)
    parts = {parts for whole, parts in WHOLES if whole == meanings}
    wholes = {whole for whole, made_of in WHOLES if made_of in parts}
    return tuple(each for each in targets if find_meanings(each) in wholes)


def find_rest(name: str, beside: Iterable[str], targets: Sequence[str]) -> tuple[str, ...]:
    """Return the targets that a field named like a whole is where the other parts stand ``beside`` it: ``name`` beside ``first_name`` is the last name."""
    meanings, there = find_meanings(name), {find_meanings(each) for each in beside}
    rests = [[part for part in parts if part not in there] for whole, parts in WHOLES if whole == meanings]
    wanted = {rest[0] for rest in rests if len(rest) == 1}
    return tuple(each for each in targets if find_meanings(each) in wanted)


def is_part(name: str, target: str) -> bool:
    """Whether a target is but a part of what a field holds by its name: ``family_name`` of ``name``."""
    meanings = find_meanings(target)
    return meanings != find_meanings(name) and any(whole == find_meanings(name) and meanings in parts for whole, parts in WHOLES)


def find_compositions(left: Sequence[FieldProfile], right: Sequence[FieldProfile], free: Sequence[int]) -> Mapping[int, Composition]:
    """Return, by source row, what it is a part of or what its parts are. ``free`` are the targets that no field answers alone."""
    found: dict[int, Composition] = {}
    here = {number: find_meanings(each.name) for number, each in enumerate(left)}
    there = {number: find_meanings(each.name) for number, each in enumerate(right)}
    for whole, parts in WHOLES:
        _join(left, right, here, {number: there[number] for number in (*free, *_taken(there, free, whole))}, whole, parts, found)
        _part(left, right, here, there, whole, parts, found)
    return found


def _taken(there: Mapping[int, tuple[str, ...]], free: Sequence[int], whole: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(number for number, name in there.items() if number not in free and name == whole)


def _join(
    left: Sequence[FieldProfile], right: Sequence[FieldProfile], here: Mapping[int, tuple[str, ...]], there: Mapping[int, tuple[str, ...]],
    whole: tuple[str, ...], parts: tuple[tuple[str, ...], ...], found: dict[int, Composition],
) -> None:  # fmt: skip
    goal = next((number for number, name in there.items() if name == whole), None)
    rows = [next((row for row, name in here.items() if name == part), None) for part in parts]
    if goal is None or any(row is None for row in rows) or any(name == whole for name in here.values() if whole not in parts):
        return
    together = " + ".join(left[row].path for row in rows if row is not None)
    if any(name in parts[1:] for name in there.values()):  # the target has the parts too
        return
    for row in rows:
        if row is not None:
            found.setdefault(row, Composition(right[goal].path, (f"{together} together make {right[goal].path}",)))


def _part(
    left: Sequence[FieldProfile], right: Sequence[FieldProfile], here: Mapping[int, tuple[str, ...]], there: Mapping[int, tuple[str, ...]],
    whole: tuple[str, ...], parts: tuple[tuple[str, ...], ...], found: dict[int, Composition],
) -> None:  # fmt: skip
    row = next((number for number, name in here.items() if name == whole), None)
    goals = [next((number for number, name in there.items() if name == part), None) for part in parts]
    if row is None or any(goal is None for goal in goals) or any(name in parts[1:] for name in here.values()):
        return
    names = [right[goal].path for goal in goals if goal is not None]
    found.setdefault(row, Composition(names[0], (f"holds {' and '.join(names)} together",)))
