"""The verb that takes what a client gives first."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime

import treaty
from treaty.cli.output import Output, Styled
from treaty.errors import UsageError

SURE, LIKELY = 0.9, 0.7
SHOWN_KNOWN = 8


def configure_onboard(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty onboard``."""
    parser.add_argument("client", metavar="CLIENT", nargs="?", help="the client; its folder clients/CLIENT is made")
    parser.add_argument("samples", nargs="*", metavar="SAMPLE",
                        help="a file, a folder of files, an OpenAPI description, https://HOST/LIST, env:URL#schema.table; none: what was given before, proposed again")  # fmt: skip
    parser.add_argument("--system", metavar="NAME", help="what the client's system is called; else found out")
    parser.add_argument(
        "--secret",
        metavar="REFERENCE",
        help="an API's token, as env:NAME, file:/path or keyring:service/user; it is sent as a bearer token",
    )
    parser.add_argument(
        "--answer", action="append", default=[], metavar="TOPIC=VALUE", help="answer a question, as it is listed; may be repeated"
    )
    parser.add_argument("--accept", action="store_true", help="take what is proposed wherever a question has a proposal")
    parser.add_argument("--who", default="", help="who answers; else the user of this computer")
    parser.add_argument("--status", action="store_true", help="show when each step of each client was done, and the time from its first file to its first delivery")
    parser.add_argument(
        "--deliver-to", metavar="NAME", help="deliver to a database of this name on Treaty's own PostgreSQL, made where it is not there"
    )


def do_onboard(arguments: argparse.Namespace, output: Output) -> int:
    """Propose and write, ask on a terminal what is open, and print the dry run; status 1 while questions are open or records would not be canonical."""
    if arguments.status:
        return _do_status(arguments, output)
    if arguments.client is None:
        raise UsageError("No client is named.", remedy="Write treaty onboard CLIENT SAMPLE…, or treaty onboard --status.")
    samples = list(arguments.samples)
    answers = dict(_answer(each) for each in arguments.answer)
    accept = arguments.accept
    shown: dict[str, str | None] = {}  # stream → model: a stream is shown again once its model is known
    written: list[str] = []
    while True:
        with output.progress() as progress:
            result = treaty.onboard(
                arguments.client, samples, project=arguments.project, system=arguments.system, secret=arguments.secret, answers=answers, accept=accept,
                who=arguments.who, deliver_to=arguments.deliver_to, progress=progress,
            )  # fmt: skip
        if output.as_json or not result.questions or not (output.terminal and sys.stdin.isatty()):
            break
        written += result.written
        _print_streams(result, shown, output)
        samples, accept = [], False
        answers = {
            question.topic.id: _ask(question, number, len(result.questions), output) for number, question in enumerate(result.questions, 1)
        }
    good = not result.questions and all(each.canonical == each.records and not each.broken for each in result.rehearsals)
    if output.as_json:
        output.json(result)
        return 0 if good else 1
    _print_streams(result, shown, output)
    _print_files(result, (*written, *result.written), output)
    _print_rehearsals(result, output)
    _print_questions(result, output)
    return 0 if good else 1


def _answer(text: str) -> tuple[str, str]:
    topic, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--answer {text!r} is no answer.", remedy="Write TOPIC=VALUE, such as --answer zone:files=Europe/Berlin.")
    return topic, value


def _do_status(arguments: argparse.Namespace, output: Output) -> int:
    found = [each for each in treaty.onboarding_status(arguments.project, environment=arguments.environment) if arguments.client in (None, each.client)]
    if output.as_json:
        output.json(found)
        return 0
    rows = [
        (each.client, *(_when(at) for at in (each.first_file, each.answered, each.rehearsed, each.landed, each.delivered)), each.open_questions, _duration(each.seconds))
        for each in found
    ]
    output.table(("client", "first file", "answered", "tried", "landed", "delivered", "open questions", "first file to first delivery"), rows)
    return 0


def _when(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S") if at is not None else "–"


def _duration(seconds: int | None) -> str:
    """Return a duration as people say it: seconds, minutes, hours or days."""
    if seconds is None:
        return "–"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds} s"


# ---- asking


def _ask(question: treaty.Question, number: int, of: int, output: Output) -> str:
    """Ask one question on the terminal until it is answered: by a number, by Enter for what is proposed, or by a text."""
    output.line("")
    output.line(f"{number}/{of}  {question.text}", "bold")
    for each in question.evidence:
        output.line(f"     {each}", "dim")
    if question.known and not question.options:
        output.line(f"     one such as {', '.join(question.known[:SHOWN_KNOWN])}", "dim")
    for position, option in enumerate(question.options, 1):
        output.line(f"  {position}  {option.value}{f': {option.label}' if option.label != option.value else ''}")
    default = next(
        (str(position) for position, option in enumerate(question.options, 1) if option.value == question.proposal),
        question.proposal or "-",
    )
    while True:
        typed = input(f"[{default}] ").strip() or default
        chosen = question.options[int(typed) - 1].value if typed.isdigit() and 1 <= int(typed) <= len(question.options) else typed
        remedy = question.refuse(chosen)
        if remedy is None:
            return chosen
        output.line(f"Type a number from 1 to {len(question.options)}." if question.only_options and question.options else remedy, "red")


# ---- printing


