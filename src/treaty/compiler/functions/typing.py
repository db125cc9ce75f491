"""Which arguments fit which parameters, and how a value is made to fit the type that is wanted.

Nothing is ever rounded or cut to make it fit: what would lose something fails with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal

from treaty.compiler.functions.definition import ExampleValue, Function
from treaty.compiler.ir import Call, Case, Literal, Node
from treaty.compiler.types import (
    BOOLEAN,
    DATE,
    INTEGER,
    LOCAL_TIMESTAMP,
    NULL,
    STRING,
    TIME,
    TIMESTAMP,
    DecimalType,
    ListType,
    ScalarType,
    StructType,
    Type,
    parse_type,
)

MAX_DIGITS = 38
INTEGER_DIGITS = 19
ORDERED = (STRING, INTEGER, DATE, TIME, TIMESTAMP, LOCAL_TIMESTAMP)
RETARGETED = ("plain_decimal", "to_decimal", "fit_decimal", "from_minor_units")  # they parse straight into the type that is wanted
ARITHMETIC = ("+", "-", "*")
SHORT_DIGITS = 18  # decimals of up to 18 digits are one machine word


class CallError(ValueError):
    """A call that cannot be: its code, what is wrong, what to do, and at which argument (None: the call itself)."""

    def __init__(self, code: str, message: str, remedy: str, *, argument: int | None = None, known: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.argument = argument
        self.known = tuple(known)


def is_number(kind: Type) -> bool:
    """Return whether a type is an exact number."""
    return kind == INTEGER or isinstance(kind, DecimalType)


def digits_of(node: Node) -> DecimalType:
    """Return the narrowest decimal that holds every value of a numeric node."""
    if isinstance(node.type, DecimalType):
        return node.type
    if isinstance(node, Literal) and isinstance(node.value, int):
        return DecimalType(max(len(str(abs(node.value))), 1), 0)
    if isinstance(node, Case):
        branches = [
            digits_of(each) for each in (*(then for _, then in node.whens), node.otherwise) if each.type != NULL and not _is_null(each)
        ]
        return DecimalType(max((each.precision for each in branches), default=1), 0)
    return DecimalType(INTEGER_DIGITS, 0)


def _is_null(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is None


def unify(types: Sequence[Type]) -> Type | None:
    """Return the one type that all of these fit without loss of scale, or None; the null type fits everywhere."""
    given = [each for each in types if each != NULL]
    if not given:
        return NULL
    if all(each == given[0] for each in given):
        return given[0]
    if all(is_number(each) for each in given):
        decimals = [each if isinstance(each, DecimalType) else DecimalType(INTEGER_DIGITS, 0) for each in given]
        scale = max(each.scale for each in decimals)
        whole = max(each.precision - each.scale for each in decimals)
        return DecimalType(min(whole + scale, MAX_DIGITS), scale)
    if all(isinstance(each, ListType) for each in given):
        item = unify([each.item for each in given if isinstance(each, ListType)])
        return None if item is None else ListType(item)
    return None


def unify_nodes(nodes: Sequence[Node]) -> Type | None:
    """Like :func:`unify`, with integer literals counted by their digits where decimals are about."""
    if any(isinstance(each.type, DecimalType) for each in nodes):
        return unify([digits_of(each) if each.type == INTEGER else each.type for each in nodes])
    return unify([each.type for each in nodes])


def fit(node: Node, wanted: Type) -> Node | None:
    """Return the node as the wanted type, or None where only a named function could make it so.

    A wider decimal is narrowed by a check: ``overflow`` or ``too-many-digits`` at run time, never a rounding.
    """
    if node.type == wanted or wanted == NULL:
        return node
    if node.type == NULL:
        return Literal(None, wanted) if isinstance(node, Literal) else Call("widen", (node,), wanted)
    if isinstance(node, Case):
        return _fit_case(node, wanted)
    if isinstance(wanted, DecimalType) and is_number(node.type):
        return _fit_decimal(node, wanted)
    if isinstance(wanted, ListType) and isinstance(node.type, ListType) and widens(node.type, wanted):
        return Call("widen", (node,), wanted)
    return None


def widens(given: Type, wanted: Type) -> bool:
    """Return whether every value of one type is a value of the other."""
    if given in (wanted, NULL):
        return True
    if isinstance(wanted, DecimalType) and given == INTEGER:
        return wanted.precision - wanted.scale >= INTEGER_DIGITS
    if isinstance(wanted, DecimalType) and isinstance(given, DecimalType):
        return wanted.scale >= given.scale and wanted.precision - wanted.scale >= given.precision - given.scale
    if isinstance(wanted, ListType) and isinstance(given, ListType):
        return widens(given.item, wanted.item)
    if isinstance(wanted, StructType) and isinstance(given, StructType):
        pairs = zip(given.fields, wanted.fields, strict=False)
        return len(given.fields) == len(wanted.fields) and all(a[0] == b[0] and widens(a[1], b[1]) for a, b in pairs)
    return False


def _fit_case(node: Case, wanted: Type) -> Node | None:
    whens = []
    for condition, then in node.whens:
        fitted = fit(then, wanted)
        if fitted is None:
            return None
        whens.append((condition, fitted))
    otherwise = fit(node.otherwise, wanted)
    return None if otherwise is None else Case(tuple(whens), otherwise, wanted)


def _fit_decimal(node: Node, wanted: DecimalType) -> Node | None:
    if isinstance(node, Literal) and isinstance(node.value, int | Decimal):
        return _fit_literal(node, wanted)
    if isinstance(node, Call) and node.function in RETARGETED and _may_retarget(node, wanted):
        return replace(node, type=wanted)
    if widens(digits_of(node), wanted):
        return Call("widen", (node,), wanted)
    short = isinstance(node, Call) and node.function in ARITHMETIC and isinstance(node.type, DecimalType)
    if short and isinstance(node.type, DecimalType) and node.type.scale == wanted.scale and wanted.precision <= SHORT_DIGITS:
        return replace(node, type=wanted)  # the check for overflow is the same one, done in a machine word
    return Call("fit_decimal", (node,), wanted)


def _may_retarget(node: Call, wanted: DecimalType) -> bool:
    if node.function == "fit_decimal":
        return isinstance(node.type, DecimalType) and widens(wanted, node.type)
    return node.function == "plain_decimal" or node.function == "from_minor_units" or widens(wanted, node.type)


def _fit_literal(node: Literal, wanted: DecimalType) -> Node | None:
    value = Decimal(str(node.value))
    exponent = value.as_tuple().exponent
    scale = max(-exponent, 0) if isinstance(exponent, int) else 0
    whole = len(str(abs(int(value)))) if abs(value) >= 1 else 0
    if scale > wanted.scale or whole > wanted.precision - wanted.scale:
        return None
    return Literal(value, wanted)


def literal_of(value: ExampleValue) -> Node:
    """Make a node of a Python value: what examples and code lists are written in."""
    if isinstance(value, list):
        items = [literal_of(each) for each in value]
        kind = unify([each.type for each in items]) or NULL
        return Call("list_of", tuple(fit(each, kind) or each for each in items), ListType(kind))
    if isinstance(value, bool):
        return Literal(value, BOOLEAN)
    if isinstance(value, int):
        return Literal(value, INTEGER)
    if isinstance(value, Decimal):
        return Literal(value, decimal_type(value))
    if isinstance(value, datetime):
        return Literal(value, LOCAL_TIMESTAMP if value.tzinfo is None else TIMESTAMP)
    if isinstance(value, date):
        return Literal(value, DATE)
    if isinstance(value, time):
        return Call("iso_time", (Literal(value.isoformat(), STRING),), TIME)
    return Literal(value, NULL if value is None else STRING)


def decimal_type(value: Decimal) -> DecimalType:
    """Return the narrowest decimal type of one number; raises ValueError beyond 38 digits."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{value} is not a number")
    scale = max(-exponent, 0)
    precision = max(len(digits) + max(exponent, 0), scale, 1)
    if precision > MAX_DIGITS:
        raise ValueError(f"{value} has more than {MAX_DIGITS} digits")
    return DecimalType(precision, scale)


