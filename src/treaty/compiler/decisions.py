"""Compiles decision records that carry a function, and inlines them wherever a cell or an expression calls them.

A transformation becomes the tree of its expression (or of its table of cases), a value-map a code list. The tree is a
template over the parameters; a call puts the arguments in and marks the whole as decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date

from treaty.compiler.expressions import ExpressionError, Scope, compile_expression
from treaty.compiler.functions import FUNCTIONS, CallError
from treaty.compiler.functions.definition import Definition
from treaty.compiler.ir import Call, Case, Decided, Failed, Fired, Literal, Lookup, Member, Node, Param, ValueMap
from treaty.compiler.lineage import walk
from treaty.compiler.signatures import Signature, match_arguments, parse_signature, signature_name
from treaty.compiler.types import BOOLEAN, DATE, NULL, STRING, Type
from treaty.project.declarations import Applies, ClientProject, DecisionRecord, Hook
from treaty.project.findings import Finding, Position, Severity

FUNCTIONS_VERSION = "1"  # raised when what the language means changes otherwise than in a function's definition
HOOK_PREFIX = "hook:"
HOOK_FAILED = "hook-failed"
CALLED_KINDS = ("transformation", "value-map")
MAP_OUTCOMES = ("quarantine", "preserve", "null")
ByField = Callable[[str], "Node | None"]


@dataclass(frozen=True, slots=True)
class DecisionFunction:
    """A decision that can be called: its signature and the tree that runs, over its parameters.

    ``broken`` is true where the record has errors; the findings name them, and calls are typed all the same.
    """

    decision: str
    signature: Signature
    body: Node
    applies: Applies | None = None
    broken: bool = False


def substitute(node: Node, arguments: Mapping[str, Node]) -> Node:
    """Return a template with its parameters replaced by arguments."""

    def put(each: Node) -> Node:
        return substitute(each, arguments)

    match node:
        case Param(name=name):
            return arguments.get(name, node)
        case Call(args=args):
            return replace(node, args=tuple(put(each) for each in args))
        case Case(whens=whens, otherwise=otherwise):
            return replace(node, whens=tuple((put(when), put(then)) for when, then in whens), otherwise=put(otherwise))
        case ValueMap(input=given):
            return replace(node, input=put(given))
        case Decided(input=given, body=body):
            return replace(node, input=None if given is None else put(given), body=put(body))
        case Failed(operand=operand) | Fired(operand=operand) | Member(operand=operand):
            return replace(node, operand=put(operand))
        case Lookup(key=key):
            return replace(node, key=put(key))
    return node


def inline(function: DecisionFunction, arguments: Sequence[Node]) -> Decided:
    """Return the decided tree of a call; the arguments are in order and of the parameters' types."""
    names = [name for name, _ in function.signature.parameters]
    body = substitute(function.body, dict(zip(names, arguments, strict=True)))
    return Decided(function.decision, arguments[0] if arguments else None, body, function.signature.returns)


def hook_function(hook: Hook) -> str:
    """Return the name under which engines know a hook: its code's hash is part of it, and so of the version of all that calls it."""
    return f"{HOOK_PREFIX}{hook.name}@{hook.content_hash[:16]}"


def is_hook(call: Call) -> bool:
    """Return whether a call is one of a hook."""
    return call.function.startswith(HOOK_PREFIX)


def spoken_name(function: str) -> str:
    """Return a called function's name as people write it, be it a standard function or a hook."""
    return function.removeprefix(HOOK_PREFIX).partition("@")[0] if function.startswith(HOOK_PREFIX) else function


