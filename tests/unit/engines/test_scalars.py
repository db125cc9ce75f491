"""The rules of nulls and failures, as rendered for DuckDB, beside a plain interpreter of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treaty.compiler.functions import resolve_call, resolve_operator
from treaty.compiler.ir import Call, Case, Decided, Failed, Fired, Literal, Node, Param, Source, SourcePath, Step, ValueMap
from treaty.compiler.types import BOOLEAN, INTEGER, NULL, STRING
from treaty.engines.duckdb.frames import Frame, Inputs
from treaty.engines.duckdb.paths import Place
from treaty.engines.duckdb.scalars import can_fail, render_reason, render_value
from treaty.errors import DefectError


@dataclass(frozen=True)
class Failure:
    """What an interpreted node gives where it failed."""

    reason: str


def interpret(node: Node, record: dict[str, str | None]) -> Any:
    """Return the value of a node, or its failure, straight from the rules in the docstring of the tree."""
    match node:
        case Literal(value=value):
            return value
        case Param(name=name):
            return record[name]
        case Decided(body=body):
            return interpret(body, record)
        case Failed(operand=operand):
            return isinstance(interpret(operand, record), Failure)
        case Fired(operand=operand):
            return interpret(operand, record) is True
        case Case(whens=whens, otherwise=otherwise):
            for condition, then in whens:
                found = interpret(condition, record)
                if isinstance(found, Failure):
                    return found
                if found is True:
                    return interpret(then, record)
            return interpret(otherwise, record)
        case ValueMap(input=given_node, entries=entries, otherwise=rest, null=null):
            found = interpret(given_node, record)
            if isinstance(found, Failure):
                return found
            if found is None:
                return null
            if found in dict(entries):
                return dict(entries)[found]
            return {"quarantine": Failure("unmapped-value"), "preserve": found, "null": None}.get(rest, rest.removeprefix("value:"))
        case Call(function=function, args=args):
            values = [interpret(each, record) for each in args]
            failure = next((each for each in values if isinstance(each, Failure)), None)
            return failure if failure is not None else apply(function, values)
    raise AssertionError(node)


def apply(function: str, values: list[Any]) -> Any:
    """Return what a function makes of values that are there or null."""
    if function == "coalesce":
        return next((each for each in values if each is not None), None)
    if function == "is_null":
        return values[0] is None
    if function in ("and", "or"):
        decisive = function == "or"
        return decisive if decisive in values else None if None in values else not decisive
    if None in values:
        return None
    if function == "to_integer":
        text = values[0].strip(" ")
        return int(text) if text.lstrip("+-").isdigit() and text.lstrip("+-").isascii() else Failure("not-an-integer")
    if function == "fail":
        return Failure(values[0])
    return {
        "+": lambda a, b: a + b,
        "=": lambda a, b: a == b,
        "<": lambda a, b: a < b,
        "to_text": str,
        "not": lambda a: not a,
        "upper": str.upper,
    }[function](*values)


texts = st.deferred(
    lambda: st.one_of(
        st.sampled_from([Param("p", STRING), Param("q", STRING), Literal("7", STRING), Literal(None, STRING)]),
        texts.map(lambda a: resolve_call("upper", [a])),
        integers.map(lambda a: resolve_call("to_text", [a])),
        st.tuples(texts, texts).map(lambda both: resolve_call("coalesce", both)),
        st.tuples(texts, st.sampled_from(["quarantine", "preserve", "null", "value:V"]), st.sampled_from([None, "N"])).map(
            lambda three: ValueMap("d", three[0], (("1", "one"), ("x", "ex")), "exact", three[1], three[2])
        ),
        st.tuples(texts, texts).map(lambda both: Decided("d", both[0], both[1], STRING)),
        st.tuples(booleans, texts, texts).map(lambda three: Case(((three[0], three[1]),), three[2], STRING)),
        st.tuples(booleans, texts).map(
            lambda two: Case(((two[0], two[1]),), Call("widen", (resolve_call("fail", [Literal("no-form", STRING)]),), STRING), STRING)
        ),
    )
)
integers = st.deferred(
    lambda: st.one_of(
        st.sampled_from([Literal(1, INTEGER), Literal(None, INTEGER)]),
        texts.map(lambda a: resolve_call("to_integer", [a])),
        st.tuples(integers, integers).map(lambda both: resolve_operator("+", both)),
        st.tuples(integers, integers).map(lambda both: resolve_call("coalesce", both)),
        st.tuples(booleans, integers, booleans, integers, integers).map(
            lambda five: Case(((five[0], five[1]), (five[2], five[3])), five[4], INTEGER)
        ),
    )
)
booleans = st.deferred(
    lambda: st.one_of(
        st.sampled_from([Literal(True, BOOLEAN), Literal(None, BOOLEAN)]),
        st.tuples(integers, integers).map(lambda both: resolve_operator("<", both)),
        st.tuples(texts, texts).map(lambda both: resolve_operator("=", both)),
        texts.map(lambda a: resolve_call("is_null", [a])),
        integers.map(Failed),
        booleans.map(Fired),
        booleans.map(lambda a: resolve_operator("not", [a])),
        st.tuples(booleans, booleans).map(lambda both: resolve_operator("and", both)),
        st.tuples(booleans, booleans).map(lambda both: resolve_operator("or", both)),
    )
)
RECORDS: list[dict[str, str | None]] = [{"p": p, "q": q} for p in (None, "1", "x", " 2") for q in (None, "3", "")]


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """One engine with the records in a table."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE records (n INTEGER, p VARCHAR, q VARCHAR)")
    connection.executemany("INSERT INTO records VALUES (?, ?, ?)", [(n, each["p"], each["q"]) for n, each in enumerate(RECORDS)])
    yield connection
    connection.close()


