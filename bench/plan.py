"""Measure a plan beside the conform run that it foresees: one changed decision of the workload, over everything that has landed.

    python bench/plan.py [--rows 200000] [--folder FOLDER]

Prints one line a process: wall, CPU of it and of the PostgreSQL server, and peak memory. `treaty run --apply` conforms the same mapping anew and commits
it, with nothing to land; a plan must not take more. The plan's count of changed records is held against those that the run has rewritten.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from generate import generate
from run import AS_OF, BENCH, TREATY, Treaty, measure

CHANGES = {
    "a code list (one record of twelve)": ("words-for-an-invoice-status", "  settled: paid\n", "  settled: open\n"),
    "a spelling (two records of three)": (
        "order-numbers-in-capitals", "expression: upper(stated(text))\nexamples:\n  - {text: \"po-12\", returns: \"PO-12\"}",
        "expression: lower(stated(text))\nexamples:\n  - {text: \"PO-12\", returns: \"po-12\"}",
    ),
}


def main() -> None:
    """Load the first day, then plan each change and apply it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, default=BENCH / "work" / "plan")
    arguments = parser.parse_args()
    files = arguments.folder / f"data-{arguments.rows}"
    if not (files / "complete").exists():
        generate(files, arguments.rows, "csv")
    treaty = Treaty("treaty", arguments.folder / "project", files, "csv")
    treaty.prepare()
    try:
        took(treaty, "first load", treaty.command("day1"))
        took(treaty, "run, nothing to do", treaty.command("day1"))
        for what, change in CHANGES.items():
            review(treaty, what, *change)
    finally:
        treaty.finish()


def review(treaty: Treaty, what: str, decision: str, old: str, new: str) -> None:
    """Plan one change and apply it by a run; print what both took, and how many records changed."""
    path = treaty.folder / "decisions" / f"{decision}.md"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    took(treaty, f"plan, {what}", ["sh", "-c", f"{TREATY} plan --json > plan.json || test $? = 1"])
    took(treaty, f"run --apply, {what}", [str(TREATY), "run", "--apply", "--as-of", AS_OF, "--json"])
    plan = json.loads((treaty.folder / "plan.json").read_text(encoding="utf-8"))
    print(f"  {plan['class']}: {[each['records'] for change in plan['changes'] for each in change['clients']]}", flush=True)


def took(treaty: Treaty, step: str, command: list[str]) -> None:
    """Run one process in the project and print what it took."""
    sample = measure("treaty", step, command, server=treaty.server, env={}, cwd=treaty.folder)
    print(f"{step}: {sample.wall_seconds:.1f} s wall, {sample.cpu_seconds:.1f} s CPU, {sample.peak_megabytes:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
