"""The verb that shows how something is read, before any mapping."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import treaty
from treaty.cli.output import Output
from treaty.errors import UsageError
from treaty.operations.shapes import dump

SHOWN = 10
SHOWN_REFUSALS = 20
SHOWN_CHARACTERS = 120


def configure_read(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty read``."""
    parser.add_argument("what", metavar="FILE|STREAM", help="a file, `-` for what is pasted, or `system/stream` of the project")
    parser.add_argument("--limit", type=int, metavar="N", help="read so many records and no more")
    parser.add_argument("--client", help="STREAM: of this client; else the first that has it")
    parser.add_argument("--format", help="FILE: its format; else its name or its first bytes tell")
    parser.add_argument("--record", help="FILE: where a record begins; for XML else the root is the one record, for JSON the top")
    parser.add_argument("--namespace", action="append", default=[], metavar="PREFIX=URI", help="FILE: a prefix for XML names; else those of the root")
    for name, told in (("encoding", "the text's encoding"), ("delimiter", "CSV: what parts the fields"), ("quote", "CSV: what quotes a field; empty for none")):
        parser.add_argument(f"--{name}", help=f"FILE: {told}; else it is found out")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="FILE: any other setting that `read` takes for the format")


def do_read(arguments: argparse.Namespace, output: Output) -> int:
    """Print the records on standard output; with --json what was refused, and a summary of each arrival, on standard error. Status 1 where something was refused."""
    events = _events(arguments)
    if output.as_json:
        return _print_json(events, output)
    return _print(events, output)


def _events(arguments: argparse.Namespace) -> Iterator[Any]:
    from treaty.operations.reading import read_bytes

    limit, what = arguments.limit, arguments.what
    if limit is not None and limit < 0:
        raise UsageError("--limit is a whole number of records.", remedy="Write such as --limit 10.")
    if what != "-" and not Path(what).exists() and "/" in what and not what.startswith(("/", ".")):
        return treaty.read_stream(what, project=arguments.project, client=arguments.client, environment=getattr(arguments, "environment", None), limit=limit)
    settings = _settings(arguments)
    if what == "-":
        return read_bytes(sys.stdin.buffer.read(), format=arguments.format, limit=limit, **settings)
    return treaty.read_file(what, format=arguments.format, limit=limit, project=arguments.project, **settings)


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    settings = {name: getattr(arguments, name) for name in ("record", "encoding", "delimiter", "quote") if getattr(arguments, name) is not None}
    if settings.get("delimiter") == "\\t":
        settings["delimiter"] = "\t"
    if arguments.namespace:
        settings["namespaces"] = dict(_pair(each, "--namespace") for each in arguments.namespace)
    for name, value in (_pair(each, "--set") for each in arguments.set):
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


def _pair(text: str, option: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise UsageError(f"{option} {text!r} has no `=`.", remedy=f"Write such as {option} NAME=VALUE.")
    return name, value


def _print_json(events: Iterator[Any], output: Output) -> int:
    totals = {"arrivals": 0, "records": 0, "refused": 0}
    whole = True
    for event in events:
        if isinstance(event, treaty.ReadRecord):
            output.text(event.text)
        elif isinstance(event, treaty.ReadRefusal):
            output.errors.write(dump({"kind": "refusal", **_shape(event)}) + "\n")
        else:
            totals = {"arrivals": totals["arrivals"] + 1, "records": totals["records"] + event.records, "refused": totals["refused"] + event.refused}
            whole = whole and event.whole
            output.errors.write(dump({"kind": "arrival", **_shape(event)}) + "\n")
    output.errors.write(dump({"kind": "total", "ok": not totals["refused"], **totals, "whole": whole}) + "\n")
    return 1 if totals["refused"] else 0


def _shape(event: Any) -> Any:
    from treaty.operations.shapes import shape

    return shape(event)


def _print(events: Iterator[Any], output: Output) -> int:
    refused = shown_refusals = 0
    shown: list[Any] = []
    for event in events:
        if isinstance(event, treaty.ReadRecord):
            if len(shown) < SHOWN:
                shown.append(event)
        elif isinstance(event, treaty.ReadRefusal):
            refused += 1
            if shown_refusals < SHOWN_REFUSALS:
                shown_refusals += 1
                where = f"record {event.locator} of {event.origin}" if event.locator else event.origin
                output.line(f"Refused: {where}: {event.reason}: {event.message}", "bold red")
        else:
            _print_arrival(event, shown, output)
            shown = []
    if refused > shown_refusals:
        output.line(f"{refused - shown_refusals} more refusals are not shown: --json shows them.", "dim")
    return 1 if refused else 0


def _print_arrival(arrival: Any, shown: list[Any], output: Output) -> None:
    output.title(arrival.origin)
    found = {"format": arrival.format, "record": arrival.record, **arrival.details}
    output.line(", ".join(f"{name} {value!r}" for name, value in found.items() if value is not None))
    if arrival.namespaces:
        output.line(", ".join(f"{prefix or '(none)'}: {uri}" for prefix, uri in arrival.namespaces.items()), "dim")
    if arrival.columns is not None:
        rows = [(each.locator, *(_cell(value) for value in json.loads(each.text).values())) for each in shown]
        output.table(("#", *arrival.columns), rows)
    elif shown:
        output.table(("path", "value"), list(_paths(json.loads(shown[0].text), "")))
        for each in shown[1:]:
            output.line(f"{each.locator}: {_cell(each.text)}")
    more = "" if arrival.whole else " (there may be more: --limit was met)"
    told = f"{arrival.records} records{more}, {arrival.refused} refused, {arrival.size_bytes} bytes."
    output.line(told, "bold red" if arrival.refused else "bold green")


def _cell(value: object) -> object:
    text = "" if value is None else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _paths(value: Any, at: str) -> Iterator[tuple[str, object]]:
    """Yield the values of one document by path, as cells name them."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name != "@@name":
                yield from _paths(each, at if name == "#" else f"{at}/{name}".lstrip("/"))
    elif isinstance(value, list):
        for number, each in enumerate(value, 1):
            yield from _paths(each, at if len(value) == 1 else f"{at}[{number}]")
    else:
        yield at, _cell(value)
