"""What others read from the lake: golden records, and how many records each decision governs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.types import Type
from treaty.lake.current import (
    ModelTables,
    client_or_none,
    current_contributions,
    current_generations,
    current_golden,
    latest_xref,
    of_client,
)
from treaty.lake.json_text import json_object
from treaty.lake.names import golden_table, quote_name, quote_text
from treaty.lake.past import Moment
from treaty.lake.relationships import Relationship, as_read
from treaty.lake.schema import table_columns
from treaty.lake.scope import ClientScope
from treaty.sessions import Session

if TYPE_CHECKING:
    import pyarrow as pa

Relations: TypeAlias = Mapping[str, Sequence[Relationship]]
BATCH_ROWS = 10_000
PAGE_ROW_GROUPS = 2  # so many records are joined at once, whatever their number
BITS = 62  # fired bits in a word of ``_fired``


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
    import pyarrow as pa

    pages = _pages(session, scope, model, ids, limit, relations, moment)
    return pa.concat_tables(session.duck.execute(page).to_arrow_table() for page in pages)


def golden_lines(
    session: Session,
    scope: ClientScope,
    model: str,
    *,
    limit: int | None = None,
    relations: Relations = MappingProxyType({}),
    moment: Moment | None = None,
) -> Iterator[str]:
    """Yield what :func:`golden_records` returns as JSON, a record at a time, so that any number of records fits; the session is busy until the last one."""
    for page in _pages(session, scope, model, None, limit, relations, moment):
        columns = session.duck.execute(f"{page} limit 0").description
        line = json_object((name, f"r.{quote_name(name)}", kind) for name, kind, *_ in columns)
        for batch in session.duck.execute(f"select {line} from ({page}) r").to_arrow_reader(BATCH_ROWS):
            yield from batch.column(0).to_pylist()


def _pages(
    session: Session, scope: ClientScope, model: str, ids: Sequence[str] | None, limit: int | None, relations: Relations, moment: Moment | None
) -> list[str]:
    """Return the queries that read the living golden records, in order, a page each: what is joined at once, whatever their number."""
    when = moment or Moment(session.clock())
    tables, client = ModelTables(model, when.catalog), client_or_none(session, scope)
    known = table_columns(session, golden_table(model))
    if known is None:
        return ["select null::varchar as _id, null::varchar as _client where false"]
    declared = when.fields.get(model)
    own = [name for name in known if not name.startswith("_") and (declared is None or name in declared)]
    fields = "".join(f", g.{quote_name(name)}" for name in own)
    shown = fields if declared is None else "".join(f", {_as_declared(name, kind, own)} as {quote_name(name)}" for name, kind in declared.items())
    golden = current_golden(tables, client, f"g._canonical_id, g._client{fields}", "not g._deleted" if ids is None else f"not g._deleted and g._canonical_id in {_uuids(ids)}")
    if any(each.moves for several in relations.values() for each in several):
        golden = f"select * exclude (_missing) from ({as_read(session, golden, relations, when.at, when.catalog)}) where _missing is null"
    rows, held = _hold(session, tables, client, f"{golden} order by _client, _canonical_id" + ("" if limit is None else f" limit {limit}"))
    step = PAGE_ROW_GROUPS * session.settings.row_group_rows

    def page(first: int) -> str:
        mine = f"place between {first} and {first + step - 1}"
        return f"""
            select g._canonical_id::varchar as _id, g._client{shown}, coalesce(s._sources, []) as _sources, coalesce(f._findings, []) as _findings
            from (select * from {held} where {mine}) g
            left join (select place, list_sort(list(source)) as _sources from read_members where {mine} group by place) s on s.place = g.place
            left join (select place, list_sort(list_distinct(flatten(list(_findings)))) as _findings from read_findings
                where {mine} group by place) f on f.place = g.place
            order by g.place"""

    return [page(first) for first in range(1, max(rows, 1) + 1, step)]


def _as_declared(name: str, kind: Type, known: Sequence[str]) -> str:
    """Return a field in the type that it had: what became wider since held nothing then that this type does not."""
    value = f"g.{quote_name(name)}" if name in known else "null"
    return f"cast({value} as {duckdb_type(kind)})"


def _hold(session: Session, tables: ModelTables, client: str | None, golden: str) -> tuple[int, str]:
    """Hold golden records, each at its ``place`` from 1 on; return their number and what they are read from.

    ``read_members`` and ``read_findings`` hold what belongs to the record at each place. All is in order, so that a page of it is read alone.
    """
    duck, file = session.duck, quote_text(str(session.temp_folder / "golden.parquet"))
    with session.spilling():
        duck.execute(f"""
            copy (select row_number() over () as place, * from ({golden}))
            to {file} (format parquet, row_group_size {session.settings.row_group_rows})""")
    held = f"read_parquet({file})"
    wanted = f"_canonical_id in (select r._canonical_id from {held} r)"
    with session.joins_as_written():  # whose right sides are the narrow ones
        duck.execute(f"""
            create or replace temp table read_members as
            select g.place, m._member_id, {{'system': m._system, 'stream': m._stream, 'source_key': m._source_key}} as source
            from ({latest_xref(tables, client, wanted)}) m join {held} g on g._canonical_id = m._canonical_id
            where not m.ended and coalesce(m._matched_by, '') <> 'delivery' order by g.place""")
        duck.execute(f"""
            create or replace temp table read_findings as
            select m.place, c._findings from ({current_contributions(tables, client, "c._member_id, c._findings", "len(c._findings) > 0")}) c
            join read_members m on m._member_id = c._member_id order by m.place""")
    row = duck.execute(f"select count(*) from {held}").fetchone()
    return int(row[0]) if row else 0, held


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