def parameters(node: Node) -> str | None:
    """Say that parameters are columns."""
    return node.name if isinstance(node, Param) else None


def wanted_rows(node: Node) -> list[tuple[Any, str | None]]:
    """Return value and whether it failed for each record, as interpreted."""
    found = [interpret(node, each) for each in RECORDS]
    return [(None, "failed") if isinstance(each, Failure) else (each, None) for each in found]


@settings(max_examples=60, deadline=None)
@given(node=st.one_of(texts, integers, booleans))
def test_nulls_and_failures(engine: duckdb.DuckDBPyConnection, node: Node) -> None:
    """A rendered tree is null and fails exactly where the rules say."""
    sql = f"SELECT {render_value(node, parameters)}, {render_reason(node, parameters) or 'NULL'} FROM records ORDER BY n"
    if len(sql) > 20_000:
        return
    got = engine.execute(sql).fetchall()
    assert wanted_rows(node) == [(value, None if reason is None else "failed") for value, reason in got]
    assert can_fail(node) or all(reason is None for _, reason in got)


def no_place(path: SourcePath) -> Place:
    """Refuse sources: these trees have none."""
    raise AssertionError(path)


@settings(max_examples=60, deadline=None)
@given(node=st.one_of(texts, integers, booleans))
def test_frames_render_the_same(engine: duckdb.DuckDBPyConnection, node: Node) -> None:
    """A frame, which makes columns of what is shared, gives the same values and failures."""
    frame = Frame(no_place, lambda path: "false", lambda path: None, Inputs("2026-01-01"), True)
    frame.count([node])
    frame.prepare(node)
    sql = "SELECT * FROM records"
    for pairs in frame.layers:
        if pairs:
            sql = f"SELECT t.*, {', '.join(f'{text} AS {name}' for name, text in pairs)} FROM ({sql}) t"
    got = engine.execute(f"SELECT {frame.value(node)}, {frame.reason(node) or 'NULL'} FROM ({sql}) ORDER BY n").fetchall()
    assert wanted_rows(node) == [(value, None if reason is None else "failed") for value, reason in got]


def test_a_failed_source_is_no_null() -> None:
    """coalesce of a source that failed fails, and does not fall back."""
    source = Source(SourcePath((Step("a"),)))
    node = resolve_call("coalesce", [source, Literal("b", STRING)])
    value = render_value(node, lambda each: "NULL" if each == source else None, lambda each: "'many-values'")
    reason = render_reason(node, lambda each: "NULL" if each == source else None, lambda each: "'many-values'")
    assert (None, "many-values") == duckdb.connect().execute(f"SELECT {value}, {reason}").fetchone()


def test_trim_casefold_and_long_lists() -> None:
    """A code list of any length gives the same, its keys folded like its values."""
    for length in (3, 300):
        entries = tuple((f" Kéy{n}", f"v{n}") for n in range(length))
        node = ValueMap("d", Literal("kÉY2  ", STRING), entries, "trim_casefold", "quarantine", None)
        assert ("v2", None) == duckdb.connect().execute(f"SELECT {render_value(node)}, {render_reason(node)}").fetchone()


def test_what_has_no_column_is_a_defect() -> None:
    """A source that the engine was given no column for stops the compiler, not the query."""
    with pytest.raises(DefectError):
        render_value(Source(SourcePath((Step("a"),))))


def test_texts_are_quoted() -> None:
    """No text leaves its literal."""
    for text in ("'", "''; DROP TABLE x --", "\\'", "{0}", "a\x00b", "\n"):
        assert (text,) == duckdb.connect().execute(f"SELECT {render_value(Literal(text, STRING))}").fetchone()
    assert "NULL" == render_value(Literal(None, NULL))
