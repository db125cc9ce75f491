"""The command line: find the verb, parse its arguments, call it, and turn errors into a message and an exit status.

Exit status: 0 good; 1 the answer is no (findings, failed tests, verify broken); 2 wrong use, or it could not be done;
70 a defect in Treaty itself; 130 interrupted.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from treaty.cli.output import Output
from treaty.cli.verbs import GROUPS, VERBS, Verb
from treaty.errors import DefectError, TreatyError, UsageError

GOOD, NO, WRONG_USE, DEFECT, INTERRUPTED = 0, 1, 2, 70, 130


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser that raises :class:`UsageError` and leaves printing and exiting to :func:`main`."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        text = message[:1].upper() + message[1:]
        raise UsageError(f"{text.rstrip('.')}.", remedy=f"See `{self.prog} --help`.")


def add_shared(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every verb takes."""
    shared = parser.add_argument_group("for every verb")
    shared.add_argument("--project", metavar="DIR", default=argparse.SUPPRESS, help="the project folder; else this folder or the nearest above it with a treaty.yaml")
    shared.add_argument("--environment", metavar="NAME", default=argparse.SUPPRESS, help="an environment of treaty.yaml; else `local`")
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the documented machine shape")


def render_help() -> str:
    """Return the text of ``treaty --help``."""
    lines = [
        "Treaty: integration is modelling, not plumbing. Decisions are files that people read and the engine runs.",
        "",
        "usage: treaty [--project DIR] [--environment NAME] VERB …",
    ]
    for title, verbs in GROUPS:
        lines += ["", f"{title}:", *(f"  {verb.name:<12} {verb.help}" for verb in verbs)]
    lines += [
        "",
        "Every verb takes --json, and `treaty VERB --help` shows its arguments and an example.",
        "Exit status: 0 good, 1 the answer is no, 2 wrong use. New here? Type `treaty demo`.",
    ]
    return "\n".join(lines)


def find_verb(name: str) -> Verb:
    """Return the verb of that name.

    Raises:
        UsageError: there is none; the remedy names the nearest.
    """
    if name in VERBS:
        return VERBS[name]
    from treaty.project.findings import nearest  # only a mistake pays for it

    found = nearest(name, VERBS)
    remedy = f"Did you mean `treaty {found}`?" if found else "`treaty --help` lists the verbs."
    raise UsageError(f"There is no verb {name!r}.", remedy=remedy)


def parse_arguments(argv: Sequence[str]) -> tuple[Verb | None, argparse.Namespace]:
    """Return the verb and its arguments; no verb where help or the version was asked for."""
    top = ArgumentParser(prog="treaty", add_help=False)
    add_shared(top)
    top.add_argument("-h", "--help", action="store_true")
    top.add_argument("--version", action="store_true")
    top.add_argument("verb", nargs="?")
    top.add_argument("rest", nargs=argparse.REMAINDER)
    outer = top.parse_args(argv)
    if outer.verb is None or outer.help or outer.version:
        return None, outer
    verb = find_verb(outer.verb)
    parser = ArgumentParser(
        prog=f"treaty {verb.name}",
        description=f"{verb.help[0].upper()}{verb.help[1:]}.",
        epilog=f"example: {verb.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.configure(parser)
    add_shared(parser)
    inner = {name: value for name, value in vars(outer).items() if name in ("project", "environment", "json")}
    defaults = {"project": None, "environment": None, "json": False}
    given = argparse.Namespace(**{**defaults, **inner})
    has_actions = any(isinstance(each, argparse._SubParsersAction) for each in parser._actions)
    return verb, parser.parse_args(outer.rest, given) if has_actions else parser.parse_intermixed_args(outer.rest, given)


def report(error: TreatyError, output: Output) -> int:
    """Print an error as what happened and what to do; return the exit status."""
    output.error(error.message, error.remedy)
    return DEFECT if isinstance(error, DefectError) else WRONG_USE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    output = Output(as_json=False)
    try:
        verb, arguments = parse_arguments(sys.argv[1:] if argv is None else argv)
        if verb is None:
            output.text(version() if arguments.version else render_help())
            return GOOD if arguments.help or arguments.version else WRONG_USE
        output = Output(as_json=arguments.json)
        return verb.do(arguments, output)
    except SystemExit as asked:  # argparse's --help of a verb
        return int(asked.code or 0)
    except TreatyError as error:
        return report(error, output)
    except BrokenPipeError:  # the reader of our output has gone: `treaty records … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GOOD
    except KeyboardInterrupt:
        output.error("Interrupted.", "Nothing is half done: type the same again to go on.")
        return INTERRUPTED
    except Exception as error:
        import traceback

        traceback.print_exc()
        output.error(f"Treaty has a defect: {type(error).__name__}: {error}", "Please report the lines above; your data is as the last commit left it.")
        return DEFECT


def version() -> str:
    """Return the installed version, as ``treaty 0.1.0``."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return f"treaty {installed('treaty')}"
    except PackageNotFoundError:
        return "treaty (not installed)"


def run() -> NoReturn:
    """Be the entry point ``treaty``: a process that makes many small objects and few cycles, and does no linear algebra."""
    gc.set_threshold(50_000, 20, 50)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy, which pyarrow imports, would start threads that wait actively
    sys.exit(main())
