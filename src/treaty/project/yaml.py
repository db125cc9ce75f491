"""YAML as configuration only: no tags, aliases, anchors, merge keys or duplicate keys, and no surprises in scalars.

Read from libyaml's events, so that every node keeps its line and column. Plain scalars follow the YAML 1.2 core schema
without leading zeros: ``no``, ``010`` and ``1:30`` are text; only ``true``, ``false``, ``null`` and plain numbers are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

import yaml

from treaty.project.findings import Findings, Position
from treaty.project.masking import mask, unmask

INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+\Z")
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
COLON_PROBLEM = "mapping values are not allowed in this context"  # libyaml's words
COLON = ("a colon before a space, which begins a table, within a value that is not quoted", "Quote the value; where a table was meant, check indentation.")
MEND = "Mend the line: check indentation, colons, brackets and quotes."
MAX_DEPTH = 50
MAX_CHARACTERS = 2_000_000


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A text; ``plain`` where it was written without quotes, so that it may stand for a number, a boolean or null.

    ``position`` is that of its first character, so that places inside the text follow by counting (:func:`wrap_position`).
    """

    text: str
    plain: bool
    position: Position

    @property
    def value(self) -> str | int | bool | Decimal | None:
        """The value by the core schema; numbers with a point are exact."""
        if not self.plain:
            return self.text
        if self.text in NULLS:
            return None
        if self.text in BOOLEANS:
            return BOOLEANS[self.text]
        if INTEGER.match(self.text):
            return int(self.text)
        if NUMBER.match(self.text):
            return Decimal(self.text)
        return self.text


@dataclass(slots=True)
class ListNode:
    """An ordered list of nodes."""

    position: Position
    items: list[Node] = field(default_factory=list)

    @property
    def value(self) -> list[Any]:
        """The values of the items."""
        return [item.value for item in self.items]


@dataclass(slots=True)
class MapNode:
    """Keys, each with its own position, and their nodes."""

    position: Position
    keys: dict[str, Position] = field(default_factory=dict)
    items: dict[str, Node] = field(default_factory=dict)

    @property
    def value(self) -> dict[str, Any]:
        """The values by key."""
        return {key: item.value for key, item in self.items.items()}


Node: TypeAlias = ScalarNode | ListNode | MapNode


