"""Reads YAML nodes into the classes of :mod:`treaty.project.declarations`: one reader for every kind of file.

All problems are reported, each with its place; what could be read is kept, so that rules can go on with it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from treaty.project.declarations import FORMS, Deletes, FieldMapping, Positioned
from treaty.project.findings import Findings, Position, suggest
from treaty.project.yaml import INTEGER, ListNode, MapNode, Node, ScalarNode

Declared = TypeVar("Declared")
# A class that may be written as one text alone: the setting that the text fills.
SHORT_FORMS: Mapping[type, str] = {FieldMapping: "cell", Deletes: "mode"}
_MISSING: Any = object()


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One declared setting: its attribute, how it is written, its type, and what was declared about it."""

    attribute: str
    key: str
    type: Any
    help: str
    example: Any
    default: Any  # the default value, or REQUIRED
    secret: bool
    form: str
    null_is_text: bool

    @property
    def required(self) -> bool:
        """Whether a file must give it."""
        return self.default is REQUIRED


REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "required"})()


@functools.cache
def settings_of(declaration: type) -> tuple[Setting, ...]:
    """Return the settings that a declared class may be given in a file."""
    hints = typing.get_type_hints(declaration)
    found = []
    for each in dataclasses.fields(declaration):
        meta = each.metadata
        if meta.get("internal"):
            continue
        default: Any = REQUIRED
        if each.default is not dataclasses.MISSING:
            default = each.default
        elif each.default_factory is not dataclasses.MISSING:
            default = each.default_factory()
        found.append(
            Setting(
                attribute=each.name,
                key=meta.get("key") or each.name,
                type=hints[each.name],
                help=meta.get("help", ""),
                example=meta.get("example"),
                default=default,
                secret=meta.get("secret", False),
                form=meta.get("form", ""),
                null_is_text=meta.get("null_is_text", False),
            )
        )
    return tuple(found)


def read_declared(
    declaration: type[Declared], node: Node, findings: Findings, *, extra: Mapping[str, Any] | None = None
) -> Declared | None:
    """Read a node as one declared class; None where a required setting is missing or unusable.

    ``extra`` gives internal attributes (origin, sections) that no file may set.
    """
    places: dict[str, Position] = {}
    found = _Reader(findings, places).declared(declaration, node, "", extra or {})
    return None if found is _MISSING else typing.cast(Declared, found)


