"""Write the pages of the manual that are made from declarations: ``python docs/generate.py`` (``make docs``).

A test compares what stands in ``docs/reference/`` with what this makes, so the pages cannot fall behind the code.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treaty.project.schemas import SettingReference

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Made by `make docs`: change the declarations, not this page. -->"


def cell(value: Any) -> str:
    """Write a value into a cell of a Markdown table."""
    return str(value).replace("|", "\\|").replace("\n", " ")


def code(value: Any) -> str:
    """Write a value as code, or nothing."""
    return f"`{cell(value)}`" if value not in ("", None) else ""


def visible(text: str) -> str:
    """Write characters that nobody sees as escapes."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def page(title: str, *parts: str) -> str:
    """Return a whole page."""
    return "\n\n".join([f"# {title}", NOTE, *parts]) + "\n"


def settings_table(settings: Iterable[SettingReference]) -> str:
    """Return the table of some settings."""
    rows = []
    for each in settings:
        told = each.help + (" (by reference: `env:`, `file:` or `keyring:`)" if each.secret else "")
        default = "required" if each.required else code(each.default)
        rows.append(
            (
                code(each.path),
                cell("reference" if each.type == "anything" and each.secret else each.type),
                cell(told),
                default,
                code(each.example),
            )
        )
    return table(("setting", "type", "what it says", "default", "example"), rows)


def functions_page() -> str:
    """List every standard function with its examples."""
    from treaty.operations.functions import functions

    found = functions().functions
    parts = [
        f"{len(found)} functions, for cells and for decisions. A *spelling* function loses nothing and chooses nothing; a *choosing* one belongs into a "
        "decision record, and anywhere else it is the finding `hidden-decision`. With a null argument a function is null, unless it says otherwise; "
        "where it fails, the reason is one of those named. Every example is run by the tests, on every engine. `treaty functions` prints the same."
    ]
    for group in dict.fromkeys(each.group for each in found):
        parts.append(f"## {group[0].upper()}{group[1:]}")
        for each in found:
            if each.group != group:
                continue
            told = [each.help + ".", f"*{each.tag}*"]
            if each.reasons:
                told.append(f"fails: {', '.join(f'`{reason}`' for reason in each.reasons)}")
            if not each.strict:
                told.append("looks at nulls itself")
            examples = "\n".join(f"    {visible(example)}" for example in each.examples)
            parts.append(f"### `{each.signature}`\n\n{' · '.join(told)}" + (f"\n\n{examples}" if examples else ""))
    return page("Standard functions", *parts)


def settings_page() -> str:
    """List every setting of every kind of project file."""
    from treaty.project.schemas import reference

    parts = [
        "Everything a project may say, as the loader knows it. NAME stands for a name of yours, `[]` for each element of a list. Texts that look like "
        "numbers or dates stay texts. Data contracts (`models/*.yaml`) follow the Open Data Contract Standard v3.1.0; see [concepts](../concepts.md#models). "
        "`treaty schema --to .schemas` writes JSON Schemas for your editor, from the same declarations."
    ]
    for file in reference():
        parts += [f"## `{file.files}`", settings_table(file.settings)]
    return page("Settings", *parts)


def process_settings_page() -> str:
    """List the settings of a process, which are environment variables."""
    import dataclasses
    import inspect

    from treaty.settings import RuntimeSettings

    documented = inspect.getsource(RuntimeSettings).splitlines()
    rows = []
    for each in dataclasses.fields(RuntimeSettings):
        line = next(line for line in documented if line.strip().startswith(f"{each.name}:"))
        default = "as many as there are processors" if each.default is dataclasses.MISSING else f"`{each.default}`"
        rows.append((f"`TREATY_{each.name.upper()}`", default, cell(line.partition("#")[2].strip())))
    intro = "How one process works, whatever the project says. Each is an environment variable with a whole number; the limits of a project are in [settings](settings.md)."
    return page("Settings of a process", intro, table(("variable", "default", "what it says"), rows))


def findings_page() -> str:
    """List every finding that ``treaty check`` can make."""
    from treaty.rules.checking import RULES

    rows = sorted((code(rule.code), str(rule.severity), cell(rule.title), cell(rule.why), cell(rule.remedy)) for rule in RULES)
    intro = (
        "What the rules of `treaty check` find. An error stops `treaty run`, a warning does not. The loader adds findings of its own "
        "(a file that cannot be read, an unknown setting, a missing one), each with its place and remedy too."
    )
    return page("Findings", intro, table(("code", "severity", "what", "why it matters", "what to do"), rows))


