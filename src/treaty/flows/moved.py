"""Whether what a mapping looks up or joins has changed for records that it has conformed already.

What landed is never rewritten, so the reference as it was when the mapping last looked can be read beside the reference as it is now.
Only keys whose value differs between the two matter, and only if a conformed record reads one of them: new header and line files that
come together, or a change in a column that nobody looks up, make nothing be conformed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.lineage import walk
from treaty.engines.duckdb.conform import frame_of, select_layers
from treaty.engines.duckdb.paths import quote_text
from treaty.engines.duckdb.structures import observed_lists
from treaty.flows.references import (
    JOINED_BY,
    children_reader,
    come_through,
    golden_touched_since,
    inputs_of,
    reference_reader,
    touched_since,
)
from treaty.lake.names import lake_table, landed_table
from treaty.sessions import Session

CHANGED = "moved_keys"


def references_moved(session: Session, mapping: CompiledMapping, done: Mapping[str, Any], as_of: str) -> bool:
    """Tell whether a record up to the mapping's position ``done`` would read something else now."""
    before: Mapping[str, int] = done.get("references") or {}
    for node, nested in _reads(mapping):
        stream = _stream_of(node)
        since = int(before.get(stream, 0))
        if come_through(session, mapping.client, stream) == since:
            continue
        if _changed_keys(session, mapping.client, node, stream, since) and (nested or _read_by_some(session, mapping, node, done, as_of)):
            return True
    return False


def _reads(mapping: CompiledMapping) -> Iterator[tuple[ir.Lookup | ir.Each, bool]]:
    """Yield each lookup and each joined group once, and whether it stands inside the elements of a group."""
    for root in dict.fromkeys(mapping.roots):
        outer = set(walk(root, elements=False))
        for node in dict.fromkeys(walk(root)):
            if isinstance(node, ir.Lookup) or (isinstance(node, ir.Each) and node.join is not None):
                yield node, node not in outer


def _stream_of(node: ir.Lookup | ir.Each) -> str:
    if isinstance(node, ir.Lookup):
        return node.target
    assert node.join is not None, "only joined groups are asked for"
    return node.join.stream


def _changed_keys(session: Session, client: str, node: ir.Lookup | ir.Each, stream: str, since: int) -> int:
    """Keep the keys of a reference whose value is not what it was after batch ``since``; return how many there are."""
    versions = []
    for through in (None, since):
        if isinstance(node, ir.Lookup):
            touched = touched_since(session, client, stream, None, since) if node.by is None else golden_touched_since(session, client, node, since)
            versions.append(reference_reader(session, client, through, touched)(node))
        else:
            assert node.join is not None, "only joined groups are asked for"
            on = tuple(column for column, _ in node.join.on)
            touched = touched_since(session, client, stream, on, since)
            versions.append(children_reader(session, client, through, touched)(stream, on, ()))
    now, then = (f"select k, to_json(columns(* exclude (k))) as read from ({sql})" for sql in versions)
    session.duck.execute(
        f"create or replace temp table {CHANGED} as select distinct k from (({now} except {then}) union all ({then} except {now})) where k is not null"
    )
    row = session.duck.execute(f"select count(*) from {CHANGED}").fetchone()
    return int(row[0]) if row else 0


def _read_by_some(session: Session, mapping: CompiledMapping, node: ir.Lookup | ir.Each, done: Mapping[str, Any], as_of: str) -> bool:
    """Tell whether some conformed record of the mapping's stream reads a changed key."""
    parts = [node.key] if isinstance(node, ir.Lookup) else [value for _, value in node.join.on] if node.join else []
    system, _, name = mapping.stream.name.partition("/")
    conformed = f"_client = {quote_text(mapping.client)} and _batch <= {int(done.get('batch', 0))} and _op <> 'refused'"
    relation = f"select * from {lake_table(landed_table(system, name))} where {conformed}"
    lists = observed_lists(session.duck, mapping.stream, parts, relation)
    frame, reader = frame_of(mapping.stream, parts, inputs_of(session, mapping, as_of, lists))
    for part in parts:
        frame.prepare(part)
    key = f" || {JOINED_BY} || ".join(frame.value(part) for part in parts)
    rows = select_layers(frame, reader, relation)
    return session.duck.execute(f"select 1 from ({rows}) where {key} in (select k from {CHANGED}) limit 1").fetchone() is not None
