"""The verbs that read what a run made: records, explain and verify."""

from __future__ import annotations

import argparse

import treaty
from treaty.cli.arguments import time
from treaty.cli.explaining import print_explanation
from treaty.cli.output import Output, Styled
from treaty.errors import UsageError
from treaty.operations.records import record_lines
from treaty.project.findings import suggest

SHOWN_ROWS, SHOWN_FIELDS = 50, 8  # what a table shows where nothing is said


def configure_records(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty records``."""
    parser.add_argument("model", metavar="MODEL", help="a canonical model")
    parser.add_argument("--client", help="only this client's")
    parser.add_argument("--limit", type=int, metavar="N", help=f"at most so many; else a table shows {SHOWN_ROWS}, and --json all")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--as-of", type=time, metavar="TIME", help="as readers saw them at that time: 2026-11-21T14:00+01:00; without an offset in UTC")
    when.add_argument("--as-of-apply", metavar="ID", help="as they were once that apply was committed: an id of `treaty apply --list`, or how it begins")
    parser.add_argument(
        "--fields", metavar="NAME[,NAME…]", help=f"the fields of the table, or `all`; else the first {SHOWN_FIELDS} that are filled"
    )


def do_records(arguments: argparse.Namespace, output: Output) -> int:
    """Print the golden records: JSON Lines with --json, else a table of the first fields that are filled."""
    asked = {
        "environment": arguments.environment, "client": arguments.client, "as_of": arguments.as_of, "as_of_apply": arguments.as_of_apply,
    }  # fmt: skip
    if output.as_json:
        for line in record_lines(arguments.model, arguments.project, limit=arguments.limit, **asked):
            output.text(line)
        return 0
    limit = SHOWN_ROWS if arguments.limit is None else arguments.limit
    table = treaty.records(arguments.model, arguments.project, limit=limit + 1, **asked)
    more = table.num_rows > limit
    rows = table.slice(0, limit).to_pylist()
    fields = [name for name in table.column_names if not name.startswith("_")]
    names = _shown_fields(arguments.model, arguments.fields, fields, rows)
    shown = [
        (row["_client"], *(_brief(row[name]) for name in names), "; ".join(_source(each) for each in row["_sources"]), row["_findings"])
        for row in rows
    ]
    output.table(("client", *names, "sources", "findings"), shown)
    told = (
        f"The first {len(rows)} golden records of {arguments.model}; --limit N shows more"
        if more
        else f"{len(rows)} golden records of {arguments.model}"
    )
    output.line(f"{told}.", "bold")
    if len(names) < len(fields):
        output.line(
            f"{len(names)} of {len(fields)} fields: name them with --fields {names[0] if names else 'NAME'},…, or see all with --fields all.",
            "dim",
        )
    return 0


def _shown_fields(model: str, wanted: str | None, fields: list[str], rows: list[dict[str, object]]) -> list[str]:
    """Return the fields that a table shows; raise UsageError where one is named that the model has not."""
    if wanted is None:
        filled = [name for name in fields if any(row[name] not in (None, []) for row in rows)]
        return (filled or fields)[:SHOWN_FIELDS]
    if wanted == "all":
        return fields
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in names:
        if name not in fields:
            raise UsageError(f"The model {model} has no field {name!r}.", remedy=suggest(name, fields, f"Fields: {', '.join(fields)}."))
    return names


def _brief(value: object) -> object:
    if isinstance(value, list):
        return f"{len(value)} × …" if value and isinstance(value[0], dict) else value
    return value


def _source(source: dict[str, str]) -> str:
    return f"{source['system']}/{source['stream']}/{source['source_key']}"


def configure_explain(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty explain``."""
    parser.add_argument("model", metavar="MODEL", help="a canonical model")
    parser.add_argument("key", metavar="KEY", nargs="?", help="canonical id, or business key with its parts joined by |")
    parser.add_argument("field", metavar="FIELD", nargs="?", help="the field to explain; without it the record as a whole")
    parser.add_argument("--client", help="the client, where several have such a record")
    parser.add_argument(
        "--source", metavar="SYSTEM/STREAM/KEY", help="a record by its place in the source, for what never became canonical"
    )


def do_explain(arguments: argparse.Namespace, output: Output) -> int:
    """Explain one value or record; status 1 where what is stored differs, or there is no such record."""
    key, field = arguments.key, arguments.field
    if arguments.source is not None:
        if field is not None:
            raise UsageError("Both a KEY and --source are given.", remedy="With --source write only MODEL and, if you like, FIELD.")
        key, field = None, key
    elif key is None:
        raise UsageError("No record is named.", remedy="Give KEY, or --source SYSTEM/STREAM/KEY for what never became canonical.")
    result = treaty.explain(
        arguments.model, key, field, project=arguments.project, environment=arguments.environment,
        client=arguments.client, source=arguments.source,
    )  # fmt: skip
    if output.as_json:
        output.json(result)
    else:
        print_explanation(result, output)
    return 0 if result.found and result.agrees is not False else 1


def configure_verify(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``treaty verify``."""
    parser.add_argument("--client", help="only this client")


def do_verify(arguments: argparse.Namespace, output: Output) -> int:
    """Print the sums; status 1 where one does not add up."""
    result = treaty.verify(arguments.project, environment=arguments.environment, client=arguments.client)
    if output.as_json:
        output.json(result)
    else:
        print_verification(result, output)
    return 0 if result.ok else 1


def print_verification(result: treaty.VerifyResult, output: Output) -> None:
    """Print what landed against what became of it, and what is desired against what was acknowledged."""
    states = ("canonical", "superseded", "quarantined", "duplicate", "filtered", "erased", "pending")
    rows = [
        (each.client, each.stream, each.mapping, each.landed, *(each.dispositions.get(state, 0) for state in states), _sign(each.ok))
        for each in result.streams
    ]
    output.table(("client", "stream", "mapping", "landed", *states, ""), rows)
    outcomes = ("acknowledged", "dead_lettered", "ambiguous", "coalesced", "held", "waiting")
    if result.sinks:
        sinks = [
            (each.client, each.sink, each.mapping, each.desired, *(getattr(each, name) for name in outcomes), _sign(each.ok))
            for each in result.sinks
        ]
        output.table(("client", "sink", "mapping", "desired", *(name.replace("_", "-") for name in outcomes), ""), sinks)
    for problem in result.problems:
        output.line(problem, "bold red")
    output.line(
        "Everything is accounted for." if result.ok else "Something is not accounted for.", "bold green" if result.ok else "bold red"
    )


def _sign(ok: bool) -> Styled:
    return Styled("ok", "green") if ok else Styled("broken", "bold red")