# ---- matching arguments with parameters


def resolve_types(function: Function, args: Sequence[Node]) -> Call:
    """Check and fit the arguments of a call; raises :class:`CallError`."""
    patterns = _patterns(function, args)
    shared: dict[str, list[Node]] = {}
    for position, (pattern, node) in enumerate(zip(patterns, args, strict=True)):
        _check_argument(function, position, pattern, node)
        for variable in ("T", "N", "O", "K"):
            if variable in (pattern, _item(pattern)):
                shared.setdefault(variable, []).append(_as_item(node) if pattern != variable else node)
    bound: dict[str, Type] = {}
    for variable, nodes in shared.items():
        kind = unify_nodes(nodes)
        if kind is None:
            kinds = ", ".join(dict.fromkeys(str(each.type) for each in nodes))
            raise CallError("type-error", f"{function.name}() compares {kinds}, which are not one type", _conversion_remedy(nodes))
        bound[variable] = kind
    fitted = [
        _fit_argument(function, position, pattern, node, bound) for position, (pattern, node) in enumerate(zip(patterns, args, strict=True))
    ]
    try:
        if function.check is not None:
            function.check(fitted)
        kind = function.infer(fitted) if function.infer is not None else substitute(function.returns, bound)
    except ValueError as error:
        raise CallError("bad-argument", f"{function.name}(): {error}", f"See `treaty functions {function.name}`.") from None
    return Call(function.name, tuple(fitted), kind)


