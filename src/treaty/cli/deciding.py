"""The verbs of the review loop that make decisions: overlay, signals and decide."""

from __future__ import annotations

import argparse

import treaty
from treaty.cli.output import Output, Styled
from treaty.errors import UsageError

STYLES = {"overridden": "yellow", "added": "green", "excluded": "red", "inherited": "dim"}


def configure_overlay(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty overlay``."""
    parser.add_argument("client", metavar="CLIENT", help="a client: a folder of clients/")
    parser.add_argument("--all", action="store_true", help="what is inherited too")


def do_overlay(arguments: argparse.Namespace, output: Output) -> int:
    """Print what holds for a client, and what of it is its own."""
    result = treaty.overlay(arguments.client, arguments.project)
    if output.as_json:
        output.json(result)
        return 0
    shown = [each for each in result.entries if arguments.all or each.state != "inherited"]
    rows = [(Styled(each.state, STYLES[each.state]), each.what, each.id, _told(each), each.reason, f"{each.file}:{each.line}") for each in shown]
    output.table(("state", "what", "id", "here", "reason", "place"), rows)
    counts = ", ".join(f"{number} {state}" for state in STYLES if (number := result.count(state)))  # type: ignore[arg-type]
    output.line(f"{arguments.client}: {counts}.", "bold")
    if not arguments.all:
        output.line("What is inherited shows with --all.", "dim")
    return 0


def _told(entry: treaty.OverlayEntry) -> str:
    if not entry.changes:
        return entry.value
    return "; ".join(f"{each.setting}: {each.standard if each.standard is not None else 'nothing'} → {each.own if each.own is not None else 'nothing'}" for each in entry.changes)


def configure_signals(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty signals``: none of its own."""


def do_signals(arguments: argparse.Namespace, output: Output) -> int:
    """Print what clients' overlays say together."""
    found = treaty.signals(arguments.project)
    if output.as_json:
        output.json(found)
        return 0
    if not found:
        output.line("No override is shared by several clients, and none is redundant.", "green")
        return 0
    output.table(("id", "signal", "clients"), [(each.id, each.text, each.clients) for each in found])
    output.line(f"Make one the standard: treaty decide --promote {found[0].id}", "dim")
    return 0


def configure_decide(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty decide``."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--promote", metavar="SIGNAL", help="make an override that clients share the standard, and retire the overlays")
    source.add_argument("--from-quarantine", metavar="GROUP", help="draft a decision on a group of `treaty quarantine list`, its evidence filled in")
    parser.add_argument("--map", action="append", default=[], metavar="VALUE=TARGET", help="with --from-quarantine: add rows to the code list that lacks them")
    parser.add_argument("--reason", default="", help="with --map: why; it is written into the decision")
    parser.add_argument("--client", help="with --map: for this client alone, as an overlay")
    parser.add_argument("--id", metavar="NAME", help="with --from-quarantine: the draft's id; else one is made of the field and the reason")
    parser.add_argument("--who", default="", help="who decides")


def do_decide(arguments: argparse.Namespace, output: Output) -> int:
    """Change the project's files; nothing is applied."""
    if arguments.promote is not None:
        if arguments.map:
            raise UsageError("--map goes with --from-quarantine.", remedy="Leave it out, or name a quarantine group.")
        promoted = treaty.promote(arguments.promote, arguments.project, who=arguments.who)
        return _print(promoted, f"Adopted: {promoted.signal.text.removesuffix(': adopt it?')}.", promoted.written, promoted.removed, output)
    if arguments.map:
        rows = dict(_row(each) for each in arguments.map)
        added = treaty.add_to_code_list(
            arguments.from_quarantine, rows, arguments.reason, project=arguments.project, environment=arguments.environment, client=arguments.client, who=arguments.who
        )
        told = ", ".join(f"{value!r} → {target!r}" for value, target in added.rows.items())
        return _print(added, f"{added.decision} now has {told}; {added.records} records wait for it.", added.written, (), output)
    drafted = treaty.draft_decision(arguments.from_quarantine, project=arguments.project, environment=arguments.environment, id=arguments.id)
    said = f"Drafted {drafted.decision}: choose a treatment, write the reason, and set `status: accepted`."
    return _print(drafted, said, drafted.written, (), output)


def _row(text: str) -> tuple[str, str]:
    value, equals, target = text.partition("=")
    if not equals:
        raise UsageError(f"--map {text!r} is no row.", remedy="Write VALUE=TARGET, such as --map PF=325.")
    return value, target


def _print(result: object, told: str, written: tuple[str, ...], removed: tuple[str, ...], output: Output) -> int:
    if output.as_json:
        output.json(result)
        return 0
    output.line(told, "green")
    for file in written:
        output.line(f"  written {file}")
    for file in removed:
        output.line(f"  removed {file}")
    output.line("See what it would change: treaty plan", "dim")
    return 0
