"""From evidence to probabilities: two small logistic models, shipped as ``weights.json`` (how they were made stands in it)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from treaty.matching.evidence import FEATURES, Matrix

STANDING = ("score", "row_gap", "column_gap", "named", "seen")  # what the confidence of an answer is made of
LIMIT = 8.0  # of a score, in log odds: no evidence makes certain


@dataclass(frozen=True)
class Weights:
    """The weights of the pair model and of the confidence model, each with its intercept last."""

    pair: NDArray[np.float64]
    confidence: NDArray[np.float64]
    threshold: float


@functools.cache
def load_weights() -> Weights:
    """Return the weights that are shipped."""
    return read_weights(json.loads(files("treaty.matching").joinpath("weights.json").read_text(encoding="utf-8")))


def read_weights(content: Mapping[str, Mapping[str, float]]) -> Weights:
    """Return weights as the file says them; a feature that it does not name has none."""
    pair, confidence = content["pair"], content["confidence"]
    return Weights(
        np.array([*(float(pair.get(name, 0.0)) for name in FEATURES), float(pair["intercept"])]),
        np.array([*(float(confidence.get(name, 0.0)) for name in STANDING), float(confidence["intercept"])]),
        float(content["answer"]["threshold"]),
    )


def score_pairs(features: NDArray[np.float64], weights: NDArray[np.float64]) -> Matrix:
    """Return the log odds of each pair, of features stacked as in ``Evidence.stacked``."""
    found: Matrix = np.clip(features @ weights[:-1] + weights[-1], -LIMIT, LIMIT)
    return found


def find_standing(scores: Matrix, features: Mapping[str, Matrix]) -> NDArray[np.float64]:
    """Return for each pair how it stands among the others of its row and column, stacked as ``STANDING``."""
    return np.stack(
        [scores, scores - best_other(scores), scores - best_other(scores.T).T, features["name_alike"], features["sets_alike"]], axis=-1
    )


def best_other(scores: Matrix) -> Matrix:
    """Return for each cell the best other score of its row; where there is none, the least there can be."""
    if scores.shape[1] < 2:
        return np.full_like(scores, -LIMIT)
    order = np.sort(scores, axis=1)
    return np.where(scores >= order[:, -1:], order[:, -2:-1], order[:, -1:])


def to_probability(log_odds: Matrix) -> Matrix:
    """Return probabilities of log odds."""
    return 1 / (1 + np.exp(-np.clip(log_odds, -30, 30)))
