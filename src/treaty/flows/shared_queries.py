"""Conforms the records of several clients in one query, where a mapping is the same for all of them.

Planning a wide query takes longer than running it over few records, and most clients of many have few. What is conformed is kept until
each client has taken its own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from treaty.compiler.compiled import CompiledMapping
from treaty.engines.duckdb.conform import conform_sql
from treaty.engines.duckdb.paths import quote_text
from treaty.flows.conforming import ROWS_IN_MEMORY, Chunk, Work, inputs_over, most_rows
from treaty.flows.effects import Effects
from treaty.lake.names import lake_table
from treaty.sessions import Session

FEW_ROWS = 5_000  # a client of more gains little
ROWS_A_QUERY = ROWS_IN_MEMORY


@dataclass(eq=False, slots=True)
class _Query:
    """One query: of which clients it conforms how many rows, through which batch of landing, and where they are once it has run."""

    through: dict[str, tuple[int, int]] = field(default_factory=dict)
    folder: Path | None = None
    ran: bool = False
    versioned: bool = True

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.through.values())


@dataclass(eq=False, slots=True)
class _Group:
    """Clients for whom a mapping is the same."""

    mapping: CompiledMapping
    clients: list[str]
    queries: list[_Query] | None = None


@dataclass(slots=True)
class SharedQueries:
    """What mappings make of the landed records of several clients; each query runs when the first of its clients asks for it."""

    session: Session
    groups: list[_Group]

    def rows_of(self, work: Work, chunks: Sequence[Chunk]) -> str | None:
        """Return SQL of what the conform query makes of these chunks, None where they are to be conformed by themselves."""
        client = work.mapping.client
        group = next((each for each in self.groups if client in each.clients and _alike(each.mapping, work.mapping)), None)
        if group is None or len(chunks) != 1 or chunks[0].rows > FEW_ROWS:
            return None
        if group.queries is None:
            group.queries = self._queries(group, work)
        query = next((each for each in group.queries if client in each.through), None)
        if query is None or query.through[client] != (chunks[0].rows, chunks[0].batch):
            return None
        if not query.ran:
            self._run(query, work)
        if query.folder is None:
            return None
        files = query.folder / f"_place={list(query.through).index(client)}" / "*.parquet"
        return f"select * from read_parquet({quote_text(str(files))}, hive_partitioning = false) where true"

    def _queries(self, group: _Group, work: Work) -> list[_Query]:
        """Deal a group's clients out to queries, by what has landed of each."""
        names = ", ".join(map(quote_text, group.clients))
        rows = self.session.duck.execute(f"""
            select _client, count(*), max(_batch), bool_or(_source_version is null) from {lake_table(work.table)} where _op <> 'refused' and _client in ({names})
            group by 1 having count(*) <= {FEW_ROWS} order by 1""").fetchall()
        most, queries = min(most_rows(work.mapping.stream), ROWS_A_QUERY), [_Query()]
        for client, number, batch, bare in rows:
            if queries[-1].rows + number > most:
                queries.append(_Query())
            queries[-1].through[client] = (int(number), int(batch))
            queries[-1].versioned = queries[-1].versioned and not bare
        return [each for each in queries if len(each.through) > 1]

    def _run(self, query: _Query, work: Work) -> None:
        """Run a query; each client's rows go into files of their own."""
        query.ran = True
        mine = " or ".join(f"_client = {quote_text(client)} and _batch <= {batch}" for client, (_, batch) in query.through.items())
        relation = f"{work.rows} where _op <> 'refused' and ({mine})"
        folder = Path(tempfile.mkdtemp(prefix="shared-", dir=self.session.temp_folder))
        place = f"list_position([{', '.join(map(quote_text, query.through))}], _client) - 1 as _place"
        try:
            self.session.duck.execute(
                f"copy (select *, {place} from ({conform_sql(work.mapping, relation, inputs_over(work, relation), versioned=query.versioned)})) to {quote_text(str(folder))}"
                " (format parquet, partition_by (_place), overwrite_or_ignore true)"
            )
        except Exception:  # what stops one client's records must not stop the others': each is conformed by itself, and the one says why
            shutil.rmtree(folder, ignore_errors=True)
            return
        query.folder = folder


@contextmanager
def shared_queries(session: Session, effects: Iterable[Effects]) -> Iterator[SharedQueries]:
    """Give the queries that clients share in a change; what they made is removed in the end.

    A mapping that looks up or joins other records of its client is conformed by itself.
    """
    groups: list[_Group] = []
    for mapping in (each for one in effects for each in one.conform if not each.references):
        group = next((each for each in groups if _alike(each.mapping, mapping)), None)
        if group is None:
            groups.append(_Group(mapping, [mapping.client]))
        elif mapping.client not in group.clients:
            group.clients.append(mapping.client)
    shared = SharedQueries(session, [each for each in groups if len(each.clients) > 1])
    try:
        yield shared
    finally:
        for query in (each for group in shared.groups for each in group.queries or ()):
            if query.folder is not None:
                shutil.rmtree(query.folder, ignore_errors=True)


def _alike(one: CompiledMapping, other: CompiledMapping) -> bool:
    return one.name == other.name and replace(one, client=other.client) == other
