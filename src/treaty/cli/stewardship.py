"""The verbs of a data steward: quarantine and correct."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

import treaty
from treaty.cli.arguments import day
from treaty.cli.explaining import say
from treaty.cli.output import Output

MOST_SHOWN = 60  # characters of a value in a list
READ_AGAIN = "Once how its stream is read has been mended (`read`, a stream beside it, `limits`), treaty run --apply reads it again."


def configure_quarantine(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty quarantine`` and its four actions."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="what is in quarantine, grouped by what is wrong")
    shown = actions.add_parser("show", help="the records of one group")
    replayed = actions.add_parser("replay", help="conform records again, with the applied project")
    discarded = actions.add_parser("discard", help="leave records out for good, with a reason")
    for action in (shown, replayed, discarded):
        action.add_argument("group", metavar="GROUP", help="a group of `treaty quarantine list`")
    for action in (listed, shown, replayed, discarded):
        action.add_argument("--client", help="only this client's")
        action.add_argument("--project", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        action.add_argument("--environment", metavar="NAME", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    listed.add_argument("--model", help="only this model's")
    for action in (replayed, discarded):
        action.add_argument("--source-key", action="append", default=[], metavar="KEY", help="only the record with this source key; may be repeated")
    discarded.add_argument("--reason", required=True, help="why they are left out")


def do_quarantine(arguments: argparse.Namespace, output: Output) -> int:
    """Do one of the four actions."""
    actions = {"list": _list, "show": _show, "replay": _replay, "discard": _discard}
    return actions[arguments.action](arguments, output)


def _list(arguments: argparse.Namespace, output: Output) -> int:
    groups = treaty.quarantine_groups(arguments.project, environment=arguments.environment, client=arguments.client, model=arguments.model)
    if output.as_json:
        output.json(groups)
        return 0
    print_groups(groups, output)
    if groups:
        output.line(f"See one: treaty quarantine show {groups[0].group}", "dim")
    return 0


def print_groups(groups: tuple[treaty.QuarantineGroup, ...], output: Output) -> None:
    """Print quarantine groups as a table, or that there are none."""
    if not groups:
        output.line("Nothing is in quarantine.", "green")
        return
    rows = [
        (each.group, each.model, each.mapping, each.field, each.reason, each.files or [_shown(value) for value in each.sample_values], each.records, each.clients)
        for each in groups
    ]
    output.table(("group", "model", "mapping", "field", "reason", "values or files", "records", "clients"), rows)


def _shown(value: str) -> str:
    told = repr(value)
    return told if len(told) <= MOST_SHOWN else f"{told[:MOST_SHOWN]}…"


def _show(arguments: argparse.Namespace, output: Output) -> int:
    table = treaty.quarantine_records(arguments.group, arguments.project, environment=arguments.environment, client=arguments.client)
    if output.as_json:
        output.json_lines({**row, "fields": json.loads(row["fields"] or "{}")} for row in table.to_pylist())
        return 0
    records = table.to_pylist()
    rows = [
        (
            row["client"], f"{row['system']}/{row['stream']}/{row['source_key'] or row['landed_id']}", _place(row["origin"], row["record"]), row["field"],
            row["rule"], row["value"], row["findings"],
        )
        for row in records
    ]  # fmt: skip
    output.table(("client", "source", "place", "field", "rule", "value", "findings"), rows)
    refused = [json.loads(row["fields"] or "{}") for row in records if row["field"] is None]
    told = [_refusal(each) for each in refused if isinstance(each.get("message"), str)]
    for line in dict.fromkeys(told):
        output.line(line)
    if len(told) == len(records):
        output.line(f"It could not be read. {READ_AGAIN}", "dim")
        output.line(f"Or have it sent again, mended; then treaty quarantine discard {arguments.group} --reason …", "dim")
    else:
        output.line("Mend the source or a decision, then: treaty quarantine replay " + arguments.group, "dim")
    return 0


def _place(origin: str | None, record: int | None) -> str:
    return f"{origin} record {record}" if origin and record else origin or ""


def _refusal(fields: Mapping[str, str]) -> str:
    origin, message = fields.get("origin", ""), fields["message"]
    return message if not origin or message.startswith(origin) else f"{origin}: {message}"


def _replay(arguments: argparse.Namespace, output: Output) -> int:
    result = treaty.replay(
        arguments.group, arguments.project, environment=arguments.environment, client=arguments.client, source_keys=arguments.source_key
    )
    if output.as_json:
        output.json(result)
    else:
        told = ", ".join(f"{number} {state}" for state, number in sorted(result.dispositions.items()))
        output.line(f"Conformed {result.records} records again: {told or 'nothing changed'}.")
        if result.remaining:
            output.line(f"{result.remaining} of them stay in quarantine.", "yellow")
        if result.unread:
            output.line(f"{result.unread} could not be read. {READ_AGAIN}", "dim")
    return 1 if result.remaining else 0


def _discard(arguments: argparse.Namespace, output: Output) -> int:
    result = treaty.discard(
        arguments.group, arguments.reason, arguments.project, environment=arguments.environment, client=arguments.client, source_keys=arguments.source_key
    )
    if output.as_json:
        output.json(result)
    else:
        output.line(f"Left out {result.records} records: {arguments.reason}")
    return 0


def configure_correct(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty correct``."""
    parser.add_argument("model", metavar="MODEL", help="a canonical model")
    parser.add_argument("key", metavar="KEY", help="canonical id, or business key with its parts joined by |")
    parser.add_argument("field", metavar="FIELD", help="the field to correct")
    parser.add_argument("value", metavar="VALUE", help="what it should be, written as in the contract: 2026-11-21, 12.50, true")
    parser.add_argument("--reason", required=True, help="why; explain shows it")
    parser.add_argument("--until", type=day, metavar="DATE", help="the first day it no longer holds: the first run on it or later takes it back")
    parser.add_argument("--who", help="who says so; else the user of this computer")
    parser.add_argument("--client", help="the client, where several have such a record")


def do_correct(arguments: argparse.Namespace, output: Output) -> int:
    """Land a correction."""
    result = treaty.correct(
        arguments.model, arguments.key, arguments.field, arguments.value, project=arguments.project, environment=arguments.environment,
        client=arguments.client, reason=arguments.reason, until=arguments.until, who=arguments.who,
    )  # fmt: skip
    if output.as_json:
        output.json(result)
    else:
        output.line(f"{result.model} {result.canonical_id}: {result.field} was {say(result.before)}, is {say(result.after)}.", "green")
        output.line(f"See why: treaty explain {result.model} {result.canonical_id} {result.field}", "dim")
    return 0