class Library:
    """The decision functions and hooks of one client, each compiled when it is first called."""

    def __init__(self, project: ClientProject) -> None:
        self.project = project
        self._findings: list[Finding] = []
        self._records: dict[str, list[DecisionRecord]] = {}
        self._compiled: dict[str, list[DecisionFunction]] = {}
        self._open: list[str] = []
        self._hooks: dict[str, tuple[Hook, Signature]] = {}
        for record in project.decisions.values():
            if record.runs and record.kind in CALLED_KINDS and record.function:
                self._records.setdefault(signature_name(record.function), []).append(record)
        for hook in project.hooks.values():
            self._add_hook(hook)

    def _add_hook(self, hook: Hook) -> None:
        try:
            signature = parse_signature(hook.signature)
        except ValueError as error:
            self._find("bad-signature", str(error), 'Write @treaty.hook("name(param: type) -> type", pure=True).', hook.position)
            return
        if not signature.parameters:
            self._find("bad-signature", f"the hook {hook.name}() has no parameter", "Give it one: it answers for each row.", hook.position)
            return
        self._hooks[signature.name] = (hook, signature)

    def _find(self, code: str, message: str, remedy: str, position: Position) -> None:
        found = Finding(code, Severity.ERROR, message, remedy, position)
        if found not in self._findings:
            self._findings.append(found)

    # ---- what can be called

    def names(self) -> list[str]:
        """Return the names of all decision functions and hooks."""
        return [*self._records, *self._hooks]

    def knows(self, name: str) -> bool:
        """Return whether a name is a decision function or a hook."""
        return name in self._records or name in self._hooks

    def findings(self) -> tuple[Finding, ...]:
        """Compile every decision function, called or not, and return what is wrong in them."""
        for name in self._records:
            self.functions(name)
        return tuple(self._findings)

    def functions(self, name: str) -> list[DecisionFunction]:
        """Return the compiled decisions behind a name: one, or several with periods that do not overlap."""
        if name not in self._compiled:
            self._open.append(name)
            made = [self._compile(each) for each in self._records[name]]
            self._open.remove(name)
            self._compiled[name] = made
            self._check_together(name, made)
        return self._compiled[name]

    def compile(self, decision: str) -> DecisionFunction:
        """Return the compiled function of one decision by id; raises KeyError where it has none that runs."""
        record = self.project.decisions[decision]
        functions = self.functions(signature_name(record.function or ""))
        return next(each for each in functions if each.decision == decision)

    # ---- calls

    def problem(self, name: str, given: Sequence[tuple[str | None, Node]]) -> str | None:
        """Return what is wrong with a call's arguments, or None."""
        try:
            match_arguments(self._signature(name), given)
        except CallError as error:
            return error.message
        return None

    def call(self, name: str, given: Sequence[tuple[str | None, Node]], by_field: ByField = lambda path: None) -> Node:
        """Return the tree of a call; raises :class:`CallError`.

        ``by_field`` gives the final cell of the field by which a decision with a period applies.
        """
        arguments = match_arguments(self._signature(name), given)
        if name in self._hooks:
            hook, signature = self._hooks[name]
            if not hook.pure:
                raise CallError("impure-hook", f"the hook {name}() is not declared pure", "Declare it with pure=True, if it is.")
            return Call(hook_function(hook), arguments, signature.returns)
        if name in self._open:
            raise CallError("recursive-decision", f"{name}() calls itself: {' → '.join([*self._open, name])}", "Break the circle.")
        functions = self.functions(name)
        if len(functions) == 1 and functions[0].applies is None:
            return inline(functions[0], arguments)
        return self._dated(functions, arguments, by_field)

    def resolver(self, by_field: ByField) -> CallResolver:
        """Return what an expression asks for functions."""
        return CallResolver(self, by_field)

    def _signature(self, name: str) -> Signature:
        if name in self._hooks:
            return self._hooks[name][1]
        for record in self._records[name]:
            try:
                return parse_signature(record.function or "")
            except ValueError:
                continue
        raise CallError("bad-signature", f"the signature of {name}() cannot be read", "Mend the decision's signature.")

    def _dated(self, functions: Sequence[DecisionFunction], arguments: Sequence[Node], by_field: ByField) -> Node:
        applies = functions[0].applies
        day = by_field(applies.by) if applies is not None else None
        kind = functions[0].signature.returns
        if day is None:  # the finding is where the field was looked for
            return inline(functions[0], arguments)
        if day.type != DATE:
            by = applies.by if applies else ""
            raise CallError("type-error", f"the decision applies by {by}, which is {day.type}", "Let a date field decide.")
        undated = Call("is_null", (day,), BOOLEAN)
        whens: list[tuple[Node, Node]] = [(undated, Call("no_effective_date", (Literal(date.min, DATE),), kind))]
        whens += [(_within(each.applies, day), inline(each, arguments)) for each in functions if each.applies is not None]
        return Case(tuple(whens), Call("no_decision_in_force", (day,), kind), kind)

    # ---- compiling

    def _compile(self, record: DecisionRecord) -> DecisionFunction:
        name = signature_name(record.function or "")
        try:
            signature = parse_signature(record.function or "")
        except ValueError as error:
            self._find("bad-signature", str(error), "Write name(param: type) -> type.", record.at("function"))
            return DecisionFunction(record.id, Signature(name, (), NULL), Literal(None, NULL), record.applies, broken=True)
        if name in FUNCTIONS:
            self._find(
                "shadowed-function", f"{name}() is a standard function", "Give the decision's function another name.", record.at("function")
            )
        body = self._map(record, signature) if record.kind == "value-map" else self._transformation(record, signature)
        if body is None:
            return DecisionFunction(record.id, signature, Literal(None, signature.returns), record.applies, broken=True)
        return DecisionFunction(record.id, signature, body, record.applies)

    def _transformation(self, record: DecisionRecord, signature: Signature) -> Node | None:
        if record.expression is not None and not record.cases:
            return self._expression(record, "expression", record.expression, signature, signature.returns)
        if not record.cases:
            self._find(
                "no-outcome",
                f"{record.id} has neither an expression nor cases",
                "Write `expression:` or `cases:` and `otherwise:`.",
                record.position,
            )
            return None
        if record.expression is not None or record.otherwise is None:
            what = "has both an expression and cases" if record.expression is not None else "has cases without `otherwise`"
            self._find("no-outcome", f"{record.id} {what}", "Write either `expression:`, or `cases:` and `otherwise:`.", record.at("cases"))
            return None
        whens = []
        for number, row in enumerate(record.cases):
            when = self._expression(record, f"cases.{number}.when", row.when, signature, BOOLEAN)
            then = self._expression(record, f"cases.{number}.then", row.then, signature, signature.returns)
            if when is not None and then is not None:
                whens.append((when, then))
        otherwise = self._expression(record, "otherwise", record.otherwise, signature, signature.returns)
        if otherwise is None or len(whens) < len(record.cases):
            return None
        return Case(tuple(whens), otherwise, signature.returns)

    def _expression(self, record: DecisionRecord, place: str, text: str, signature: Signature, wanted: Type) -> Node | None:
        scope = Scope(dict(signature.parameters), functions=self.resolver(lambda path: None))
        try:
            return compile_expression(text, scope, wanted)
        except ExpressionError as error:
            at = record.at(place)
            for problem in error.problems:
                self._find(problem.code, problem.message, problem.remedy, replace(at, column=at.column + problem.offset))
            return None

    def _map(self, record: DecisionRecord, signature: Signature) -> Node | None:
        if [kind for _, kind in signature.parameters] != [STRING] or signature.returns != STRING:
            self._find(
                "bad-signature",
                "a value-map's function takes one string and returns a string",
                f"Write {signature.name}(text: string) -> string.",
                record.at("function"),
            )
            return None
        otherwise = record.otherwise or "quarantine"
        if otherwise not in MAP_OUTCOMES:
            otherwise = f"value:{otherwise}"
        parameter = signature.parameters[0][0]
        entries = tuple((str(key), str(value)) for key, value in record.map.items())
        self._check_entries(record, entries)
        return ValueMap(record.id, Param(parameter, STRING), entries, record.match, otherwise, record.null)

    def _check_entries(self, record: DecisionRecord, entries: Sequence[tuple[str, str]]) -> None:
        """Find entries that ``trim_casefold`` makes one."""
        if record.match != "trim_casefold":
            return
        seen: dict[str, tuple[str, str]] = {}
        for key, value in entries:
            folded = key.strip().lower()
            if folded in seen and seen[folded][1] != value:
                message = f"{key!r} and {seen[folded][0]!r} are one value under trim_casefold, with two meanings"
                self._find("ambiguous-value", message, "Keep one of them, or match exactly.", record.at(f"map.{key}"))
            seen.setdefault(folded, (key, value))

    def _check_together(self, name: str, functions: Sequence[DecisionFunction]) -> None:
        """Find decisions of one function name that do not share it well."""
        records = self._records[name]
        for record, function in zip(records[1:], functions[1:], strict=True):
            first = records[0]
            if record.applies is None or first.applies is None:
                self._find(
                    "duplicate-function",
                    f"{record.id} and {first.id} both carry {name}()",
                    "Rename one, or give both periods with `applies`.",
                    record.at("function"),
                )
                continue
            if record.applies.by != first.applies.by:
                self._find(
                    "overlapping-decisions",
                    f"{record.id} applies by {record.applies.by}, {first.id} by {first.applies.by}",
                    "Let one field decide.",
                    record.at("applies.by"),
                )
            if (function.signature.parameters, function.signature.returns) != (
                functions[0].signature.parameters,
                functions[0].signature.returns,
            ):
                self._find(
                    "bad-signature",
                    f"{record.id} and {first.id} carry {name}() with different signatures",
                    f"Write {functions[0].signature}.",
                    record.at("function"),
                )
        dated = [each for each in records if each.applies is not None]
        for position, record in enumerate(dated):
            for other in dated[:position]:
                if record.applies and other.applies and _overlap(record.applies, other.applies):
                    self._find(
                        "overlapping-decisions",
                        f"{record.id} and {other.id} both apply on some days",
                        "Periods are half-open: let one end where the next begins.",
                        record.at("applies"),
                    )


