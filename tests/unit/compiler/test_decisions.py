"""Decision functions: compiled, inlined, dated, and versioned by what they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import duckdb
import pytest

from treaty.compiler.decisions import Library, decision_version, definitions_used
from treaty.compiler.functions import CallError, resolve_call
from treaty.compiler.ir import Call, Decided, Literal, Node, Param
from treaty.compiler.signatures import parse_signature
from treaty.compiler.types import DATE, INTEGER, STRING, DecimalType
from treaty.engines.duckdb.scalars import render_reason, render_value
from treaty.project.declarations import Applies, CaseRow, ClientProject, DecisionRecord, Hook, ProjectSettings
from treaty.project.findings import Position

LEGACY = (
    "to_decimal(replace(replace(trim_all(text, '()'), '.', ''), ',', '.'), 18, 2) * case when starts_with(text, '(') then -1 else 1 end"
)
PLACES = MappingProxyType(
    {name: Position("decisions/x.md", line) for line, name in enumerate(["expression", "function", "applies", "cases.0.when"], 10)}
)


def record(id: str, **given: Any) -> DecisionRecord:
    """Return an accepted transformation, or what is given otherwise."""
    values: dict[str, Any] = {
        "title": "A title",
        "status": "accepted",
        "date": "2026-01-01",
        "kind": "transformation",
        "places": PLACES,
    } | given
    return DecisionRecord(id=id, **values)


def library(*records: DecisionRecord, hooks: Mapping[str, Hook] | None = None) -> Library:
    """Return the library of a project that has these decisions."""
    decisions = {each.id: each for each in records}
    project = ClientProject(
        client="main",
        settings=ProjectSettings(name="x"),
        systems={},
        models={},
        decisions=decisions,
        mappings={},
        flows={},
        hooks=hooks or {},
    )
    return Library(project)


def text(value: str | None) -> Literal:
    """Return a text as a node."""
    return Literal(value, STRING)


def outcome(node: Node) -> tuple[object, object]:
    """Return the value and the reason that DuckDB gives."""
    row = duckdb.connect().execute(f"SELECT {render_value(node)}, {render_reason(node) or 'NULL'}").fetchone()
    assert row is not None
    return str(row[0]) if row[0] is not None else None, row[1]


def codes(made: Library) -> list[str]:
    """Return the codes of what is wrong in a library."""
    return [each.code for each in made.findings()]


AMOUNT = record("amounts", function="legacy_amount(text: string) -> decimal(18,2)", expression=LEGACY)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("1.234,50", ("1234.50", None)),
        ("(12,00)", ("-12.00", None)),
        ("12,005", (None, "too-many-digits")),
        ("twelve", (None, "not-a-decimal")),
        (None, (None, None)),
    ],
)
def test_a_transformation_runs(given: str | None, wanted: tuple[object, object]) -> None:
    """The expression of the design's example gives its values, and its failures."""
    assert wanted == outcome(library(AMOUNT).call("legacy_amount", [(None, text(given))]))


def test_a_call_is_marked() -> None:
    """A call is marked as decided, with what went in, and is of the declared type."""
    node = library(AMOUNT).call("legacy_amount", [("text", Param("x", STRING))])
    assert isinstance(node, Decided)
    assert ("amounts", Param("x", STRING), DecimalType(18, 2)) == (node.decision, node.input, node.type)
    assert node.body.type == node.type


def test_cases_are_tried_in_order() -> None:
    """The first case that is true gives the result."""
    table = record(
        "sizes",
        function="size(n: integer) -> string",
        otherwise="'big'",
        cases=(CaseRow(when="n < 10", then="'small'"), CaseRow(when="n < 100", then="'medium'")),
    )
    made = library(table)
    got = [outcome(made.call("size", [(None, Literal(n, INTEGER))]))[0] for n in (5, 50, 500, None)]
    assert ["small", "medium", "big", "big"] == got


@pytest.mark.parametrize(
    ("otherwise", "given", "wanted"),
    [
        ("quarantine", "KG", ("kilogram", None)),
        ("quarantine", "XX", (None, "unmapped-value")),
        (None, "XX", (None, "unmapped-value")),
        ("preserve", "XX", ("XX", None)),
        ("null", "XX", (None, None)),
        ("other", "XX", ("other", None)),
        ("other", None, (None, None)),
    ],
)
def test_value_maps(otherwise: str | None, given: str | None, wanted: tuple[object, object]) -> None:
    """A code list gives its values, and does with the rest what it says."""
    units = record("units", kind="value-map", function="unit(text: string) -> string", map={"KG": "kilogram"}, otherwise=otherwise)
    assert wanted == outcome(library(units).call("unit", [(None, text(given))]))


