"""The verbs that judge a project: check, test and coverage."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import treaty
from treaty.cli.arguments import day
from treaty.cli.output import Output, Styled

if TYPE_CHECKING:
    from treaty.project.findings import Finding

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
STATES = {"governed": "green", "ungoverned": "bold red"}


def configure_check(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty check``."""
    parser.add_argument("--as-of", type=day, metavar="DATE", help="the day that reviews and periods are judged by; else today")


def do_check(arguments: argparse.Namespace, output: Output) -> int:
    """Print every finding; status 1 where one is an error."""
    result = treaty.check(arguments.project, as_of=arguments.as_of)
    if output.as_json:
        output.json(result)
        return 0 if result.ok else 1
    for finding in result.findings:
        print_finding(finding, output)
    counts = [(sum(each.severity == kind for each in result.findings), kind) for kind in STYLES]
    told = ", ".join(f"{number} {kind}{'s' if number > 1 else ''}" for number, kind in counts if number)
    output.line(f"{told or 'No problem'} in {result.files} files.", "bold green" if result.ok else "bold red")
    return 0 if result.ok else 1


def print_finding(finding: Finding, output: Output) -> None:
    """Print one finding: on a terminal its remedy on a line of its own, in a pipe all in one line."""
    if not output.terminal:
        output.text(f"{finding.position}: {finding.severity} {finding.code}: {finding.message} — {finding.remedy}")
        return
    from rich.text import Text

    first = Text.assemble((str(finding.position), "bold"), "  ", (finding.severity, STYLES[finding.severity]), " ", (finding.code, "dim"))
    output.console.print(first)
    output.line(f"  {finding.message}")
    output.line(f"  → {finding.remedy}", "cyan")


def configure_test(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty test``."""
    parser.add_argument("decision", nargs="*", help="only these decisions, by id")
    parser.add_argument("--client", help="only as this client's overlay has them")


def do_test(arguments: argparse.Namespace, output: Output) -> int:
    """Run the examples; status 1 where one fails."""
    result = treaty.test(arguments.project, decisions=arguments.decision, client=arguments.client)
    if output.as_json:
        output.json(result)
        return 0 if result.ok else 1
    for failure in result.failures:
        output.line(f"{failure.position}: {failure.decision}, example {failure.example}", "bold red")
        output.line(f"  given    {failure.given}")
        output.line(f"  expected {failure.expected}")
        output.line(f"  got      {failure.got}")
    for decision in result.without_examples:
        output.line(f"{decision} has no example.", "yellow")
    style = "bold green" if result.ok else "bold red"
    output.line(f"{result.passed} of {result.examples} examples of {result.decisions} decisions passed.", style)
    return 0 if result.ok else 1


def configure_coverage(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty coverage``."""
    parser.add_argument("model", nargs="*", help="only these models")
    parser.add_argument("--client", help="only this client")


def do_coverage(arguments: argparse.Namespace, output: Output) -> int:
    """Print what governs each field, and what nothing does."""
    result = treaty.coverage(arguments.project, environment=arguments.environment, models=arguments.model, client=arguments.client)
    if output.as_json:
        output.json(result)
        return 0
    for model in result.models:
        rows = [(each.field, Styled(each.state, STATES.get(each.state, "dim")), each.decisions, each.mappings) for each in model.fields]
        output.table(("field", "state", "decisions", "mappings"), rows, title=f"{model.model} of {model.client}")
    if values := [(each.decision, each.client, each.value, each.records, each.otherwise) for each in result.unmapped_values if each.otherwise != "preserve"]:
        output.table(("decision", "client", "unmapped value", "records", "becomes"), values, title="Values that no code list covers")
    preserved = [(each.decision, each.client) for each in result.unmapped_values if each.otherwise == "preserve"]
    for place in dict.fromkeys(preserved):
        output.line(f"{place[1]}: {preserved.count(place)} values that {place[0]} does not name stay as they are: it says `otherwise: preserve`.", "dim")
    if undecided := [each for each in result.edge_cases if not each.decisions]:
        cases = [(each.model, each.client, each.field, each.case, each.records, each.sample_values) for each in undecided]
        output.table(("model", "client", "field", "case", "records", "values"), cases, title="Edge cases in the data that nobody has decided")
    if result.never_fired:
        output.table(("decision", "client"), [(each.decision, each.client) for each in result.never_fired], title="Decisions that never fired")
    states = [each.state for model in result.models for each in model.fields]
    told = ", ".join(f"{states.count(state)} {state}" for state in ("governed", "copied", "constant", "ungoverned", "unmapped") if state in states)
    output.line(f"Fields: {told or 'none'}.", "bold")
    if not result.ran:
        output.line("Nothing has run yet: unmapped values and decisions that never fire show after `treaty run`.", "dim")
    return 0
