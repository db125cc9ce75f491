"""The verb that matches the fields of two sides."""

from __future__ import annotations

import argparse

import treaty
from treaty.cli.output import Output, Styled

SURE, LIKELY = 0.9, 0.7


def configure_match(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty match``."""
    what = "a sample file, a data contract or model, an OpenAPI, JSON or XML Schema (FILE#NAME), SYSTEM/STREAM, or env:URL#schema.table"
    parser.add_argument("source", metavar="SOURCE", help=what)
    parser.add_argument("target", metavar="TARGET", help="the same")
    parser.add_argument("--source-part", metavar="NAME", default="", help="which schema, root element or table of SOURCE is meant; `#NAME` does the same")
    parser.add_argument("--target-part", metavar="NAME", default="", help="which one of TARGET")
    parser.add_argument("--records", type=int, metavar="N", default=1000, help="look at so many records of a side (default 1000)")
    parser.add_argument("--client", help="streams: as this client's overlay has them")


def do_match(arguments: argparse.Namespace, output: Output) -> int:
    """Print the best target of each source field; status 1 where no field has one."""
    result = treaty.match(
        arguments.source, arguments.target, source_part=arguments.source_part, target_part=arguments.target_part,
        project=arguments.project, client=arguments.client, environment=arguments.environment, records=arguments.records,
    )  # fmt: skip
    answered = [each for each in result.correspondences if each.target is not None]
    if output.as_json:
        output.json(result)
        return 0 if answered else 1
    rows = [
        (each.source, each.target or "–", _sure(each), "; ".join(each.reasons), ", ".join(f"{other.target} {other.confidence:.0%}" for other in each.alternatives))
        for each in result.correspondences
    ]
    output.table(("source", "target", "confidence", "reasons", "alternatives"), rows)
    for side in (result.source, result.target):
        for each in side.refused:
            output.line(f"Not read: {each}", "yellow")
    output.line(f"{len(answered)} of {len(rows)} fields of {result.source.profile.name} have a target in {result.target.profile.name}.", "bold")
    return 0 if answered else 1


def _sure(found: treaty.Correspondence) -> Styled:
    style = "dim" if found.target is None else "green" if found.confidence >= SURE else "yellow" if found.confidence >= LIKELY else "red"
    return Styled(f"{found.confidence:.0%}", style)
