"""The plain lake's rows pushed into a real one: landed, resolved and committed as a run does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from plain_lake import START, TABLES, Landed, PlainLake, Row

from treaty.compiler.types import parse_type
from treaty.lake.batches import open_batch
from treaty.lake.commit import commit, discard, prepare_rows, prepare_select
from treaty.lake.names import landed_table
from treaty.lake.resolve import resolve
from treaty.lake.schema import ensure_landed, ensure_model
from treaty.lake.scope import OneClient
from treaty.lake.task import Resolved, ResolveTask
from treaty.sessions import Session

SCOPE = OneClient("main")


class RealLake(PlainLake):
    """Pushes rows through the lake of a session, for one client and the model ``thing``."""

    def __init__(self, session: Session, **settings: Any) -> None:
        super().__init__(session.duck, **settings)
        self.session = session
        ensure_model(session, "thing", {"a": parse_type("integer"), "b": parse_type("string"), "c": parse_type("list<string>")})

    def push(self, rows: Sequence[Row], *, again: Sequence[Landed] | None = None, **settings: Any) -> Resolved:
        """Land rows of one system, resolve them as one batch and commit that."""
        fresh = again if again is not None else self.land(rows)
        system = fresh[0].row.system
        task_settings: dict[str, Any] = {"generation": 1, **settings}
        batch = open_batch(
            self.session, SCOPE, "conform", mapping=f"{system}.s", generation=task_settings["generation"], versions={"fired": ["first", "second"]}
        )
        self.fill(fresh, task_settings["generation"])
        task = ResolveTask(
            client="main", tables=self.tables, mapping=f"{system}.s", system=system, stream="s", batch=batch.number, keys=self.keys,
            rules=self.rules, set_aside="aside", landed=f"lake.{landed_table(system, 's')}", **task_settings,
        )  # fmt: skip
        resolved = resolve(self.connection, task)
        writes = [prepare_select(self.session, batch, each.table, each.relation or "") for each in resolved.writes]
        if not writes:
            discard(self.session, batch, [])
            return resolved
        generation = {"_client": "main", "_mapping": f"{system}.s", "_generation": task.generation, "applied_id": "x", "_batch": batch.number}
        commit(self.session, SCOPE, [*writes, prepare_rows(self.session, batch, "generation", [generation])], batch=batch)
        return resolved

    def land(self, rows: Sequence[Row]) -> list[Landed]:
        """Append rows to the stream's landed table."""
        self.batch += 1
        landed = self._landed(rows, START + timedelta(minutes=self.batch))
        table = ensure_landed(self.session, rows[0].system, "s", None)
        batch = open_batch(self.session, SCOPE, "land", stream=f"{rows[0].system}/s")
        values = [
            {"_landed_id": str(each.landed_id), "_client": "main", "_source_key": each.row.key, "_source_version": each.row.version, "_op": each.row.op,
             "_received_at": each.received_at, "_locator": place, "payload": "{}"}
            for place, each in enumerate(landed)
        ]  # fmt: skip
        commit(self.session, SCOPE, [prepare_rows(self.session, batch, table, values)], batch=batch)
        return landed

    def generations(self, system: str, generation: int) -> None:
        """Leave the generations to :meth:`push`."""


__all__ = ["SCOPE", "TABLES", "RealLake", "Row"]
