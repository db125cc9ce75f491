"""What others read from the lake: golden records, their contributions, landed rows, and how many records each decision governs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from treaty.lake.current import (
    ModelTables,
    client_or_none,
    current_contributions,
    current_generations,
    current_golden,
    latest_xref,
    of_client,
)
from treaty.lake.names import golden_table, lake_table, landed_table, quote_name, quote_text
from treaty.lake.past import Moment
from treaty.lake.relationships import Relationship, as_read
from treaty.lake.schema import table_columns
from treaty.lake.scope import ClientScope, scope_condition
from treaty.sessions import Session

if TYPE_CHECKING:
    import pyarrow as pa

Relations: TypeAlias = Mapping[str, Sequence[Relationship]]
BATCH_ROWS = 10_000
PAGE_RECORDS = 100_000  # so many records are sorted and joined at once, whatever their number
BITS = 62  # fired bits in a word of ``_fired``


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """Where a golden record is: its client and its canonical id, which an alias was followed to."""

    client: str
    canonical_id: str


@dataclass(frozen=True, slots=True)
class LandedRecord:
    """One landed row with the place of its bytes."""

    landed_id: str
    client: str
    source_key: str | None
    op: str
    received_at: datetime
    columns: Mapping[str, Any]  # payload, or the source columns by their physical names
    origin: str
    arrival: int
    locator: int
    object_hash: str | None
    object_path: str | None
    object_start_byte: int | None


def golden_records(
    session: Session,
    scope: ClientScope,
    model: str,
    *,
    ids: Sequence[str] | None = None,
    limit: int | None = None,
    relations: Relations = MappingProxyType({}),
    moment: Moment | None = None,
) -> pa.Table:
    """Return the living golden records of a model: ``_id, _client``, its fields, ``_sources`` and ``_findings``.

    ``relations`` are the relationships of the model by client: what they say of missing targets holds for what is returned.
    ``moment`` is when, now where not given.
    """
    return golden_reader(session, scope, model, ids=ids, limit=limit, relations=relations, moment=moment).read_all()


def golden_reader(
    session: Session,
    scope: ClientScope,
    model: str,
    *,
    ids: Sequence[str] | None = None,
    limit: int | None = None,
    relations: Relations = MappingProxyType({}),
    moment: Moment | None = None,
) -> pa.RecordBatchReader:
    """Read what :func:`golden_records` returns in batches, so that any number of records fits; the session is busy until the last one."""
    import pyarrow as pa

    when = moment or Moment(session.clock())
    tables, client = ModelTables(model, when.catalog), client_or_none(session, scope)
    known = table_columns(session, golden_table(model))
    if known is None:
        schema = pa.schema([("_id", pa.string()), ("_client", pa.string())])
        return pa.RecordBatchReader.from_batches(schema, [])
    fields = "".join(f", g.{quote_name(name)}" for name in known if not name.startswith("_"))
    pages = _page_ids(session, tables, client, ids, limit)
    few = "true" if pages == 1 and ids is None and limit is None else "_canonical_id in (select r._canonical_id from read_ids r where r.page = {page})"

    def query(page: int) -> str:
        only = few.format(page=page)
        golden = current_golden(tables, client, f"g._canonical_id, g._client{fields}", f"not g._deleted and {only}")
        if any(each.moves for several in relations.values() for each in several):
            golden = f"select * exclude (_missing) from ({as_read(session, golden, relations, when.at, when.catalog)}) where _missing is null"
        return f"""
            with members as (
                select * from ({latest_xref(tables, client, only)}) where not ended and coalesce(_matched_by, '') <> 'delivery'),
            sources as (
                select _canonical_id, list({{'system': _system, 'stream': _stream, 'source_key': _source_key}}
                    order by _system, _stream, _source_key, _member_id) as _sources from members group by all),
            findings as (
                select m._canonical_id, list_sort(list_distinct(flatten(list(c._findings)))) as _findings
                from ({current_contributions(tables, client, "c._member_id, c._findings", "len(c._findings) > 0")}) c
                join members m on m._member_id = c._member_id group by all)
            select g._canonical_id::varchar as _id, g._client{fields}, coalesce(s._sources, []) as _sources, coalesce(f._findings, []) as _findings
            from ({golden}) g left join sources s on s._canonical_id = g._canonical_id left join findings f on f._canonical_id = g._canonical_id
            order by g._client, g._canonical_id"""

    first: pa.RecordBatchReader = session.duck.execute(query(0)).to_arrow_reader(BATCH_ROWS)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from first
        for page in range(1, pages):
            yield from session.duck.execute(query(page)).to_arrow_reader(BATCH_ROWS)

    return pa.RecordBatchReader.from_batches(first.schema, batches())


def _page_ids(session: Session, tables: ModelTables, client: str | None, ids: Sequence[str] | None, limit: int | None) -> int:
    """Fill ``read_ids`` with the living records that are asked for, in order and by page: a page is what is sorted and joined at once."""
    where = "not g._deleted" if ids is None else f"not g._deleted and g._canonical_id in {_uuids(ids)}"
    cut = "" if limit is None else f" order by _client, _canonical_id limit {limit}"
    session.duck.execute(f"""
        create or replace temp table read_ids as
        select _client, _canonical_id, (row_number() over (order by _client, _canonical_id) - 1) // {PAGE_RECORDS} as page
        from ({current_golden(tables, client, "g._client, g._canonical_id", where)}){cut}""")
    row = session.duck.execute("select coalesce(max(page), 0) + 1 from read_ids").fetchone()
    return int(row[0]) if row else 1


def find_records(session: Session, scope: ClientScope, model: str, key: str) -> tuple[RecordPlace, ...]:
    """Return the golden records that a canonical id (an alias is followed), a match key or a source key names; several are ambiguous."""
    tables, client = ModelTables(model), client_or_none(session, scope)
    if table_columns(session, golden_table(model)) is None:
        return ()
    try:
        condition = f"x._member_id = '{UUID(key)}'::uuid or x._canonical_id = '{UUID(key)}'::uuid"
    except ValueError:
        told = quote_text(key)
        condition = f"x._source_key = {told} or len(list_filter(x._keys, lambda k: substr(k, instr(k, ':') + 1) = {told})) > 0"
    rows = session.duck.execute(f"""
        select distinct x._client, x._canonical_id::varchar from ({latest_xref(tables, client)}) x
        where not x.ended and x._system <> 'steward' and ({condition}) order by all""").fetchall()
    return tuple(RecordPlace(*row) for row in rows)


def contributions_of(session: Session, scope: ClientScope, model: str, canonical_id: str) -> pa.Table:
    """Return the current contributions of a golden record, oldest member first, with ``_id`` of the record."""
    tables, client = ModelTables(model), client_or_none(session, scope)
    members = f"select _member_id from ({latest_xref(tables, client)}) where not ended and _canonical_id = {_uuids([canonical_id])[1:-1]}"
    where = f"c._member_id in ({members})"
    table: pa.Table = session.duck.execute(f"""
        select {quote_text(canonical_id)} as _id, * replace (_landed_id::varchar as _landed_id, _member_id::varchar as _member_id)
        from ({current_contributions(tables, client, where=where)}) order by _received_at, _landed_id""").to_arrow_table()
    return table


def landed_record(session: Session, scope: ClientScope, system: str, stream: str, landed_id: str) -> LandedRecord | None:
    """Return one landed row and where its bytes are kept, or None."""
    table = landed_table(system, stream)
    if table_columns(session, table) is None:
        return None
    cursor = session.duck.execute(f"""
        select l.*, r.origin, r.arrival, o._hash as object_hash, o.path, o.start_byte
        from (select * from {lake_table(table)} where {scope_condition(session, scope)} and _landed_id = {_uuids([landed_id])[1:-1]}) l
        left join {lake_table("receipt")} r on r._receipt_id = l._receipt_id and r._client = l._client
        left join {lake_table("object")} o on o._hash = r.object_hash and o._client = l._client limit 1""")
    names = [each[0] for each in cursor.description]
    found = cursor.fetchone()
    if found is None:
        return None
    row = dict(zip(names, found, strict=True))
    columns = {name: value for name, value in row.items() if name == "payload" or name.startswith("c_")}
    return LandedRecord(
        str(row["_landed_id"]), row["_client"], row["_source_key"], row["_op"], row["_received_at"], columns, row["origin"],
        row["arrival"], row["_locator"], row["object_hash"], row["path"], row["start_byte"],
    )  # fmt: skip


def decision_counts(session: Session, scope: ClientScope, model: str) -> dict[str, tuple[int, int]]:
    """Return, by decision, how many current contributions of a model it governs and in how many it changed something."""
    tables, client = ModelTables(model), client_or_none(session, scope)
    if table_columns(session, golden_table(model)) is None:
        return {}
    numbering = _numbering(session, tables, client)
    words = max([(len(each) + BITS - 1) // BITS for each in numbering.values()], default=0)
    if not words:
        return {}
    width = min(BITS, max(len(each) for each in numbering.values()))
    sums = ", ".join(
        f"sum((c._fired[{word + 1}] >> {bit}) & 1)" for word in range(words) for bit in range(BITS if words > 1 else width)
    )
    select = "c._client, c._mapping, c._generation, c._fired"
    rows = session.duck.execute(f"""
        select _client, _mapping, _generation, count(*), {sums} from ({current_contributions(tables, client, select)}) c group by all""").fetchall()
    counts: dict[str, tuple[int, int]] = {}
    for who, mapping, generation, passed, *changed in rows:
        for decision, bits in zip(numbering.get((who, mapping, generation), ()), changed, strict=False):
            before = counts.get(decision, (0, 0))
            counts[decision] = (before[0] + int(passed), before[1] + int(bits or 0))
    return counts


def _numbering(session: Session, tables: ModelTables, client: str | None) -> dict[tuple[str, str, int], list[str]]:
    """Return, by (client, mapping, generation), the decisions in the order of their bits."""
    rows = session.duck.execute(f"""
        select b._client, b.mapping, b.generation, arg_max(b.versions, b._batch) from {tables.table("batch")} b
        semi join ({current_generations(tables, client)}) g on g._client = b._client and g._mapping = b.mapping and g._generation = b.generation
        where {of_client(client, "b._client")} and b.kind <> 'land' group by all""").fetchall()
    return {(who, mapping, generation): json.loads(versions or "{}").get("fired", []) for who, mapping, generation, versions in rows}


def _uuids(values: Sequence[str]) -> str:
    """Return a parenthesised list of UUID literals; what is no UUID names nothing."""
    return "(" + ", ".join(f"try_cast({quote_text(value)} as uuid)" for value in values or [""]) + ")"
