"""Scores of a matcher on pairs with a truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.matching.truth import Pair

from treaty.matching.matcher import Correspondence, match_profiles
from treaty.matching.profiles import StreamProfile, profile_columns
from treaty.matching.scoring import Weights


@dataclass(frozen=True)
class Scores:
    """F1 of the answers; recall at 3 of the true targets; expected calibration error over ten bins of equal size, and the size of the smallest."""

    fields: int
    precision: float
    recall: float
    f1: float
    recall_at_3: float
    calibration_error: float
    smallest_bin: int


def match_pair(pair: Pair, weights: Weights | None = None) -> tuple[Correspondence, ...]:
    """Match one pair of tables as ``treaty match`` would."""
    return match_profiles(profile(pair.name, pair.source), profile(f"stg_{pair.system}__{pair.name}", pair.target), weights=weights)


def profile(name: str, columns: Mapping[str, Sequence[str]]) -> StreamProfile:
    """Profile the columns of one table."""
    return profile_columns(name, columns)


def score(pairs: Sequence[Pair], match: Callable[[Pair], Sequence[Correspondence]]) -> Scores:
    """Match every pair and compare with its truth. A confidence is judged where there is an answer."""
    right = answered = true = among_3 = fields = 0
    judged: list[tuple[float, bool]] = []
    for pair in pairs:
        for each in match(pair):
            truth = pair.truth[each.source]
            fields += 1
            true += truth is not None
            ranked = [*([each.target] if each.target else []), *(other.target for other in each.alternatives)][:3]
            among_3 += truth is not None and truth in ranked
            if each.target is not None:
                answered += 1
                right += each.target == truth
                judged.append((each.confidence, each.target == truth))
    precision, recall = right / max(answered, 1), right / max(true, 1)
    error, smallest = calibration_error(judged)
    return Scores(fields, precision, recall, 2 * precision * recall / max(precision + recall, 1e-9), among_3 / max(true, 1), error, smallest)


def calibration_error(judged: Sequence[tuple[float, bool]], bins: int = 10) -> tuple[float, int]:
    """Return the expected calibration error over bins that hold equally many answers, and how many the smallest holds."""
    ordered = sorted(judged)
    size = len(ordered) / bins
    groups = [ordered[math.floor(each * size) : math.floor((each + 1) * size)] for each in range(bins)]
    error = sum(abs(sum(confidence - correct for confidence, correct in group)) for group in groups)
    return error / max(len(ordered), 1), min(len(group) for group in groups)
