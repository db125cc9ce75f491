"""The matcher: two profiles in, one correspondence for each source field out. No file, no network, no state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from treaty.matching.assigning import assign
from treaty.matching.composing import find_compositions
from treaty.matching.evidence import Matrix, gather_evidence
from treaty.matching.names import find_meanings
from treaty.matching.profiles import StreamProfile
from treaty.matching.reasons import explain_pair
from treaty.matching.scoring import LIMIT, Weights, find_standing, load_weights, score_pairs, to_probability

ALTERNATIVES = 3
LEAST_ALTERNATIVE = 0.01
EARLIER_WEIGHT = 6.0  # log odds that one earlier mapping of the same name to the same target is worth; each further one adds a third of it


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another target that a source field may mean."""

    target: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Correspondence:
    """The answer for one source field.

    ``confidence`` is the probability that the answer is right; where ``target`` is None, that there is no counterpart.
    """

    source: str
    target: str | None
    confidence: float
    reasons: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class EarlierMapping:
    """What was decided before: a field of this name became this target; ``times`` says for how many clients or streams."""

    source: str
    target: str
    times: int = 1


def match_profiles(
    source: StreamProfile, target: StreamProfile, *, earlier: Sequence[EarlierMapping] = (), weights: Weights | None = None
) -> tuple[Correspondence, ...]:
    """Match two sides; one correspondence for each source field, in their order. Every target is answered once at most."""
    if not source.fields or not target.fields:
        return tuple(Correspondence(each.path, None, 1.0, ("the other side has no fields",)) for each in source.fields)
    chosen = weights or load_weights()
    evidence = gather_evidence(source, target)
    known = _earlier(source, target, earlier)
    scores = np.clip(score_pairs(evidence.stacked(), chosen.pair) + known, -LIMIT, LIMIT)
    standing = find_standing(scores, evidence.features)
    confidence = to_probability(standing @ chosen.confidence[:-1] + chosen.confidence[-1])
    assigned = assign(np.maximum(to_probability(scores), confidence))
    free = [column for column in range(len(target.fields)) if column not in set(assigned)]
    composed = find_compositions(source.fields, target.fields, free)
    found = []
    for row, field in enumerate(source.fields):
        column = assigned[row]
        answered = column is not None and confidence[row, column] >= chosen.threshold
        reasons = explain_pair(field, target.fields[column], evidence.features, row, column, known[row, column]) if column is not None else ()
        others = _alternatives(confidence[row], target, column if answered else None)
        if row in composed and not answered:
            others, said = composed[row].add_to(others)
            reasons = (*said, *reasons)
        elif row in composed:
            reasons = (*reasons, *composed[row].said)
        if answered and column is not None:
            found.append(Correspondence(field.path, target.fields[column].path, _round(confidence[row, column]), reasons, others[:ALTERNATIVES]))
        else:
            best = max((each.confidence for each in others), default=0.0)
            weak = ("no target is likely enough",) if best < chosen.threshold else ()
            found.append(Correspondence(field.path, None, _round(1 - min(best, 1.0)), (*weak, *reasons), others[:ALTERNATIVES]))
    return tuple(found)


def _alternatives(confidence: Matrix, target: StreamProfile, answered: int | None) -> tuple[Alternative, ...]:
    order = [int(each) for each in np.argsort(-confidence, kind="stable") if each != answered][: ALTERNATIVES + 1]
    left = 1.0 - (confidence[answered] if answered is not None else 0.0)
    return tuple(
        Alternative(target.fields[each].path, _round(min(confidence[each], left))) for each in order if confidence[each] >= LEAST_ALTERNATIVE
    )


def _earlier(source: StreamProfile, target: StreamProfile, earlier: Sequence[EarlierMapping]) -> Matrix:
    """Return the log odds that earlier mappings add to the pair that was decided then."""
    found = np.zeros((len(source.fields), len(target.fields)))
    if not earlier:
        return found
    targets = {each.path: number for number, each in enumerate(target.fields)}
    counted: dict[tuple[tuple[str, ...], int], int] = {}
    for each in earlier:
        if each.target in targets:
            key = (find_meanings(each.source.rpartition("/")[2]), targets[each.target])
            counted[key] = counted.get(key, 0) + each.times
    for row, field in enumerate(source.fields):
        meanings = find_meanings(field.name)
        for (name, column), times in counted.items():
            if name == meanings:
                found[row, column] += EARLIER_WEIGHT * (1 + min(times - 1, 6) / 3)
    return found


def _round(value: Any) -> float:
    return round(float(value), 3)


