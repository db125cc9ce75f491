"""Reads scalar expressions in PostgreSQL's spelling into typed nodes.

sqlglot parses; what its tree may hold is an allow-list, so an expression is data: no subquery, cast, window, aggregate,
path or I/O. All problems of an expression are collected, each at its character.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Protocol

from treaty.compiler.cells import CellError, parse_path
from treaty.compiler.functions import CallError, fit, resolve_call, resolve_operator, standard_functions, unify_nodes
from treaty.compiler.functions.typing import decimal_type
from treaty.compiler.ir import AsOf, Call, Case, Failed, Literal, Member, Node, Param, Present, ReceivedAt, Source
from treaty.compiler.lineage import walk
from treaty.compiler.types import BOOLEAN, DATE, INTEGER, NULL, STRING, TIMESTAMP, DecimalType, ListType, StructType, Type
from treaty.project.findings import nearest

if TYPE_CHECKING:
    from sqlglot import exp

MAX_CHARACTERS = 10_000
MAX_DEPTH = 50
PARSER_FRAMES = 5_000
MAX_INTEGER = 2**63 - 1
BINARY = {"Add": "+", "Sub": "-", "Mul": "*", "EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "DPipe": "||"}
SPOKEN = {
    "Placeholder": "a placeholder",
    "Parameter": "a placeholder",
    "Div": "the operator /",
    "Mod": "the operator %",
    "Pow": "the operator ^",
    "Like": "like",
    "ILike": "ilike",
    "Subquery": "a subquery",
    "Select": "a subquery",
    "Exists": "a subquery",
    "Window": "a window function",
    "Star": "*",
    "Bracket": "a subscript",
    "Interval": "an interval",
    "Concat": "a text beside a text",
}
INSTEAD = {
    "Div": "Write divide(a, b, scale, rounding).",
    "Mod": "Write remainder(a, b).",
    "Like": "Use starts_with(…), contains(…) or regex_match(…).",
    "ILike": "Use contains(lower(…), …) or regex_match(…, '(?i)…').",
    "SimilarTo": "Use regex_match(…).",
    "RegexpLike": "Use regex_match(…) or regex_contains(…).",
    "Cast": "Convert with a named function, such as to_decimal(…), iso_date(…) or to_text(…).",
    "TryCast": "Convert with a named function, such as to_decimal(…), iso_date(…) or to_text(…).",
    "Bracket": "Write list_item(list, number).",
    "Interval": "Write add_days(…) or add_months(…).",
    "AtTimeZone": "Write in_zone(local, 'Europe/Berlin') or to_zone(instant, 'Europe/Berlin').",
    "Subquery": "Read another stream with lookup(…) in a cell, or with `with:`.",
    "Select": "Read another stream with lookup(…) in a cell, or with `with:`.",
    "Star": "Name the fields.",
    "Window": "An expression sees one record alone.",
    "Distinct": "Use list_distinct(…).",
}
FUNCTIONS_INSTEAD = {
    "now": "Write received_at() or as_of().",
    "current_date": "Write as_of().",
    "current_timestamp": "Write received_at().",
    "random": "An expression gives the same for the same record.",
    "cast": "Convert with a named function, such as to_decimal(…), iso_date(…) or to_text(…).",
    "sum": "Write list_sum(…) over the members of a list.",
    "count": "Write list_size(…).",
    "min": "Write list_min(…) or least(…).",
    "max": "Write list_max(…) or greatest(…).",
    "avg": "Write divide(list_sum(…), list_size(…), scale, rounding).",
    "array_length": "Write list_size(…).",
    "cardinality": "Write list_size(…).",
    "extract": "Write year(…), month(…) or day(…).",
    "to_date": "Write date_in(text, 'DD.MM.YYYY').",
    "to_char": "Write format_date(…) or to_text(…).",
    "to_number": "Write to_decimal(text, precision, scale).",
    "if": "Write case when … then … else … end.",
    "ceil": "Write round(x, 0, 'ceiling').",
    "ceiling": "Write round(x, 0, 'ceiling').",
    "floor": "Write round(x, 0, 'floor').",
    "trunc": "Write round(x, scale, 'down').",
    "lookup": "lookup(…) belongs into a cell, which hands its value to the decision.",
    "btrim": "Write trim(text) or trim_all(text, characters).",
    "initcap": "Use upper(…) or lower(…).",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in an expression: its code, what, what to do, and at which character (from 0)."""

    code: str
    message: str
    remedy: str
    offset: int = 0