@dataclass(frozen=True, slots=True)
class CallResolver:
    """The functions of a library, for expressions of one record: its dated decisions go by that record's fields."""

    library: Library
    by_field: ByField

    def names(self) -> Sequence[str]:
        """Return the names of all decision functions and hooks."""
        return self.library.names()

    def knows(self, name: str) -> bool:
        """Return whether a name is a decision function or a hook."""
        return self.library.knows(name)

    def call(self, name: str, args: Sequence[tuple[str | None, Node]]) -> Node:
        """Return the tree of a call; raises :class:`CallError`."""
        return self.library.call(name, args, self.by_field)


def _within(applies: Applies | None, day: Node) -> Node:
    """Return the node of "the day is in the half-open period"."""
    tests: list[Node] = []
    if applies is not None and applies.from_:
        tests.append(Call(">=", (day, Literal(date.fromisoformat(applies.from_), DATE)), BOOLEAN))
    if applies is not None and applies.to:
        tests.append(Call("<", (day, Literal(date.fromisoformat(applies.to), DATE)), BOOLEAN))
    return Call("and", tuple(tests), BOOLEAN) if len(tests) > 1 else tests[0] if tests else Literal(True, BOOLEAN)


def _overlap(left: Applies, right: Applies) -> bool:
    low, high = "0001-01-01", "9999-12-31"
    return max(left.from_ or low, right.from_ or low) < min(left.to or high, right.to or high)


