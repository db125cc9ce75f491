"""Reads what a project file says for a connector (``connection``, ``read``, ``write``) into the connector's own class.

The classes use :func:`treaty.project.declarations.declared`, so checks, schemas and the manual read the same declarations.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin

from treaty.connectors.secrets import Secret, is_reference, resolve_reference
from treaty.errors import StopError
from treaty.project.findings import suggest

Declared = TypeVar("Declared")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration: the key, what is wrong, and what to write instead."""

    key: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Setting:
    attribute: str
    key: str
    type: Any
    required: bool
    help: str
    example: Any


@functools.cache
def _settings_of(declaration: type) -> Mapping[str, _Setting]:
    hints = typing.get_type_hints(declaration)
    found = {}
    for each in dataclasses.fields(declaration):
        required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        key = each.metadata.get("key") or each.name
        found[key] = _Setting(each.name, key, hints[each.name], required, each.metadata.get("help", ""), each.metadata.get("example"))
    return found


def check_configuration(declaration: type, values: Mapping[str, Any]) -> list[Problem]:
    """Return everything wrong with the values; never raises, resolves no reference."""
    return _read(declaration, values, resolve=False)[1]


def read_configuration(declaration: type[Declared], values: Mapping[str, Any], place: str) -> Declared:
    """Return the configuration as its class. Raises StopError with all problems; ``place`` says whose it is.

    Secret settings become :class:`Secret`; a reference in any other text setting is resolved.
    """
    read, problems = _read(declaration, values, resolve=True)
    if problems:
        told = " ".join(f"{each.message} {each.remedy}" for each in problems)
        raise StopError(f"{place}: {told}")
    return declaration(**read)


def _read(declaration: type, values: Mapping[str, Any], *, resolve: bool) -> tuple[dict[str, Any], list[Problem]]:
    settings = _settings_of(declaration)
    problems: list[Problem] = []
    read: dict[str, Any] = {}
    for key, value in values.items():
        setting = settings.get(key)
        if setting is None:
            known = f"Known: {', '.join(sorted(settings)) or 'none'}."
            problems.append(Problem(key, f"unknown setting {key!r}.", suggest(key, settings, known)))
            continue
        try:
            read[setting.attribute] = _value(setting, setting.type, value, resolve)
        except ValueError as error:
            shown = f" Such as {setting.example!r}." if setting.example is not None else ""
            problems.append(Problem(key, f"{key}: {error}.", f"It is {setting.help}.{shown}"))
    for setting in settings.values():
        if setting.required and setting.key not in values:
            problems.append(Problem(setting.key, f"{setting.key!r} is missing: {setting.help}.", f"Add '{setting.key}:'."))
    return read, problems


def _value(setting: _Setting, kind: Any, value: Any, resolve: bool) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _value(setting, next(each for each in args if each is not type(None)), value, resolve)
    if kind is Secret:
        if not is_reference(value):
            raise ValueError("a secret is written as a value; write env:NAME, file:/path or keyring:service/user")
        return Secret(value)
    if origin is tuple:
        items = value if isinstance(value, (list, tuple)) else [value]
        return tuple(_value(setting, args[0], each, resolve) for each in items)
    if origin is Literal:
        if value not in args:
            raise ValueError(f"{value!r} is none of {', '.join(map(str, args))}")
        return value
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ValueError("keys and values are wanted here")
        return {str(key): _value(setting, args[1], each, resolve) for key, each in value.items()}
    if kind is str and resolve and is_reference(value):
        return resolve_reference(value)
    if kind is str and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if kind is Any:
        return _nested(value) if resolve else value
    if type(value) is not kind:
        raise ValueError(f"{value!r} is not {_NAMES.get(kind, kind)}")
    return value


def _nested(value: Any) -> Any:
    """Return a value of another program's settings with its references as secrets, which whoever writes the settings out reveals."""
    if isinstance(value, Mapping):
        return {str(key): _nested(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_nested(each) for each in value]
    return Secret(value) if is_reference(value) else value


_NAMES: Mapping[type, str] = {str: "a text", int: "a whole number", bool: "true or false"}