def _patterns(function: Function, args: Sequence[Node]) -> list[str]:
    patterns = [each.pattern for each in function.parameters]
    if function.variadic:
        if len(args) < len(patterns) - 1:
            raise CallError(
                "wrong-arguments", f"{function.name}() takes at least {len(patterns) - 1} arguments, not {len(args)}", _usage(function)
            )
        return (patterns[:-1] + [patterns[-1]] * len(args))[: len(args)]
    if len(args) != len(patterns):
        raise CallError("wrong-arguments", f"{function.name}() takes {len(patterns)} arguments, not {len(args)}", _usage(function))
    return patterns


def _usage(function: Function) -> str:
    return f"Write it as {function.signature}."


def _item(pattern: str) -> str:
    return pattern[5:-1].strip() if pattern.startswith("list<") else ""


def _as_item(node: Node) -> Node:
    kind = node.type.item if isinstance(node.type, ListType) else NULL
    return Literal(None, kind)


def _parameter(function: Function, position: int) -> str:
    return function.parameters[min(position, len(function.parameters) - 1)].name


def _check_argument(function: Function, position: int, pattern: str, node: Node) -> None:
    parameter = function.parameters[min(position, len(function.parameters) - 1)]
    if parameter.const and not (isinstance(node, Literal) and node.value is not None):
        message = f"{parameter.name} of {function.name}() must be written as a literal"
        raise CallError("not-a-constant", message, _usage(function), argument=position)
    if not matches(pattern, node.type):
        message = f"{parameter.name} of {function.name}() is {pattern}, and this is {node.type}"
        raise CallError("type-error", message, _conversion_remedy([node], pattern), argument=position)


def _conversion_remedy(nodes: Sequence[Node], wanted: str = "") -> str:
    if any(each.type == STRING for each in nodes):
        reader = {"date": "iso_date(…)", "integer": "to_integer(…)", "boolean": "to_boolean(…)", "timestamp": "iso_timestamp(…)"}
        return f"Read the text with {reader.get(wanted, 'plain_decimal(…), to_integer(…) or iso_date(…)')}."
    if wanted == "string":
        return "Write it as text with to_text(…)."
    return "Make both sides the same type with a named function."


def matches(pattern: str, kind: Type) -> bool:
    """Return whether a type fits the pattern of a parameter."""
    if kind == NULL or pattern in ("any", "T"):
        return True
    if pattern in ("number", "N"):
        return is_number(kind)
    if pattern == "decimal":
        return is_number(kind)
    if pattern == "O":
        return kind in ORDERED or isinstance(kind, DecimalType)
    if pattern in ("scalar", "K"):
        return isinstance(kind, ScalarType | DecimalType)
    if pattern.startswith("list<"):
        return isinstance(kind, ListType) and matches(_item(pattern), kind.item)
    wanted = parse_type(pattern)
    return kind == wanted


def substitute(pattern: str, bound: dict[str, Type]) -> Type:
    """Return the type that a result's pattern means, its variables bound."""
    if pattern in ("T", "N", "O", "K"):
        return bound.get(pattern, NULL)
    if pattern.startswith("list<"):
        return ListType(substitute(_item(pattern), bound))
    return parse_type(pattern)


def _fit_argument(function: Function, position: int, pattern: str, node: Node, bound: dict[str, Type]) -> Node:
    if pattern in ("any", "scalar", "number", "decimal"):
        return node if node.type != NULL or pattern in ("any", "scalar") else Literal(None, INTEGER)
    if pattern.startswith("list<") and _item(pattern) in ("any", "scalar", "number"):
        return node if node.type != NULL else Literal(None, ListType(INTEGER))
    wanted = substitute(pattern, bound)
    fitted = fit(node, wanted)
    if fitted is None:
        message = f"{_parameter(function, position)} of {function.name}() is {wanted}, and this is {node.type}"
        raise CallError("type-error", message, _conversion_remedy([node], str(wanted)), argument=position)
    return fitted
