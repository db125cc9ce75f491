"""Data contracts: ``models/NAME.yaml`` in the Open Data Contract Standard, v3.1.0.

The JSON Schema of the package ``open-data-contract-standard`` decides what a contract may say. Running it costs tens of
milliseconds a contract, so contracts that say only what Treaty reads are accepted by :func:`_plain_contract`, a
stricter check of the same schema (a test holds the two together); all others go through the JSON Schema itself.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from treaty.project.declarations import DataContract, QualityRule, SchemaProperty
from treaty.project.findings import Findings, Position, suggest
from treaty.project.yaml import ListNode, MapNode, Node, ScalarNode

API_VERSION = "v3.1.0"
EDGE_CASES = "treaty.edgeCases"
BUSINESS_TERM = "treaty.businessTerm"
CURRENCY = "treaty.currency"
REASON = "treaty.reason"
MODEL_CUSTOM = (EDGE_CASES, REASON)
PROPERTY_CUSTOM = (BUSINESS_TERM, CURRENCY)
LOGICAL_TYPES = ("string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean")
# Keys that Treaty reads, by level, and the type of their values.
CONTRACT_KEYS: Mapping[str, type] = {
    "apiVersion": str,
    "kind": str,
    "id": str,
    "version": str,
    "name": str,
    "status": str,
    "domain": str,
    "description": dict,
    "schema": list,
}
OBJECT_KEYS: Mapping[str, type] = {
    "name": str,
    "physicalType": str,
    "logicalType": str,
    "description": str,
    "businessName": str,
    "properties": list,
    "quality": list,
    "customProperties": list,
}
PROPERTY_KEYS: Mapping[str, type] = {
    "name": str,
    "logicalType": str,
    "physicalType": str,
    "required": bool,
    "description": str,
    "businessName": str,
    "classification": str,
    "logicalTypeOptions": dict,
    "properties": list,
    "items": dict,
    "customProperties": list,
    "primaryKey": bool,
    "unique": bool,
}
QUALITY_KEYS: Mapping[str, type] = {
    "id": str,
    "name": str,
    "type": str,
    "engine": str,
    "implementation": str,
    "description": str,
    "dimension": str,
    "severity": str,
}
OPTION_KEYS = ("minLength", "maxLength", "pattern", "minimum", "maximum", "format")


def read_contract(node: Node, file: str, findings: Findings) -> DataContract | None:
    """Read one contract; None, and findings with their places, where it is not valid or not usable by Treaty."""
    if not isinstance(node, MapNode):
        findings.error("wrong-type", "a data contract is settings (key: value)", "Begin with 'apiVersion: v3.1.0'.", node.position)
        return None
    if not _check_schema(node, findings):
        return None
    version = node.items["apiVersion"]
    if _text(node, "apiVersion") != API_VERSION:
        findings.error(
            "contract-version", f"apiVersion is {_text(node, 'apiVersion')!r}", f"Write 'apiVersion: {API_VERSION}'.", version.position
        )
        return None
    objects = node.items.get("schema")
    if not isinstance(objects, ListNode) or len(objects.items) != 1 or not isinstance(objects.items[0], MapNode):
        where = objects.position if objects else node.position
        findings.error(
            "contract-model",
            "a contract describes exactly one model under 'schema'",
            "Give one entry; put other models into files of their own.",
            where,
        )
        return None
    return _model(node, objects.items[0], findings)


def _model(contract: MapNode, model: MapNode, findings: Findings) -> DataContract | None:
    places: dict[str, Position] = {}
    before = len(findings)
    properties = _properties(model, "", places, findings)
    quality = tuple(_quality(model, places, findings))
    custom = _custom(model, findings, MODEL_CUSTOM)
    edge_cases = custom.get(EDGE_CASES)
    listed: tuple[str, ...] = ()
    if isinstance(edge_cases, ListNode):
        listed = tuple(str(item.value) for item in edge_cases.items)
        places.update({f"edge_cases.{number}": item.position for number, item in enumerate(edge_cases.items)})
    elif edge_cases is not None:
        findings.error("wrong-type", f"{EDGE_CASES}: expected a list of decision ids", "Write [first-id, second-id].", edge_cases.position)
    if any(each.code == "contract-type" for each in findings[before:]):
        return None
    return DataContract(
        name=_text(model, "name"),
        version=_text(contract, "version"),
        properties=properties,
        quality=quality,
        edge_cases=listed,
        description=_text(model, "description"),
        position=model.position,
        places=places,
    )


def _properties(parent: MapNode, path: str, places: dict[str, Position], findings: Findings) -> tuple[SchemaProperty, ...]:
    found: dict[str, SchemaProperty] = {}
    listed = parent.items.get("properties")
    for node in listed.items if isinstance(listed, ListNode) else ():
        assert isinstance(node, MapNode)
        name = _text(node, "name")
        below = f"{path}.{name}" if path else name
        where = node.items["name"].position
        if name in found:
            findings.error("duplicate-property", f"property {below!r} is described twice", "Keep one of the two.", where)
            continue
        places[below] = where
        for key, item in node.items.items():
            places[f"{below}.{key}"] = item.position
        found[name] = _property(node, name, below, places, findings)
    return tuple(found.values())


def _property(node: MapNode, name: str, path: str, places: dict[str, Position], findings: Findings) -> SchemaProperty:
    custom = _custom(node, findings, PROPERTY_CUSTOM)
    options = node.items.get("logicalTypeOptions")
    limits: Mapping[str, Any] = options.value if isinstance(options, MapNode) else {}
    items = node.items.get("items")
    kind = _text(node, "physicalType")
    if not kind:
        findings.error(
            "contract-type", f"property {path!r} has no physicalType", "Give Treaty's type: 'physicalType: string'.", places[path]
        )
    members = _properties(items if isinstance(items, MapNode) else node, path, places, findings)
    if CURRENCY in custom:
        places[f"{path}.currency"] = custom[CURRENCY].position
    return SchemaProperty(
        name=name,
        type=kind,
        required=_text(node, "required") == "true",
        description=_text(node, "description"),
        business_name=_text(node, "businessName"),
        business_term=_custom_text(custom, BUSINESS_TERM),
        classification=_text(node, "classification"),
        currency=_custom_text(custom, CURRENCY) or None,
        min_length=limits.get("minLength"),
        max_length=limits.get("maxLength"),
        pattern=limits.get("pattern"),
        minimum=_number_text(limits.get("minimum")),
        maximum=_number_text(limits.get("maximum")),
        properties=members,
        position=places[path],
        places={key: node.items[key].position for key in node.items},
    )


def _quality(model: MapNode, places: dict[str, Position], findings: Findings) -> Iterable[QualityRule]:
    listed = model.items.get("quality")
    seen: set[str] = set()
    for number, node in enumerate(listed.items if isinstance(listed, ListNode) else ()):
        assert isinstance(node, MapNode)
        if _text(node, "type") != "custom" or _text(node, "engine") != "treaty":
            continue  # another engine's rule: kept in the contract for it, not run by Treaty
        name = _text(node, "name") or _text(node, "id")
        implementation = node.items["implementation"]
        if not name or not isinstance(implementation, ScalarNode):
            findings.error(
                "quality-rule",
                "a quality rule of Treaty has an id and an expression",
                "Give 'name: BR-01' and 'implementation: <expression>'.",
                node.position,
            )
            continue
        if name in seen:
            findings.error("duplicate-id", f"quality rule {name!r} is declared twice", "Give each its own name.", node.position)
            continue
        seen.add(name)
        places[f"quality.{number}"] = node.position
        places[f"quality.{name}"] = implementation.position
        yield QualityRule(
            id=name,
            expression=implementation.text,
            description=_text(node, "description"),
            position=implementation.position,
            places={key: item.position for key, item in node.items.items()},
        )


def _custom(node: MapNode, findings: Findings, known: tuple[str, ...]) -> dict[str, Node]:
    listed = node.items.get("customProperties")
    found: dict[str, Node] = {}
    for item in listed.items if isinstance(listed, ListNode) else ():
        assert isinstance(item, MapNode)
        name = _text(item, "property")
        if name.startswith("treaty.") and name not in known:
            findings.error(
                "unknown-setting", f"unknown custom property {name!r}", suggest(name, known, "Remove it."), item.items["property"].position
            )
        found[name] = item.items["value"]
    return found


def contract_reason(node: Node) -> str:
    """Return why a contract takes the place of a pack's: the custom property ``treaty.reason`` of its model."""
    objects = node.items.get("schema") if isinstance(node, MapNode) else None
    model = objects.items[0] if isinstance(objects, ListNode) and objects.items else None
    return _custom_text(_custom(model, Findings(), MODEL_CUSTOM), REASON) if isinstance(model, MapNode) else ""


