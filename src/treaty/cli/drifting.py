"""The verb that shows how what sources send has changed its shape."""

from __future__ import annotations

import argparse

import treaty
from treaty.cli.output import Output

SHOWN_PATHS = 40  # of one arrival; --json has them all


def configure_drift(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty drift``."""
    parser.add_argument("stream", metavar="STREAM", nargs="?", help="only this stream, SYSTEM/STREAM")
    parser.add_argument("--client", help="only this client's")


def do_drift(arguments: argparse.Namespace, output: Output) -> int:
    """Print every change of shape, oldest first; a change is no failure."""
    found = treaty.drift(arguments.stream, arguments.project, environment=arguments.environment, client=arguments.client)
    if output.as_json:
        output.json(found)
        return 0
    for each in found:
        print_drift(each, output)
    output.line(f"{len(found)} changes of shape." if found else "Nothing has changed its shape.", "bold" if found else "bold green")
    return 0


def print_drift(drift: treaty.Drift, output: Output) -> None:
    """Print one change of shape, path by path."""
    output.title(f"{drift.client}: {drift.stream}")
    output.line(f"from {drift.from_}\nto   {drift.to}", "dim")
    rows = [("added", path, "", "") for path in drift.added] + [("removed", path, "", "") for path in drift.removed]
    rows += [("changed", each.path, each.was, each.is_) for each in drift.changed]
    mapped = set(drift.mapped)
    rows.sort(key=lambda row: row[1] not in mapped)  # what a mapping reads comes first
    output.table(("", "path", "was", "is", "mapped"), [(*row, "yes" if row[1] in mapped else "") for row in rows[:SHOWN_PATHS]])
    if len(rows) > SHOWN_PATHS:
        output.line(f"{len(rows) - SHOWN_PATHS} more: see --json", "dim")
