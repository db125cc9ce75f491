"""Which kills are tried: each fault point at its first hits, and moments chosen by a seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from tests.chaos.world import Kill

HITS = (1, 2, 3)
OF_CORRECTIONS = {"land.pre_commit", "land.post_commit", "conform.pre_commit", "conform.post_commit"}
FEWEST_RANDOM = 25  # of a full plan
LONGEST_DELAY_SECONDS = 0.04  # about what lies between two fault points
FEW = (  # what a short plan begins with: each stands for another part of the way
    Kill("first", "schema.post_create"),
    Kill("second", "land.post_commit", 2),
    Kill("second", "commit.pre_commit", 6),
    Kill("second", "conform.post_commit", 2),
    Kill("second", "sink.post_commit", 1),
)


def all_points(hits: Mapping[str, Sequence[str]]) -> list[Kill]:
    """Return a kill for each of the first hits of each point: in the second run, else in the first; some in a correction too."""
    found = []
    for scenario in ("second", "first", "correct"):
        counted = Counter(hits[scenario])
        left_out = {"second": set(), "first": {*hits["second"]}, "correct": counted.keys() - OF_CORRECTIONS}[scenario]
        found += [Kill(scenario, point, hit) for point in counted if point not in left_out for hit in HITS if hit <= counted[point]]
    return found


def random_kills(number: int, seed: int, hits: Mapping[str, Sequence[str]]) -> list[Kill]:
    """Return kills at random moments: so long after so many fault points."""
    chance = random.Random(seed)
    found = []
    for _ in range(number):
        scenario = chance.choice(("first", "first", "second", "second", "second", "correct"))
        found.append(Kill(scenario, "", chance.randint(0, len(hits[scenario]) - 2), chance.uniform(0, LONGEST_DELAY_SECONDS)))
    return found


def plan(number: int, seed: int, hits: Mapping[str, Sequence[str]]) -> list[tuple[Kill, ...]]:
    """Return schedules of so many kills in all: each is a run killed, perhaps its re-run killed too, then a plain re-run.

    A plan with room for it kills at every point, once a schedule, and fills up with random moments, two a schedule.
    """
    points = all_points(hits)
    full = number >= len(points)
    singles = points if full else list(FEW)
    left = max(number - len(singles), FEWEST_RANDOM if full else 0)
    moments = random_kills(left, seed, hits)
    if not full:  # each re-run of a point is killed again: two kills for the price of three runs
        return [(point, Kill(point.scenario, "", moment.hit, moment.delay)) for point, moment in zip(singles, moments, strict=False)]
    return [(each,) for each in singles] + [tuple(moments[start : start + 2]) for start in range(0, len(moments), 2)]
