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

LiteralValue: TypeAlias = str | bool | int | Decimal | date | datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a source path: a name (``@`` kept for attributes, prefix kept), and an optional selector."""

    name: str
    index: int | None = None  # [n], counted from 1
    where: tuple[SourcePath, str] | None = None  # [path='text']


@dataclass(frozen=True, slots=True)
class SourcePath:
    """A path into the landed record; ``up`` counts the ``^/`` that lead out of an ``each``."""

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
class Literal:
    """A constant."""

    value: LiteralValue
    type: Type


@dataclass(frozen=True, slots=True)
class Source:
    """The text at a path of the record (or, inside an :class:`Each`, of the element).

    More than one value is the failure ``many-values`` unless ``only`` is False and a selector narrows it.
    """

    path: SourcePath
    type: Type = STRING


@dataclass(frozen=True, slots=True)
class Present:
    """True where the path is there at all, be it null or empty."""

    path: SourcePath
    type: Type = BOOLEAN


@dataclass(frozen=True, slots=True)
class Lookup:
    """The value of ``field`` in the one record of a reference stream (or golden model) whose key equals ``key``."""

    target: str  # "system/stream" or a model's name
    key: Node
    field: str
    type: Type = STRING


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a decision's function: only inside the decision, replaced when a cell calls it."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Call:
    """A standard function, a user's hook, or an operator (operators are functions of the same table)."""

    function: str
    args: tuple[Node, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Case:
    """First condition that is true gives the value; a null condition is not true."""

    whens: tuple[tuple[Node, Node], ...]
    otherwise: Node
    type: Type


@dataclass(frozen=True, slots=True)
class ValueMap:
    """A code list: ``entries`` from text to text; unmapped values as ``otherwise`` says, nulls as ``null``.

    ``otherwise`` is ``quarantine`` (the failure ``unmapped-value``), ``preserve``, ``null`` or ``value:<text>``.
    ``match`` is ``exact`` or ``trim_casefold``.
    """

    decision: str
    input: Node
    entries: tuple[tuple[str, str], ...]
    match: str
    otherwise: str
    null: str | None
    type: Type = STRING


@dataclass(frozen=True, slots=True)
class Decided:
    """A mark that a decision governs ``body``; it changed something where body differs from ``input`` as text."""

    decision: str
    input: Node | None
    body: Node
    type: Type


@dataclass(frozen=True, slots=True)
class Failed:
    """True where the operand failed."""

    operand: Node
    type: Type = BOOLEAN


@dataclass(frozen=True, slots=True)
class Fired:
    """True where the predicate is true; false where it is false, null or failed. It never fails: edge cases use it."""

    operand: Node
    type: Type = BOOLEAN


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct, or of every struct of a list (then a list)."""

    operand: Node
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Each:
    """One struct for each element at ``path`` (an ``each``) or each joined child row (a ``with``), in order.

    ``fields`` are evaluated with the element as the record. No element gives an empty list.
    """

    path: SourcePath | None
    join: ChildJoin | None
    fields: tuple[tuple[str, Node], ...]
    required: tuple[str, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class ChildJoin:
    """Rows of another stream whose ``child`` columns equal the parent's ``on`` values."""

    stream: str  # "system/stream"
    on: tuple[tuple[str, Node], ...]  # child column, parent's value
    expect: str  # one | many | optional
    wait_seconds: int


@dataclass(frozen=True, slots=True)
class ReceivedAt:
    """The landing time of the record: ``received_at()``."""

    type: Type


@dataclass(frozen=True, slots=True)
class AsOf:
    """The stored day of the batch: ``as_of()``."""

    type: Type


Node: TypeAlias = (
    Literal | Source | Present | Lookup | Param | Call | Case | ValueMap | Decided | Failed | Fired | Member | Each | ReceivedAt | AsOf
)