class ExpressionError(ValueError):
    """An expression that cannot run; ``problems`` names everything that is wrong in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(each.message for each in problems))
        self.problems = tuple(problems)


class Resolver(Protocol):
    """The decision functions and hooks that an expression may call besides the standard ones."""

    def names(self) -> Sequence[str]:
        """Return their names."""

    def knows(self, name: str) -> bool:
        """Return whether a name is one of them."""

    def call(self, name: str, args: Sequence[tuple[str | None, Node]]) -> Node:
        """Return the call, arguments given by position or name; raises :class:`CallError`."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may name: fields (or parameters) with their nodes or types, and functions.

    ``allow_source`` permits ``source('path')`` and ``present('path')``: only predicates of edge cases and scopes read the source.
    """

    names: Mapping[str, Node | Type]
    allow_source: bool = False
    functions: Resolver | None = None

    def known(self) -> list[str]:
        """Return every function name that may be called."""
        mine = ["failed", "received_at", "as_of", *(["source", "present"] if self.allow_source else [])]
        return [*(each.name for each in standard_functions()), *(self.functions.names() if self.functions else ()), *mine]


def compile_expression(text: str, scope: Scope, expected: Type | None = None) -> Node:
    """Return the typed node of an expression, fitted to the expected type; raises :class:`ExpressionError`."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(
            [
                Problem(
                    "expression-too-long",
                    f"an expression has at most {MAX_CHARACTERS} characters",
                    "Split it into decisions that call each other.",
                )
            ]
        )
    tree = _parse(text)
    compiler = _Compiler(text, scope)
    node = compiler.node(tree, 0)
    if node is not None and expected is not None:
        node = compiler.fitted(node, expected, tree)
    if node is None or compiler.problems:
        raise ExpressionError(compiler.problems)
    return node


def functions_used(node: Node) -> tuple[str, ...]:
    """Return the standard functions that a node calls, in order of first use."""
    return tuple(dict.fromkeys(each.function for each in walk(node) if isinstance(each, Call)))


def _dialect() -> Any:
    """PostgreSQL's spelling, with every function left as it is written."""
    from sqlglot.dialects.postgres import Postgres

    global _DIALECT
    if _DIALECT is None:
        tokenizer: Any = Postgres.Tokenizer
        parser: Any = Postgres.Parser

        class Spelling(Postgres):
            class Tokenizer(tokenizer):
                KEYWORDS = {word: kind for word, kind in tokenizer.KEYWORDS.items() if word != "ONLY"}

            class Parser(parser):
                FUNCTIONS: dict[str, Any] = {}
                FUNCTION_PARSERS: dict[str, Any] = {}
                NO_PAREN_FUNCTIONS: dict[Any, Any] = {}
                NO_PAREN_FUNCTION_PARSERS = {"CASE": parser.NO_PAREN_FUNCTION_PARSERS["CASE"]}

        _DIALECT = Spelling
    return _DIALECT


_DIALECT: Any = None


@functools.lru_cache(maxsize=4096)  # trees are read, never changed
def _parse(text: str) -> exp.Expr:
    import sqlglot
    from sqlglot.errors import ParseError, TokenError

    if not text.strip():
        raise ExpressionError([Problem("bad-expression", "the expression is empty", "Write an expression.")])
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(max(limit, PARSER_FRAMES))  # sqlglot spends about twenty frames on one level
        trees = sqlglot.parse(text, dialect=_dialect())
    except ParseError as error:
        raise ExpressionError([_parse_problem(text, each) for each in error.errors[:1]]) from None
    except TokenError:
        raise ExpressionError([Problem("bad-expression", "a quote or a comment is not closed", "Close what is open.")]) from None
    except RecursionError:
        raise ExpressionError([_too_deep(0)]) from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # sqlglot itself stumbles, as over {:}
        raise ExpressionError([Problem("bad-expression", "it is no SQL that can be read", "Write an expression in PostgreSQL's spelling.")]) from None
    finally:
        sys.setrecursionlimit(limit)
    tree = trees[0] if len(trees) == 1 else None
    if tree is None:
        raise ExpressionError(
            [Problem("bad-expression", "there is more than one expression", "Write one expression, without ';'.", max(text.find(";"), 0))]
        )
    return tree