def _print_streams(result: treaty.OnboardResult, shown: dict[str, str | None], output: Output) -> None:
    """Print the streams that are not ``shown`` with this model yet."""
    for stream in result.streams:
        sample = stream.sample
        if shown.get(sample.place, "") == stream.model:
            continue
        shown[sample.place] = stream.model
        if sample.shipped:
            output.title(f"{sample.place}: {sample.profile.records} records; a pack reads them as {stream.model}.")
            continue
        if stream.model is None and not sample.profile.records:
            if sample.connector != "rest":  # else a list of a description
                output.title(f"{sample.place}: no record can be read{': see below' if result.refused else ''}.")
            continue
        if stream.model is None:
            output.title(f"{sample.place}: {sample.profile.records} records; no model yet.")
            continue
        output.title(
            f"{sample.place}: {sample.profile.records} records of {stream.model}, told apart by {', '.join(stream.key) or 'their content'}."
        )
        read = sample.settings.get("read", {})
        if "encoding" in read:
            output.line(f"Its text is no UTF-8, and is read as {read['encoding']}.")
        above = read.get("skip_rows", read.get("skip_lines"))
        if "sheet" in read or above:
            where = [f"its sheet is {read['sheet']}"] if "sheet" in read else []
            where += [f"{'row' if 'skip_rows' in read else 'line'} {above + 1} names the columns"] if above else []
            output.line(f"It is read so: {', '.join(where)}.")
        rows = [_row(stream, each) for each in stream.fields]
        output.table(("field", "type", "nulls", "distinct", "becomes", "sure", "cell", "because"), rows)

    unread = [stream.sample.name for stream in result.streams if stream.model is None and not stream.sample.profile.records and stream.sample.connector == "rest"]
    if unread:
        output.line(f"Left out of the description, take one with FILE#LIST: {', '.join(unread)}", "dim")
    for each in result.references:
        output.line(f"{each.stream}.{each.field} refers to {each.to_stream}.{each.to_field} ({each.share:.0%} of its values)")


def _row(stream: treaty.StreamProposal, field: treaty.FieldProposal) -> tuple[object, ...]:
    found = stream.sample.profile.field(field.source)
    assert found is not None, "proposals are of the profile"
    sure = Styled(f"{field.confidence:.0%}", _style(field)) if field.target else ""
    cell = field.cell or ("(open)" if field.state == "open" else "")
    return (
        field.source,
        found.main_shape or found.type,
        found.nulls,
        found.distinct,
        field.target or "–",
        sure,
        cell,
        "; ".join(field.reasons[:2]),
    )


def _style(field: treaty.FieldProposal) -> str:
    return "green" if field.confidence >= SURE else "yellow" if field.confidence >= LIKELY else "red"


def _print_files(result: treaty.OnboardResult, written: Sequence[str], output: Output) -> None:
    if written:
        output.title("Written:")
    for file in sorted(set(written)):
        output.line(f"  {file}")
    for file in result.removed:
        output.line(f"  removed {file}")
    for file in result.kept:
        output.line(f"  kept {file}: changed by hand since it was written", "yellow")
    for each in result.refused[:5]:
        output.line(f"Not read: {each}", "yellow")


def _print_rehearsals(result: treaty.OnboardResult, output: Output) -> None:
    if result.rehearsals:
        output.title("Dry run on the sample:")
    for each in result.rehearsals:
        if each.broken:
            output.line(f"  {each.mapping} cannot run yet: {each.broken}", "yellow")
            continue
        parts = [f"{each.canonical} of {each.records} records would be canonical"]
        parts += [
            f"{number} {state}"
            for state, number in (("quarantined", each.quarantined), ("filtered", each.filtered), ("unreadable", each.unreadable))
            if number
        ]
        output.line(f"  {each.mapping}: {', '.join(parts)}", "green" if each.canonical == each.records else "yellow")
        for problem in each.problems[:8]:
            what = "quarantined" if problem.fatal else "left empty"
            output.line(
                f"    {problem.field or 'record'}: {problem.rule} in {problem.records}{f', such as {problem.example!r}' if problem.example else ''}; {what}"
            )


def _print_questions(result: treaty.OnboardResult, output: Output) -> None:
    for each in result.answers:
        if each.inherited:
            output.line(f"Answered as for {each.inherited}: {each.topic.id}={each.value}", "dim")
    if not result.questions and not any(each.model for each in result.streams):
        output.line("Nothing of it is like a model of this project, so nothing is mapped.", "bold yellow")
        output.line("Add the pack that has the model to treaty.yaml, or say which: --answer model:SYSTEM/STREAM=MODEL", "dim")
        return
    if not result.questions:
        broken = any(each.broken for each in result.rehearsals)
        output.line("No question is open, but not all of it can run: see above." if broken else "No question is open. Next: treaty run", "bold yellow" if broken else "bold green")
        return
    number = len(result.questions)
    output.title("1 question is open:" if number == 1 else f"{number} questions are open:")
    for question in result.questions:
        output.line(f"  {question.topic.id}", "bold")
        output.line(f"    {question.text} {'; '.join(question.evidence)}")
        values = ", ".join(each.value for each in question.options)
        proposed = f" Proposed: {question.proposal}." if question.proposal is not None else ""
        some = f"One such as {', '.join(question.known[:SHOWN_KNOWN])}." if question.known else "Any text."
        listed = f"One of: {values}{'' if question.only_options else ', or a text'}." if values else some
        output.line(f"    {listed}{proposed}")
    output.line(f"Answer with: treaty onboard {result.client} --answer TOPIC=VALUE …, or take what is proposed: --accept", "dim")
