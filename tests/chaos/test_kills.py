"""A run that is killed anywhere and run again leaves what an undisturbed run leaves (A1, A1r; I1 to I6, I11, I14)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.comparing import compare_lakes, read_holdings
from tests.chaos.conftest import KILLS, SEED, Figures, Undisturbed
from tests.chaos.plan import all_points, plan, random_kills
from tests.chaos.world import SCENARIOS, Kill, World
from tests.seeded_bugs import BUGS, CURSOR_BEFORE_LAND, SeededBug, plant

from treaty.faults import FAULT_POINTS

pytestmark = pytest.mark.chaos
OF_APPLIES = {"plan.pre_query", "plan.prepared", "plan.compared", "apply.prepared", "apply.pre_deliver"}  # killed in tests/acceptance/test_plan.py
OF_APIS = {"request.pre_send", "request.answered"}  # killed in test_api_kills.py
ELSEWHERE = OF_APPLIES | OF_APIS
CAUGHT_BY = {  # seeded bug → a kill of the suite, and what is missing after it
    "cursor-before-land": (Kill("second", "land.pre_commit", 3), "landed_billing__customers lacks"),
    "cursor-before-contributions": (Kill("second", "conform.pre_commit", 2), "contribution_contact lacks"),
    "acknowledged-before-sent": (Kill("second", "deliver.pre_write", 1), "ledger.contact lacks"),
    "issue-after-commit": (Kill("second", "land.post_commit", 2), "treaty.issue lacks"),
}


def test_undisturbed_runs_hit_every_registered_point(undisturbed: Undisturbed) -> None:
    """No registered fault point is out of the reach of these kills, but for those of plans, applies and APIs (I14)."""
    assert {*undisturbed.hits["first"], *undisturbed.hits["second"]} == FAULT_POINTS.keys() - ELSEWHERE


def test_undisturbed_runs_are_worth_disturbing(undisturbed: Undisturbed) -> None:
    """Records are quarantined, refused, superseded, deleted and merged, a correction ends, deletes are held, the ledger is told (I14)."""
    tables = undisturbed.holdings["second"].tables

    def holds(table: str, *cells: str) -> bool:
        return any({*cells} <= {*row} for row in tables[table])

    assert holds("disposition", "state=quarantined") and holds("disposition", "state=superseded")
    assert holds("landed_crm__contacts", "_op=refused") and holds("landed_ubl__invoices", "_op=refused")
    assert holds("landed_erp__documents", "_op=delete") and holds("landed_steward__corrections", "_op=delete")
    assert all(tables[table] for table in ("xref_end", "golden_end_invoice", "golden_end_contact", "ledger.invoice", "ledger.contact"))
    assert holds("treaty.delivery", "op=delete", "state=acknowledged") and holds("treaty.issue", "kind=snapshot-guard")
    assert undisturbed.holdings["second"].problems == ()


def test_a_comparison_sees_what_is_missing(undisturbed: Undisturbed) -> None:
    """What stands after the first run lacks something of the second in the lake, its files, the ledger and the deliveries (G)."""
    found = compare_lakes(undisturbed.holdings["second"], undisturbed.holdings["first"])
    for place in (
        "golden_invoice lacks",
        "landed_crm__contacts lacks",
        "cursor lacks",
        "treaty.delivery lacks",
        "ledger.contact lacks",
        "objects/main/packs has",
    ):
        assert any(each.startswith(place) for each in found), place


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_undisturbed_runs_leave_the_same(world: World, undisturbed: Undisturbed, scenario: str) -> None:
    """No identifier comes from a clock, from chance or from a process: a second undisturbed run leaves what the first left (I6)."""
    world.begin(scenario)
    assert world.run(scenario).status == 0
    assert compare_lakes(undisturbed.holdings[scenario], read_holdings(world)) == []


def test_killed_runs_leave_what_undisturbed_ones_leave(world: World, undisturbed: Undisturbed, figures: Figures, subtests: Any) -> None:
    """Killed at fault points and at random moments, and run again, the lake, the ledger and the deliveries are as if nothing had been."""
    schedules = plan(KILLS, SEED, undisturbed.hits)
    spare = iter(random_kills(KILLS, SEED + 1, undisturbed.hits))
    while schedules or figures.kills < KILLS:
        kills = schedules.pop(0) if schedules else (next(spare),)
        with subtests.test(msg=" and ".join(map(str, kills)), seed=SEED):
            assert disturb(world, undisturbed, kills, figures) == []
    if all((each,) in plan(KILLS, SEED, undisturbed.hits) for each in all_points(undisturbed.hits)):
        assert figures.points.keys() == FAULT_POINTS.keys() - ELSEWHERE


def disturb(world: World, undisturbed: Undisturbed, kills: tuple[Kill, ...], figures: Figures) -> list[str]:
    """Run a schedule: each kill in a run of its own, then a plain run. Return what differs afterwards."""
    scenario = kills[0].scenario
    whole = len(undisturbed.hits[scenario])
    world.begin(scenario)
    done = 0
    for kill in kills:
        if not kill.point and done:  # a re-run has less to do
            kill = replace(kill, hit=kill.hit % max(whole - done, 1))
        ran = world.run(scenario, kill)
        done += len(ran.hits)
        figures.count(kill, ran)
        if kill.point:
            assert ran.killed and ran.hits[-1] == kill.point, f"{kill} was not reached: {ran.errors[-500:]}"
        elif not ran.killed:  # the moment came when all was done
            assert ran.status == 0, ran.errors
    plain = world.run(scenario)
    assert plain.status == 0, plain.output + plain.errors
    found = read_holdings(world)
    figures.rows += found.rows
    return compare_lakes(undisturbed.holdings[scenario], found)


@pytest.mark.parametrize(
    "bug", [pytest.param(each, id=each.name, marks=() if each is CURSOR_BEFORE_LAND else (pytest.mark.slow,)) for each in BUGS]
)
def test_a_seeded_bug_is_caught(world: World, undisturbed: Undisturbed, tmp_path: Path, bug: SeededBug) -> None:
    """A kill that the suite tries finds the bug: after the plain re-run something differs (G1)."""
    kill, missing = CAUGHT_BY[bug.name]
    assert kill in all_points(undisturbed.hits)
    source = plant(bug, tmp_path)
    world.begin(kill.scenario)
    assert world.run(kill.scenario, kill, source).killed
    again = world.run(kill.scenario, source=source)
    assert again.status == 0, again.errors
    found = compare_lakes(undisturbed.holdings[kill.scenario], read_holdings(world))
    assert any(each.startswith(missing) for each in found), found
