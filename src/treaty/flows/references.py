"""What a mapping reads besides its own stream: reference streams it looks up, and child streams it joins."""

from __future__ import annotations

from collections.abc import Callable

from treaty.compiler.compiled import CompiledMapping
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.paths import quote_name, quote_text
from treaty.lake.names import column_name, lake_table, landed_table
from treaty.lake.schema import table_columns
from treaty.sessions import Session

JOINED_BY = "chr(31)"


def newest_landed(session: Session, client: str, stream: str, through: int | None = None) -> str | None:
    """Return SQL for the newest landed version of each record of a stream, or None where nothing of it has landed.

    With ``through``, as it was after that batch: what landed is never rewritten.
    """
    system, _, name = stream.partition("/")
    table = landed_table(system, name)
    if table_columns(session, table) is None:
        return None
    mine = f"_client = {quote_text(client)}" + ("" if through is None else f" and _batch <= {through}")
    return f"""select * from {lake_table(table)} l
        anti join (select _supersedes from {lake_table(table)} where {mine} and _supersedes is not null) s on s._supersedes = l._landed_id
        where {mine} and not coalesce(_late, false) and _op = 'upsert'"""


def landed_through(session: Session, client: str, stream: str) -> int:
    """Return the last batch that landed rows of a stream, 0 for none."""
    system, _, name = stream.partition("/")
    table = landed_table(system, name)
    if table_columns(session, table) is None:
        return 0
    row = session.duck.execute(f"select coalesce(max(_batch), 0) from {lake_table(table)} where _client = ?", [client]).fetchone()
    return int(row[0]) if row else 0


def touched_since(session: Session, client: str, stream: str, on: tuple[str, ...] | None, since: int) -> str:
    """Return SQL for the keys (of records, or of the join columns ``on``) of what landed of a stream after a batch, and of what that replaced."""
    system, _, name = stream.partition("/")
    table = landed_table(system, name)
    known = table_columns(session, table) or {}
    if on is not None and any(column_name(each) not in known for each in on):
        return "SELECT CAST(NULL AS VARCHAR) AS k WHERE false"
    rows = f"(SELECT * FROM {lake_table(table)} WHERE _client = {quote_text(client)})"
    replaced = f"SELECT _supersedes FROM {rows} WHERE _batch > {since} AND _supersedes IS NOT NULL"
    return f"SELECT {_key(on)} AS k FROM {rows} WHERE _batch > {since} OR _landed_id IN ({replaced})"


def _key(on: tuple[str, ...] | None) -> str:
    return "_source_key" if on is None else f" || {JOINED_BY} || ".join(quote_name(column_name(each)) for each in on)


def reference_reader(session: Session, client: str, through: int | None = None, among: str | None = None) -> Callable[[str, str], str]:
    """Return the function that gives a conform query the relation ``(k, v)`` of one field of a reference stream.

    ``through`` reads it as it was after that batch, ``among`` (SQL) only for some keys.
    """

    def reference(target: str, field: str) -> str:
        newest = newest_landed(session, client, target, through)
        system, _, name = target.partition("/")
        columns = table_columns(session, landed_table(system, name)) or {}
        if newest is None or (column_name(field) not in columns and "payload" not in columns):
            return "SELECT CAST(NULL AS VARCHAR) AS k, CAST(NULL AS VARCHAR) AS v WHERE false"
        value = quote_name(column_name(field)) if "payload" not in columns else f"json_extract_string(payload, {quote_text(_json_path(field))})"
        few = "" if among is None else f" AND _source_key IN ({among})"
        return f"SELECT _source_key AS k, any_value({value}) AS v FROM ({newest}) WHERE _source_key IS NOT NULL{few} GROUP BY 1"

    return reference


def children_reader(session: Session, client: str, through: int | None = None, among: str | None = None) -> Callable[[str, tuple[str, ...]], str]:
    """Return the function that gives a conform query the relation ``(k, rows)`` of a child stream by its join columns.

    ``through`` and ``among`` are as for :func:`reference_reader`.
    """

    def children(stream: str, on: tuple[str, ...]) -> str:
        newest = newest_landed(session, client, stream, through)
        system, _, name = stream.partition("/")
        known = table_columns(session, landed_table(system, name)) or {}
        if newest is None or any(column_name(each) not in known for each in on):
            return "SELECT CAST(NULL AS VARCHAR) AS k, CAST(NULL AS STRUCT(none VARCHAR)[]) AS rows WHERE false"
        key = _key(on)
        few = "" if among is None else f" WHERE {key} IN ({among})"
        members = ", ".join(f"{quote_name(each)}: {quote_name(each)}" for each in known if each.startswith("c_"))
        return f"SELECT {key} AS k, list({{{members}}} ORDER BY _batch, _receipt_id, _locator) AS rows FROM ({newest}){few} GROUP BY 1"

    return children


def inputs_of(session: Session, mapping: CompiledMapping, as_of: str, lists: frozenset[tuple[str, ...]] = frozenset()) -> Inputs:
    """Return the inputs of a mapping's conform query over the lake."""
    system, _, name = mapping.stream.name.partition("/")
    columns = frozenset(table_columns(session, landed_table(system, name)) or ())
    return Inputs(as_of, column_name, columns, lists, reference_reader(session, mapping.client), children_reader(session, mapping.client))


def _json_path(field: str) -> str:
    return "$" + "".join(f'."{part}"' for part in field.split("/"))