def _custom_text(custom: Mapping[str, Node], name: str) -> str:
    node = custom.get(name)
    return node.text if isinstance(node, ScalarNode) else ""


def _text(node: MapNode, key: str) -> str:
    item = node.items.get(key)
    return item.text if isinstance(item, ScalarNode) else ""


def _number_text(value: Any) -> str | None:
    return None if value is None else str(value)


# ---- validity


def _check_schema(node: MapNode, findings: Findings) -> bool:
    """Report each thing that the standard's JSON Schema refuses, at its place."""
    if _plain_contract(node):
        return True
    errors = sorted(_validator().iter_errors(_json_value(node)), key=lambda error: [str(step) for step in error.absolute_path])
    for error in errors:
        where, message, remedy = _explain(node, error)
        findings.error("contract-invalid", message, remedy, where)
    return not errors


def _explain(node: MapNode, error: Any) -> tuple[Position, str, str]:
    """Say what one error of the JSON Schema means: where, what, and what to do."""
    place = _follow(node, error.absolute_path)
    path = ".".join(str(step) for step in error.absolute_path) or "the contract"
    if error.validator in ("additionalProperties", "unevaluatedProperties") and isinstance(place, MapNode):
        known = set(CONTRACT_KEYS) | set(OBJECT_KEYS) | set(PROPERTY_KEYS) | set(QUALITY_KEYS)
        unknown = [key for key in place.items if f"'{key}'" in error.message]
        strange = next((key for key in unknown if key not in known), unknown[0] if unknown else "")
        if strange:
            return (
                place.keys[strange],
                f"{path}: unknown key {strange!r}",
                suggest(strange, known, "The standard has no such key: remove it."),
            )
    return place.position, f"{path}: {error.message[:200]}", "See the Open Data Contract Standard v3.1.0 for what stands here."


