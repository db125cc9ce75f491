"""Rules that the compiler checks: every mapping is compiled as each client would run it, and decisions as they stand.

The compiler reports problems as findings; each code of its has a rule here that says why it matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar

from treaty.compiler.lookups import looked_up_models
from treaty.project.declarations import ClientProject, EntityMapping
from treaty.project.findings import Finding
from treaty.project.overlays import running_mappings
from treaty.rules.calls import decision_functions
from treaty.rules.interface import CheckedProject, Rule, properties_of
from treaty.rules.models import type_problem
from treaty.rules.names import mapping_streams

# What the compiler meets on its way and rules of this package find whole, each at one place.
OTHERS_RULES = ("recursive-decision", "duplicate-function", "overlapping-decisions")


@lru_cache(maxsize=1)  # every rule of one check asks
def compile_findings(checked: CheckedProject) -> tuple[Finding, ...]:
    """Compile whatever can be compiled, once for equal resultants, and return the compiler's findings."""
    from treaty.compiler.mapping import compile_mapping
    from treaty.compiler.outbound import compile_outbound

    found: list[Finding] = []
    for view, mapping in compilations(checked):
        if mapping.inbound:
            found.extend(compile_mapping(view, mapping.name).findings)
        else:
            found.extend(compile_outbound(view, mapping.name).findings)
    found.extend(stream_findings(checked))
    found.extend(decision_findings(checked))
    return tuple(explain_calls(checked, each) for each in dict.fromkeys(found) if each.code not in OTHERS_RULES)


def compilations(checked: CheckedProject) -> Iterator[tuple[ClientProject, EntityMapping]]:
    """Yield each mapping with a view in which it runs; clients whose overlays do not touch it share one."""
    seen: set[tuple[str, str, str]] = set()
    for client, view in checked.client_views.items():
        overlay = checked.project.overlays.get(client)
        for name in running_mappings(view):
            mapping = view.mappings[name]
            touched = overlay is not None and (overlay.decisions or name in overlay.mappings or _systems(mapping) & overlay.systems.keys())
            key = (name, client if touched else "", "")
            if key not in seen and is_compilable(checked, view, mapping):
                seen.add(key)
                yield view, mapping
    run = {name for name, _, _ in seen}
    for view, mapping in checked.mappings():
        if mapping.name not in run and is_compilable(checked, view, mapping):
            run.add(mapping.name)
            yield view, mapping


def _systems(mapping: EntityMapping) -> set[str]:
    return {each.name.partition("/")[0] for each in mapping_streams(mapping)}


def is_compilable(checked: CheckedProject, view: ClientProject, mapping: EntityMapping) -> bool:
    """Whether the model and the streams of a mapping are there and sound; what is not, other rules report."""
    model = view.models.get(mapping.to if mapping.inbound else mapping.from_)
    read = [model, *(view.models[each] for each in looked_up_models(mapping) if each in view.models)]
    if any(each is None or any(type_problem(declared) for _, declared, _ in properties_of(each)) for each in read):
        return False
    return all(view.stream(each.name) is not None for each in mapping_streams(mapping))


def stream_findings(checked: CheckedProject) -> Iterator[Finding]:
    """Yield what is wrong with the cells of streams."""
    from treaty.compiler.building import Builder
    from treaty.compiler.types import BOOLEAN

    for view, system in checked.systems():
        for stream in system.streams.values():
            builder = Builder(view, stream.at, looks_up=False)
            for number, text in enumerate(stream.key):
                builder.cell(text, f"key.{number}")
            for place, written in (("version", stream.version), ("occurred_at", stream.occurred_at), ("client", stream.client)):
                if written is not None and written != "landing-order":
                    builder.cell(written, place)
            if stream.deletes.when:
                builder.expression(stream.deletes.when, {}, "deletes.when", BOOLEAN, source=True)
            yield from builder.findings


def decision_findings(checked: CheckedProject) -> Iterator[Finding]:
    """Yield what is wrong with the functions of decisions, whether anything calls them or not."""
    from treaty.compiler.decisions import Library

    for view in (checked.standard, *(checked.client_views[client] for client, each in checked.project.overlays.items() if each.decisions)):
        yield from Library(view).findings()


def explain_calls(checked: CheckedProject, finding: Finding) -> Finding:
    """Say of an unknown function that it is there but does not run, where that is so."""
    if finding.code != "unknown-function":
        return finding
    for view in (checked.standard, *checked.client_views.values()):
        for name, decisions in decision_functions(view).items():
            if repr(name) in finding.message and not any(each.runs for each in decisions):
                message = f"{name}() is decided by {decisions[0].id}, which is {decisions[0].status} and does not run"
                return Finding("decision-not-running", finding.severity, message, DecisionNotRunning.remedy, finding.position)
    return finding


class CompiledRule(Rule):
    """A rule that the compiler checks while it compiles; it yields the compiler's findings of its code."""

    codes: ClassVar[tuple[str, ...]] = ()  # further codes of the compiler that it stands for

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        yield from (each for each in compile_findings(checked) if each.code == self.code or each.code in self.codes)


class UnknownFunction(CompiledRule):
    """A function that neither Treaty nor the project has."""

    code = "unknown-function"
    title = "A function is called that there is not"
    why = "The cell or expression has no value."
    remedy = "Call a standard function (`treaty functions`), a decision's function or a pure hook."


