"""The verb that tries a mapping on one pasted record."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import treaty
from treaty.cli.explaining import say
from treaty.cli.output import Output
from treaty.errors import UsageError


def configure_try(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty try``."""
    parser.add_argument("mapping", metavar="MAPPING", help="an inbound mapping")
    parser.add_argument("file", metavar="FILE", help="a file in the stream's format, or - for what is pasted")
    parser.add_argument("--all", action="store_true", help="show empty fields too")
    parser.add_argument("--client", help="as this client's overlay has it; else the first client that runs it")


def do_try(arguments: argparse.Namespace, output: Output) -> int:
    """Show what the records of a file would become; status 1 where one would be quarantined or cannot be read, or there is none."""
    result = treaty.try_mapping(arguments.mapping, read_input(arguments.file), project=arguments.project, client=arguments.client)
    good = bool(result.records) and not result.refusals and all(record.state == "canonical" for record in result.records)
    if output.as_json:
        output.json(result)
        return 0 if good else 1
    for number, record in enumerate(result.records, 1):
        style = "bold green" if record.state == "canonical" else "bold red"
        output.line(f"Record {number} would be {record.state}{': ' + record.reason if record.reason else ''}.", style)
        notes = {note.field: f"{note.rule} ({say(note.value)})" for note in record.notes}
        shown = [name for name, value in record.fields.items() if arguments.all or name in notes or value not in (None, [])]
        rows = [(name, say(record.fields[name]), notes.get(name, ""), result.cells.get(name, "")) for name in shown]
        output.table(("field", "value", "problem", "cell"), rows)
        for note in record.notes:
            if note.field not in record.fields:
                output.line(f"{note.field or 'record'}: {note.rule} {say(note.value)}", "yellow")
        if record.findings:
            output.line(f"Marked by {', '.join(record.findings)}", "yellow")
        if record.decisions:
            output.line(f"Decisions that changed something: {', '.join(record.decisions)}")
        left = sum(value in (None, []) and name not in notes for name, value in record.fields.items())
        if left and not arguments.all:
            output.line(f"{left} empty fields are not shown: --all shows them.", "dim")
    if result.unseen:
        output.line(f"Looked up or joined, and not there without a lake: {', '.join(result.unseen)}.", "yellow")
    for refusal in result.refusals:
        output.line(f"Refused: {refusal}", "bold red")
    if not result.records and not result.refusals:
        output.line(f"There is no record in it, read as the stream of {result.mapping} is: is it of that format, and is its first line the names of columns?", "yellow")
        output.line(f"`treaty read {arguments.file}` shows how a file is read by itself.", "dim")
    return 0 if good else 1


def read_input(name: str) -> bytes:
    """Return the content of a file, or of standard input for ``-``."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.", remedy="Name a file, or - to paste.") from error
