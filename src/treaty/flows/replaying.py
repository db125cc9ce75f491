"""Conforms chosen landed records again, out of their turn: what a steward replays from quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from treaty.compiler.mapping import compile_mapping
from treaty.engines.duckdb.hooks import register_hooks
from treaty.flows.conforming import MAPPING, ROWS_IN_MEMORY, Chunk, Work, chunk_task, exclusively, resolve_and_commit, resolving, run_query
from treaty.lake.batches import open_batch
from treaty.lake.cursors import Fence, read_cursor
from treaty.lake.names import lake_table, landed_table, quote_text
from treaty.project.declarations import ClientProject
from treaty.sessions import Session


def replay_records(session: Session, project: ClientProject, mapping: str, landed_ids: Sequence[str], *, applied_id: str, as_of: str) -> dict[str, int]:
    """Conform landed records of one mapping again; return how many came to each state. What was refused unread stays as it is."""
    compiled = compile_mapping(project, mapping)
    register_hooks(session.duck, project.hooks.values(), project.settings.limits.hook_seconds)
    states: dict[str, int] = {}
    read = _ids_of_read(session, compiled.client, compiled.stream.name, landed_ids)
    for start in range(0, len(read), ROWS_IN_MEMORY):
        chosen = read[start : start + ROWS_IN_MEMORY]
        with exclusively(session, f"conform|{compiled.client}|{mapping}"), resolving(session, compiled.client, compiled.model):
            cursor = read_cursor(session, Work(session, project, compiled, applied_id, 1, as_of).scope, MAPPING, mapping)
            work = Work(session, project, compiled, applied_id, int(cursor.position.get("generation", 1)), as_of)
            literals = ", ".join(f"{quote_text(each)}::uuid" for each in chosen)
            condition = f"_client = {quote_text(compiled.client)} and _landed_id in ({literals})"
            batch = open_batch(
                session, work.scope, "replay", stream=compiled.stream.name, mapping=mapping, applied_id=applied_id, generation=work.generation,
                as_of=date.fromisoformat(as_of), versions={"mapping": compiled.version, "fired": list(compiled.decisions)},
            )  # fmt: skip
            run_query(work, [Chunk(condition, len(chosen), batch.number, None)], batch)
            fence = Fence(compiled.client, MAPPING, mapping, cursor.seq, cursor.position)
            found = resolve_and_commit(session, batch, chunk_task(work, batch, (), replaces=False), fence, new_generation=False)
        for state, number in found.items():
            states[state] = states.get(state, 0) + number
    return states


def _ids_of_read(session: Session, client: str, stream: str, landed_ids: Sequence[str]) -> list[str]:
    """Return the ids of those records that could be read, in their order."""
    table = landed_table(*stream.split("/", 1))
    rows = session.duck.execute(
        f"select _landed_id::varchar from {lake_table(table)} where _client = ? and _op <> 'refused' and _landed_id in (select unnest(?)::uuid)", [client, list(landed_ids)]
    ).fetchall()
    read = {row[0] for row in rows}
    return [each for each in landed_ids if each in read]
