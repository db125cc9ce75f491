"""Rules on decision records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import combinations

from treaty.project.declarations import ClientProject, DecisionRecord
from treaty.project.findings import Finding, Severity
from treaty.rules.calls import called_functions, called_in, decision_functions, expressions_of
from treaty.rules.compiled import compile_findings
from treaty.rules.interface import CheckedProject, Rule, function_name

FIRST_DAY, LAST_DAY = "0000-01-01", "9999-12-31"
OUTCOMES = ("returns", "fails")


class NoOutcome(Rule):
    """A decision that runs and whose text does not say what was decided."""

    code = "no-outcome"
    title = "A decision runs without saying what was decided and why"
    why = "Operators read the outcome when they ask why a value is as it is."
    remedy = "Add a section '## Outcome' that gives the choice and its reason."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, decision in checked.decisions():
            if decision.runs and not decision.sections.get("outcome", "").strip():
                yield self.finding(f"{decision.id} has no outcome", decision.at("status"))


class ReviewOverdue(Rule):
    """A decision whose day of review has passed."""

    code = "review-overdue"
    title = "A decision's day of review has passed"
    why = "What was right when it was decided may not be so any more."
    remedy = "Look at it again with its evidence, then move 'review-by' or supersede it."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        if checked.as_of is None:
            return
        day = checked.as_of.isoformat()
        for _, decision in checked.decisions():
            if decision.runs and decision.review_by is not None and decision.review_by < day:
                yield self.finding(f"{decision.id} was to be reviewed by {decision.review_by}", decision.at("review-by"))


class NoSuchDay(Rule):
    """A date that the calendar does not have."""

    code = "no-such-day"
    title = "A date is not in the calendar"
    why = "Nothing can be compared with it."
    remedy = "Correct the date."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, decision in checked.decisions():
            given = {"date": decision.date, "review-by": decision.review_by}
            if decision.applies is not None:
                given |= {"applies.from": decision.applies.from_, "applies.to": decision.applies.to}
            for place, text in given.items():
                if text is not None and not _is_day(text):
                    yield self.finding(f"{text} is no day of the calendar", decision.at(place))


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


class EmptyPeriod(Rule):
    """A period in which a decision can never hold."""

    code = "empty-period"
    title = "A decision's period ends before it begins"
    why = "It would never run."
    remedy = "Let 'to' be after 'from'; 'to' is the first day it no longer holds."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, decision in checked.decisions():
            first, last = period(decision)
            if first >= last:
                yield self.finding(f"{decision.id} holds from {first} until before {last}", decision.at("applies"))


def period(decision: DecisionRecord) -> tuple[str, str]:
    """Return the first day a decision holds, and the first day it no longer does."""
    applies = decision.applies
    return (FIRST_DAY, LAST_DAY) if applies is None else (applies.from_ or FIRST_DAY, applies.to or LAST_DAY)


def slots(decision: DecisionRecord) -> tuple[str, ...]:
    """Return what a decision alone may decide at a time: a function's name, a model's identity, a field's survivorship."""
    models = sorted({each.partition(".")[0] for each in decision.governs})
    if decision.kind in ("transformation", "value-map"):
        return (f"the function {function_name(decision.function or '')}",)
    if decision.kind == "identity":
        return tuple(f"the identity of {model}" for model in models)
    if decision.kind == "survivorship":
        return tuple(f"the survivorship of {model}.{field}" for model in models for rule in decision.survivorship for field in rule.fields)
    if decision.kind == "relationship":
        return tuple(f"the reference {field}" for field in decision.governs)
    return ()


class OverlappingDecisions(Rule):
    """Two decisions for one thing at one time."""

    code = "overlapping-decisions"
    title = "Two decisions for the same thing hold at the same time"
    why = "Which of them runs would be chance."
    remedy = "Give both periods that do not overlap ('applies:'), or supersede one."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for view in (checked.standard, *checked.client_views.values()):
            held: dict[str, list[DecisionRecord]] = {}
            for decision in sorted(view.decisions.values(), key=lambda each: (each.date, each.id)):
                for slot in slots(decision) if decision.runs else ():
                    held.setdefault(slot, []).append(decision)
            for slot, decisions in held.items():
                for first, second in combinations(decisions, 2):
                    if max(period(first)[0], period(second)[0]) < min(period(first)[1], period(second)[1]):
                        place = "applies" if second.applies else "function" if second.function else "id"
                        yield self.finding(f"{first.id} and {second.id} both decide {slot}", second.at(place))
                    elif first.applies and second.applies and first.applies.by != second.applies.by:
                        message = f"{first.id} applies by {first.applies.by}, {second.id} by {second.applies.by}"
                        yield self.finding(message, second.at("applies.by"), "Let one field decide for both.")


