"""Where a reference points: the step of a relationship decision, read through the cross-reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from treaty.lake.names import contribution_table, golden_table, quote_text
from treaty.lake.relationships import references_sql, relationships
from treaty.lake.schema import table_columns
from treaty.lake.scope import OneClient
from treaty.operations.explaining.decisions import describe_decision
from treaty.operations.explaining.steps import Step
from treaty.project.declarations import ClientProject
from treaty.sessions import Session


def relationship_steps(session: Session, project: ClientProject, model: str, canonical_id: str, field: str, value: Any) -> Iterator[Step]:
    """Yield a step for each relationship that a field has: what it refers to, and what a missing target does.

    Where golden records cannot be read, where it points is not told.
    """
    for relationship in relationships(project, model):
        if relationship.field != field or value is None:
            continue
        step: Step = {
            "step": "decision", **describe_decision(project.decisions[relationship.decision]), "input": value, "output": None,
            "references": f"{relationship.target}.{relationship.target_field}", "missing": relationship.missing,
        }  # fmt: skip
        readable = all(table_columns(session, make(name)) is not None for name in (model, relationship.target) for make in (golden_table, contribution_table))
        if readable:
            rows = references_sql(session, OneClient(project.client), relationship)
            row = session.duck.execute(
                f"select target_id::varchar, candidates from ({rows}) where _canonical_id = {quote_text(canonical_id)}::uuid"
            ).fetchone()
            target, candidates = row or (None, 0)
            step |= {"output": target, "candidates": candidates}
        yield step