class DecisionNotRunning(CompiledRule):
    """A function of a decision whose status does not let it run."""

    code = "decision-not-running"
    title = "A function is called whose decision does not run"
    why = "Only accepted and deprecated decisions run: a draft must not change data, and a superseded one no longer."
    remedy = "Accept the decision, or call the one that took its place."


class ImpureHook(CompiledRule):
    """A hook that is not declared pure."""

    code = "impure-hook"
    title = "A hook is called that is not declared pure"
    why = "Explain, replay and plan run the same call again and must get the same result."
    remedy = "Let it depend on its arguments alone, and declare it with pure=True."


class BadCell(CompiledRule):
    """A cell that is no path, literal or call."""

    code = "bad-cell"
    title = "A cell cannot be read"
    why = "A cell is a path, a literal or a call; it has no operators, so that every choice stands in a decision."
    remedy = "Write a path such as cbc:ID, a 'text', or name(…)."


class TypeMismatch(CompiledRule):
    """A value of one type where another is wanted."""

    code = "type-error"
    title = "A value has another type than the one wanted"
    why = "Text becomes a number or a date only through a named function, so that its format is said."
    remedy = "Call a function that makes the type: plain_decimal(…), iso_date(…), or a decision."


class EffectiveDateCycle(CompiledRule):
    """A date that decides when a decision applies and that itself needs the decision."""

    code = "effective-date-cycle"
    title = "The date by which a decision applies needs that decision"
    why = "Neither could be worked out first."
    remedy = "Let another date field decide."


class NoLookupKey(CompiledRule):
    """A lookup in a model whose golden records no single field identifies."""

    code = "no-lookup-key"
    title = "A model is looked up, and no one field says which record is meant"
    why = "A lookup reads one golden record; the one strong key of the model's identity finds it, where that is a single field."
    remedy = "Name the field: lookup('model.field', key=…, field='…')."


class NotAReference(CompiledRule):
    """A lookup in a stream that is not marked as a reference."""

    code = "not-a-reference"
    title = "A stream is looked up that is not marked as a reference"
    why = "When what was read changes, dependents are conformed again; that is only kept for references."
    remedy = "Set 'reference: true' on the stream."


class UnknownName(CompiledRule):
    """A field or a parameter that an expression names and that is not there."""

    code = "unknown-name"
    title = "An expression names something that is not there"
    why = "An expression sees its parameters, or the fields of its model, and nothing else."
    remedy = "Correct the name, or add the parameter to the signature."


class UnknownMember(CompiledRule):
    """A member that a struct does not have."""

    code = "unknown-member"
    title = "An expression names a member that its struct does not have"
    why = "The expression has no value."
    remedy = "Correct the name of the member."


class WrongArguments(CompiledRule):
    """A call with too many or too few arguments."""

    code = "wrong-arguments"
    title = "A function is called with the wrong arguments"
    why = "The call has no meaning."
    remedy = "Give the arguments of its signature (`treaty functions NAME`)."


class BadArgument(CompiledRule):
    """An argument that its function cannot take: a format, a pattern, a scale."""

    code = "bad-argument"
    title = "A function cannot take an argument"
    why = "A format or a pattern that is wrong would fail for every record."
    remedy = "See `treaty functions NAME` for what it takes."


class NotAConstant(CompiledRule):
    """A computed argument where a written one is wanted."""

    code = "not-a-constant"
    title = "An argument that must be written is computed"
    why = "Formats, patterns and scales decide the meaning and the type of a result, so they cannot come from data."
    remedy = "Write the argument as a literal."


class BadExpression(CompiledRule):
    """An expression that cannot be read."""

    code = "bad-expression"
    codes = ("expression-too-long", "expression-too-deep")
    title = "An expression cannot be read"
    why = "Expressions are scalar SQL in PostgreSQL's spelling, of bounded size and depth."
    remedy = "Mend it, or split it into decisions that call each other."


class NotAllowed(CompiledRule):
    """SQL that is not part of the expression language."""

    code = "not-allowed"
    title = "An expression uses SQL that is not part of the language"
    why = "Expressions are data: no subquery, cast, window, aggregate or I/O, so that no record can stop a query or reach outside."
    remedy = "Use operators, case and the standard functions."


class SourceNotAllowed(CompiledRule):
    """A decision's body that reads the source itself."""

    code = "source-not-allowed"
    title = "An expression reads the source that may not"
    why = "Only predicates of edge cases and scopes see the source; a function's body sees its parameters, so that it can be tested alone."
    remedy = "Give the decision a parameter, and the path in the cell that calls it."


class BadLiteral(CompiledRule):
    """A constant that is no exact number or no date."""

    code = "bad-literal"
    title = "A constant is no exact number or no date"
    why = "It would be rounded, or mean nothing."
    remedy = "Write its digits, or date 'YYYY-MM-DD'."


class BadSignature(CompiledRule):
    """A signature that cannot be read, or that its decision cannot have."""

    code = "bad-signature"
    title = "A signature cannot be read, or does not fit its decision"
    why = "Callers are typed by it."
    remedy = "Write name(param: type) -> type; a value map takes one string and returns a string."


class ShadowedFunction(CompiledRule):
    """A decision's function with the name of a standard one."""

    code = "shadowed-function"
    title = "A decision's function has the name of a standard function"
    why = "A reader of a cell could not tell which of the two runs."
    remedy = "Give the decision's function another name."


class AmbiguousValue(CompiledRule):
    """Values of a code list that its way of matching makes one."""

    code = "ambiguous-value"
    title = "Two values of a code list are one, with two meanings"
    why = "Which meaning a record gets would be chance."
    remedy = "Keep one of them, or match exactly."
