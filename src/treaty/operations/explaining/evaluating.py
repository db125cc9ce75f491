"""Runs compiled mappings again, over chosen landed rows and nothing else: whole records, or single nodes of one record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from treaty.compiler import ir
from treaty.compiler.compiled import UNREADABLE_VERSION, CompiledMapping
from treaty.engines.duckdb.conform import conform_sql, frame_of, select_layers
from treaty.engines.duckdb.frames import BITS, Inputs
from treaty.engines.duckdb.paths import quote_name
from treaty.engines.duckdb.structures import observed_lists
from treaty.flows.references import inputs_of
from treaty.lake.current import Connection
from treaty.lake.dispositions import NEWEST_FIRST
from treaty.operations.explaining.steps import Outcome
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class Note:
    """What was wrong with a field of a record, and whether it was fatal to the record."""

    field: str
    rule: str
    value: str | None
    fatal: bool


@dataclass(frozen=True, slots=True)
class Conformed:
    """One landed record, conformed again."""

    landed_id: str
    state: str  # good | quarantined | filtered
    op: str
    reason: str | None
    notes: tuple[Note, ...]
    findings: tuple[str, ...]
    keys: tuple[str | None, ...]
    fields: dict[str, Any]
    source_key: str | None = None
    fired: tuple[str, ...] = ()  # decisions that changed something

    @property
    def unplaced(self) -> bool:
        """Whether the record has no place among the versions of its key: its own version cannot be read."""
        return any(each.rule == UNREADABLE_VERSION for each in self.notes)


def conform_again(session: Session, mapping: CompiledMapping, relation: str, as_of: str) -> tuple[Conformed, ...]:
    """Conform the landed rows of a relation of the lake, newest first."""
    lists = observed_lists(session.duck, mapping.stream, mapping.nodes_read, relation)
    return conform_rows(session.duck, mapping, relation, inputs_of(session, mapping, as_of, lists))


def conform_rows(duck: Connection, mapping: CompiledMapping, relation: str, inputs: Inputs) -> tuple[Conformed, ...]:
    """Conform the rows of any relation with landing columns, newest first."""
    cursor = duck.execute(f"select * from ({conform_sql(mapping, relation, inputs)}) order by {NEWEST_FIRST}")
    names = [each[0] for each in cursor.description or ()]
    return tuple(_conformed(mapping, dict(zip(names, row, strict=True))) for row in cursor.fetchall())


def _conformed(mapping: CompiledMapping, row: dict[str, Any]) -> Conformed:
    notes = tuple(Note(each["field"], each["rule"], each["value"], each["fatal"]) for each in row["_notes"] or ())
    fields = {each.name: row[each.name] for each in mapping.fields}
    return Conformed(
        str(row["_landed_id"]), row["_state"], row["_op"], row["_reason"], notes, tuple(row["_findings"] or ()), tuple(row["_keys"] or ()), fields,
        row["_source_key"], tuple(fired_in(row["_fired"] or (), mapping.decisions)),
    )  # fmt: skip


def fired_in(words: Sequence[int], decisions: Sequence[str]) -> Iterator[str]:
    """Yield the decisions whose bit is set: 62 bits a word, numbered by the mapping."""
    for number, decision in enumerate(decisions):
        if words[number // BITS] >> (number % BITS) & 1:
            yield decision


def evaluate(session: Session, mapping: CompiledMapping, nodes: Sequence[ir.Node], relation: str, as_of: str) -> dict[ir.Node, Outcome]:
    """Return what each node comes to in the one landed row of a relation."""
    if not nodes:
        return {}
    lists = observed_lists(session.duck, mapping.stream, nodes, relation)
    frame, reader = frame_of(mapping.stream, nodes, inputs_of(session, mapping, as_of, lists))
    for node in nodes:
        frame.prepare(node)
    reasons = {node: frame.reason(node) for node in nodes}
    level = max((frame.ready(node) for node in nodes), default=0)
    named = {node: frame.define("q", sql, level).name for node, sql in reasons.items() if sql is not None}
    columns = [f"{frame.value(node)} AS {quote_name(f'v{number}')}" for number, node in enumerate(nodes)]
    columns += [f"{named[node]} AS {quote_name(f'r{number}')}" for number, node in enumerate(nodes) if node in named]
    cursor = session.duck.execute(f"SELECT {', '.join(columns)} FROM ({select_layers(frame, reader, relation)})")
    names = [each[0] for each in cursor.description or ()]
    row = dict(zip(names, cursor.fetchone() or (), strict=True))
    return {node: Outcome(row[f"v{number}"], row.get(f"r{number}")) for number, node in enumerate(nodes)}
