"""The verb that begins a project."""

from __future__ import annotations

import argparse

import treaty
from treaty.cli.output import Output


def configure_init(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty init``."""
    parser.add_argument(
        "folder", metavar="DIR", nargs="?", default=".",
        help="the folder to make, else this one; it may be there already, without a project (with --from-openapi or --ci: or with one)",
    )  # fmt: skip
    parser.add_argument("--pack", action="append", default=[], metavar="NAME", help="a pack to build on: a shipped one by name, your own by folder; may be repeated")
    parser.add_argument("--from-openapi", metavar="FILE", help="an OpenAPI 3 description, JSON or YAML: its lists become the streams of a REST system")
    parser.add_argument("--system", metavar="NAME", help="what that system is called; else by the description's title")
    parser.add_argument("--ci", metavar="SERVICE", help="write the workflow that checks, tests and plans every change: `github` or `gitlab`; --environment says on which records")


def do_init(arguments: argparse.Namespace, output: Output) -> int:
    """Make a project and say what to do next."""
    made = treaty.init(
        arguments.folder, arguments.pack, from_openapi=arguments.from_openapi, system=arguments.system, ci=arguments.ci, environment=arguments.environment
    )
    if output.as_json:
        output.json(made)
        return 0
    if made.system is not None:
        output.line(f"Wrote {made.system.file} with {len(made.system.streams)} streams into {made.folder}. Read its comments: what is guessed says so.", "bold green")
        for each in made.system.left_out:
            output.line(f"Left out: {each}")
    elif made.workflow is None or made.models:
        output.line(f"Made the project {made.folder.name} in {made.folder}.", "bold green")
    if made.packs:
        output.line(f"It builds on {', '.join(made.packs)}: models {', '.join(made.models)}.")
    for inbox in made.inboxes:
        output.line(f"Put files into {inbox}/")
    if made.workflow is not None:
        print_workflow(made, output)
        return 0
    step = "treaty run" if made.flows else "treaty check"
    output.line(f"Next: cd {arguments.folder} && {step}")
    return 0


def print_workflow(made: treaty.InitResult, output: Output) -> None:
    """Print which files a workflow has, and what it needs."""
    written = made.workflow
    assert written is not None, "it was written"
    output.line(f"Wrote {' and '.join(written.files)}: every change is checked, tested and planned, and the plan is its comment.", "bold green")
    output.line("It fails on the classes that `plan-fails-on` of treaty.yaml names. Read its first lines: they say what its runner must reach.")
    for secret in written.secrets:
        output.line(f"Give it the secret {secret}.")
    for text in written.left_to_do:
        output.line(text, "yellow")
