"""The verb that runs flows."""

from __future__ import annotations

import argparse

import treaty
from treaty.cli.arguments import day
from treaty.cli.output import Output
from treaty.project.overlays import SHARED

SHOWN = ("canonical", "superseded", "quarantined", "duplicate", "filtered")


def configure_run(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty run``."""
    parser.add_argument("--apply", action="store_true", help="apply the folder first, where it differs from the applied project")
    parser.add_argument("--dry", action="store_true", help="send nothing to any sink")
    parser.add_argument("--as-of", type=day, metavar="DATE", help="the day of as_of() and of periods; else today")
    parser.add_argument("--client", help="only this client's flows")
    parser.add_argument("--flow", help="only this flow")


def do_run(arguments: argparse.Namespace, output: Output) -> int:
    """Run the flows; status 1 where one failed or something is not accounted for."""
    with output.progress() as progress:
        result = treaty.run(
            arguments.project, environment=arguments.environment, client=arguments.client, flow=arguments.flow, apply=arguments.apply,
            as_of=arguments.as_of, dry=arguments.dry, progress=progress,
        )  # fmt: skip
    if output.as_json:
        if result.folder_differs:
            output.error("The folder differs from the applied project, which ran.", "`treaty run --apply` applies the folder.")
        output.json(result)
    else:
        print_run(result, output)
    return 0 if result.ok else 1


def print_run(result: treaty.RunResult, output: Output) -> None:
    """Print what each flow landed, what became of it, and what was delivered."""
    if result.folder_differs:
        output.line("The folder differs from the applied project, which ran. `treaty run --apply` applies the folder.", "yellow")
    streams = [(flow, stream) for flow in result.flows for stream in flow.streams]
    if streams:
        rows = [
            (flow.client, flow.flow, stream.stream, stream.mapping, stream.landed, *(stream.dispositions.get(state, 0) for state in SHOWN)) for flow, stream in streams
        ]
        output.table(("client", "flow", "stream", "mapping", "landed", *SHOWN), rows)
    sent = [(flow, each) for flow in result.flows for each in flow.deliveries]
    if sent:
        rows = [(flow.client, each.sink, each.acknowledged, each.dead_lettered, each.ambiguous, each.coalesced, each.held, each.waiting) for flow, each in sent]
        output.table(("client", "sink", "acknowledged", "dead-lettered", "ambiguous", "coalesced", "held", "waiting"), rows)
    for flow, each in sent:
        if each.baseline:
            output.line(f"{flow.client}: {each.sink} had {each.baseline} of the records already: its baseline counts them as delivered.", "dim")
    for flow in result.flows:
        for problem in flow.problems:
            output.line(f"{problem.place}: {problem.message}", "bold red")
            if problem.remedy:
                output.line(f"  → {problem.remedy}", "cyan")
        for issue in flow.issues:
            output.line(f"{flow.client}: {issue.subject}: {issue.message}", "yellow")
            output.line(f"  → {issue.remedy}", "cyan")
    shared = {stream.stream for flow, stream in streams if flow.client == SHARED}  # their records land once more for their clients
    landed = sum(stream.landed for flow, stream in streams if flow.client == SHARED or stream.stream not in shared)
    quarantined = sum(stream.dispositions.get("quarantined", 0) for _, stream in streams)
    if not result.flows:
        output.line("No flow runs: the project has none, or none for that client.", "yellow")
    elif result.ok and not result.changed:
        output.line("Nothing changed: no source had anything new.", "bold green")
    elif result.ok and not landed and not any(each.acknowledged for _, each in sent):
        output.line("Nothing new landed; records were conformed again, since the mapping or what it reads has changed.", "bold green")
    elif result.ok:
        delivered = sum(each.acknowledged for _, each in sent)
        output.line(f"Done: {landed} records landed, {delivered} delivered.", "bold green")
    if quarantined:
        output.line("See what was set aside, and why: treaty quarantine list", "dim")
