"""JSON Schemas for editors, and the reference of all settings for the manual, from the same declarations as the loader."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from treaty.project.contracts import API_VERSION, contract_schema
from treaty.project.declarations import FORMS, KIND_SETTINGS, DecisionRecord, Deletes, EntityMapping, Flow, ProjectSettings, System
from treaty.project.reading import SHORT_FORMS, Setting, settings_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Each kind of file: its schema's name, the class that declares it, and which files it holds for.
FILE_KINDS: Mapping[str, tuple[type, str]] = {
    "treaty": (ProjectSettings, "treaty.yaml"),
    "system": (System, "systems/*.yaml"),
    "decision": (DecisionRecord, "decisions/*.md (front matter)"),
    "mapping": (EntityMapping, "mappings/*.yaml"),
    "flow": (Flow, "flows/*.yaml"),
}
_TEXT: Mapping[str, Any] = {"type": ["string", "number", "boolean"]}  # a plain number is as good a text


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return a JSON Schema for each kind of file, by name; ``overlay-…`` ones hold for ``clients/NAME/``, with only the differences."""
    schemas = {name: file_schema(name) for name in FILE_KINDS}
    schemas.update({f"overlay-{name}": file_schema(name, overlay=True) for name in ("system", "decision", "mapping", "flow")})
    schemas["model"] = model_schema()
    return schemas


def file_schema(name: str, *, overlay: bool = False) -> dict[str, Any]:
    """Return the schema of one kind of file; in an overlay nothing is required, for the standard says the rest."""
    declaration, files = FILE_KINDS[name]
    writer = _Writer(required=not overlay)
    schema = {
        "$schema": DIALECT,
        "title": f"Treaty: {'clients/NAME/' if overlay else ''}{files}",
        **writer.declared(declaration),
    }
    if declaration is DecisionRecord and not overlay:
        schema["allOf"] = [_kind_schema(kind, needed, allowed) for kind, (needed, allowed) in KIND_SETTINGS.items()]
    if writer.definitions:
        schema["$defs"] = writer.definitions
    return schema


def model_schema() -> dict[str, Any]:
    """Return the standard's schema of data contracts, narrowed to what Treaty takes: one model, each property with its type."""
    schema = dict(contract_schema())
    schema["properties"] = dict(schema["properties"])
    schema["properties"]["apiVersion"] = {"const": API_VERSION}
    schema["properties"]["schema"] = {**schema["properties"]["schema"], "minItems": 1, "maxItems": 1}
    schema["required"] = [*schema["required"], "schema"]
    definitions = dict(schema["$defs"])
    definitions["SchemaProperty"] = {**definitions["SchemaProperty"], "required": ["name", "physicalType"]}
    schema["$defs"] = definitions
    return schema