class EdgeCaseNotListed(Rule):
    """An edge case that stands in no model's order."""

    code = "edge-case-not-listed"
    title = "An edge case is not in the order of its model"
    why = "Edge cases run in the listed order; one that is not listed does not run."
    remedy = "Add its id to 'treaty.edgeCases' of the model's contract, where it shall run."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, decision in checked.decisions():
            if decision.kind != "edge-case" or not decision.runs:
                continue
            models = {each.partition(".")[0] for each in decision.governs}
            known = [checked.project.models[name] for name in models if name in checked.project.models]
            if checked.is_own(decision.position) and known and all(model.of_pack for model in known):
                continue  # it runs after those that the pack lists
            listed = {name for model in checked.project.models.values() for name in model.edge_cases}
            if (known and not any(decision.id in model.edge_cases for model in known)) or (not models and decision.id not in listed):
                where = " and ".join(sorted(models)) or "any model"
                yield self.finding(f"{decision.id} is not among the edge cases of {where}", decision.at("id"))


class ValueMapWithoutOtherwise(Rule):
    """A code list that does not say what becomes of values that it does not have."""

    code = "value-map-without-otherwise"
    title = "A value map does not say what becomes of values that it does not have"
    why = "New codes turn up; what happens to them is part of the decision."
    remedy = "Add 'otherwise:' with quarantine, preserve, null or a value."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, decision in checked.decisions():
            if decision.kind == "value-map" and decision.otherwise is None:
                yield self.finding(f"{decision.id} has no 'otherwise'", decision.at("map"))


class UnusedDecision(Rule):
    """A function that nothing calls."""

    code = "unused-decision"
    title = "A decision's function is called by nothing"
    why = "A reader takes it for what the engine does."
    remedy = "Call it in a cell, or set its status to draft or superseded."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        mappings = [mapping for _, mapping in checked.mappings()]
        if not mappings:
            return  # a pack of models and decisions: the projects that build on it call them
        called = called_functions(checked.standard, mappings)
        for client in checked.project.overlays:
            called |= called_functions(checked.client_views[client], [])
        for _, decision in checked.decisions():
            if decision.runs and decision.function and function_name(decision.function) not in called and checked.is_own(decision.position):
                yield self.finding(f"nothing calls {function_name(decision.function)}", decision.at("function"))


class CircularDecisions(Rule):
    """Decisions that call each other in a ring."""

    code = "circular-decisions"
    title = "Decisions call each other in a ring"
    why = "Decisions may call decisions, but none may call itself in the end: there would be no result."
    remedy = "Move what they share into a decision of its own that calls neither."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for view in (checked.standard, *checked.client_views.values()):
            functions = decision_functions(view)
            calls = {
                name: {each for decision in decisions for text in expressions_of(decision) for each in called_in(text)} & functions.keys()
                for name, decisions in functions.items()
            }
            for ring in _rings(calls):
                decision = functions[ring[0]][0]
                yield self.finding(f"{' → '.join((*ring, ring[0]))}", decision.at("expression"))


