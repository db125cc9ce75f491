"""Finds the landed records of which a changed mapping makes something else than the mapping before, without conforming all of them.

What conforming makes of a record follows from the values of the mapping's nodes alone. So where both mappings have most nodes the same, the
others are computed by both: records for which they come to the same have the contribution that they have, and only the rest is conformed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.decisions import is_hook
from treaty.compiler.lineage import walk
from treaty.engines.duckdb.conform import conform_sql
from treaty.engines.duckdb.paths import quote_name, quote_text
from treaty.flows.conforming import LEFT_OUT, ROWS_IN_MEMORY, Chunk, Work, inputs_over
from treaty.lake.current import ModelTables
from treaty.sessions import Session

AFFECTED = "plan_affected"  # temporary: landed records that are conformed
MANY_ROWS = ROWS_IN_MEMORY  # below, two more queries cost more than they save
MOST_AFFECTED = 0.4  # where more are, all are conformed
TOLD = ("_state", "_reason", "_notes", "_findings", "_fired")


def part_differing(before: CompiledMapping, after: CompiledMapping) -> tuple[CompiledMapping, CompiledMapping] | None:
    """Return the part of two mappings in which they differ, as mappings; None where they differ in more than values of fields.

    Other scopes, match keys or fields, or another order of decisions, change what is told of every record. What a hook gives may depend on
    how long it took, and a model that is looked up may change as well.
    """
    if _told_of_all(before) != _told_of_all(after) or any(is_hook(each) for each in _calls(before, after)):
        return None
    if any("/" not in name for name in (*before.references, *after.references)):
        return None
    fields = [(old, new) for old, new in zip(before.fields, after.fields, strict=True) if (old.cell, old.node) != (new.cell, new.node)]
    names = {old.name for old, _ in fields}
    cases = list(zip(before.edge_cases, after.edge_cases, strict=True))
    cases = [(old, new) for old, new in cases if old.when != new.when or names & {*old.sets}]  # what it sets is told of a quarantined record
    rules = [(old, new) for old, new in zip(before.rules, after.rules, strict=True) if old != new]
    old = replace(
        before, fields=tuple(each for each, _ in fields), edge_cases=tuple(each for each, _ in cases), rules=tuple(each for each, _ in rules), scopes=(), keys=()
    )
    new = replace(
        after, fields=tuple(each for _, each in fields), edge_cases=tuple(each for _, each in cases), rules=tuple(each for _, each in rules), scopes=(), keys=()
    )
    return old, new


def _told_of_all(mapping: CompiledMapping) -> object:
    fields = [(each.name, each.type, each.required) for each in mapping.fields]
    cases = [(each.decision, each.treatment, each.sets, each.waives) for each in mapping.edge_cases]
    return mapping.stream, mapping.model, mapping.scopes, mapping.keys, mapping.decisions, fields, cases, [each.id for each in mapping.rules]


def _calls(*mappings: CompiledMapping) -> Iterator[ir.Call]:
    return (each for mapping in mappings for root in mapping.roots for each in walk(root) if isinstance(each, ir.Call))


def find_affected(work: Work, before: CompiledMapping, chunks: Sequence[Chunk]) -> bool:
    """Fill ``AFFECTED`` with the records to conform: those of which another thing is made, and those without a contribution.

    Return False where all are to be conformed: there are few, most are affected, or mappings differ in more than values. ``before`` is what
    conformed everything in the generation before, as of the same day and by the same references.
    """
    rows = sum(each.rows for each in chunks)
    if not rows or rows < MANY_ROWS:
        return False
    parts = part_differing(before, work.mapping)
    if parts is None:
        return False
    duck = work.session.duck
    landed = f"{work.rows} where " + " or ".join(f"({each.condition})" for each in chunks)
    duck.execute(f"""
        create or replace temp table {AFFECTED} as
        {_differing(work, parts, landed)} union
        select _landed_id from (select _landed_id from ({landed})) anti join (select _landed_id from {_stands(work)}) using (_landed_id)""")
    row = duck.execute(f"select count(*) from {AFFECTED}").fetchone()
    return row is not None and row[0] <= rows * MOST_AFFECTED


def contributions_kept(work: Work) -> str:
    """Return SQL of the contributions that stand for records which are not affected, in the generation of the work."""
    return f"""select * exclude (_batch) replace ({work.generation}::integer as _generation) from {_stands(work)}
        where _landed_id not in (select _landed_id from {AFFECTED}) and _landed_id not in (select _landed_id from {LEFT_OUT})"""


def forget_affected(session: Session) -> None:
    """Give the memory of what was found back."""
    session.duck.execute(f"drop table if exists {AFFECTED}")


def _stands(work: Work) -> str:
    mine = f"_client = {quote_text(work.mapping.client)} and _mapping = {quote_text(work.mapping.name)} and _generation = {work.generation - 1}"
    return f"(select * from {ModelTables(work.mapping.model).contribution} where {mine})"


def _differing(work: Work, parts: tuple[CompiledMapping, CompiledMapping], relation: str) -> str:
    """Return SQL of the ids of records of which the two parts make different things."""
    names = [*TOLD, *(each.name for each in parts[0].fields)]
    columns = ", ".join(["_landed_id", *map(quote_name, names)])
    queries = (conform_sql(each, relation, inputs_over(replace(work, mapping=each), relation), versioned=True) for each in parts)  # of the same stream
    old, new = (f"(select {columns} from ({each}))" for each in queries)
    differs = " or ".join(f"o.{quote_name(name)} is distinct from n.{quote_name(name)}" for name in names)
    return f"select o._landed_id from {old} o join {new} n on n._landed_id = o._landed_id where {differs}"
