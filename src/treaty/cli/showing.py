"""The verb that shows what Treaty does: the demo and its guided tour."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import treaty
from treaty.cli.explaining import print_explanation, say
from treaty.cli.output import Output
from treaty.cli.reading import print_verification
from treaty.cli.running import print_run
from treaty.cli.stewardship import print_groups


def configure_demo(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty demo``."""
    parser.add_argument("folder", metavar="DIR", nargs="?", default="demo", help="where to make the project; else ./demo")


def do_demo(arguments: argparse.Namespace, output: Output) -> int:
    """Make and run the demo, and walk through it."""
    with output.progress() as progress:
        result = treaty.demo(arguments.folder, progress=progress)
    if output.as_json:
        output.json(result)
    else:
        print_tour(result, output, arguments.folder)
    return 0 if result.run.ok and result.verified.ok else 1


def print_tour(result: treaty.DemoResult, output: Output, folder: str) -> None:
    """Print what there is to see, in the order of the path from source to sink."""
    if result.made:
        output.line(f"Made the project {folder}: three clients, each with its own systems; one ledger.", "bold green")
        output.line("acme sends UBL invoices, borealis CII invoices; corva has a legacy ERP, a CRM, and a billing system in PostgreSQL.")
    output.title("1. What was landed, and what became of it")
    print_run(result.run, output)
    output.title("2. What is in quarantine, and why")
    print_groups(result.quarantine, output)
    if result.shared is not None:
        output.title("3. One golden contact that two systems share")
        print_record(result.shared, output)
    if result.explanation is not None:
        output.title("4. One of its values, from the source's bytes to the ledger")
        print_explanation(result.explanation, output)
    output.title("5. The proof that nothing is lost")
    print_verification(result.verified, output)
    output.title("What next")
    for command, what in _suggestions(result, folder):
        output.line(f"  {command}" if output.terminal else command, "bold")
        output.line(f"      {what}" if output.terminal else f"  {what}", "dim")


def print_record(row: Mapping[str, Any], output: Output) -> None:
    """Print the fields of a golden record that are there, and its sources."""
    rows = [(name, say(value)) for name, value in row.items() if not name.startswith("_") and value not in (None, [])]
    output.table(("field", "value"), rows)
    output.line("told by " + " and ".join(f"{each['system']}/{each['stream']} {each['source_key']}" for each in row["_sources"]))


def _suggestions(result: treaty.DemoResult, folder: str) -> list[tuple[str, str]]:
    """Return commands worth typing next, and what each shows."""
    found = [(f"treaty demo {folder}", "run it again: nothing is written, and it says so")] if result.made else []
    if Path(folder).resolve() != Path.cwd():
        found.append((f"cd {folder}", "then each of these:"))
    if result.quarantine:
        found.append((f"treaty quarantine show {result.quarantine[0].group}", "the records behind the first group"))
    return [
        *found,
        ("treaty coverage contact", "which decision governs each field"),
        ("treaty records invoice --client acme", "the golden invoices of one client"),
        ("treaty check", "what is wrong with the project: nothing, until you change it"),
        ("treaty stop", "stop the embedded PostgreSQL when you are done"),
    ]