def _json_value(node: Node) -> Any:
    """The contract as JSON for the standard's schema: exact numbers become floats, which it expects."""
    if isinstance(node, MapNode):
        return {key: _json_value(item) for key, item in node.items.items()}
    if isinstance(node, ListNode):
        return [_json_value(item) for item in node.items]
    value = node.value
    return float(value) if not isinstance(value, (str, int, bool, type(None))) else value


@functools.cache
def _validator() -> Any:
    from jsonschema import Draft201909Validator

    return Draft201909Validator(contract_schema())


@functools.cache
def contract_schema() -> Mapping[str, Any]:
    """Return the JSON Schema of data contracts as the standard's package ships it."""
    found = importlib.util.find_spec("open_data_contract_standard")
    assert found is not None and found.submodule_search_locations
    schema: dict[str, Any] = json.loads((Path(found.submodule_search_locations[0]) / "schema.json").read_bytes())
    return schema


def _follow(node: Node, path: Iterable[Any]) -> Node:
    for step in path:
        below = node.items.get(step) if isinstance(node, MapNode) else node.items[step] if isinstance(node, ListNode) else None
        if below is None:
            return node
        node = below
    return node


def _plain_contract(node: MapNode) -> bool:
    """Whether a contract says only what Treaty reads, each with its right type: then the standard allows it."""
    if not (_plain(node, CONTRACT_KEYS) and {"apiVersion", "kind", "id", "version"} <= node.items.keys()):
        return False
    if _text(node, "apiVersion") != API_VERSION or _text(node, "kind") != "DataContract":
        return False
    description = node.items.get("description")
    if isinstance(description, MapNode) and not _plain(description, {"purpose": str, "usage": str, "limitations": str}):
        return False
    return all(
        _plain(model, OBJECT_KEYS)
        and "name" in model.items
        and _text(model, "logicalType") in ("", "object")
        and _plain_members(model)
        and _plain_custom(model)
        and all(map(_plain_quality, _maps(model, "quality")))
        for model in _maps(node, "schema")
    )


def _plain_members(parent: MapNode) -> bool:
    return all("name" in member.items and _plain_property(member) for member in _maps(parent, "properties"))


def _plain_property(member: MapNode) -> bool:
    logical = _text(member, "logicalType")
    if not (_plain(member, PROPERTY_KEYS) and logical in LOGICAL_TYPES and _plain_custom(member) and _plain_options(member, logical)):
        return False
    items = member.items.get("items")
    if ("properties" in member.items and logical != "object") or (items is not None and logical != "array"):
        return False
    return (items is None or (isinstance(items, MapNode) and _plain_property(items))) and _plain_members(member)


def _plain_options(member: MapNode, logical: str) -> bool:
    options = member.items.get("logicalTypeOptions")
    if options is None:
        return True
    kinds: dict[str, type] = {}
    if logical == "string":
        kinds = {"minLength": int, "maxLength": int, "pattern": str}
    elif logical in ("number", "integer"):
        kinds = {"minimum": int, "maximum": int}
    return (
        isinstance(options, MapNode)
        and _plain(options, kinds)
        and all(
            not isinstance(value, int) or isinstance(value, bool) or value >= 0 or key in ("minimum", "maximum")
            for key, value in options.value.items()
        )
    )


def _plain_custom(node: MapNode) -> bool:
    for item in _maps(node, "customProperties"):
        if item.items.keys() != {"property", "value"} or not isinstance(item.items["property"], ScalarNode):
            return False
    return all(isinstance(item.items["property"].value, str) for item in _maps(node, "customProperties"))


def _plain_quality(rule: MapNode) -> bool:
    return (
        _plain(rule, QUALITY_KEYS)
        and _text(rule, "type") == "custom"
        and {"engine", "implementation"} <= rule.items.keys()
        and "dimension" not in rule.items
        and "id" not in rule.items
    )


def _maps(node: MapNode, key: str) -> list[MapNode]:
    listed = node.items.get(key)
    return [item for item in listed.items if isinstance(item, MapNode)] if isinstance(listed, ListNode) else []


def _plain(node: MapNode, kinds: Mapping[str, type]) -> bool:
    """Whether all keys are known, and lists, settings and scalars stand where they should."""
    for key, item in node.items.items():
        kind = kinds.get(key)
        if kind is None:
            return False
        if kind is dict:
            fits = isinstance(item, MapNode)
        elif kind is list:
            fits = isinstance(item, ListNode) and (key == "value" or all(isinstance(each, MapNode) for each in item.items))
        else:
            fits = isinstance(item, ScalarNode) and type(item.value) is kind
        if not fits:
            return False
    return True
