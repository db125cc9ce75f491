"""Odd cases that the data holds although nothing fails: one query a model counts them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from treaty.lake.current import ModelTables, current_golden
from treaty.lake.names import golden_table, quote_name, quote_text
from treaty.lake.schema import table_columns
from treaty.operations.covering.results import EdgeCaseKind, ObservedEdgeCase
from treaty.project.declarations import ClientProject, DataContract, DecisionRecord, SchemaProperty
from treaty.sessions import Session

PLACEHOLDERS = (
    "n/a", "na", "n.a.", "none", "null", "nil", "nan", "-", "--", "---", ".", "?", "??", "x", "xx", "xxx", "tbd", "tba", "todo", "test", "unknown", "undefined",
    "not available", "not applicable", "keine angabe", "k.a.", "unbekannt", "ohne", "inconnu", "sans", "desconocido", "sconosciuto", "onbekend", "#n/a", "0000",
)  # fmt: skip
PLACEHOLDER_DATES = ("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01", "1980-01-01", "2099-12-31", "2100-01-01", "9999-12-31")
NUMBERS = ("integer", "decimal")
DATES = ("date", "timestamp", "local_timestamp")
MIXED = 2  # different units or currencies make a mix


@dataclass(frozen=True, slots=True)
class _Test:
    """One case of one field: a condition, or (for mixes) a count of different values, as SQL over the relation ``r``."""

    field: str
    case: EdgeCaseKind
    value: str  # SQL of the value
    condition: str  # SQL, over ``value``


def observed_edge_cases(session: Session, views: Mapping[str, ClientProject], contract: DataContract, as_of: str) -> Iterator[ObservedEdgeCase]:
    """Yield the odd cases of one model by client, most records first. ``as_of`` is the day after which a date is in the future."""
    known = table_columns(session, golden_table(contract.name))
    if known is None or not views:
        return
    mine = ", ".join(quote_text(each) for each in views)
    golden = current_golden(ModelTables(contract.name), None, where=f"not g._deleted and g._client in ({mine})")
    there = tuple(each for each in contract.properties if each.name in known)
    found = [*_of_fields(session, golden, "", there, contract, views, as_of)]
    for group in there:
        if group.properties:
            elements = f"select _client, _canonical_id, unnest({quote_name(group.name)}) as _element from ({golden})"
            found += _of_fields(session, elements, f"{group.name}.", group.properties, contract, views, as_of)
    found += _duplicates(session, golden, there, contract, views)
    yield from sorted(found, key=lambda each: (bool(each.decisions), each.client, -each.records, each.field, each.case))


def _of_fields(
    session: Session, relation: str, prefix: str, properties: tuple[SchemaProperty, ...], contract: DataContract, views: Mapping[str, ClientProject], as_of: str
) -> Iterator[ObservedEdgeCase]:
    tests = [test for each in properties for test in _tests(each, prefix, as_of)]
    if not tests:
        return
    record = "count(distinct _canonical_id)" if prefix else "count(*)"
    counted = _by_client(session, relation, [f"{record} filter ({each.condition})" for each in tests])
    held = [(number, test) for number, test in enumerate(tests) if any(counts[number] for counts in counted.values())]
    measures = [f"{measure}({each.value}) filter ({each.condition})" for _, each in held for measure in ("min", "max", "approx_count_distinct")]
    samples = _by_client(session, relation, measures) if held else {}
    for client, counts in counted.items():
        for place, (number, test) in enumerate(held):
            records = counts[number]
            least, most, different = samples[client][3 * place : 3 * place + 3]
            if not records or (test.case in ("unit-mix", "currency-mix") and different < MIXED):
                continue
            decisions = _decided(views[client], contract, test.field, test.case)
            yield ObservedEdgeCase(contract.name, client, test.field, test.case, int(records), tuple(dict.fromkeys((str(least), str(most)))), decisions)


def _by_client(session: Session, relation: str, aggregates: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return what these aggregates over a relation come to, by client."""
    rows = session.duck.execute(f"select _client, {', '.join(aggregates)} from ({relation}) group by 1 order by 1").fetchall()
    return {client: tuple(values) for client, *values in rows}


def _tests(declared: SchemaProperty, prefix: str, as_of: str) -> Iterator[_Test]:
    kind = declared.type.partition("(")[0]
    field = f"{prefix}{declared.name}"
    value = f"_element.{quote_name(declared.name)}" if prefix else quote_name(declared.name)
    if kind == "string":
        words = ", ".join(quote_text(each) for each in PLACEHOLDERS)
        yield _Test(field, "empty", value, f"trim({value}) = ''")
        yield _Test(field, "placeholder", value, f"lower(trim({value})) in ({words})")
        if declared.name == "unit" or declared.name.endswith("_unit"):
            yield _Test(field, "unit-mix", value, f"{value} is not null")
        if declared.name == "currency":
            yield _Test(field, "currency-mix", value, f"{value} is not null")
    elif kind in NUMBERS:
        yield _Test(field, "zero", value, f"{value} = 0")
        yield _Test(field, "negative", value, f"{value} < 0")
    elif kind in DATES:
        days = ", ".join(f"date {quote_text(each)}" for each in PLACEHOLDER_DATES)
        yield _Test(field, "placeholder-date", value, f"{value}::date in ({days})")
        yield _Test(field, "future-date", value, f"{value}::date > date {quote_text(as_of)} and {value}::date not in ({days})")


def _duplicates(
    session: Session, golden: str, properties: tuple[SchemaProperty, ...], contract: DataContract, views: Mapping[str, ClientProject]
) -> Iterator[ObservedEdgeCase]:
    """Yield records that are alike in all but what identifies them: perhaps one thing under two keys."""
    parts = {text for view in views.values() for each in _deciding(view, contract, "identity") for key in each.keys if key.strength == "strong" for text in key.expressions}
    names = [each.name for each in properties if each.name not in parts]
    if len(names) < 2 or len(names) == len(properties):  # what is left says too little, or the key is none of the fields
        return
    alike = ", ".join(quote_name(each) for each in names)
    rows = session.duck.execute(f"""
        select _client, sum(n), min(sample), max(sample) from (
            select _client, hash({alike}) as h, count(*) as n, min(_canonical_id::varchar) as sample from ({golden}) group by all having count(*) > 1)
        group by 1 order by 1""").fetchall()
    for client, records, least, most in rows:
        decisions = tuple(each.id for each in _deciding(views[client], contract, "identity") if any(key.strength == "weak" for key in each.keys))
        yield ObservedEdgeCase(contract.name, client, "", "duplicate", int(records), tuple(dict.fromkeys((least, most))), decisions)


def _deciding(view: ClientProject, contract: DataContract, kind: str) -> Iterator[DecisionRecord]:
    for each in view.decisions.values():
        if each.runs and each.kind == kind and any(name.partition(".")[0] == contract.name for name in each.governs):
            yield each


def _decided(view: ClientProject, contract: DataContract, field: str, case: EdgeCaseKind) -> tuple[str, ...]:
    """Return the edge-case decisions that govern a field, and those of an amount's currency for a mix of currencies."""
    found = [each.id for each in _deciding(view, contract, "edge-case") if f"{contract.name}.{field}" in each.governs]
    if case == "currency-mix" and any(each.currency == field for each in contract.properties):
        return (*found, "treaty.currency")  # amounts name their currency: nothing is added across currencies
    return tuple(found)
