"""Plans, kept: what each said, and what it relied on, so that it can be told whether that still stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treaty.lake.batches import open_batch
from treaty.lake.commit import commit, prepare_rows
from treaty.lake.names import contribution_table, lake_table, landed_table
from treaty.lake.schema import table_columns
from treaty.lake.scope import AllClients, ClientScope, scope_condition
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """One plan: what it said (its JSON), what it relied on, who made it and when."""

    plan_id: str
    made_at: datetime
    who: str
    relies: Mapping[str, Any]
    content: Mapping[str, Any]


def store_plan(session: Session, scope: AllClients, plan_id: str, relies: Mapping[str, Any], content: str) -> None:
    """Keep a plan."""
    batch = open_batch(session, scope, "plan")
    row = {
        "plan_id": plan_id, "made_at": batch.started_at, "who": session.who, "relies": json.dumps(relies, sort_keys=True), "content": content,
        "_batch": batch.number,
    }  # fmt: skip
    commit(session, scope, [prepare_rows(session, batch, "plan", [row])], batch=batch, message=f"plan {plan_id}")


def find_plan(session: Session, plan_id: str) -> StoredPlan | None:
    """Return a plan by its id, or by what its id begins with where that is only one; None where there is none."""
    if table_columns(session, "plan") is None:
        return None
    rows = session.duck.execute(
        f"select plan_id, made_at, who, relies, content from {lake_table('plan')} where starts_with(plan_id, ?) order by _batch desc limit 2", [plan_id]
    ).fetchall()
    exact = [row for row in rows if row[0] == plan_id] or rows
    if len(exact) != 1:
        return None
    found = exact[0]
    return StoredPlan(found[0], found[1], found[2], json.loads(found[3]), json.loads(found[4]))


def landed_through_all(session: Session, scope: ClientScope, streams: set[str]) -> dict[str, int]:
    """Return, as ``client stream``, the last batch that landed rows of each stream."""
    return _last(session, scope, {name: landed_table(*name.split("/", 1)) for name in streams})


def contributed_through(session: Session, scope: ClientScope, models: set[str]) -> dict[str, int]:
    """Return, as ``client model``, the last batch that contributed to each model."""
    return _last(session, scope, {name: contribution_table(name) for name in models})


def _last(session: Session, scope: ClientScope, tables: Mapping[str, str]) -> dict[str, int]:
    mine = scope_condition(session, scope)
    found: dict[str, int] = {}
    for name, table in sorted(tables.items()):
        if table_columns(session, table) is not None:
            rows = session.duck.execute(f"select _client, max(_batch) from {lake_table(table)} where {mine} group by _client").fetchall()
            found |= {f"{client} {name}": int(batch) for client, batch in rows}
    return found