class _Reader:
    """Reads nested nodes, writing the place of every key path of the file into ``places``."""

    def __init__(self, findings: Findings, places: dict[str, Position]) -> None:
        self.findings = findings
        self.places = places

    def declared(self, declaration: type, node: Node, path: str, extra: Mapping[str, Any]) -> Any:
        node = expand(declaration, node)
        if not isinstance(node, MapNode):
            return self.wrong(node, "settings (key: value)", path)
        settings = {each.key: each for each in settings_of(declaration)}
        own = _Reader(self.findings, {})
        values: dict[str, Any] = dict(extra)
        for key, item in node.items.items():
            setting = settings.get(key)
            if setting is None:
                where = f" in {path}" if path else ""
                self.findings.error(
                    "unknown-setting", f"unknown setting {key!r}{where}", suggest(key, settings, "Remove it."), node.keys[key]
                )
                continue
            own.places[key] = item.position
            read = own.value(setting.type, item, key, setting)
            if read is not _MISSING:
                values[setting.attribute] = read
        complete = True
        for setting in settings.values():
            if setting.required and setting.key not in node.items:
                self.findings.error(
                    "missing-setting",
                    f"{setting.key!r} is missing{f' in {path}' if path else ''}: {setting.help}",
                    f"Add '{setting.key}:'{f', such as {setting.example!r}' if setting.example else ''}.",
                    node.position,
                )
            if setting.required and setting.attribute not in values:
                complete = False
        self.places.update({f"{path}.{key}" if path else key: place for key, place in own.places.items()})
        if not complete:
            return _MISSING
        if issubclass(declaration, Positioned):
            values["position"] = node.position
            values["places"] = own.places
        return declaration(**values)

    def value(self, kind: Any, node: Node, path: str, setting: Setting) -> Any:
        self.places[path] = node.position
        origin, args = get_origin(kind), get_args(kind)
        if origin in (types.UnionType, typing.Union):
            if _is_null(node) and not setting.null_is_text:
                return None
            return self.value(next(each for each in args if each is not type(None)), node, path, setting)
        if kind is Any:
            self.mark(node, path)
            return node.value
        if origin is Literal:
            return self.choice(args, node, path)
        if origin is tuple:
            return self.sequence(args[0], node, path, setting)
        if origin is not None and issubclass(origin, Mapping):
            return self.mapping(args[1], node, path, setting)
        if dataclasses.is_dataclass(kind):
            return self.declared(typing.cast(type, kind), node, path, {})
        return self.scalar(kind, node, path, setting)

    def scalar(self, kind: type, node: Node, path: str, setting: Setting) -> Any:
        if not isinstance(node, ScalarNode) or (_is_null(node) and not setting.null_is_text):
            return self.wrong(node, _describe(kind), path)
        text = node.text
        if setting.form and not re.match(FORMS[setting.form], text, re.DOTALL):
            if not (setting.form == "percent" and INTEGER.match(text) and 0 <= int(text) <= 100):
                example = f", such as {setting.example!r}" if setting.example else ""
                self.findings.error(
                    "wrong-form",
                    f"{path}: {text!r} is not a {setting.form}",
                    f"Write it as {FORM_HELP[setting.form]}{example}.",
                    node.position,
                )
                return _MISSING
            return int(text)
        if setting.form == "percent":
            return int(text.rstrip("%"))
        if kind is str:
            return text
        if kind is bool and isinstance(node.value, bool):
            return node.value
        if kind is int and isinstance(node.value, int) and not isinstance(node.value, bool):
            return node.value
        return self.wrong(node, _describe(kind), path)

    def choice(self, choices: tuple[str, ...], node: Node, path: str) -> Any:
        if isinstance(node, ScalarNode) and node.text in choices:
            return node.text
        shown = node.text if isinstance(node, ScalarNode) else "a list or settings"
        self.findings.error(
            "wrong-choice",
            f"{path}: {shown!r} is none of {', '.join(choices)}",
            suggest(shown, choices, "Choose one of them."),
            node.position,
        )
        return _MISSING

    def sequence(self, kind: Any, node: Node, path: str, setting: Setting) -> Any:
        if isinstance(node, ScalarNode) and kind is str and not _is_null(node):
            self.places[f"{path}.0"] = node.position
            return (node.text,)
        if not isinstance(node, ListNode):
            return self.wrong(node, "a list", path)
        read = [self.value(kind, item, f"{path}.{number}", setting) for number, item in enumerate(node.items)]
        return tuple(each for each in read if each is not _MISSING)

    def mapping(self, kind: Any, node: Node, path: str, setting: Setting) -> Any:
        if not isinstance(node, MapNode):
            return self.wrong(node, "settings (key: value)", path)
        read = {key: self.value(kind, item, f"{path}.{key}", setting) for key, item in node.items.items()}
        return {key: each for key, each in read.items() if each is not _MISSING}

    def mark(self, node: Node, path: str) -> None:
        """Keep the places below a setting of free form."""
        self.places[path] = node.position
        if isinstance(node, MapNode):
            for key, item in node.items.items():
                self.mark(item, f"{path}.{key}")
        elif isinstance(node, ListNode):
            for number, item in enumerate(node.items):
                self.mark(item, f"{path}.{number}")

    def wrong(self, node: Node, wanted: str, path: str) -> Any:
        shown = (
            "a list"
            if isinstance(node, ListNode)
            else "settings"
            if isinstance(node, MapNode)
            else repr(node.text)
            if node.text
            else "nothing"
        )
        self.findings.error("wrong-type", f"{path or 'the file'}: expected {wanted}, found {shown}", f"Write {wanted}.", node.position)
        return _MISSING


FORM_HELP: Mapping[str, str] = {
    "name": "a name of letters, digits, '.', '_' and '-', beginning with a letter",
    "date": "YYYY-MM-DD",
    "duration": "a number and s, m, h, d or w",
    "percent": "a share from 0% to 100%",
    "signature": "name(param: type, …) -> type",
    "missing": "keep-open, stub, null or 'quarantine after D'",
    "stream": "system/stream",
    "secret-reference": "env:NAME, file:PATH or keyring:SERVICE/NAME",
}


def expand(declaration: type, node: Node) -> Node:
    """Write a short form out: a field as its cell alone, ``deletes: none``, ``deletes: {snapshot: {guard: 20%}}``."""
    short = SHORT_FORMS.get(declaration)
    if short is None:
        return node
    if isinstance(node, ScalarNode) and not _is_null(node):
        return MapNode(node.position, {short: node.position}, {short: node})
    if declaration is Deletes and isinstance(node, MapNode) and len(node.items) == 1:
        mode, inner = next(iter(node.items.items()))
        if mode in ("tombstone", "snapshot") and isinstance(inner, MapNode):
            named = ScalarNode(mode, True, node.keys[mode])
            return MapNode(node.position, {"mode": node.keys[mode], **inner.keys}, {"mode": named, **inner.items})
    return node


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value is None


def _describe(kind: type) -> str:
    return {str: "a text", bool: "true or false", int: "a whole number"}.get(kind, kind.__name__)