def _rings(calls: dict[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Yield each ring of calls once, from its first name in alphabetical order."""
    for start in sorted(calls):
        stack: list[tuple[str, ...]] = [(start,)]
        seen: set[str] = set()
        while stack:
            path = stack.pop()
            for name in sorted(calls[path[-1]], reverse=True):
                if name == start:
                    yield path
                    stack.clear()
                    break
                if name > start and name not in seen:
                    seen.add(name)
                    stack.append((*path, name))


class MissingExamples(Rule):
    """A transformation that runs and has no worked example."""

    code = "missing-examples"
    title = "A transformation runs without a worked example"
    why = "Examples are how people check that the expression does what the text says; `treaty test` runs them."
    remedy = "Add 'examples:' with inputs by parameter and 'returns:' (or 'fails: reason')."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, decision in checked.decisions():
            if decision.kind == "transformation" and decision.runs and not decision.examples:
                yield self.finding(f"{decision.id} has no examples", decision.at("function"))


class ExampleOfOtherShape(Rule):
    """An example that does not fit its function's signature."""

    code = "example-shape"
    title = "An example does not fit the function's signature"
    why = "It cannot be run."
    remedy = "Give each parameter by its name, and 'returns:' or 'fails:'."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, decision in checked.decisions():
            if not decision.function:
                continue
            inside = decision.function.partition("(")[2].rpartition(")")[0]
            parameters = [part.partition(":")[0].strip() for part in _split(inside)]
            for number, example in enumerate(decision.examples):
                given = [key for key in example if key not in OUTCOMES]
                if sorted(given) != sorted(parameters) or len(example) != len(given) + 1:
                    shape = ", ".join([*(f"{name}: …" for name in parameters), "returns: …"])
                    message = f"the example of {decision.id} does not fit {function_name(decision.function)}({', '.join(parameters)})"
                    yield self.finding(message, decision.at(f"examples.{number}"), f"Write {{{shape}}}.")


def _split(text: str) -> list[str]:
    """Split parameters at the commas that are in no bracket."""
    parts, depth, start = [], 0, 0
    for position, sign in enumerate(text):
        depth += (sign in "(<") - (sign in ")>")
        if sign == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [part for part in (*parts, text[start:]) if part.strip()]


class SupersededWithoutSuccessor(Rule):
    """A superseded decision that does not say by which."""

    code = "superseded-without-successor"
    title = "A superseded decision does not say by which"
    why = "A reader who finds the old one must be led to the one that holds."
    remedy = "Add 'superseded-by: <id>'."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, decision in checked.decisions():
            if decision.status == "superseded" and decision.superseded_by is None:
                yield self.finding(f"{decision.id} is superseded by nothing", decision.at("status"))


class WeakIdentityOnly(Rule):
    """An identity with weak keys alone."""

    code = "weak-identity-only"
    title = "An identity has weak keys alone"
    why = "Weak keys may only propose; no two contributions would ever be joined."
    remedy = "Add a strong key, or make one of them strong."
    severity = Severity.WARNING

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, decision in checked.decisions():
            if decision.kind == "identity" and decision.runs and all(key.strength == "weak" for key in decision.keys):
                yield self.finding(f"{decision.id} has no strong key", decision.at("keys"))


class ExampleFailed(Rule):
    """An example that does not give what it says."""

    code = "example-failed"
    title = "An example does not give what it says"
    why = "Either the expression or the example is wrong; the engine that production uses has run it."
    remedy = "Correct the expression, or the example."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        if checked.run_examples is None:
            return
        for view in (checked.standard, *(checked.client_views[client] for client in checked.project.overlays)):
            overlay = checked.project.overlays.get(view.client)
            decisions = overlay.decisions if overlay else view.decisions
            unsound = unsound_decisions(checked, view)
            runnable = tuple(each for each in decisions.values() if each.examples and each.runs and each.id not in unsound)
            for failure in checked.run_examples(view, runnable) if runnable else ():
                decision = decisions[failure.decision]
                message = f"{failure.decision}: expected {failure.expected}, found {failure.found}"
                yield self.finding(message, decision.at(f"examples.{failure.number}"))


def unsound_decisions(checked: CheckedProject, view: ClientProject) -> set[str]:
    """Return the ids of decisions that have errors of their own, or call one that has: no example of theirs can tell more."""
    rules: tuple[type[Rule], ...] = (CircularDecisions, ExampleOfOtherShape, EmptyPeriod)
    found = [*compile_findings(checked), *(each for rule in rules for each in rule().check(checked))]
    files = {each.position.file for each in found if each.severity is Severity.ERROR}
    unsound = {each.id for each in view.decisions.values() if each.position.file in files}
    functions = decision_functions(view)
    while True:
        names = {name for name, decisions in functions.items() if any(each.id in unsound for each in decisions)}
        more = {
            each.id
            for each in view.decisions.values()
            if each.id not in unsound and any(called_in(expression) & names for expression in expressions_of(each))
        }
        if not more:
            return unsound
        unsound |= more
