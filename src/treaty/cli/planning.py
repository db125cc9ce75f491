"""The verbs of the review loop: plan and apply."""

from __future__ import annotations

import argparse
from pathlib import Path

import treaty
from treaty.cli.output import Output, Styled
from treaty.errors import UsageError

STYLES = {"cosmetic": "dim", "additive": "green", "value-changing": "yellow", "breaking": "bold red", "unknown": "bold red"}
COUNTS = ("changed", "added", "removed", "into_quarantine", "out_of_quarantine", "merged", "split")
MOST_ROWS = 40


def configure_plan(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty plan``."""
    parser.add_argument("--client", help="compare only this client's records; such a plan cannot be applied")
    parser.add_argument("--sample", type=int, metavar="N", help="conform only N landed records of each mapping: quick, without a verdict")
    parser.add_argument("--markdown", action="store_true", help="print the comment for a pull request")
    parser.add_argument("--markdown-to", type=Path, metavar="FILE", help="write the comment for a pull request to a file, beside what is printed")


def do_plan(arguments: argparse.Namespace, output: Output) -> int:
    """Print what applying the folder would change; status 1 where the project's policy refuses such a plan."""
    if arguments.sample is not None and arguments.sample < 1:
        raise UsageError("A sample has at least one record.", remedy="Write --sample 1000, say.")
    with output.progress() as progress:
        result = treaty.plan(
            arguments.project, environment=arguments.environment, client=arguments.client, sample=arguments.sample, progress=progress
        )
    if arguments.markdown_to is not None:
        arguments.markdown_to.write_text(treaty.plan_markdown(result), encoding="utf-8")
    if output.as_json:
        output.json(result)
    elif arguments.markdown:
        output.text(treaty.plan_markdown(result))
    else:
        print_plan(result, output)
    return 1 if result.fails else 0


def print_plan(result: treaty.PlanResult, output: Output) -> None:
    """Print each change with its class, its counts by client and model, and samples."""
    if not result.plan_id:
        output.line("Nothing is applied here yet: the first `treaty run` applies the folder.", "bold")
        return
    if not result.changes:
        output.line("No change: the folder does what is applied.", "bold green")
    for change in result.changes:
        output.title(f"{change.what} {change.id}: {change.change_class}")
        for text in (*change.undecided, *change.notes):
            output.line(f"  {text}", "yellow")
        rows = [
            (each.client, each.model, *(each.records[name] for name in COUNTS), _pairs(each.fields), _pairs(each.rewrites)) for each in change.differences[:MOST_ROWS]
        ]
        if rows:
            output.table(("client", "model", *COUNTS, "fields", "delivered values rewritten"), rows)
        if len(change.differences) > MOST_ROWS:
            output.line(f"… and {len(change.differences) - MOST_ROWS} more; --json has all of them.", "dim")
        for sample in [one for each in change.differences for one in each.samples][:5]:
            output.line(f"  {sample.id} {sample.field}: {sample.before} → {sample.after}", "dim")
    for title, notes in (("Redundant overrides", result.redundant_overrides), ("Stale overrides", result.stale_overrides)):
        if notes:
            output.table(("client", "what", "id", "field", ""), [(each.client, each.what, each.id, each.field, each.text) for each in notes], title=title)
    for text in result.undecided:
        output.line(text, "bold red")
    verdict = f"{result.plan_class}" if result.complete else "no verdict: the comparison is not whole"
    output.line(f"{result.plan_id}: {verdict}", STYLES[result.plan_class])
    if result.complete and result.changes and result.client is None:
        output.line(f"Next: treaty apply {result.plan_id}", "dim")


def _pairs(counts: object) -> str:
    assert isinstance(counts, dict), "counts are by name"
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items(), key=lambda each: -each[1]))


def configure_apply(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty apply``."""
    parser.add_argument("plan", metavar="PLAN", nargs="?", help="the id of a plan, or how it begins; without it a plan is made and applied")
    parser.add_argument("--former", action="store_true", help="roll back: apply the project that was applied before this one")
    parser.add_argument("--list", action="store_true", help="list who applied which plan, and when")
    parser.add_argument("--dry", action="store_true", help="send nothing to any sink")


def do_apply(arguments: argparse.Namespace, output: Output) -> int:
    """Apply a plan and print what it changed; status 1 where something could not be delivered."""
    if arguments.list:
        return _list(arguments, output)
    with output.progress() as progress:
        result = treaty.apply(
            arguments.plan, arguments.project, environment=arguments.environment, former=arguments.former, dry=arguments.dry, progress=progress
        )
    if output.as_json:
        output.json(result)
        return 0 if result.ok else 1
    if not result.changed:
        output.line("Nothing to apply: the folder is what is applied.", "bold green")
        return 0
    output.line(f"Applied {result.applied_id} by {result.plan_id} ({result.plan_class}).", "bold green")
    told = ", ".join(f"{name} {number}" for name, number in result.records.items() if number)
    output.line(f"Records: {told or 'none changed'}.")
    if result.deliveries:
        rows = [(each.sink, each.acknowledged, each.dead_lettered, each.ambiguous, each.held, each.waiting) for each in result.deliveries]
        output.table(("sink", "acknowledged", "dead-lettered", "ambiguous", "held", "waiting"), rows)
    for problem in result.problems:
        output.line(f"{problem.place}: {problem.message}", "bold red")
    if result.folder_differs:
        output.line("The folder still says what it said: bring it back too, or the next plan undoes this.", "yellow")
    return 0 if result.ok else 1


def _list(arguments: argparse.Namespace, output: Output) -> int:
    listed = treaty.applies(arguments.project, environment=arguments.environment)
    if output.as_json:
        output.json(listed)
        return 0
    rows = [
        (Styled(each.applied_id, "bold") if each.current else each.applied_id, each.applied_at.isoformat(timespec="seconds"), each.who, each.plan_id, each.plan_class)
        for each in listed
    ]
    output.table(("applied", "at", "who", "plan", "class"), rows)
    return 0
