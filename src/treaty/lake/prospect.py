"""The lake as it would be: what stands in it, and beside that the rows of one client which are prepared and not committed.

The lake is append-only, so the rows that a commit would add are all that it changes. A catalog of views gives each table with them;
resolving and comparing read it as they read the lake. The files lie where the lake's do and belong to open batches: no reader sees
them, a killed process's are swept, and a commit takes them as they are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from treaty.compiler.types import Type
from treaty.errors import StopError
from treaty.lake.batches import Batch
from treaty.lake.commit import TableWrite, keep_files, prepared_path, write_parquet
from treaty.lake.current import ModelTables, current_golden
from treaty.lake.names import golden_end_table, golden_table, lake_table, quote_name, quote_text
from treaty.lake.schema import FIXED_TABLES, model_tables, table_columns
from treaty.lake.scope import OneClient
from treaty.lake.task import PreparedWrite
from treaty.lake.widening import widened_type
from treaty.sessions import Session

CATALOG = "prospect"
SHARED = ("xref", "xref_end", "disposition", "quarantine", "generation")


@dataclass(frozen=True, slots=True)
class Written:
    """One prepared Parquet file: rows of a table, in a batch."""

    table: str
    path: Path
    rows: int
    batch: int


@dataclass(slots=True)
class Prospect:
    """What is prepared for one client. Close it: the files that nobody took are removed."""

    session: Session
    client: str
    written: list[Written] = field(default_factory=list)
    columns: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def tables(self, model: str) -> ModelTables:
        """Return the names by which a model is read with what is prepared."""
        return ModelTables(model, CATALOG)

    def add_model(self, model: str, fields: Mapping[str, Type]) -> None:
        """Let a model be read with these fields; raise StopError where the lake has one of them in a type that cannot become the new one."""
        for table, wanted in model_tables(model, fields).items():
            known = {**(table_columns(self.session, table) or {}), **self.columns.get(table, {})}
            kinds = dict(known)
            for name, kind in wanted.items():
                wider = widened_type(self.session, known[name], kind) if name in known else kind
                if wider is None:
                    raise StopError(
                        f"The type of {model}.{name} has changed from {known[name]} to {kind}, which is not wider: the lake keeps what it has.",
                        remedy="Give the field, or the member that has changed, a new name, or leave its type.",
                    )
                kinds[name] = wider
            self.columns[table] = kinds
            self._show(table)
        for table in SHARED:
            if table not in self.columns:
                self.columns[table] = FIXED_TABLES[table]
                self._show(table)

    def add(self, batch: Batch, writes: Sequence[PreparedWrite]) -> None:
        """Keep what was worked out as files, and let it be read from now on."""
        for write in writes:
            paths = [self._linked(batch, write.table, path) for path in write.files]
            if not write.files:
                paths = [prepared_path(self.session, batch, write.table)]
                write_parquet(self.session, paths[0], self._whole(write.table, write.relation or ""))
            for path in paths:
                self._keep(Written(write.table, path, self._count(path), batch.number))
        for table in {write.table for write in writes}:
            self._show(table)

    def rewritten(self, model: str) -> str | None:
        """Return SQL for the canonical ids of a model that get a new golden version, None where none does."""
        written = self.written_golden(model)
        return f"select distinct _canonical_id from ({written})" if written else None

    def written_golden(self, model: str) -> str | None:
        """Return SQL for the new golden versions of a model, deleted ones included, None where there are none; one of each id once they are netted."""
        files = [each.path for each in self.written if each.table == golden_table(model)]
        return f"select * from read_parquet({_list(files)}, union_by_name = true)" if files else None

    def net_golden(self, model: str, batch: Batch) -> None:
        """Make one new version of what several batches have made several of, and none where the last is what the lake has."""
        tables, ids = self.tables(model), self.rewritten(model)
        if ids is None or len({each.batch for each in self.written if each.table == golden_table(model)}) < 2:
            return
        fields = [name for name in self.columns[golden_table(model)] if not name.startswith("_")]
        after = current_golden(tables, self.client, where=f"g._canonical_id in ({ids})")
        before, differs = "select null::uuid as _canonical_id, null::integer as _version, null::boolean as _deleted where false", "false"
        known = table_columns(self.session, golden_table(model))
        if known is not None:
            before = current_golden(ModelTables(model), self.client, where=f"g._canonical_id in ({ids})")
            differs = " or ".join(f"a.{quote_name(each)} is distinct from {f'b.{quote_name(each)}' if each in known else 'null'}" for each in fields) or "false"
        self.session.duck.execute(f"""
            create or replace temp table prospect_net as
            select a.* replace (coalesce(b._version, 0) + 1 as _version, {batch.number}::bigint as _batch), b._version as ended
            from ({after}) a left join ({before}) b on b._canonical_id = a._canonical_id
            where case when b._canonical_id is null then not a._deleted else a._deleted <> b._deleted or (not a._deleted and ({differs})) end""")
        self._drop({golden_table(model), golden_end_table(model)})
        ends = f"""select {quote_text(self.client)} as _client, _canonical_id, ended as _version, _valid_from as _valid_to, _batch
            from prospect_net where ended is not null"""
        writes = [PreparedWrite(golden_table(model), "select * exclude (ended) from prospect_net"), PreparedWrite(golden_end_table(model), ends)]
        self.add(batch, writes)
        self.session.duck.execute("drop table prospect_net")

    def take(self, batch: Batch) -> list[TableWrite]:
        """Return what is prepared in a batch, for a commit; it is the commit's from now on."""
        mine = [each for each in self.written if each.batch == batch.number]
        self.written = [each for each in self.written if each.batch != batch.number]
        return [keep_files(self.session, each.table, [each.path], each.rows) for each in mine]

    def close(self) -> None:
        """Forget everything, and remove the files that nobody took."""
        for each in self.written:
            each.path.unlink(missing_ok=True)
        self.session.duck.execute(f"detach database if exists {CATALOG}")

    def _whole(self, table: str, select: str) -> str:
        given = {row[0] for row in self.session.duck.execute(f"describe {select}").fetchall()}
        parts = (f"{quote_name(name) if name in given else 'null'}::{kind} as {quote_name(name)}" for name, kind in self.columns[table].items())
        return f"select {', '.join(parts)} from ({select})"

    def _linked(self, batch: Batch, table: str, path: Path) -> Path:
        """Return a wide file under the name of one of the tables that it serves."""
        target = prepared_path(self.session, batch, table)
        os.link(path, target)
        return target

    def _keep(self, written: Written) -> None:
        if written.rows:
            self.written.append(written)
        else:
            written.path.unlink()

    def _drop(self, tables: set[str]) -> None:
        for each in self.written:
            if each.table in tables:
                each.path.unlink(missing_ok=True)
        self.written = [each for each in self.written if each.table not in tables]

    def _count(self, path: Path) -> int:
        row = self.session.duck.execute(f"select count(*) from read_parquet({quote_text(str(path))})").fetchone()
        return int(row[0]) if row else 0

    def _show(self, table: str) -> None:
        """Make the view of a table: what the lake has, and what is prepared."""
        duck, files = self.session.duck, [each.path for each in self.written if each.table == table]
        wanted = self.columns[table]
        known = table_columns(self.session, table)
        parts = [f"select {', '.join(f'null::{kind} as {quote_name(name)}' for name, kind in wanted.items())} where false"]
        if known is not None:
            parts.append(f"select {', '.join(quote_name(name) for name in wanted if name in known)} from {lake_table(table)}")
        if files:
            parts.append(f"select * from read_parquet({_list(files)}, union_by_name = true)")
        columns = ", ".join(quote_name(name) for name in wanted)
        duck.execute(f"create or replace view {CATALOG}.main.{quote_name(table)} as select {columns} from ({' union all by name '.join(parts)})")


def open_prospect(session: Session, scope: OneClient) -> Prospect:
    """Begin a prospect of one client's lake; one at a time in a session."""
    session.duck.execute(f"detach database if exists {CATALOG}")
    session.duck.execute(f"attach ':memory:' as {CATALOG}")
    return Prospect(session, scope.client)


def _list(files: Sequence[Path]) -> str:
    return "[" + ", ".join(quote_text(str(each)) for each in files) + "]"
