"""The verb that begins a project."""

from __future__ import annotations

import argparse

import treaty
from treaty.cli.output import Output


def configure_init(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty init``."""
    parser.add_argument("folder", metavar="DIR", help="the folder to make; it may be there already, without a project (with --from-openapi: or with one)")
    parser.add_argument("--pack", action="append", default=[], metavar="NAME", help="a pack to build on: a shipped one by name, your own by folder; may be repeated")
    parser.add_argument("--from-openapi", metavar="FILE", help="an OpenAPI 3 description, JSON or YAML: its lists become the streams of a REST system")
    parser.add_argument("--system", metavar="NAME", help="what that system is called; else by the description's title")


def do_init(arguments: argparse.Namespace, output: Output) -> int:
    """Make a project and say what to do next."""
    made = treaty.init(arguments.folder, arguments.pack, from_openapi=arguments.from_openapi, system=arguments.system)
    if output.as_json:
        output.json(made)
        return 0
    if made.system is not None:
        output.line(f"Wrote {made.system.file} with {len(made.system.streams)} streams into {made.folder}. Read its comments: what is guessed says so.", "bold green")
        for each in made.system.left_out:
            output.line(f"Left out: {each}")
    else:
        output.line(f"Made the project {made.folder.name} in {made.folder}.", "bold green")
    if made.packs:
        output.line(f"It builds on {', '.join(made.packs)}: models {', '.join(made.models)}.")
    for inbox in made.inboxes:
        output.line(f"Put files into {inbox}/")
    step = "treaty run" if made.flows else "treaty check"
    output.line(f"Next: cd {arguments.folder} && {step}")
    return 0
