"""The verb ``deliveries``: what is on its way to sinks, and sending again what they refused."""

from __future__ import annotations

import argparse

import treaty
from treaty.cli.output import Output


def configure_deliveries(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty deliveries`` and its two actions."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="what is not settled: dead-lettered, ambiguous, held and waiting")
    replayed = actions.add_parser("replay", help="let dead-lettered and ambiguous deliveries wait for the next run")
    replayed.add_argument("keys", metavar="KEY", nargs="*", help="a key of the sink, a message id or a canonical id")
    replayed.add_argument("--all", action="store_true", help="all of them")
    replayed.add_argument("--yes", action="store_true", help="ambiguous ones too where the sink may get a message twice")
    listed.add_argument("--state", help="only in this state; `acknowledged` and `coalesced` too")
    for action in (listed, replayed):
        action.add_argument("--sink", metavar="SYSTEM/STREAM", help="only this sink's")
        action.add_argument("--client", help="only this client's")
        action.add_argument("--project", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        action.add_argument("--environment", metavar="NAME", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def do_deliveries(arguments: argparse.Namespace, output: Output) -> int:
    """Do one of the two actions."""
    return _list(arguments, output) if arguments.action == "list" else _replay(arguments, output)


def _list(arguments: argparse.Namespace, output: Output) -> int:
    found = treaty.deliveries(
        arguments.project, environment=arguments.environment, client=arguments.client, sink=arguments.sink, state=arguments.state
    )
    if output.as_json:
        output.json(found)
        return 0
    if not found:
        output.line("Every delivery is settled." if arguments.state is None else f"No delivery is {arguments.state}.", "green")
        return 0
    rows = [(each.client, each.sink, each.key, each.op, each.state, each.attempts, each.message) for each in found]
    output.table(("client", "sink", "key", "op", "state", "attempts", "message"), rows)
    if any(each.state in ("dead-lettered", "ambiguous") for each in found):
        output.line("Mend the sink or a decision, then: treaty deliveries replay --all, and treaty run", "dim")
    return 0


def _replay(arguments: argparse.Namespace, output: Output) -> int:
    result = treaty.replay_deliveries(
        arguments.keys, arguments.project, every=arguments.all, environment=arguments.environment, client=arguments.client,
        sink=arguments.sink, accept_twice=arguments.yes,
    )  # fmt: skip
    if output.as_json:
        output.json(result)
        return 0
    overtaken = f"; {result.overtaken} were overtaken by newer ones" if result.overtaken else ""
    output.line(f"{result.waiting} deliveries wait for the next run{overtaken}.")
    return 0
