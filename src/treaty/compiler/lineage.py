"""What a compiled node came from: which decisions had a hand in it, which functions and paths it uses."""

from __future__ import annotations

from collections.abc import Iterator

from treaty.compiler import ir


def children(node: ir.Node) -> tuple[ir.Node, ...]:
    """Return the nodes directly below one, in the same record context (not an each's elements)."""
    match node:
        case ir.Call(args=args):
            return args
        case ir.Case(whens=whens, otherwise=otherwise):
            return (*(each for pair in whens for each in pair), otherwise)
        case ir.Decided(input=given, body=body):
            return (body,) if given is None else (given, body)
        case ir.ValueMap(input=given):
            return (given,)
        case ir.Failed(operand=operand) | ir.Fired(operand=operand) | ir.Member(operand=operand):
            return (operand,)
        case ir.Lookup(key=key):
            return (key,)
        case ir.Each(join=join) if join is not None:
            return tuple(value for _, value in join.on)
    return ()


def walk(node: ir.Node, *, elements: bool = True) -> Iterator[ir.Node]:
    """Yield a node and everything below it; ``elements`` includes the fields of an each."""
    yield node
    below = children(node)
    if elements and isinstance(node, ir.Each):
        below = (*below, *(value for _, value in node.fields))
    for child in below:
        yield from walk(child, elements=elements)


def marks(node: ir.Node) -> list[ir.Decided]:
    """Return every decision mark in a node, elements of an each included."""
    return [each for each in walk(node) if isinstance(each, ir.Decided)]


def decisions_in(node: ir.Node) -> tuple[str, ...]:
    """Return the ids of the decisions that had a hand in a node, in order of first use."""
    return tuple(dict.fromkeys(mark.decision for mark in marks(node)))


def columns_read(node: ir.Each) -> tuple[str, ...]:
    """Return the columns of the joined rows that the fields of a ``with`` read, in order of their names."""
    read = (each.path for _, value in node.fields for each in walk(value, elements=False) if isinstance(each, ir.Source | ir.Present))
    return tuple(sorted({path.steps[0].name for path in read if not path.up}))


def governed_by(name: str, node: ir.Node) -> dict[str, tuple[str, ...]]:
    """Return the decisions behind a field, and behind each field of its elements (``lines.quantity``)."""
    found = {name: decisions_in(node)}
    for each in walk(node, elements=False):
        if isinstance(each, ir.Each):
            for inner, value in each.fields:
                found |= governed_by(f"{name}.{inner}", value)
    return found


def first_source(node: ir.Node) -> ir.Source | None:
    """Return the first source path a node reads: the value to show when it fails."""
    return next((each for each in walk(node, elements=False) if isinstance(each, ir.Source)), None)