class _Builder:
    """Builds one document's nodes from libyaml's events and keeps the problems it meets."""

    def __init__(self, text: str, file: str, findings: Findings, first_line: int) -> None:
        self.text = text
        self.file = file
        self.findings = findings
        self.first_line = first_line
        self.root: Node | None = None
        self.stack: list[tuple[ListNode | MapNode, list[ScalarNode]]] = []
        self.dropped = 0  # depth inside a key that is no text, or below MAX_DEPTH

    def position(self, mark: Any) -> Position:
        return Position(self.file, mark.line + self.first_line, mark.column + 1)

    def content(self, event: Any) -> Position:
        """Return where a text's first character stands: after its quote, or below the sign of a block."""
        start = self.position(event.start_mark)
        if event.style in ("'", '"'):
            return Position(start.file, start.line, start.column + 1)
        if event.style not in ("|", ">"):
            return start
        for number, line in enumerate(self.text.split("\n")[event.start_mark.line + 1 :], start=1):
            if line.strip():
                return Position(start.file, start.line + number, len(line) - len(line.lstrip(" ")) + 1)
        return start

    def build(self, events: Iterator[Any]) -> Node | None:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.findings.error(
                        "yaml-documents",
                        "a second document begins here",
                        "Keep one document a file: remove the line '---'.",
                        self.position(event.start_mark),
                    )
                    break
            else:
                self.event(event)
        return self.root

    def event(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            where = self.position(event.start_mark)
            self.findings.error("yaml-alias", f"an alias (*{event.anchor}) is not taken", "Write the value out where it is used.", where)
            self.put(ScalarNode("", True, where))
        elif isinstance(event, yaml.ScalarEvent):
            self.marks(event)
            plain = not event.style
            self.put(ScalarNode(unmask(event.value), plain, self.content(event)))
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self.marks(event)
            self.open(event)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            if self.dropped:
                self.dropped -= 1
            else:
                self.stack.pop()

    def open(self, event: Any) -> None:
        where = self.position(event.start_mark)
        if self.dropped:
            self.dropped += 1
            return
        if len(self.stack) >= MAX_DEPTH:
            self.findings.error("yaml-depth", f"nested deeper than {MAX_DEPTH}", "Split it up.", where)
            self.put(ScalarNode("", True, where))
            self.dropped = 1
            return
        if self.stack and isinstance(self.stack[-1][0], MapNode) and not self.stack[-1][1]:
            self.findings.error("yaml-key", "a key must be a text", "Write a plain name before the colon.", where)
            self.put(ScalarNode(f"?{where.line}:{where.column}", False, where))
            self.dropped = 1
            return
        node: ListNode | MapNode = ListNode(where) if isinstance(event, yaml.SequenceStartEvent) else MapNode(where)
        self.put(node)
        self.stack.append((node, []))

    def marks(self, event: Any) -> None:
        """Refuse tags and anchors."""
        if event.tag is not None:
            self.findings.error(
                "yaml-tag",
                f"a tag ({event.tag}) is not taken",
                "Remove the tag; quote the value if it is a text.",
                self.position(event.start_mark),
            )
        if event.anchor is not None:
            self.findings.error(
                "yaml-alias",
                f"an anchor (&{event.anchor}) is not taken",
                "Remove it and write the value out where it is used.",
                self.position(event.start_mark),
            )

    def put(self, node: Node) -> None:
        if self.dropped:
            return
        if not self.stack:
            self.root = node
            return
        parent, pending = self.stack[-1]
        if isinstance(parent, ListNode):
            parent.items.append(node)
        elif not pending:
            if isinstance(node, ScalarNode):
                pending.append(node)
        else:
            self.add(parent, pending.pop(), node)

    def add(self, parent: MapNode, key: ScalarNode, node: Node) -> None:
        if key.text == "<<" and key.plain:
            self.findings.error("merge-key", "a merge key (<<) is not taken", "Write the settings out.", key.position)
        elif key.text in parent.items:
            first = parent.keys[key.text]
            self.findings.error(
                "duplicate-key", f"{key.text!r} is written twice; first in line {first.line}", "Keep one of the two.", key.position
            )
        else:
            parent.keys[key.text] = key.position
            parent.items[key.text] = node


def parse_yaml(content: bytes | str, file: str, findings: Findings, *, first_line: int = 1) -> Node | None:
    """Read one document; problems go to ``findings``. None where there is nothing to go on with."""
    text = decode_text(content, file, findings)
    if text is None:
        return None
    if len(text) > MAX_CHARACTERS:
        findings.error(
            "file-too-large", f"the file has more than {MAX_CHARACTERS:,} characters", "Split it into several files.", Position(file)
        )
        return None
    problems = Findings()
    root = _parse(text, file, problems, first_line)
    if any(each.code == "yaml-syntax" for each in problems):
        masked = mask(text)
        again = Findings()
        parsed = _parse(masked, file, again, first_line) if masked is not None else None
        if masked is not None:
            root, problems = parsed, again
    findings.extend(problems)
    if problems and root is None:
        return None
    if root is None:
        findings.error("empty-file", "the file declares nothing", "Fill it, or remove it.", Position(file, first_line))
    return root


def _parse(text: str, file: str, findings: Findings, first_line: int) -> Node | None:
    builder = _Builder(text, file, findings, first_line)
    try:
        return builder.build(yaml.parse(text, Loader=yaml.CLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = builder.position(mark) if mark else Position(file, first_line)
        problem = " ".join(part for part in (error.context, error.problem) if part)
        message, remedy = COLON if error.problem == COLON_PROBLEM else (problem, MEND)
        findings.error("yaml-syntax", f"not YAML: {message}", remedy, where)
    except yaml.YAMLError as error:
        where = Position(file, first_line)
        findings.error(
            "yaml-syntax", f"not YAML: {str(error).splitlines()[0]}", "Remove control characters and save the file as UTF-8.", where
        )
    return None


def decode_text(content: bytes | str, file: str, findings: Findings) -> str | None:
    """Return the text of a UTF-8 file without its byte order mark, or None and a finding."""
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        findings.error(
            "not-utf-8", f"byte 0x{content[error.start]:02x} is not UTF-8", "Save the file as UTF-8.", Position(file, line, column)
        )
        return None


def wrap_position(position: Position, content: bytes | None) -> Position:
    """Return a place that was counted on along a text past the end of its line: where that character really stands.

    In a text over several lines a line break and the next line's indentation count as one character.
    """
    lines = content.decode("utf-8", "replace").removeprefix("\ufeff").splitlines() if content else []
    line, column = position.line, position.column
    while line < len(lines) and column > len(lines[line - 1].rstrip()) + 1:
        column -= len(lines[line - 1].rstrip()) + 1
        line += 1
        column += len(lines[line - 1]) - len(lines[line - 1].lstrip())
    return Position(position.file, line, column) if line <= len(lines) else position
