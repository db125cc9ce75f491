"""A run that is killed while it tells JSON APIs, and run again: each API's own log says that its delivery mode is kept (A1, A1r; I3, I4, I14)."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.apis import MODES, ONCE, ApiWorld, doubles, judge, run_apis
from tests.chaos.comparing import Holdings, compare_lakes, read_holdings
from tests.chaos.conftest import FIGURES, KILLS, SEED
from tests.chaos.test_kills import OF_APIS
from tests.chaos.world import Kill, Ran
from tests.seeded_bugs import KEY_OF_EACH_ATTEMPT, MULTI_STATUS_AS_SUCCESS, SeededBug, plant

pytestmark = pytest.mark.chaos
DELIVERING = OF_APIS | {
    "deliver.pre_derive",
    "deliver.deriving",
    "deliver.derived",
    "deliver.pre_write",
    "deliver.post_write",
    "deliver.settled",
}
DELIVERY = "treaty.delivery"
HITS = 3
FULL = 100  # kills from which every delivering point is killed at
LONGEST_DELAY_SECONDS = 0.02
FAULTS = ("none", "none", "busy", "failed", "failed-after", "dropped")  # what an API does to a write while runs are killed
FEW = tuple(Kill("first", "request.answered", hit) for hit in (2, 7, 12))  # of the runs that follow each other: put, keyed, doubled


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """How the plain runs ended: their hits, what stood after each, and what the APIs say."""

    hits: dict[str, Sequence[str]]
    holdings: dict[str, Holdings]
    effects: dict[str, Mapping[str, list[dict[str, Any]]]]


@dataclass(slots=True)
class Seen:
    """What the kills came to."""

    points: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    doubles: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def world() -> Iterator[ApiWorld]:
    """The project, a server of its own, and the APIs."""
    folder = Path(tempfile.mkdtemp(prefix="treaty-apis-"))
    with run_apis(folder) as apis:
        made = ApiWorld(folder, apis)
        try:
            made.start()
            yield made
        finally:
            made.stop()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed(world: ApiWorld) -> Undisturbed:
    """Both days run to their end."""
    found = Undisturbed({}, {}, {})
    for scenario in world.scenarios:
        if found.hits:
            world.save(scenario)
        world.begin(scenario)
        ran = world.run(scenario)
        assert ran.status == 0, ran.output + ran.errors
        found.hits[scenario], found.holdings[scenario], found.effects[scenario] = ran.hits, read_holdings(world), world.effects()
    return found


def test_undisturbed_runs_are_worth_disturbing(undisturbed: Undisturbed) -> None:
    """Every delivering point is hit, each API creates, changes and, where it may, deletes; one refuses an item of a batch (I14)."""
    assert {*undisturbed.hits["first"], *undisturbed.hits["second"]} >= DELIVERING
    for name, effects in undisturbed.effects["second"].items():
        kinds = Counter(each["kind"] for each in effects)
        assert 6 <= kinds.total() and kinds["put"], name
        assert name not in ONCE or 1 == kinds["delete"], name
        assert 0 == doubles(effects), name
    deliveries = undisturbed.holdings["second"].tables[DELIVERY]
    assert any({"sink=batched/things", "state=dead-lettered"} <= {*row} for row in deliveries)
    assert undisturbed.holdings["second"].problems == ()


def test_a_killed_delivery_keeps_its_mode(world: ApiWorld, undisturbed: Undisturbed, subtests: Any) -> None:
    """Killed anywhere while APIs fail and lose answers, a plain re-run leaves each with what it was to have, as often as its mode says."""
    seen = Seen()
    for kills, faults in schedules(undisturbed.hits):
        with subtests.test(msg=" and ".join(map(str, kills)), seed=SEED):
            assert disturb(world, undisturbed, kills, faults, seen) == []
    assert seen.points["request.answered"] and seen.doubles["doubled"]  # the fault that the modes differ in really struck
    if KILLS >= FULL:
        assert seen.points.keys() >= DELIVERING
    FIGURES.more.append(
        "; ".join(f"{name} ({MODES[name][0]}): {seen.effects[name]} effects, {seen.doubles[name]} doubled" for name in MODES)
    )


def schedules(hits: Mapping[str, Sequence[str]]) -> Iterator[tuple[tuple[Kill, ...], Mapping[str, list[str]]]]:
    """Yield schedules of kills, each with what the APIs do meanwhile: a few, or each point on each day and as many random moments as are left."""
    if KILLS < FULL:
        yield FEW, {}
        return
    chance, done = random.Random(SEED), 0
    for scenario in hits:
        counted = Counter(hits[scenario])
        for point in sorted(DELIVERING & counted.keys()):
            for hit in sorted({*range(1, HITS + 1), chance.randint(1, counted[point])}):
                if hit <= counted[point]:
                    done += 1
                    yield (Kill(scenario, point, hit),), {}
    while done < KILLS:
        scenario = chance.choice(list(hits))
        first = hits[scenario].index("deliver.pre_derive")
        kills = tuple(
            Kill(scenario, "", chance.randint(first, len(hits[scenario]) - 2), chance.uniform(0, LONGEST_DELAY_SECONDS)) for _ in range(2)
        )
        done += len(kills)
        yield kills, {name: chance.choices(FAULTS, k=4) for name in MODES if name != "batched"}


def disturb(world: ApiWorld, undisturbed: Undisturbed, kills: Sequence[Kill], faults: Mapping[str, list[str]], seen: Seen) -> list[str]:
    """Run a schedule, then a plain run. Return what differs afterwards in the lake and the deliveries, and what the APIs say against it."""
    scenario = kills[0].scenario
    world.begin(scenario)
    for name, script in faults.items():
        world.apis[name].script(script)
    for kill in kills:
        ran = world.run(scenario, kill)
        FIGURES.count(kill, ran)
        if kill.point and ran.killed:
            seen.points[kill.point] += 1
        else:
            assert ran.killed or not kill.point or len(kills) > 1, f"{kill} was not reached: {ran.errors[-500:]}"
    for api in world.apis.values():
        api.script([])
    plain = world.run(scenario)
    assert plain.status == 0, plain.output + plain.errors
    found, effects = once_told(read_holdings(world)), world.effects()
    FIGURES.rows += found.rows
    for name, told in effects.items():
        seen.effects[name] += len(told)
        seen.doubles[name] += doubles(told)
    problems = [each for name in MODES for each in judge(name, undisturbed.effects[scenario][name], effects[name])]
    return [*problems, *compare_lakes(undisturbed.holdings[scenario], found)]


def once_told(holdings: Holdings) -> Holdings:
    """Return what a world holds without that a delete, done before a kill and told again after it, found its row gone already."""
    rows = Counter({tuple(each.replace("message=gone already", "message=") for each in row): count for row, count in holdings.tables[DELIVERY].items()})
    return replace(holdings, tables={**holdings.tables, DELIVERY: rows})


CAUGHT_BY = {  # seeded bug → a kill, or None where a plain run finds it, and what is said then
    KEY_OF_EACH_ATTEMPT: (Kill("first", "request.answered", 7), "keyed has"),
    MULTI_STATUS_AS_SUCCESS: (None, "treaty.delivery lacks"),
}


@pytest.mark.slow
@pytest.mark.parametrize("bug", [pytest.param(each, id=each.name) for each in CAUGHT_BY])
def test_a_seeded_bug_is_caught(world: ApiWorld, undisturbed: Undisturbed, tmp_path: Path, bug: SeededBug) -> None:
    """The judge finds a key that changes from attempt to attempt, and a refused item of a batch that is taken for a success (G1)."""
    kill, said = CAUGHT_BY[bug]
    source = plant(bug, tmp_path)
    world.begin("first")
    runs: list[Ran] = [world.run("first", kill, source)] if kill else []
    again = world.run("first", source=source)
    assert all(each.killed for each in runs) and again.status == 0, again.errors
    problems = [each for name in MODES for each in judge(name, undisturbed.effects["first"][name], world.effects()[name])]
    problems += compare_lakes(undisturbed.holdings["first"], read_holdings(world))
    assert any(each.startswith(said) for each in problems), problems