def connectors_page() -> str:
    """List every connector with its settings."""
    from treaty.connectors.formats.interface import file_formats, load_format
    from treaty.connectors.registry import list_connectors, load_connector
    from treaty.project.formats import FORMATS
    from treaty.project.schemas import references

    parts = [
        "A system names its connector; `connection` says how to reach it, each stream's `read` and `write` what to take or fill. Secrets are references "
        "(`env:NAME`, `file:PATH`, `keyring:SERVICE/NAME`), never texts. Yours are found through the same entry point: see CONTRIBUTING."
    ]
    for kind in list_connectors():
        connector = load_connector(kind)
        parts.append(f"## `{kind}`")
        if connector.modes:
            parts.append(f"Delivery modes: {', '.join(f'`{mode}`' for mode in sorted(connector.modes))}.")
        for place in ("connection", "read", "write"):
            declaration = getattr(connector, place)
            if declaration is None:
                parts.append(f"### `{place}`\n\nNone: this connector is a {'sink' if place == 'read' else 'source'} only.")
                continue
            parts.append(f"### `{place}`\n\n{(declaration.__doc__ or '').strip()}\n\n{settings_table(references(declaration))}")
            if place == "read" and connector.formats:
                parts.append(f"Its format adds settings: {', '.join(f'[`{name}`](#format-{name})' for name in connector.formats)}.")
    for name in file_formats():
        found = load_format(name, "the manual")
        settings = references(found.settings)
        ends = FORMATS[name].extensions
        told = f"{(sys.modules[found.read.__module__].__doc__ or '').strip()}\n\nFiles end in {', '.join(code(each) for each in ends)}."
        parts.append(f"## Format `{name}`\n\n{told}" + (f"\n\n{settings_table(settings)}" if settings else ""))
    return page("Connectors", *parts)


def packs_page() -> str:
    """List every pack with its models and decisions."""
    from treaty.project.files import catalog_folder, shipped_packs
    from treaty.project.loading import load_project

    parts = [
        "A pack is a project folder to build on: models, decisions and mappings, no secrets. `treaty init DIR --pack NAME` begins with one; `packs: [NAME]` in "
        "`treaty.yaml` adds one, a folder of your own as `./packs/NAME`. What a project says itself replaces what its packs say under the same name."
    ]
    for name in shipped_packs():
        project = load_project(catalog_folder() / name)
        head = [
            line.removeprefix("# ")
            for line in (catalog_folder() / name / "treaty.yaml").read_text(encoding="utf-8").splitlines()
            if line.startswith("# ")
        ]
        parts.append(f"## `{name}`\n\n" + "\n".join(head))
        for model in sorted(project.models.values(), key=lambda each: each.name):
            fields = ", ".join(f"`{each.name}`" + (f" ({each.business_term})" if each.business_term else "") for each in model.properties)
            parts.append(f"### Model `{model.name}`\n\n{model.description}\n\n{len(model.properties)} fields: {fields}.")
        rows = [(code(each.id), each.kind, cell(each.title)) for each in sorted(project.decisions.values(), key=lambda each: each.id)]
        parts.append(f"### Decisions of `{name}`\n\n{table(('decision', 'kind', 'what was decided'), rows)}")
        if project.mappings:
            rows = [(code(each.name), code(each.from_), code(each.to)) for each in project.mappings.values()]
            parts.append(f"### Mappings of `{name}`\n\n{table(('mapping', 'from', 'to'), rows)}")
    return page("Packs", *parts)


def verbs_page() -> str:
    """List every verb with its arguments."""
    from treaty.cli.verbs import GROUPS

    parts = [
        "`treaty [--project DIR] [--environment NAME] VERB …`. Every verb takes `--json` and then prints a documented shape ([JSON shapes](../json-shapes.md)). "
        "People get tables and colour on a terminal, plain lines in a pipe.",
        table(
            ("exit status", "meaning"),
            [
                ("0", "good"),
                ("1", "the answer is no: findings, failed tests, verify broken"),
                ("2", "wrong use, or it could not be done"),
                ("70", "a defect of Treaty"),
                ("130", "interrupted"),
            ],
        ),
    ]
    for title, verbs in GROUPS:
        parts.append(f"## {title}")
        for verb in verbs:
            parser = argparse.ArgumentParser(prog=f"treaty {verb.name}", add_help=False)
            verb.configure(parser)
            told = f"### `treaty {verb.name}`\n\n{verb.help[0].upper()}{verb.help[1:]}.\n\n    $ {verb.example}"
            rows = arguments_of(parser)
            parts.append(told + (f"\n\n{table(('argument', 'what it says'), rows)}" if rows else ""))
    return page("Verbs", *parts)


def arguments_of(parser: argparse.ArgumentParser, prefix: str = "") -> list[tuple[str, str]]:
    """Return the arguments of a parser, those of its sub-commands included."""
    rows: list[tuple[str, str]] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            told = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, inner in action.choices.items():
                rows.append((f"`{prefix}{name}`", cell(told.get(name, ""))))
                rows += arguments_of(inner, f"{name} ")
            continue
        if action.help == argparse.SUPPRESS or "--help" in action.option_strings:
            continue
        value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
        name = f"{action.option_strings[-1]}{value}" if action.option_strings else str(action.metavar or action.dest)
        rows.append((f"`{prefix}{name}`", cell(action.help or "")))
    return rows


PAGES: dict[str, Callable[[], str]] = {
    "functions": functions_page,
    "settings": settings_page,
    "process-settings": process_settings_page,
    "findings": findings_page,
    "connectors": connectors_page,
    "packs": packs_page,
    "verbs": verbs_page,
}


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (REFERENCE / f"{name}.md").write_text(make(), encoding="utf-8")
        print(f"docs/reference/{name}.md")


if __name__ == "__main__":
    main()