def test_value_maps_of_nulls_and_folded_values() -> None:
    """A code list may say what a null becomes, and compare without case and white space; a failed input stays failed."""
    units = record(
        "units", kind="value-map", function="unit(text: string) -> string", map={"Kg ": "kilogram"}, match="trim_casefold", null="none"
    )
    made = library(units)
    assert ("none", None) == outcome(made.call("unit", [(None, text(None))]))
    assert ("kilogram", None) == outcome(made.call("unit", [(None, text("\tKG"))]))
    failed = resolve_call("iban", [text("no")])
    assert (None, "not-an-iban") == outcome(made.call("unit", [(None, failed)]))


def test_decisions_call_decisions() -> None:
    """A decision may call another, by position or by name; the inner mark stays."""
    total = record(
        "totals", function="total(a: string, b: string) -> decimal(18,2)", expression="legacy_amount(a) + legacy_amount(text => b)"
    )
    node = library(AMOUNT, total).call("total", [(None, text("1,50")), (None, text("(0,50)"))])
    assert ("1.00", None) == outcome(node)
    assert ["totals", "amounts", "amounts"] == [each.decision for each in walk_marks(node)]


def walk_marks(node: Node) -> list[Decided]:
    """Return the marks in a tree."""
    from treaty.compiler.lineage import marks

    return marks(node)


def test_recursion_is_a_finding() -> None:
    """Decisions that call each other in a circle are found, once for the call that closes it."""
    made = library(
        record("a", function="a(x: string) -> string", expression="b(x)"), record("b", function="b(x: string) -> string", expression="a(x)")
    )
    assert ["recursive-decision"] == codes(made)
    assert "a → b → a" in made.findings()[0].message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"function": "legacy_amount(text) -> decimal(18,2)"}, "bad-signature"),
        ({"function": "legacy_amount(text: string) -> float"}, "bad-signature"),
        ({"function": "Legacy(text: string) -> string"}, "bad-signature"),
        ({"function": "f(text: string, text: string) -> string", "expression": "text"}, "bad-signature"),
        ({"function": "trim(text: string) -> string", "expression": "text"}, "shadowed-function"),
        ({"expression": None}, "no-outcome"),
        ({"expression": None, "cases": (CaseRow(when="true", then="1"),)}, "no-outcome"),
        ({"expression": "1", "cases": (CaseRow(when="true", then="1"),), "otherwise": "1"}, "no-outcome"),
        ({"expression": "text"}, "type-error"),
        ({"expression": "source('a')"}, "source-not-allowed"),
        ({"expression": "plain_decimal(txt)"}, "unknown-name"),
        ({"expression": None, "cases": (CaseRow(when="text", then="1"),), "otherwise": "1"}, "type-error"),
        ({"kind": "value-map", "map": {"a": "b"}}, "bad-signature"),
        (
            {"kind": "value-map", "function": "m(a: string) -> string", "map": {"a": "1", "A ": "2"}, "match": "trim_casefold"},
            "ambiguous-value",
        ),
    ],
)
def test_what_is_wrong_is_found(change: dict[str, Any], code: str) -> None:
    """A record that cannot run is a finding, with a remedy."""
    made = library(replace(AMOUNT, **change))
    assert [code] == codes(made)
    assert made.findings()[0].remedy


def test_problems_stand_where_they_are() -> None:
    """A problem in an expression stands at its character on the expression's line."""
    (found,) = library(replace(AMOUNT, expression="plain_decimal(txt)")).findings()
    assert Position("decisions/x.md", 10, 15) == found.position


def test_a_broken_decision_can_be_called() -> None:
    """A call of a broken decision is typed, so that its callers are not blamed."""
    made = library(replace(AMOUNT, expression="nothing"))
    assert DecimalType(18, 2) == made.call("legacy_amount", [(None, text("1"))]).type
    assert made.compile("amounts").broken


@pytest.mark.parametrize(
    "given",
    [
        [],
        [(None, text("a")), (None, text("b"))],
        [("txt", text("a"))],
        [(None, text("a")), ("text", text("b"))],
        [(None, Literal(1, INTEGER))],
    ],
)
def test_wrong_arguments(given: list[tuple[str | None, Node]]) -> None:
    """A call with wrong arguments is refused with the signature in its remedy."""
    made = library(AMOUNT)
    assert made.problem("legacy_amount", given)
    with pytest.raises(CallError):
        made.call("legacy_amount", given)


# ---- periods

SUMMER = record(
    "summer",
    function="rate(n: integer) -> integer",
    expression="n * 2",
    applies=Applies(from_="2026-04-01", to="2026-10-01", by="invoice.issue_date"),
)
LATER = record(
    "later", function="rate(n: integer) -> integer", expression="n * 3", applies=Applies(from_="2026-10-01", by="invoice.issue_date")
)


