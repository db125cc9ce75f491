"""Runs the examples of decisions on the engine that production uses, without a lake."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from treaty.compiler import ir
from treaty.compiler.decisions import DecisionFunction, Library
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.types import ListType, StructType, Type
from treaty.engines.duckdb.frames import Frame, Inputs
from treaty.engines.duckdb.hooks import register_hooks
from treaty.engines.duckdb.paths import Place, quote_name, quote_text
from treaty.operations.spelling import spell
from treaty.project.declarations import ClientProject, DecisionRecord, Limits
from treaty.rules.interface import ExampleFailure
from treaty.settings import RuntimeSettings

if TYPE_CHECKING:
    from treaty.sessions.duckdb import Engine

RETURNS, FAILS = "returns", "fails"
DECISIONS_A_QUERY = 20


class ExampleBench:
    """An engine in memory, opened when the first example runs."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._duck: Engine | None = None

    def __enter__(self) -> ExampleBench:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._duck is not None:
            self._duck.close()
            self._duck = None

    def run(self, project: ClientProject, decisions: tuple[DecisionRecord, ...]) -> tuple[ExampleFailure, ...]:
        """Run the examples of decisions as one client has them; return those that do not give what they say."""
        library = Library(project)
        runnable = []
        for record in decisions:
            if record.function and record.runs and record.examples:
                function = library.compile(record.id)
                if not function.broken:
                    runnable.append((record, function))
        if runnable and project.hooks:
            register_hooks(self._engine(), project.hooks.values(), self._limits.hook_seconds)
        failures: list[ExampleFailure] = []
        for start in range(0, len(runnable), DECISIONS_A_QUERY):
            failures += self._run_together(runnable[start : start + DECISIONS_A_QUERY])
        return tuple(failures)

    def _run_together(self, pairs: Sequence[tuple[DecisionRecord, DecisionFunction]]) -> list[ExampleFailure]:
        parts = [sql for number, (record, function) in enumerate(pairs) if (sql := _examples_sql(number, record, function))]
        if not parts:
            return []
        failures = []
        for number, example, found, reason, same in self._engine().execute(" UNION ALL ".join(parts)).fetchall():
            record = pairs[number][0]
            given = record.examples[example]
            if FAILS in given:
                if reason != given[FAILS]:
                    failures.append(ExampleFailure(record.id, example, f"fails: {given[FAILS]}", _outcome(found, reason)))
            elif reason is not None or not same:
                failures.append(ExampleFailure(record.id, example, spell(given.get(RETURNS)), _outcome(found, reason)))
        return failures

    def _engine(self) -> Engine:
        if self._duck is None:
            from treaty.sessions.duckdb import open_engine

            self._duck = open_engine(self._limits, None, RuntimeSettings.from_environment())
        return self._duck


def _outcome(found: str | None, reason: str | None) -> str:
    if reason is not None:
        return f"fails: {reason}"
    return "null" if found is None else found


def _no_source(path: ir.SourcePath) -> Place:
    raise AssertionError(f"a decision reads its parameters, not sources: {path}")


def _examples_sql(number: int, record: DecisionRecord, function: DecisionFunction) -> str:
    """Return a query over a decision's well-formed examples: (decision, example, found as text, reason, whether as expected)."""
    parameters = function.signature.parameters
    names = {name for name, _ in parameters}
    rows = []
    for position, example in enumerate(record.examples):
        outcome = [key for key in example if key in (RETURNS, FAILS)]
        if len(outcome) != 1 or set(example) - {RETURNS, FAILS} != names:
            continue  # the rule `example-shape` tells
        cells = [str(position), *(literal(example[name], kind) for name, kind in parameters), literal(example.get(RETURNS), function.signature.returns)]
        rows.append(f"({', '.join(cells)})")
    if not rows:
        return ""
    columns = ", ".join(quote_name(each) for each in ("_n", *(name for name, _ in parameters), "_expected"))
    relation = f"SELECT *, {quote_text(record.date)}::TIMESTAMPTZ AS _received_at FROM (VALUES {', '.join(rows)}) t({columns})"
    frame = Frame(_no_source, lambda path: "false", lambda path: None, Inputs(record.date), True)
    frame.count([function.body])
    frame.prepare(function.body)
    sql = relation
    for pairs in frame.layers:
        if pairs:
            sql = f"SELECT t.*, {', '.join(f'{text} AS {name}' for name, text in pairs)} FROM ({sql}) t"
    value = frame.value(function.body)
    reason = frame.reason(function.body) or "CAST(NULL AS VARCHAR)"
    return f"SELECT {number}, _n, CAST({value} AS VARCHAR), {reason}, {value} IS NOT DISTINCT FROM _expected FROM ({sql})"


def literal(value: Any, kind: Type) -> str:
    """Return an example's value as SQL of a type; what cannot be read as one is null."""
    name = duckdb_type(kind)
    if value is None:
        return f"CAST(NULL AS {name})"
    if isinstance(kind, ListType | StructType):
        return f"TRY_CAST(CAST({quote_text(json.dumps(value, default=str))} AS JSON) AS {name})"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"TRY_CAST({quote_text(text)} AS {name})"


def given_of(example: Mapping[str, Any]) -> str:
    """Return what an example gives, as people read it."""
    return ", ".join(f"{name}: {spell(value)}" for name, value in example.items() if name not in (RETURNS, FAILS))
