"""The verbs of the command line: what each is for, and the module that knows its arguments.

Only the module of the verb that was typed is imported, so that help costs nothing.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treaty.cli.output import Output


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: its module has ``configure_NAME(parser)`` and ``do_NAME(arguments, output)``, which returns the exit status."""

    name: str
    help: str
    module: str
    example: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's own arguments to a parser."""
        configure: Callable[[argparse.ArgumentParser], None] = getattr(self._load(), f"configure_{self.name}")
        configure(parser)

    def do(self, arguments: argparse.Namespace, output: Output) -> int:
        """Call the verb's operation, print what it found, and return the exit status."""
        do: Callable[[argparse.Namespace, Output], int] = getattr(self._load(), f"do_{self.name}")
        return do(arguments, output)

    def _load(self) -> object:
        return importlib.import_module(f"treaty.cli.{self.module}")


GROUPS: tuple[tuple[str, tuple[Verb, ...]], ...] = (
    (
        "Begin",
        (
            Verb("init", "make a project folder, with packs if you like", "beginning", "treaty init ledger --pack einvoice"),
            Verb("onboard", "take what a client gives first: propose and write its files, ask what is open, try them", "onboarding", "treaty onboard corva export.csv"),
            Verb("demo", "make the demo project, run it, and walk through what it shows", "showing", "treaty demo"),
            Verb("doctor", "see whether everything Treaty needs is there, and every system can be reached", "upkeep", "treaty doctor"),
            Verb("stop", "stop the embedded PostgreSQL of this project", "upkeep", "treaty stop"),
        ),
    ),
    (
        "Model",
        (
            Verb("check", "find every problem of the project, each with its place and remedy", "modelling", "treaty check"),
            Verb("test", "run the examples of the decisions on the engine that production uses", "modelling", "treaty test"),
            Verb("read", "show how Treaty reads a file or a stream, before any mapping", "source_reading", "treaty read orders.csv --json"),
            Verb("match", "say which field of one side is which of another, how surely and why", "matching", "treaty match export.csv party/contact"),
            Verb("try", "show what one pasted record would become, without a lake", "trying", "treaty try ubl.invoices invoice.xml"),
            Verb("coverage", "list what governs each field, what no code list covers, and what never fires", "modelling", "treaty coverage"),
            Verb("overlay", "show what holds for one client: inherited, overridden, added, excluded, with reasons", "deciding", "treaty overlay acme"),
            Verb("signals", "find overrides that several clients share, and those that say nothing new", "deciding", "treaty signals"),
            Verb("decide", "draft a decision from quarantine, extend a code list, or adopt a shared override", "deciding", "treaty decide --from-quarantine 3f9a61c2d0be"),
            Verb("functions", "list the standard functions with their examples", "reference", "treaty functions text"),
            Verb("schema", "write JSON Schemas of the project's files, for editors", "reference", "treaty schema --to .schemas"),
        ),
    ),
    (
        "Review",
        (
            Verb("plan", "compare the folder with what is applied, over what has landed, and class each change", "planning", "treaty plan --markdown"),
            Verb("apply", "make a plan true in one commit, and deliver what differs; or roll back", "planning", "treaty apply plan-1c9e"),
        ),
    ),
    (
        "Run",
        (
            Verb("run", "extract, land, conform, resolve, commit, deliver and verify", "running", "treaty run"),
            Verb("records", "print the golden records of a model", "reading", "treaty records invoice --client acme"),
            Verb("explain", "say why a value is what it is, from source bytes to delivery", "reading", "treaty explain contact ann@example.com phone"),
            Verb("drift", "list how the shape of what landed has changed", "drifting", "treaty drift crm/contacts"),
            Verb("quarantine", "list, show, replay or discard what was set aside", "stewardship", "treaty quarantine list"),
            Verb("deliveries", "list what sinks refused or have not got, and send it again", "delivering", "treaty deliveries list"),
            Verb("correct", "correct a golden field as a steward, with a reason", "stewardship", "treaty correct contact ann@example.com phone +3225550100 --reason 'called her'"),
            Verb("verify", "prove that everything that landed is accounted for", "reading", "treaty verify"),
        ),
    ),
)

VERBS: dict[str, Verb] = {verb.name: verb for _, verbs in GROUPS for verb in verbs}
