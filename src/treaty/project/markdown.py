"""Decision records: Markdown in MADR form with YAML front matter (https://adr.github.io/madr/)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from treaty.project.declarations import ANY_KIND, KIND_SETTINGS, DecisionRecord
from treaty.project.findings import Findings, Position, suggest
from treaty.project.reading import read_declared
from treaty.project.yaml import MapNode, ScalarNode, decode_text, parse_yaml

HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$")
BULLET = re.compile(r"^[*+-]\s+(.*)$")
FENCE = re.compile(r"^\s*(```|~~~)")
# MADR's longer headings, and the name under which a section is kept.
SECTION_NAMES: Mapping[str, str] = {
    "context and problem statement": "context",
    "decision outcome": "outcome",
    "options": "considered options",
    "more information": "evidence",
}


@dataclass(frozen=True, slots=True)
class DecisionFile:
    """One file of ``decisions/``: its front matter as nodes, and its prose."""

    settings: MapNode
    sections: Mapping[str, str]
    options: tuple[str, ...]


def parse_decision(content: bytes, file: str, findings: Findings) -> DecisionFile | None:
    """Split a decision record into front matter and prose; None, and a finding, where it has no front matter."""
    text = decode_text(content, file, findings)
    if text is None:
        return None
    lines = text.splitlines()
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == "---"), None)
    if not lines or lines[0].rstrip() != "---" or end is None:
        findings.error(
            "no-front-matter",
            "a decision record begins with settings between two lines '---'",
            "Put them at the top of the file.",
            Position(file),
        )
        return None
    settings = parse_yaml("\n".join(lines[1:end]) + "\n", file, findings, first_line=2)
    if settings is None:
        return None
    if not isinstance(settings, MapNode):
        findings.error("wrong-type", "the front matter must be settings (key: value)", "Write 'key: value' lines.", settings.position)
        return None
    sections = parse_sections(lines[end + 1 :])
    return DecisionFile(settings, sections, parse_options(sections.get("considered options", "")))


def parse_sections(lines: list[str]) -> dict[str, str]:
    """Return the text below each heading, by the heading in lower case (MADR's long ones by their short name)."""
    sections: dict[str, list[str]] = {}
    current: list[str] = sections.setdefault("", [])
    fenced = False
    for line in lines:
        if FENCE.match(line):
            fenced = not fenced
        heading = None if fenced else HEADING.match(line)
        if heading:
            name = heading.group(1).lower()
            current = sections.setdefault(SECTION_NAMES.get(name, name), [])
        else:
            current.append(line)
    return {name: "\n".join(body).strip() for name, body in sections.items() if name or "".join(body).strip()}


def parse_options(text: str) -> tuple[str, ...]:
    """Return the bullets of the section on considered options; a bullet may run over several lines."""
    options: list[str] = []
    for line in text.splitlines():
        bullet = BULLET.match(line)
        if bullet:
            options.append(bullet.group(1).strip())
        elif options and line.startswith((" ", "\t")) and line.strip():
            options[-1] += " " + line.strip()
    return tuple(options)


def read_decision(parsed: DecisionFile, findings: Findings, origin: str) -> DecisionRecord | None:
    """Read a decision record from its parts, and check that it says what its kind must say."""
    kind = check_kind(parsed.settings, findings)
    extra = {"sections": parsed.sections, "options": parsed.options, "origin": origin}
    record = read_declared(DecisionRecord, parsed.settings, findings, extra=extra)
    return record if kind else None


def check_kind(settings: MapNode, findings: Findings) -> bool:
    """Report settings that a decision's kind needs and lacks, or that belong to another kind."""
    node = settings.items.get("kind")
    kind = node.text if isinstance(node, ScalarNode) else ""
    if kind not in KIND_SETTINGS:
        return False  # the reader reports what is wrong with the kind
    needed, allowed = KIND_SETTINGS[kind]
    known = (*ANY_KIND, *needed, *allowed)
    others = {key for required, optional in KIND_SETTINGS.values() for key in (*required, *optional)}
    for key, position in settings.keys.items():
        if key in others and key not in known:
            findings.error(
                "setting-of-other-kind",
                f"{key!r} does not belong to a decision of kind {kind}",
                suggest(key, needed + allowed, "Remove it."),
                position,
            )
    complete = True
    for key in needed:
        if key not in settings.items:
            findings.error(
                "missing-setting", f"{key!r} is missing: a decision of kind {kind} needs it", f"Add '{key}:'.", settings.position
            )
            complete = False
    if kind == "transformation" and ("expression" in settings.items) == ("cases" in settings.items):
        findings.error(
            "missing-setting",
            "a transformation has either an expression or a table of cases",
            "Give one of 'expression:' and 'cases:'.",
            settings.position,
        )
        complete = False
    if kind == "transformation" and "cases" in settings.items and "otherwise" not in settings.items:
        findings.error("missing-setting", "'otherwise' is missing: the result when no case matches", "Add 'otherwise:'.", settings.position)
        complete = False
    if kind == "edge-case" and isinstance(settings.items.get("treatment"), ScalarNode):
        treatment = settings.items["treatment"]
        assert isinstance(treatment, ScalarNode)
        if (treatment.text == "normalise") != ("set" in settings.items):
            findings.error(
                "missing-setting",
                "'set' says what normalise does, and only normalise has it",
                "Add 'set:' for normalise; remove it for other treatments.",
                settings.position,
            )
            complete = False
    return complete
