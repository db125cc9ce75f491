"""The verbs that tell what can be written: functions and schema."""

from __future__ import annotations

import argparse
from pathlib import Path

import treaty
from treaty.cli.output import Output, Styled


def configure_functions(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty functions``."""
    parser.add_argument("search", nargs="?", help="only functions whose name, group or help has this in it")


def do_functions(arguments: argparse.Namespace, output: Output) -> int:
    """Print the standard functions."""
    result = treaty.functions(arguments.search)
    if output.as_json:
        output.json(result)
        return 0
    for group in dict.fromkeys(each.group for each in result.functions):
        rows = [
            (Styled(each.signature, "bold"), Styled(each.tag, "dim" if each.tag == "spelling" else "yellow"), each.help, "; ".join(each.examples[:2]))
            for each in result.functions
            if each.group == group
        ]
        output.table(("function", "tag", "what it does", "examples"), rows, title=group)
    if not result.functions:
        output.line(f"No function has {arguments.search!r} in its name, group or help.")
    return 0 if result.functions else 1


def configure_schema(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty schema``."""
    parser.add_argument("kind", nargs="?", help="print this one: treaty, system, model, decision, mapping or flow")
    parser.add_argument("--to", type=Path, metavar="DIR", help="write all of them into this folder")


def do_schema(arguments: argparse.Namespace, output: Output) -> int:
    """Write or print the JSON Schemas."""
    result = treaty.schema(arguments.kind, to=arguments.to)
    if result.written and not output.as_json:
        for path in result.written:
            output.line(f"Wrote {path}")
    elif arguments.kind and not output.as_json:
        output.json(result.schemas[arguments.kind])
    else:
        output.json(result)
    return 0