def _kind_schema(kind: str, needed: tuple[str, ...], allowed: tuple[str, ...]) -> dict[str, Any]:
    """What a decision of one kind must say, and what of other kinds it may not."""
    others = {key for required, optional in KIND_SETTINGS.values() for key in (*required, *optional)} - {*needed, *allowed}
    then: dict[str, Any] = {"required": list(needed), "properties": dict.fromkeys(sorted(others), False)}
    if kind == "transformation":
        then["oneOf"] = [{"required": ["expression"]}, {"required": ["cases", "otherwise"]}]
        then["dependentRequired"] = {"cases": ["otherwise"]}
    if kind == "edge-case":
        normalise = {"properties": {"treatment": {"const": "normalise"}}}
        then.update({"if": normalise, "then": {"required": ["set"]}, "else": {"properties": {"set": False}}})
    return {"if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}, "then": then}


class _Writer:
    """Turns declared classes into JSON Schema; classes that contain themselves become definitions."""

    def __init__(self, *, required: bool) -> None:
        self.required = required
        self.definitions: dict[str, Any] = {}
        self.open: list[type] = []

    def declared(self, declaration: type) -> dict[str, Any]:
        settings = settings_of(declaration)
        schema: dict[str, Any] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {each.key: self.setting(each) for each in settings},
        }
        needed = [each.key for each in settings if each.required]
        if needed and self.required:
            schema["required"] = needed
        return schema

    def setting(self, setting: Setting) -> dict[str, Any]:
        schema = {"description": setting.help, **self.kind(setting.type, setting)}
        if setting.example is not None:
            schema["examples"] = [setting.example]
        if not setting.required and isinstance(setting.default, (str, int, bool)):
            schema["default"] = f"{setting.default}%" if setting.form == "percent" else setting.default
        return schema

    def kind(self, kind: Any, setting: Setting) -> dict[str, Any]:
        origin, args = get_origin(kind), get_args(kind)
        if origin in (types.UnionType, typing.Union):
            inner = self.kind(next(each for each in args if each is not type(None)), setting)
            return {"anyOf": [inner, {"type": "null"}]}
        if kind is Any:
            return {}
        if origin is Literal:
            return {"enum": list(args)}
        if origin is tuple:
            item = self.kind(args[0], setting)
            several = {"type": "array", "items": item}
            return {"anyOf": [several, item]} if args[0] is str else several
        if origin is not None and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.kind(args[1], setting)}
        if dataclasses.is_dataclass(kind):
            return self.reference(typing.cast(type, kind))
        return self.scalar(kind, setting)

    def scalar(self, kind: type, setting: Setting) -> dict[str, Any]:
        if setting.form == "percent":
            return {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 100}, {"type": "string", "pattern": FORMS["percent"]}]}
        if setting.form:
            pattern = {"type": "string", "pattern": FORMS[setting.form]}
            return {"anyOf": [pattern, {"type": "null"}]} if setting.null_is_text else pattern
        if kind is str:
            return {"type": [*_TEXT["type"], "null"]} if setting.null_is_text else dict(_TEXT)
        return {"type": {bool: "boolean", int: "integer"}[kind]}

    def reference(self, declaration: type) -> dict[str, Any]:
        name = declaration.__name__
        if name not in self.definitions:
            self.definitions[name] = {}
            full = self.declared(declaration)
            short = SHORT_FORMS.get(declaration)
            if declaration is Deletes:
                full = {
                    "anyOf": [
                        full,
                        *(_delete_form(full, mode) for mode in ("tombstone", "snapshot")),
                        {"enum": ["none", "tombstone", "snapshot"]},
                    ]
                }
            elif short:
                full = {"anyOf": [full, dict(_TEXT)]}
            self.definitions[name] = full
        return {"$ref": f"#/$defs/{name}"}


def _delete_form(full: Mapping[str, Any], mode: str) -> dict[str, Any]:
    inner = {**full, "properties": {key: value for key, value in full["properties"].items() if key != "mode"}}
    return {"type": "object", "properties": {mode: inner}, "required": [mode], "additionalProperties": False}


# ---- the manual


@dataclass(frozen=True, slots=True)
class SettingReference:
    """One setting as the manual lists it."""

    path: str  # dotted; NAME stands for a name of the user's
    type: str
    help: str
    required: bool
    default: str
    example: Any
    secret: bool


@dataclass(frozen=True, slots=True)
class FileReference:
    """One kind of file as the manual lists it."""

    name: str
    files: str
    settings: tuple[SettingReference, ...]


def reference() -> tuple[FileReference, ...]:
    """Return every setting of every kind of file, for the manual; data contracts are the standard's to document."""
    return tuple(FileReference(name, files, tuple(references(declaration, "", ()))) for name, (declaration, files) in FILE_KINDS.items())


def references(declaration: type, prefix: str = "", above: tuple[type, ...] = ()) -> list[SettingReference]:
    """Return every setting of one declared class and of those inside it, by dotted path."""
    found = []
    for setting in settings_of(declaration):
        path = f"{prefix}{setting.key}"
        default = "" if setting.required or setting.default is None else str(setting.default)
        simple = isinstance(setting.default, (str, int, bool))
        found.append(
            SettingReference(
                path, _type_name(setting.type), setting.help, setting.required, default if simple else "", setting.example, setting.secret
            )
        )
        inner, suffix = _inner(setting.type)
        if inner is not None and inner not in (*above, declaration):
            found.extend(references(inner, f"{path}{suffix}.", (*above, declaration)))
    return found


def _inner(kind: Any) -> tuple[type | None, str]:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _inner(next(each for each in args if each is not type(None)))
    if origin is tuple:
        return _inner(args[0])[0], "[]"
    if origin is not None and origin is not Literal and issubclass(origin, Mapping):
        return _inner(args[1])[0], ".NAME"
    return (typing.cast(type, kind), "") if dataclasses.is_dataclass(kind) else (None, "")


def _type_name(kind: Any) -> str:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _type_name(next(each for each in args if each is not type(None)))
    if origin is Literal:
        return " | ".join(args)
    if origin is tuple:
        return f"list of {_type_name(args[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return f"name: {_type_name(args[1])}"
    if dataclasses.is_dataclass(kind):
        return "settings"
    return {str: "text", int: "whole number", bool: "true or false"}.get(kind, "anything")
