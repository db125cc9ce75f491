"""Treaty's types: what a canonical field, a parameter or an expression can be.

Written as in a contract's ``physicalType``: ``string``, ``decimal(18,2)``, ``list<struct<sku: string, qty: integer>>``.
There is no float.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from treaty.project.declarations import SchemaProperty

SCALARS = ("string", "boolean", "integer", "date", "time", "timestamp", "local_timestamp", "bytes")


@dataclass(frozen=True, slots=True)
class Type:
    """Any Treaty type; ``str()`` gives its written form, which :func:`parse_type` reads back."""


@dataclass(frozen=True, slots=True)
class ScalarType(Type):
    """One of :data:`SCALARS`, or ``null``: the type of the null literal, which fits everywhere."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class DecimalType(Type):
    """An exact number of at most ``precision`` (1–38) digits, ``scale`` of them after the point."""

    precision: int
    scale: int

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})"


@dataclass(frozen=True, slots=True)
class ListType(Type):
    """An ordered list of one type."""

    item: Type

    def __str__(self) -> str:
        return f"list<{self.item}>"


@dataclass(frozen=True, slots=True)
class StructType(Type):
    """Named members in order."""

    fields: tuple[tuple[str, Type], ...]

    def __str__(self) -> str:
        return "struct<" + ", ".join(f"{name}: {kind}" for name, kind in self.fields) + ">"

    def member(self, name: str) -> Type | None:
        """Return the type of member ``name``, or None."""
        return dict(self.fields).get(name)


NULL = ScalarType("null")
STRING = ScalarType("string")
BOOLEAN = ScalarType("boolean")
INTEGER = ScalarType("integer")
DATE = ScalarType("date")
TIME = ScalarType("time")
TIMESTAMP = ScalarType("timestamp")
LOCAL_TIMESTAMP = ScalarType("local_timestamp")
BYTES = ScalarType("bytes")

_TOKEN = re.compile(r"\s*([A-Za-z_][\w-]*|\d+|[<>(),:])")


@functools.lru_cache(maxsize=4096)
def parse_type(text: str) -> Type:
    """Read the written form of a type; raise ValueError naming what was not understood."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s+", "", text) or not tokens:
        raise ValueError(f"not a type: {text!r}")
    position = 0

    def take(expected: str | None = None) -> str:
        nonlocal position
        token = tokens[position] if position < len(tokens) else ""
        if not token or (expected is not None and token != expected):
            raise ValueError(f"not a type: {text!r} (expected {expected or 'more'} at {token or 'the end'})")
        position += 1
        return token

    def read() -> Type:
        name = take()
        if name in SCALARS:
            return ScalarType(name)
        if name == "decimal":
            take("(")
            precision = int(take())
            take(",")
            scale = int(take())
            take(")")
            if not (1 <= precision <= 38 and 0 <= scale <= precision):
                raise ValueError(f"decimal({precision},{scale}): precision is 1 to 38, scale 0 to precision")
            return DecimalType(precision, scale)
        if name == "list":
            take("<")
            item = read()
            take(">")
            return ListType(item)
        if name == "struct":
            take("<")
            fields = []
            while True:
                member = take()
                take(":")
                fields.append((member, read()))
                if take() == ">":
                    return StructType(tuple(fields))
                position_token = tokens[position - 1]
                if position_token != ",":
                    raise ValueError(f"not a type: {text!r} (expected , or > at {position_token})")
        raise ValueError(f"unknown type {name!r}: use one of {', '.join(SCALARS)}, decimal(p,s), list<…>, struct<…>")

    result = read()
    if position != len(tokens):
        raise ValueError(f"not a type: {text!r} (unexpected {tokens[position]!r})")
    return result


def type_of(declared: SchemaProperty) -> str:
    """Return the written type of a property, its members' types included."""
    if not declared.properties:
        return declared.type
    members = ", ".join(f"{each.name}: {type_of(each)}" for each in declared.properties)
    struct = f"struct<{members}>"
    return struct if declared.type.startswith("struct") else f"list<{struct}>"
