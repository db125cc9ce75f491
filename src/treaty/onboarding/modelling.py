"""Which canonical model a stream is: each model is matched, and judged by how much of the stream and of its own identity is found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from treaty.matching.contracts import profile_properties
from treaty.matching.matcher import Correspondence, match_profiles
from treaty.matching.names import find_meanings
from treaty.matching.profiles import StreamProfile
from treaty.onboarding.earlier import earlier_mappings
from treaty.project.declarations import DataContract, DecisionRecord
from treaty.project.loading import Project

NAME = re.compile(r"[a-z_][a-z0-9_]*(?!\w*\()")
CLEAR = 0.75
"""The second model is no rival where its score is below so much of the first one's."""
LEAST = 0.15
"""A stream whose best score is below is likely to be of no model that there is."""
NONE = 0.08
"""Below this nobody is asked: a file of lines, a log, a licence."""
NAMED = 0.5
"""So much more is a model worth that the stream is called after."""
GROUP_DEPTH = 1


@dataclass(frozen=True, slots=True)
class ModelGuess:
    """A model that a stream may be: its score (0 to 1), which fields would be which, and in words what speaks for it."""

    model: str
    score: float
    correspondences: tuple[Correspondence, ...]
    reasons: tuple[str, ...]


def rank_models(project: Project, profile: StreamProfile, *, groups: bool) -> tuple[ModelGuess, ...]:
    """Return the models by score, the best first. ``groups``: whether the stream has lists, so that repeating groups can be filled."""
    guesses = [_guess(project, contract, profile, groups) for contract in project.models.values()]
    return tuple(sorted(guesses, key=lambda each: (-each.score, each.model)))


def _guess(project: Project, contract: DataContract, profile: StreamProfile, groups: bool) -> ModelGuess:
    whole = profile_properties(contract.name, contract.properties, contract.description)
    kept = tuple(each for each in whole.fields if each.path.count("/") <= (GROUP_DEPTH if groups else 0) and (groups or not each.repeated))
    target = StreamProfile(whole.name, kept, description=whole.description)
    found = match_profiles(profile, target, earlier=tuple(earlier_mappings(project, contract.name)))
    matched = {each.target: each.confidence for each in found if each.target is not None}
    required = [each.name for each in contract.properties if each.required]
    covered = sum(matched.get(each, 0.0) for each in required) / len(required) if required else 1.0
    identity = max((sum(matched.get(each, 0.0) for each in key) / len(key) for key in identity_keys(project, contract)), default=0.5)
    share = sum(matched.values()) / max(len(profile.fields), 1)
    named = bool(set(find_meanings(contract.name)) & set(find_meanings(profile.name)))
    score = min(share * (0.4 + 0.6 * identity) * (0.4 + 0.6 * covered) * (1 + NAMED * named), 1.0)
    reasons = [f"{len(matched)} of {len(profile.fields)} fields have a target"]
    reasons.append(f"{identity:.0%} of what tells records apart is there")
    if named:
        reasons.append("it is called so")
    if required:
        reasons.append(f"{covered:.0%} of what is required is there")
    return ModelGuess(contract.name, round(score, 3), found, tuple(reasons))


def identity_keys(project: Project, contract: DataContract) -> Iterator[Sequence[str]]:
    """Yield the fields of each strong key of a model."""
    for decision in identities(project, contract.name):
        for key in decision.keys:
            if key.strength == "strong":
                fields = [name for part in key.expressions for name in NAME.findall(part) if contract.find(name)]
                if fields:
                    yield fields


def identities(project: Project, model: str) -> Iterator[DecisionRecord]:
    """Yield the decisions that say when two records of a model are one."""
    yield from (each for each in project.decisions.values() if each.kind == "identity" and each.runs and model in each.governs)


def describe_rivals(guesses: Sequence[ModelGuess]) -> tuple[str, ...]:
    """Return what speaks for the first models, for people."""
    return tuple(f"{each.model} {each.score:.0%}: {'; '.join(each.reasons)}" for each in guesses[:3])


def is_clear(guesses: Sequence[ModelGuess]) -> bool:
    """Whether the first model has no rival."""
    return len(guesses) == 1 or guesses[1].score < CLEAR * guesses[0].score
