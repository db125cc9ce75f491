"""Rules on canonical models."""

from __future__ import annotations

import re
from collections.abc import Iterator

from treaty.compiler.types import ListType, StructType, parse_type
from treaty.project.declarations import SchemaProperty
from treaty.project.findings import Finding, Severity
from treaty.project.stubs import CELLS, STUB
from treaty.rules.interface import CheckedProject, Rule, properties_of

GROUPS = ("list<struct>", "struct")
AMOUNT_WORDS = frozenset({"amount", "total", "price", "cost", "fee", "balance", "charge", "allowance", "discount", "sum"})
NUMBER_WORDS = frozenset({"rate", "percent", "percentage", "pct", "quantity", "count", "factor", "share", "weight", "score", "ratio"})


class UnknownType(Rule):
    """A property whose type Treaty does not have."""

    code = "unknown-type"
    title = "A property has a type that Treaty does not have"
    why = "Values are typed by the contract; there is no float, so that no amount is ever rounded unseen."
    remedy = "Write string, boolean, integer, decimal(p,s), date, time, timestamp, local_timestamp, bytes, list<T> or list<struct>."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for model in checked.project.models.values():
            for path, declared, _ in properties_of(model):
                problem = type_problem(declared)
                if problem:
                    yield self.finding(f"{model.name}.{path}: {problem}", model.at(f"{path}.physicalType"))


def type_problem(declared: SchemaProperty) -> str:
    """Say what is wrong with a property's type; empty where nothing is."""
    if declared.type in GROUPS:
        return "" if declared.properties else f"{declared.type} without properties"
    try:
        kind = parse_type(declared.type)
    except ValueError as error:
        return str(error)
    group = isinstance(kind, StructType) or (isinstance(kind, ListType) and isinstance(kind.item, StructType))
    return f"{declared.type} has no properties" if declared.properties and not group else ""


class AmountWithoutCurrency(Rule):
    """An amount of money of no known currency."""

    code = "amount-without-currency"
    title = "An amount does not name its currency"
    why = "Amounts of different currencies would be added and compared as if they were one."
    remedy = "Add the custom property 'treaty.currency' with the name of the property that holds the currency."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for model in checked.project.models.values():
            for path, declared, _ in properties_of(model):
                words = set(re.split(r"[^a-z]+", declared.name.lower()))
                money = declared.type.startswith("decimal") and words & AMOUNT_WORDS and not words & NUMBER_WORDS
                if money and declared.currency is None:
                    yield self.finding(f"{model.name}.{path} has no currency", model.at(path))


class ModelWithoutIdentity(Rule):
    """A model that is filled and of which nobody said when two records are the same thing."""

    code = "model-without-identity"
    title = "Nobody decided when two records of a model are the same thing"
    why = "Each source key would be a golden record of its own; systems that know the same thing would not be joined."
    remedy = "Write a decision of kind identity that governs the model."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        filled = {mapping.to for _, mapping in checked.mappings() if mapping.inbound}
        decided = {
            each.partition(".")[0]
            for _, decision in checked.decisions()
            if decision.kind == "identity" and decision.runs
            for each in decision.governs
        }
        for model in checked.project.models.values():
            if model.name in filled - decided:
                yield self.finding(f"{model.name} has no identity", model.at(""))


class StubTarget(Rule):
    """Stubs of a field whose values cannot be made of what refers to it."""

    code = "stub-target"
    title = "A missing target is to be a stub, and its field can hold none"
    why = "A stub has the value of the reference and nothing else: a text or a whole number at the top of its model."
    remedy = "Refer to such a field, or choose another 'missing'."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for view, decision in checked.decisions():
            if decision.kind != "relationship" or decision.missing != STUB or not decision.references:
                continue
            model, _, field = decision.references.partition(".")
            declared = view.models[model].find(field) if model in view.models else None
            if declared is not None and ("." in field or declared.type not in CELLS):
                yield self.finding(f"{decision.references} is {declared.type}, and no stub of it can be made", decision.at("references"))
