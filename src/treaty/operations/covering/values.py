"""What of coverage depends on data: source values that no code list names, and decisions that never changed anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.lineage import walk
from treaty.compiler.types import STRING, ListType, StructType, Type
from treaty.engines.duckdb.conform import frame_of, select_layers
from treaty.engines.duckdb.paths import quote_text
from treaty.engines.duckdb.structures import observed_lists
from treaty.flows.references import inputs_of, newest_landed
from treaty.lake.reads import decision_counts
from treaty.lake.scope import OneClient
from treaty.operations.covering.results import NeverFired, UnmappedValue
from treaty.project.declarations import ClientProject
from treaty.sessions import Session

COUNTED_KINDS = ("transformation", "value-map", "edge-case", "scope")
AS_OF = "1970-01-01"  # no code list depends on the day


def unmapped_values(session: Session, mappings: Sequence[CompiledMapping]) -> Iterator[UnmappedValue]:
    """Yield the values of the newest landed records that a mapping's code lists do not name, most records first."""
    for mapping in mappings:
        relation = newest_landed(session, mapping.client, mapping.stream.name)
        lists = _code_lists(mapping)
        if relation is None or not lists:
            continue
        for (decision, place), code_list in lists.items():
            yield from _values_of(session, mapping, decision, place, code_list, relation)


def _code_lists(mapping: CompiledMapping) -> dict[tuple[str, ir.Node], ir.ValueMap]:
    """Return the code lists of a mapping, each with the repeating group it stands in (or itself)."""
    found: dict[tuple[str, ir.Node], ir.ValueMap] = {}

    def visit(node: ir.Node, group: ir.Each | None) -> None:
        for each in walk(node, elements=False):
            if isinstance(each, ir.ValueMap):
                place: ir.Node = each.input if group is None else _inputs_in(group, each)
                found[(each.decision, place)] = each
            if isinstance(each, ir.Each) and group is None:
                for _, inner in each.fields:
                    visit(inner, each)

    for field in mapping.fields:
        visit(field.node, None)
    return found


def _inputs_in(group: ir.Each, code_list: ir.ValueMap) -> ir.Each:
    """Return a group rewritten so that its elements hold only what goes into one code list."""
    kinds: tuple[tuple[str, Type], ...] = (("v", STRING),)
    return replace(group, fields=(("v", code_list.input),), required=(), type=ListType(StructType(kinds)))


def _values_of(session: Session, mapping: CompiledMapping, decision: str, place: ir.Node, code_list: ir.ValueMap, relation: str) -> Iterator[UnmappedValue]:
    nodes = [place]
    inputs = inputs_of(session, mapping, AS_OF, observed_lists(session.duck, mapping.stream, nodes, relation))
    frame, reader = frame_of(mapping.stream, nodes, inputs)
    frame.prepare(place)
    reason = frame.reason(place)
    value = frame.value(place) if reason is None else f"CASE WHEN {reason} IS NULL THEN {frame.value(place)} END"
    texts = f"unnest(list_distinct(list_transform({value}, lambda e: e.v)))" if isinstance(place, ir.Each) else value
    folded = "lower(trim(text))" if code_list.match == "trim_casefold" else "text"
    known = ", ".join(quote_text(source.strip().lower() if code_list.match == "trim_casefold" else source) for source, _ in code_list.entries)
    rows = session.duck.execute(
        f"""SELECT text, count(*) FROM (SELECT {texts} AS text FROM ({select_layers(frame, reader, relation)}))
            WHERE text IS NOT NULL AND {folded} NOT IN ({known or "''"}) GROUP BY text ORDER BY 2 DESC, 1"""
    ).fetchall()
    for text, records in rows:
        yield UnmappedValue(decision, mapping.client, mapping.name, str(text), int(records), code_list.otherwise.removeprefix("value:"))


def never_fired(session: Session, project: ClientProject, mappings: Sequence[CompiledMapping]) -> Iterator[NeverFired]:
    """Yield the decisions that run for a client and have changed no current record of the mappings' models."""
    passed: dict[str, int] = {}
    changed: dict[str, int] = {}
    for model in dict.fromkeys(each.model for each in mappings):
        for decision, (through, fired) in decision_counts(session, OneClient(project.client), model).items():
            passed[decision] = passed.get(decision, 0) + through
            changed[decision] = changed.get(decision, 0) + fired
    used = {decision for mapping in mappings for decision in mapping.decisions}
    for decision in sorted(used):
        record = project.decisions.get(decision)
        if record is not None and record.kind in COUNTED_KINDS and not changed.get(decision):
            yield NeverFired(decision, project.client, passed.get(decision, 0))