def _too_deep(offset: int) -> Problem:
    return Problem(
        "expression-too-deep", f"the expression is nested deeper than {MAX_DEPTH}", "Split it into decisions that call each other.", offset
    )


def _parse_problem(text: str, error: Mapping[str, Any]) -> Problem:
    lines = text.split("\n")
    line, column = int(error.get("line") or 1), int(error.get("col") or 1)
    highlight = str(error.get("highlight") or "")
    end = sum(len(each) + 1 for each in lines[: line - 1]) + column
    found = f"unexpected {highlight!r}" if highlight else "the expression ends too early"
    return Problem(
        "bad-expression",
        f"this is no expression: {found}",
        "Write a scalar SQL expression in PostgreSQL's spelling.",
        max(min(end - len(highlight), len(text)), 0),
    )


@dataclass(slots=True)
class _Compiler:
    """Turns one tree into nodes; a problem gives None, and the rest is looked at still."""

    text: str
    scope: Scope
    problems: list[Problem] = field(default_factory=list)

    def problem(self, code: str, message: str, remedy: str, tree: exp.Expr) -> None:
        found = Problem(code, message, remedy, _offset(tree))
        if found not in self.problems:
            self.problems.append(found)

    def fitted(self, node: Node, wanted: Type, tree: exp.Expr) -> Node | None:
        made = fit(node, wanted)
        if made is None:
            self.problem("type-error", f"this is {node.type}, and {wanted} is wanted", _remedy(node.type, wanted), tree)
        return made

    # ---- trees

    def node(self, tree: exp.Expr, depth: int) -> Node | None:
        """Return the node of a tree; None where it has a problem."""
        if depth > MAX_DEPTH:
            self.problems.append(_too_deep(_offset(tree)))
            return None
        kind = type(tree).__name__
        if kind in BINARY:
            return self.operator(BINARY[kind], [tree.this, tree.expression], tree, depth)
        read: Callable[[Any, int], Node | None] | None = getattr(self, f"read_{kind.lower()}", None)
        if read is None:
            start = _offset(tree)
            what = SPOKEN.get(kind, f"this ({' '.join(self.text[start : start + 30].split())!r})")
            self.problem(
                "not-allowed",
                f"{what} is not part of the expression language",
                INSTEAD.get(kind, "Use operators, case and the standard functions."),
                tree,
            )
            return None
        return read(tree, depth + 1)

    def nodes(self, trees: Sequence[exp.Expr], depth: int) -> list[Node] | None:
        made = [self.node(each, depth) for each in trees]
        return None if any(each is None for each in made) else [each for each in made if each is not None]

    def operator(self, name: str, trees: Sequence[exp.Expr], tree: exp.Expr, depth: int) -> Node | None:
        args = self.nodes(trees, depth + 1)
        return None if args is None else self.resolved(lambda: resolve_operator(name, args), tree, trees)

    def resolved(self, resolve: Callable[[], Node], tree: exp.Expr, trees: Sequence[exp.Expr]) -> Node | None:
        try:
            return resolve()
        except CallError as error:
            at = tree if error.argument is None or error.argument >= len(trees) else trees[error.argument]
            self.problem(error.code, error.message, error.remedy, at)
            return None

    def read_paren(self, tree: Any, depth: int) -> Node | None:
        return self.node(tree.this, depth)

    def read_literal(self, tree: Any, depth: int) -> Node | None:
        if tree.is_string:
            return Literal(str(tree.this), STRING)
        return self.number(str(tree.this), tree)

    def number(self, text: str, tree: exp.Expr) -> Node | None:
        try:
            if text.isdigit() and int(text) <= MAX_INTEGER:
                return Literal(int(text), INTEGER)
            value = Decimal(text)
            if "e" not in text.lower():
                return Literal(value, decimal_type(value))
        except (InvalidOperation, ValueError):
            pass
        self.problem("bad-literal", f"{text} is no exact number of at most 38 digits", "Write its digits, without an exponent.", tree)
        return None

    def read_boolean(self, tree: Any, depth: int) -> Node | None:
        return Literal(bool(tree.this), BOOLEAN)

    def read_null(self, tree: Any, depth: int) -> Node | None:
        return Literal(None, NULL)

    def read_cast(self, tree: Any, depth: int) -> Node | None:
        """Take ``date '2026-01-31'``, and nothing else that sqlglot calls a cast."""
        literal, wanted = tree.this, str(tree.to.this.value)
        start = _offset(literal)
        written = self.text[:start].rstrip().lower()
        if literal.__class__.__name__ == "Literal" and literal.is_string and wanted == "DATE" and written.endswith("date"):
            try:
                return Literal(date.fromisoformat(str(literal.this)), DATE)
            except ValueError:
                self.problem("bad-literal", f"{literal.this!r} is not a date", "Write date 'YYYY-MM-DD'.", literal)
                return None
        self.problem("not-allowed", "a cast is not part of the expression language", INSTEAD["Cast"], tree)
        return None

    def read_neg(self, tree: Any, depth: int) -> Node | None:
        inner = self.node(tree.this, depth)
        if isinstance(inner, Literal) and isinstance(inner.value, Decimal):
            return Literal(inner.value.copy_negate(), inner.type)  # the operator - would round to 28 digits
        if isinstance(inner, Literal) and isinstance(inner.value, int) and not isinstance(inner.value, bool):
            return Literal(-inner.value, inner.type)
        return None if inner is None else self.resolved(lambda: resolve_operator("negate", [inner]), tree, [tree.this])

    def read_not(self, tree: Any, depth: int) -> Node | None:
        return self.operator("not", [tree.this], tree, depth)

    def read_and(self, tree: Any, depth: int) -> Node | None:
        return self.chain("and", type(tree), tree, depth)

    def read_or(self, tree: Any, depth: int) -> Node | None:
        return self.chain("or", type(tree), tree, depth)

    def chain(self, name: str, kind: type, tree: Any, depth: int) -> Node | None:
        """Read ``a and b and c`` as one call, however long it is."""
        parts, rest = [], tree
        while isinstance(rest, kind):
            parts.append(rest.expression)  # type: ignore[attr-defined]
            rest = rest.this  # type: ignore[attr-defined]
        return self.operator(name, [rest, *reversed(parts)], tree, depth - 1)

    def read_is(self, tree: Any, depth: int) -> Node | None:
        wanted = type(tree.expression).__name__
        args = self.nodes([tree.this], depth)
        if args is None:
            return None
        if wanted == "Null":
            node = self.resolved(lambda: resolve_call("is_null", args), tree, [tree.this])
        elif wanted == "Boolean":
            same = [*args, Literal(bool(tree.expression.this), BOOLEAN)]
            found = self.resolved(lambda: resolve_operator("is_distinct", same), tree, [tree.this])
            node = None if found is None else resolve_operator("not", [found])
        else:
            self.problem("not-allowed", "`is` is followed by null, true or false", "Write `is null` or `is not null`.", tree)
            return None
        return resolve_operator("not", [node]) if node is not None and tree.args.get("negate") else node

    def read_nullsafeneq(self, tree: Any, depth: int) -> Node | None:
        return self.operator("is_distinct", [tree.this, tree.expression], tree, depth - 1)

    def read_nullsafeeq(self, tree: Any, depth: int) -> Node | None:
        found = self.operator("is_distinct", [tree.this, tree.expression], tree, depth - 1)
        return None if found is None else resolve_operator("not", [found])

    def read_in(self, tree: Any, depth: int) -> Node | None:
        if not tree.expressions:
            self.problem(
                "not-allowed", "`in` is followed by values in parentheses", "Write `x in ('a', 'b')`, or list_contains(list, x).", tree
            )
            return None
        return self.operator("in", [tree.this, *tree.expressions], tree, depth - 1)

    def read_between(self, tree: Any, depth: int) -> Node | None:
        low = self.operator(">=", [tree.this, tree.args["low"]], tree, depth - 1)
        high = self.operator("<=", [tree.this, tree.args["high"]], tree, depth - 1)
        return None if low is None or high is None else resolve_operator("and", [low, high])

    # ---- case

    def read_case(self, tree: Any, depth: int) -> Node | None:
        subject, default = tree.this, tree.args.get("default")
        whens: list[tuple[Node, Node]] = []
        complete = True
        for each in tree.args["ifs"]:
            trees = [subject, each.this] if subject is not None else [each.this]
            condition = self.operator("=", trees, each.this, depth) if subject is not None else self.condition(each.this, depth)
            then = self.node(each.args["true"], depth)
            if condition is None or then is None:
                complete = False
            else:
                whens.append((condition, then))
        otherwise = self.node(default, depth) if default is not None else Literal(None, NULL)
        if not complete or otherwise is None:
            return None
        return self.unified_case(whens, otherwise, tree)

    def condition(self, tree: exp.Expr, depth: int) -> Node | None:
        node = self.node(tree, depth)
        return None if node is None else self.fitted(node, BOOLEAN, tree)

    def unified_case(self, whens: list[tuple[Node, Node]], otherwise: Node, tree: exp.Expr) -> Node | None:
        """Give all results of a case one type."""
        results = [*(then for _, then in whens), otherwise]
        kind = unify_nodes(results)
        fitted = [] if kind is None else [fit(each, kind) for each in results]
        if kind is None or any(each is None for each in fitted):
            kinds = ", ".join(dict.fromkeys(str(each.type) for each in results))
            self.problem(
                "type-error", f"the results of this case are {kinds}, which are not one type", "Give every result the same type.", tree
            )
            return None
        made = [each for each in fitted if each is not None]
        return Case(tuple((condition, then) for (condition, _), then in zip(whens, made, strict=False)), made[-1], kind)

    # ---- names and calls

    def read_column(self, tree: Any, depth: int) -> Node | None:
        parts = [part for part in (tree.args.get(each) for each in ("catalog", "db", "table", "this")) if part is not None]
        node = self.name(parts[0])
        for part in parts[1:]:
            if type(part).__name__ != "Identifier":
                return self.node(part, depth)
            node = self.member(node, str(part.this), part)
        return node

    def name(self, part: Any) -> Node | None:
        name = str(part.this)
        found = self.scope.names.get(name)
        if found is None:
            if name.lower() in FUNCTIONS_INSTEAD:
                self.problem("unknown-name", f"there is no {name!r} here", FUNCTIONS_INSTEAD[name.lower()], part)
            else:
                self.unknown("name", name, list(self.scope.names), part)
            return None
        return Param(name, found) if isinstance(found, Type) else found

    def unknown(self, kind: str, name: str, known: Sequence[str], tree: exp.Expr) -> None:
        near = nearest(name, known)
        remedy = (
            f"Write {near!r}."
            if near
            else f"Known: {', '.join(sorted(known)[:12])}."
            if known and len(known) <= 12
            else "See what the record or the signature declares."
        )
        self.problem(f"unknown-{kind}", f"there is no {kind} {name!r} here", remedy, tree)

    def member(self, node: Node | None, name: str, tree: exp.Expr) -> Node | None:
        if node is None:
            return None
        struct = node.type.item if isinstance(node.type, ListType) else node.type
        kind = struct.member(name) if isinstance(struct, StructType) else None
        if kind is None:
            if isinstance(struct, StructType):
                self.unknown("member", name, [each for each, _ in struct.fields], tree)
            else:
                self.problem(
                    "unknown-member",
                    f"this is {node.type}, which has no member {name!r}",
                    "Only a struct, or a list of structs, has members.",
                    tree,
                )
            return None
        return Member(node, name, ListType(kind) if isinstance(node.type, ListType) else kind)

    def read_dot(self, tree: Any, depth: int) -> Node | None:
        if type(tree.expression).__name__ != "Identifier":
            self.problem("not-allowed", "a function has no prefix", "Write the function's name alone.", tree)
            return None
        return self.member(self.node(tree.this, depth), str(tree.expression.this), tree.expression)

    def read_anonymous(self, tree: Any, depth: int) -> Node | None:
        name = str(tree.this)
        trees = list(tree.expressions)
        if name in ("source", "present"):
            return self.source(name, trees, tree)
        if name in ("received_at", "as_of", "failed"):
            return self.special(name, trees, tree, depth)
        if self.scope.functions is not None and self.scope.functions.knows(name):
            return self.decision(name, trees, tree, depth)
        if name not in (known := self.scope.known()):
            if name.lower() in FUNCTIONS_INSTEAD:
                self.problem("unknown-function", f"there is no function {name!r}", FUNCTIONS_INSTEAD[name.lower()], tree)
            else:
                self.unknown("function", name, known, tree)
            return None
        if any(type(each).__name__ == "Kwarg" for each in trees):
            self.problem("wrong-arguments", f"the arguments of {name}() are given by position", "Leave out the parameter's name.", tree)
            return None
        args = self.nodes(trees, depth)
        return None if args is None else self.resolved(lambda: resolve_call(name, args), tree, trees)

    def decision(self, name: str, trees: list[Any], tree: exp.Expr, depth: int) -> Node | None:
        given: list[tuple[str | None, Node]] = []
        for each in trees:
            named = type(each).__name__ == "Kwarg"
            node = self.node(each.expression if named else each, depth)
            if node is not None:
                given.append((str(each.this.name) if named else None, node))
        functions = self.scope.functions
        if len(given) < len(trees) or functions is None:
            return None
        return self.resolved(lambda: functions.call(name, given), tree, trees)

    def special(self, name: str, trees: list[Any], tree: exp.Expr, depth: int) -> Node | None:
        if len(trees) != (1 if name == "failed" else 0):
            self.problem(
                "wrong-arguments",
                f"{name}() takes {'one field' if name == 'failed' else 'nothing'}",
                "Write failed(field), received_at() or as_of().",
                tree,
            )
            return None
        if name == "failed":
            operand = self.node(trees[0], depth)
            return None if operand is None else Failed(operand)
        return ReceivedAt(TIMESTAMP) if name == "received_at" else AsOf(DATE)

    def source(self, name: str, trees: list[Any], tree: exp.Expr) -> Node | None:
        if not self.scope.allow_source:
            message = f"{name}('path') reads the source, which only the predicates of edge cases and scopes may"
            self.problem("source-not-allowed", message, "Give the decision a parameter, and the path in the cell that calls it.", tree)
            return None
        if len(trees) != 1 or not getattr(trees[0], "is_string", False):
            self.problem("wrong-arguments", f"{name}() takes one path in quotes", f"Write {name}('a/path').", tree)
            return None
        try:
            path = parse_path(str(trees[0].this))
        except CellError as error:
            self.problems.append(Problem("bad-cell", error.message, error.remedy, _offset(trees[0]) + 1 + error.offset))
            return None
        return Source(path) if name == "source" else Present(path)


def _remedy(given: Type, wanted: Type) -> str:
    if given == STRING:
        return "Read the text with a named function: plain_decimal(…), to_integer(…), iso_date(…)."
    if wanted == STRING:
        return "Write it as text with to_text(…)."
    if wanted == INTEGER and isinstance(given, DecimalType):
        return "Use whole(…), or round it."
    return "Convert it with a named function, or change the declared type."


def _offset(tree: Any) -> int:
    """Return the first character of a tree: sqlglot marks names, calls and literals."""
    starts = [each.meta["start"] for each in tree.walk() if isinstance(each.meta.get("start"), int)]
    return min(starts, default=0)


__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "ExpressionError", "Problem", "Resolver", "Scope", "compile_expression", "functions_used"]