# ---- versions


def definitions_used(*nodes: Node) -> tuple[str, ...]:
    """Return what the standard functions of these trees mean: their definitions for every engine, this very call's."""
    made: dict[str, None] = {}
    for node in nodes:
        for each in walk(node):
            if isinstance(each, Call) and each.function in FUNCTIONS:
                function = FUNCTIONS[each.function]
                holders = [f"{{{position}}}" for position in range(len(each.args))]
                for engine, definition in (*function.definitions.items(), *function.why.items()):
                    made[f"{each.function} {engine} {_written(definition, holders, each)}"] = None
    return tuple(sorted(made))


def _written(definition: Definition, holders: Sequence[str], call: Call) -> str:
    return definition if isinstance(definition, str) else definition(holders, call)


UNVERSIONED = (
    "position",
    "places",
    "title",
    "status",
    "date",
    "decision_makers",
    "review_by",
    "superseded_by",
    "reason",
    "examples",
    "sections",
    "options",
    "origin",
    "governs",
)


def decision_version(decision: DecisionRecord, library: Library) -> str:
    """Return a hash of what a decision does: its tree with all it calls, or what it declares; prose does not count."""
    what: list[object] = [FUNCTIONS_VERSION, decision.kind]
    if decision.kind in CALLED_KINDS and decision.function and library.knows(signature_name(decision.function)) and decision.runs:
        function = library.compile(decision.id)
        what += [str(function.signature), function.body, definitions_used(function.body), _period(decision.applies)]
    else:
        for declared in fields(decision):
            if declared.name not in UNVERSIONED:
                what.append((declared.name, _plain(getattr(decision, declared.name))))
    return hashlib.sha256(repr(what).encode()).hexdigest()


def _period(applies: Applies | None) -> tuple[str | None, ...]:
    return () if applies is None else (applies.from_, applies.to, applies.by)


def _plain(value: object) -> object:
    """Return a declaration without the places where it was written."""
    if isinstance(value, Mapping):
        return [(key, _plain(each)) for key, each in value.items()]
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    declared = getattr(value, "__dataclass_fields__", None)
    if declared is None:
        return value
    return [(name, _plain(getattr(value, name))) for name in declared if name not in ("position", "places")]
