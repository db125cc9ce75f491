"""What a mapping reads besides its own stream: reference streams and golden records it looks up, and child streams it joins."""

from __future__ import annotations

from collections.abc import Callable

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.paths import quote_name, quote_text
from treaty.lake.current import ModelTables, current_golden
from treaty.lake.names import LAKE, column_name, golden_table, lake_table, landed_table
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


def come_through(session: Session, client: str, name: str, catalog: str = LAKE) -> int:
    """Return the last batch that landed rows of a stream, or that wrote golden records of a model; 0 for none."""
    table = landed_table(*name.split("/", 1)) if "/" in name else golden_table(name)
    if catalog == LAKE or "/" in name:
        if table_columns(session, table) is None:
            return 0
        relation = lake_table(table)
    else:
        relation = f"{catalog}.{quote_name(table)}"
    row = session.duck.execute(f"select coalesce(max(_batch), 0) from {relation} where _client = ?", [client]).fetchone()
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


def golden_touched_since(session: Session, client: str, node: ir.Lookup, since: int) -> str:
    """Return SQL for the keys, at any time, of the golden records of a looked-up model that were written after a batch."""
    if node.by is None or node.by not in (table_columns(session, golden_table(node.target)) or {}):
        return f"SELECT CAST(NULL AS {duckdb_type(node.key.type)}) AS k WHERE false"
    rows = f"(SELECT * FROM {ModelTables(node.target).golden} WHERE _client = {quote_text(client)})"
    return f"SELECT {quote_name(node.by)} AS k FROM {rows} WHERE _canonical_id IN (SELECT _canonical_id FROM {rows} WHERE _batch > {since})"


def reference_reader(
    session: Session, client: str, through: int | None = None, among: str | None = None, catalog: str = LAKE
) -> Callable[[ir.Lookup], str]:
    """Return the function that gives a conform query the relation ``(k, v)`` of a lookup.

    ``through`` reads it as it was after that batch, ``among`` (SQL) only for some keys;
    ``catalog`` says where the golden records are read.
    """

    def reference(node: ir.Lookup) -> str:
        if node.by is not None:
            return _golden(session, client, node, through, among, catalog)
        newest = newest_landed(session, client, node.target, through)
        columns = table_columns(session, landed_table(*node.target.split("/", 1))) or {}
        if newest is None or (column_name(node.field) not in columns and "payload" not in columns):
            return "SELECT CAST(NULL AS VARCHAR) AS k, CAST(NULL AS VARCHAR) AS v WHERE false"
        value = quote_name(column_name(node.field)) if "payload" not in columns else f"json_extract_string(payload, {quote_text(member_path(node.field))})"
        value = f"nullif({value}, '')" if node.empty_is_null else value
        few = "" if among is None else f" AND _source_key IN ({among})"
        return f"SELECT _source_key AS k, any_value({value}) AS v FROM ({newest}) WHERE _source_key IS NOT NULL{few} GROUP BY 1"

    return reference


def _golden(session: Session, client: str, node: ir.Lookup, through: int | None, among: str | None, catalog: str) -> str:
    """Return the relation ``(k, v)`` of a lookup in a model: a key that several golden records have gives nothing."""
    assert node.by is not None, "only lookups in models are asked for"
    known = table_columns(session, golden_table(node.target))
    if catalog == LAKE and (known is None or node.by not in known or node.field not in known):
        return f"SELECT CAST(NULL AS {duckdb_type(node.key.type)}) AS k, CAST(NULL AS {duckdb_type(node.type)}) AS v WHERE false"
    key, value = quote_name(node.by), quote_name(node.field)
    few = "true" if among is None else f"g.{key} IN ({among})"
    living = current_golden(ModelTables(node.target, catalog), client, f"g.{key} AS k, g.{value} AS v", f"NOT g._deleted AND g.{key} IS NOT NULL AND {few}", through)
    return f"SELECT k, if(count(*) = 1, any_value(v), NULL) AS v FROM ({living}) GROUP BY 1"


def children_reader(
    session: Session, client: str, through: int | None = None, among: str | None = None
) -> Callable[[str, tuple[str, ...], tuple[str, ...]], str]:
    """Return the function that gives a conform query the relation ``(k, rows)`` of a child stream by its join columns.

    The columns that are read and of which nothing has landed are null.

    ``through`` and ``among`` are as for :func:`reference_reader`.
    """

    def children(stream: str, on: tuple[str, ...], read: tuple[str, ...]) -> str:
        newest = newest_landed(session, client, stream, through)
        system, _, name = stream.partition("/")
        known = table_columns(session, landed_table(system, name)) or {}
        absent = [column for column in map(column_name, read) if column not in known]
        if newest is None or any(column_name(each) not in known for each in on):
            members = ", ".join(f"{quote_name(column_name(each))} VARCHAR" for each in read) or "none VARCHAR"
            return f"SELECT CAST(NULL AS VARCHAR) AS k, CAST(NULL AS STRUCT({members})[]) AS rows WHERE false"
        key = _key(on)
        few = "" if among is None else f" WHERE {key} IN ({among})"
        there = [f"{quote_name(each)}: {quote_name(each)}" for each in known if each.startswith("c_")]
        members = ", ".join([*there, *(f"{quote_name(each)}: CAST(NULL AS VARCHAR)" for each in absent)])
        return f"SELECT {key} AS k, list({{{members}}} ORDER BY _batch, _receipt_id, _locator) AS rows FROM ({newest}){few} GROUP BY 1"

    return children


def inputs_of(
    session: Session, mapping: CompiledMapping, as_of: str, lists: frozenset[tuple[str, ...]] = frozenset(), catalog: str = LAKE
) -> Inputs:
    """Return the inputs of a mapping's conform query over the lake."""
    system, _, name = mapping.stream.name.partition("/")
    columns = frozenset(table_columns(session, landed_table(system, name)) or ())
    reference = reference_reader(session, mapping.client, catalog=catalog)
    return Inputs(as_of, column_name, columns, lists, reference, children_reader(session, mapping.client))


def member_path(field: str) -> str:
    """Return the JSON path text of a member of a document, given as names joined by ``/``."""
    return "$" + "".join(f'."{part}"' for part in field.split("/"))