@pytest.mark.parametrize(
    ("day", "wanted"),
    [
        ("2026-04-01", ("2", None)),
        ("2026-09-30", ("2", None)),
        ("2026-10-01", ("3", None)),
        ("2026-03-31", (None, "no-decision-in-force")),
        (None, (None, "no-effective-date")),
        ("soon", (None, "not-a-date")),
    ],
)
def test_decisions_apply_by_date(day: str | None, wanted: tuple[object, object]) -> None:
    """Of decisions that share a function, the one runs whose half-open period holds the date; none is a failure."""
    made = library(SUMMER, LATER)
    by = resolve_call("iso_date", [text(day)])
    node = made.call("rate", [(None, Literal(1, INTEGER))], {"invoice.issue_date": by}.get)
    assert wanted == outcome(node)
    assert [] == codes(made)


def test_what_decides_is_a_date() -> None:
    """A decision cannot apply by a field that is no date."""
    with pytest.raises(CallError, match="is string"):
        library(SUMMER).call("rate", [(None, Literal(1, INTEGER))], lambda path: text("x"))


@pytest.mark.parametrize(
    ("applies", "code"),
    [
        (None, "duplicate-function"),
        (Applies(from_="2026-09-01", by="invoice.issue_date"), "overlapping-decisions"),
        (Applies(from_="2026-10-01", by="invoice.due_date"), "overlapping-decisions"),
    ],
)
def test_shared_functions_that_collide(applies: Applies | None, code: str) -> None:
    """Decisions share a function only with periods by one field that do not overlap."""
    assert [code] == codes(library(SUMMER, replace(LATER, applies=applies)))


def test_shared_functions_have_one_signature() -> None:
    """Decisions that share a function have the same parameters and result."""
    other = replace(LATER, function="rate(n: integer, m: integer) -> integer")
    assert ["bad-signature"] == codes(library(SUMMER, other))


# ---- hooks


def test_hooks() -> None:
    """A pure hook is called like a decision; another is refused."""
    pure = Hook(name="squeeze", signature="squeeze(text: string) -> string", pure=True, file="hooks/a.py", content_hash="1")
    made = library(hooks={"squeeze": pure, "roll": replace(pure, name="roll", signature="roll(text: string) -> string", pure=False)})
    assert ["squeeze", "roll"] == made.names()
    node = made.call("squeeze", [(None, text("a"))])
    assert Call("hook:squeeze@1", (text("a"),), STRING) == node
    assert "struct_extract(\"hook:squeeze@1\"('a'), 'value')" == render_value(node)
    with pytest.raises(CallError, match="pure"):
        made.call("roll", [(None, text("a"))])


# ---- versions


def version(*records: DecisionRecord) -> str:
    """Return the version of the first record, the others standing beside it."""
    return decision_version(records[0], library(*records))


def test_a_version_is_what_it_does() -> None:
    """Prose and dates do not change a version; the expression, the table and the period do."""
    assert version(AMOUNT) == version(replace(AMOUNT, title="Other", date="2026-02-02", review_by="2027-01-01", examples=({"text": "1"},)))
    assert version(AMOUNT) == version(replace(AMOUNT, expression=LEGACY.replace(" * ", "  *  ")))
    assert version(AMOUNT) != version(replace(AMOUNT, expression=LEGACY.replace("-1", "-2")))
    assert version(SUMMER) != version(replace(SUMMER, applies=replace(SUMMER.applies, to="2026-11-01")))  # type: ignore[type-var]
    units = record("u", kind="value-map", function="unit(text: string) -> string", map={"a": "b"})
    assert version(units) != version(replace(units, map={"a": "c"}))
    edge = record("e", kind="edge-case", when="amount < 0", treatment="preserve")
    assert version(edge) == version(replace(edge, title="x"))
    assert version(edge) != version(replace(edge, treatment="quarantine"))


def test_a_version_holds_what_it_calls() -> None:
    """A change of a decision, or of a standard function's definition, that is called shows in the caller's version."""
    total = record("totals", function="total(a: string) -> decimal(18,2)", expression="legacy_amount(a)")
    assert version(total, AMOUNT) != version(total, replace(AMOUNT, expression="plain_decimal(text)"))
    used = definitions_used(resolve_call("trim", [Param("x", STRING)]))
    assert 1 == len(used) and used[0].startswith("trim duckdb CASE WHEN strlen({0})")


def test_signatures() -> None:
    """A signature is read, and written as it was."""
    written = "f(a: list<struct<x: string, y: decimal(18,2)>>, b: date) -> integer"
    assert written == str(parse_signature(written))
    assert () == parse_signature("f() -> string").parameters
    assert DATE == parse_signature("f( a : date ) -> date").parameters[0][1]
