"""Fits the two logistic models of the matcher on written material, and writes ``weights.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench.matching.material import Made, make_pairs
from numpy.typing import NDArray

from treaty.matching.assigning import assign
from treaty.matching.evidence import FEATURES, gather_evidence
from treaty.matching.scoring import STANDING, Weights, find_standing, read_weights, score_pairs, to_probability

_NAMES_AGAINST = ("name_numbers_differ", "name_differs", "name_unexplained", "name_bare")
AGAINST = frozenset([*_NAMES_AGAINST, "type_differs", "shape_broken", "sets_apart", "nulls_differ", "one_empty", "pattern_apart", "order_apart"])
# Set by hand: what the made pairs cannot show, since they have no descriptions, nesting or code lists; and what they show too rarely,
# that names which are opposites (start and end, billing and shipping, line 1 and line 2) are not the same thing.
BY_HAND = {
    "described_alike": 4.0, "described_named": 1.5, "around_alike": 0.7, "codes_shared": 2.0, "name_differs": -4.0, "name_numbers_differ": -4.0,
    "name_unexplained": -2.0, "name_bare": -4.0,
}  # fmt: skip
PENALTY = 2.0
MADE = (
    "Fitted by bench/matching/fit.py on made pairs of bench/matching/material.py; "
    "a weight whose sign contradicts what its feature means is 0; those of descriptions, nesting, code lists and opposites are set by hand."
)
Array = NDArray[np.float64]


def fit_logistic(features: Array, truth: Array, signs: Array, penalty: float = PENALTY) -> Array:
    """Fit by Newton's method with an L2 penalty; weights against their sign are set to 0 and the rest is fitted again. The intercept stands last."""
    kept = np.ones(features.shape[1], dtype=bool)
    while True:
        columns = np.flatnonzero(kept)
        design = np.hstack([features[:, columns], np.ones((len(features), 1))])
        weights = np.zeros(design.shape[1])
        ridge = np.eye(len(weights)) * penalty
        ridge[-1, -1] = 1e-6
        for _ in range(30):
            chance = to_probability(design @ weights)
            slope = design.T @ (chance - truth) + ridge @ weights
            curve = (design * (chance * (1 - chance))[:, None]).T @ design + ridge
            step = np.linalg.solve(curve, slope)
            weights -= step
            if np.abs(step).max() < 1e-6:
                break
        wrong = columns[(weights[:-1] * signs[columns]) < 0]
        if not len(wrong):
            break
        kept[wrong] = False
    found = np.zeros(features.shape[1] + 1)
    found[columns], found[-1] = weights[:-1], weights[-1]
    return found


def fit(pairs: Sequence[Made]) -> Weights:
    """Fit the pair model on one half and the confidence of its answers on the other, then the pair model on all."""
    gathered = [(gather_evidence(each.source, each.target, unknown=each.unknown), _truth(each)) for each in pairs]
    signs = np.array([-1.0 if name in AGAINST else 1.0 for name in FEATURES])
    half = len(gathered) // 2

    def fit_pairs(chosen: Sequence[Any]) -> Array:
        stacked = np.concatenate([evidence.stacked().reshape(-1, len(FEATURES)) for evidence, _ in chosen])
        found = fit_logistic(stacked, np.concatenate([truth.ravel() for _, truth in chosen]), signs)
        for name, value in BY_HAND.items():
            found[FEATURES.index(name)] = value
        return found

    standing, right = [], []
    for train, check in ((gathered[:half], gathered[half:]), (gathered[half:], gathered[:half])):
        weights = fit_pairs(train)
        for evidence, truth in check:
            scores = score_pairs(evidence.stacked(), weights)
            stands = find_standing(scores, evidence.features)
            for row, column in enumerate(assign(to_probability(scores))):
                if column is not None:
                    standing.append(stands[row, column])
                    right.append(truth[row, column])
    confidence = fit_logistic(np.array(standing), np.array(right), np.ones(len(STANDING)), 0.1)
    return Weights(fit_pairs(gathered), confidence, 0.5)


def _truth(made: Made) -> Array:
    columns = {each.path: number for number, each in enumerate(made.target.fields)}
    found = np.zeros((len(made.source.fields), len(made.target.fields)))
    for row, each in enumerate(made.source.fields):
        target = made.truth.get(each.path)
        if target is not None:
            found[row, columns[target]] = 1.0
    return found


def write_weights(weights: Weights, path: Path) -> None:
    """Write the file that is shipped."""
    content = {
        "made": MADE,
        "pair": {**{name: round(float(value), 3) for name, value in zip(FEATURES, weights.pair, strict=False)}, "intercept": round(float(weights.pair[-1]), 3)},
        "confidence": {
            **{name: round(float(value), 3) for name, value in zip(STANDING, weights.confidence, strict=False)},
            "intercept": round(float(weights.confidence[-1]), 3),
        },
        "answer": {"threshold": weights.threshold},
    }
    read_weights(content)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    fitted = fit(list(make_pairs(600, seed=20261126)))
    write_weights(fitted, Path(__file__).parents[2] / "src" / "treaty" / "matching" / "weights.json")
