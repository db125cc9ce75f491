"""Every example of every standard function, run on DuckDB; and the rules that hold for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import duckdb
import pytest

from treaty.compiler.functions import FUNCTIONS, Example, Fails, Function, literal_of
from treaty.compiler.functions.typing import resolve_types
from treaty.compiler.ir import Call, Literal, Node
from treaty.compiler.types import NULL
from treaty.engines.duckdb.scalars import render_reason, render_value

CASES = [(function, example) for function in FUNCTIONS.values() for example in function.examples]


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """One engine in memory, its clock in UTC."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    yield connection
    connection.close()


def run(engine: duckdb.DuckDBPyConnection, node: Node) -> tuple[object, object]:
    """Return the value and the reason of a node."""
    sql = f"SELECT {render_value(node)}, {render_reason(node) or 'NULL'}"
    row = engine.execute(sql).fetchone()
    assert row is not None
    return row[0], row[1]


def call(function: Function, args: list[Node]) -> Call:
    """Return the checked call of any row, operators and internal ones included."""
    return resolve_types(function, args)


@pytest.mark.parametrize(("function", "example"), CASES, ids=[f"{f.name}-{n}" for n, (f, _) in enumerate(CASES)])
def test_example(engine: duckdb.DuckDBPyConnection, function: Function, example: Example) -> None:
    """Every example of the table gives what it says."""
    value, reason = run(engine, call(function, [literal_of(each) for each in example.args]))
    if isinstance(example.result, Fails):
        assert (None, example.result.reason) == (value, reason)
    else:
        wanted = example.result.replace(tzinfo=None) if isinstance(example.result, datetime) else example.result
        got = value.replace(tzinfo=None) if isinstance(value, datetime) else value
        assert (wanted, None) == (got, reason)


@pytest.mark.parametrize("function", [each for each in FUNCTIONS.values() if each.strict and each.examples], ids=lambda each: each.name)
def test_null_arguments(engine: duckdb.DuckDBPyConnection, function: Function) -> None:
    """A strict function with a null argument is null, and has not failed."""
    for position, _ in enumerate(function.examples[0].args):
        parameter = function.parameters[min(position, len(function.parameters) - 1)]
        if parameter.const:
            continue
        args = [literal_of(each) for each in function.examples[0].args]
        args[position] = Literal(None, NULL)
        assert (None, None) == run(engine, call(function, args))


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda each: each.name)
def test_examples_are_there(function: Function) -> None:
    """Every row that people see has an example and one line of help; a fallible one shows a failure."""
    assert function.internal or function.examples
    assert function.doc and "\n" not in function.doc
    if function.reasons and not function.internal and function.name not in ("negate", "absolute", "abs", "round", "convert"):
        assert any(isinstance(each.result, Fails) for each in function.examples)
