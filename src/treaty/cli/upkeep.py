"""The verbs that look after an installation: doctor and stop."""

from __future__ import annotations

import argparse

import treaty
from treaty.cli.output import Output, Styled


def configure_doctor(parser: argparse.ArgumentParser) -> None:
    """``treaty doctor`` has no arguments of its own."""


def do_doctor(arguments: argparse.Namespace, output: Output) -> int:
    """Print what was looked at; status 1 where something is amiss."""
    result = treaty.doctor(arguments.project, environment=arguments.environment)
    if output.as_json:
        output.json(result)
        return 0 if result.ok else 1
    rows = [(Styled("ok", "green") if each.ok else Styled("amiss", "bold red"), each.name, each.detail, each.remedy) for each in result.checks]
    output.table(("", "what", "found", "what to do"), rows)
    output.line("All is well." if result.ok else "Something is amiss: see what to do.", "bold green" if result.ok else "bold red")
    return 0 if result.ok else 1


def configure_stop(parser: argparse.ArgumentParser) -> None:
    """``treaty stop`` has no arguments of its own."""


def do_stop(arguments: argparse.Namespace, output: Output) -> int:
    """Stop the embedded database of the project."""
    result = treaty.stop(arguments.project, environment=arguments.environment)
    if output.as_json:
        output.json(result)
    else:
        output.line("Stopped the embedded PostgreSQL." if result.stopped else "No embedded PostgreSQL was running.")
    return 0
