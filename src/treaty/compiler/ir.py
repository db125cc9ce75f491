"""The engine-neutral tree that cells and decisions compile to.

Nodes are frozen and compared by value, so equal sub-expressions are one dictionary key: sharing is found by hashing.
A node has a *value* and, where it can fail, a *reason*. The rules every engine implements:

- A strict function with a null argument is null, and did not fail.
- A fallible strict function whose arguments are all there and whose value is null *failed*, with its ``reason`` code.
- A failure passes outward through every function and through the taken branch of a :class:`Case`; it is not a null.
- :class:`Failed` catches it: true where its operand failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from treaty.compiler.types import BOOLEAN, STRING, Type


class Hashed:
    """Gives a frozen node a hash that is worked out once, from the hashes of what is below it: nodes are dictionary keys everywhere."""

    __slots__ = ("_hash",)
    _hash: int

    def __post_init__(self) -> None:
        own = tuple(getattr(self, name) for name in type(self).__slots__)
        object.__setattr__(self, "_hash", hash((type(self).__name__, own)))

    def __hash__(self) -> int:
        return self._hash


LiteralValue: TypeAlias = str | bool | int | Decimal | date | datetime | None


@dataclass(frozen=True, slots=True)
class Step(Hashed):
    """One step of a source path: a name (``@`` kept for attributes, prefix kept), and an optional selector."""

    __hash__ = Hashed.__hash__

    name: str
    index: int | None = None  # [n], counted from 1
    where: tuple[SourcePath, str] | None = None  # [path='text']


@dataclass(frozen=True, slots=True)
class SourcePath(Hashed):
    """A path into the landed record; ``up`` counts the ``^/`` that lead out of an ``each``."""

    __hash__ = Hashed.__hash__

    steps: tuple[Step, ...]
    up: int = 0

    def __str__(self) -> str:
        def write(step: Step) -> str:
            text = step.name if step.name.replace(":", "").replace("@", "").replace("_", "").isalnum() else f"'{step.name}'"
            if step.index is not None:
                text += f"[{step.index}]"
            if step.where is not None:
                text += f"[{step.where[0]}='{step.where[1]}']"
            return text

        return "^/" * self.up + "/".join(write(step) for step in self.steps)


@dataclass(frozen=True, slots=True)
class Literal(Hashed):
    """A constant."""

    __hash__ = Hashed.__hash__

    value: LiteralValue
    type: Type


@dataclass(frozen=True, slots=True)
class Source(Hashed):
    """The text at a path of the record (or, inside an :class:`Each`, of the element).

    More than one value is the failure ``many-values`` unless ``only`` is False and a selector narrows it.
    """

    __hash__ = Hashed.__hash__

    path: SourcePath
    type: Type = STRING


@dataclass(frozen=True, slots=True)
class Present(Hashed):
    """True where the path is there at all, be it null or empty."""

    __hash__ = Hashed.__hash__

    path: SourcePath
    type: Type = BOOLEAN


@dataclass(frozen=True, slots=True)
class Lookup(Hashed):
    """The value of ``field`` in the one record of a reference stream, or golden record of a model, whose key equals ``key``."""

    __hash__ = Hashed.__hash__

    target: str  # "system/stream" or a model's name
    key: Node
    field: str
    type: Type = STRING
    by: str | None = None  # the field that is the key of a model's golden records
    empty_is_null: bool = True  # as the looked-up stream says


@dataclass(frozen=True, slots=True)
class Param(Hashed):
    """A parameter of a decision's function: only inside the decision, replaced when a cell calls it."""

    __hash__ = Hashed.__hash__

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Call(Hashed):
    """A standard function, a user's hook, or an operator (operators are functions of the same table)."""

    __hash__ = Hashed.__hash__

    function: str
    args: tuple[Node, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Case(Hashed):
    """First condition that is true gives the value; a null condition is not true."""

    __hash__ = Hashed.__hash__

    whens: tuple[tuple[Node, Node], ...]
    otherwise: Node
    type: Type


@dataclass(frozen=True, slots=True)
class ValueMap(Hashed):
    """A code list: ``entries`` from text to text; unmapped values as ``otherwise`` says, nulls as ``null``.

    ``otherwise`` is ``quarantine`` (the failure ``unmapped-value``), ``preserve``, ``null`` or ``value:<text>``.
    ``match`` is ``exact`` or ``trim_casefold``.
    """

    __hash__ = Hashed.__hash__

    decision: str
    input: Node
    entries: tuple[tuple[str, str], ...]
    match: str
    otherwise: str
    null: str | None
    type: Type = STRING


@dataclass(frozen=True, slots=True)
class Decided(Hashed):
    """A mark that a decision governs ``body``; it changed something where body differs from ``input`` as text."""

    __hash__ = Hashed.__hash__

    decision: str
    input: Node | None
    body: Node
    type: Type


@dataclass(frozen=True, slots=True)
class Failed(Hashed):
    """True where the operand failed."""

    __hash__ = Hashed.__hash__

    operand: Node
    type: Type = BOOLEAN


@dataclass(frozen=True, slots=True)
class Fired(Hashed):
    """True where the predicate is true; false where it is false, null or failed. It never fails: edge cases use it."""

    __hash__ = Hashed.__hash__

    operand: Node
    type: Type = BOOLEAN


@dataclass(frozen=True, slots=True)
class Member(Hashed):
    """A member of a struct, or of every struct of a list (then a list)."""

    __hash__ = Hashed.__hash__

    operand: Node
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Each(Hashed):
    """One struct for each element at ``path`` (an ``each``) or each joined child row (a ``with``), in order.

    ``fields`` are evaluated with the element as the record. No element gives an empty list.
    """

    __hash__ = Hashed.__hash__

    path: SourcePath | None
    join: ChildJoin | None
    fields: tuple[tuple[str, Node], ...]
    required: tuple[str, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class ChildJoin(Hashed):
    """Rows of another stream whose ``child`` columns equal the parent's ``on`` values."""

    __hash__ = Hashed.__hash__

    stream: str  # "system/stream"
    on: tuple[tuple[str, Node], ...]  # child column, parent's value
    expect: str  # one | many | optional
    wait_seconds: int
    empty_is_null: bool = True  # as the joined stream says


@dataclass(frozen=True, slots=True)
class ReceivedAt(Hashed):
    """The landing time of the record: ``received_at()``."""

    __hash__ = Hashed.__hash__

    type: Type


@dataclass(frozen=True, slots=True)
class AsOf(Hashed):
    """The stored day of the batch: ``as_of()``."""

    __hash__ = Hashed.__hash__

    type: Type


Node: TypeAlias = (
    Literal | Source | Present | Lookup | Param | Call | Case | ValueMap | Decided | Failed | Fired | Member | Each | ReceivedAt | AsOf
)
