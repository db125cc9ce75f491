"""Which rows of the append-only tables are current, as SQL that every reader and writer of the lake shares.

Nothing in the lake is updated: a row stops being current because a later row says so. The three rules:

- a disposition: of one (landed record, mapping, generation) the row of the highest batch counts; none and a contribution there is ``canonical``;
- a cross-reference: of one member the row of the highest batch counts, unless an end of that member and canonical id has this batch or a later one;
- a golden record: of one canonical id the highest version counts; it may be a deleted one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from treaty.lake.names import LAKE, contribution_table, golden_end_table, golden_table, quote_name, quote_text
from treaty.lake.scope import ClientScope, OneClient, audit_wide_scope
from treaty.sessions import Session

STEWARD = "steward"  # the built-in system of corrections
PIN = "=:"  # a match key that ties a correction to one member


class Connection(Protocol):
    """What ``lake`` needs of a DuckDB connection."""

    def execute(self, query: str, parameters: Any = ...) -> Any:
        """Run one statement and return a cursor."""


@dataclass(frozen=True, slots=True)
class ModelTables:
    """The names of the tables that hold one model, and of those that all models share, in one lake."""

    model: str
    catalog: str = LAKE

    def table(self, name: str) -> str:
        """Return the qualified name of a shared table."""
        return f"{self.catalog}.{quote_name(name)}"

    @property
    def own(self) -> tuple[str, str, str]:
        """The plain names of the tables that hold this model alone."""
        return contribution_table(self.model), golden_table(self.model), golden_end_table(self.model)

    @property
    def contribution(self) -> str:
        """The model's contributions."""
        return self.table(contribution_table(self.model))

    @property
    def golden(self) -> str:
        """The model's golden versions."""
        return self.table(golden_table(self.model))

    @property
    def golden_end(self) -> str:
        """When the model's golden versions ended."""
        return self.table(golden_end_table(self.model))


def columns(connection: Connection, table: str) -> list[tuple[str, str]]:
    """Return the names and types of a table's columns, in order."""
    return [(row[0], row[1]) for row in connection.execute(f"describe {table}").fetchall()]


def model_fields(connection: Connection, tables: ModelTables) -> list[str]:
    """Return the names of the model's own fields: the columns of its golden table that are not ours."""
    return [name for name, _ in columns(connection, tables.golden) if not name.startswith("_")]


def of_client(client: str | None, column: str = "_client") -> str:
    """Return the SQL condition that picks one client's rows; None picks everybody's, which only an audited scope may ask for."""
    return "true" if client is None else f"{column} = {quote_text(client)}"


def effective_dispositions(tables: ModelTables, where: str) -> str:
    """Select (_landed_id, _mapping, _generation, state, reason) as it stands, of the disposition rows that ``where`` picks."""
    return f"""
        select _landed_id, _mapping, _generation, arg_max(state, _batch) as state, arg_max(reason, _batch) as reason
        from {tables.table("disposition")} where {where} group by all"""


def current_generations(tables: ModelTables, client: str | None) -> str:
    """Select (_client, _mapping, _generation): the one generation of each mapping that readers see."""
    return f"select _client, _mapping, max(_generation) as _generation from {tables.table('generation')} where {of_client(client)} group by all"


def current_contributions(tables: ModelTables, client: str | None, select: str = "c.*", where: str = "true", join: str = "") -> str:
    """Select from the contributions ``c`` that are canonical now; tombstones are not among them. ``join`` narrows ``c`` first."""
    return f"""
        select {select} from {tables.contribution} c {join}
        anti join ({current_generations(tables, client)}) g on g._client = c._client and g._mapping = c._mapping and g._generation <> c._generation
        anti join (select _landed_id, _mapping, _generation from ({effective_dispositions(tables, of_client(client))})
                   where state <> 'canonical') d
            on d._landed_id = c._landed_id and d._mapping = c._mapping and d._generation = c._generation
        where {of_client(client, "c._client")} and c._op <> 'delete' and {where}"""


def latest_xref(tables: ModelTables, client: str | None, where: str = "true", source: str = "") -> str:
    """Select each member's latest cross-reference row, with ``ended`` telling whether it stands no more; ``source`` stands in for the table."""
    mine = f"{of_client(client)} and _model = {quote_text(tables.model)}"
    rows = f"from {source or tables.table('xref')} where {mine} and _member_id is not null and {where}"
    return f"""
        select x._member_id, x._client, x._canonical_id, x._keys, x._system, x._stream, x._source_key, x._matched_by, x._valid_from, x._batch,
            coalesce(e._batch >= x._batch, false) as ended
        from (select * {rows}) x anti join (select _member_id, _batch {rows}) n on n._member_id = x._member_id and n._batch > x._batch
        left join (select _member_id, _canonical_id, max(_batch) as _batch from {tables.table("xref_end")} where {mine} group by all) e
            on e._member_id = x._member_id and e._canonical_id = x._canonical_id"""


def current_golden(tables: ModelTables, client: str | None, select: str = "g.*", where: str = "true", through: int | None = None) -> str:
    """Select from the golden versions ``g`` that have not ended, deleted ones included; with ``through``, as it was after that batch."""
    until = ("true", "true") if through is None else (f"g._batch <= {through}", f"e._batch <= {through}")
    return f"""
        select {select} from {tables.golden} g
        anti join {tables.golden_end} e on e._canonical_id = g._canonical_id and e._version = g._version and {until[1]}
        where {of_client(client, "g._client")} and {until[0]} and {where}"""


def client_or_none(session: Session, scope: ClientScope) -> str | None:
    """Return the scope's one client, or None for all of them, having audited that."""
    if isinstance(scope, OneClient):
        return scope.client
    audit_wide_scope(session, scope)
    return None
