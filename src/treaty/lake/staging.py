"""The SQL of landing: what arrives is told apart from what is there, and what is there twice in one arrival is put in order.

Words used here: a record's *identity* is its source key, or its content where it has none. The *newest* of an identity is the landed
row that is neither late nor superseded. A record is *same* if its content is the newest's; it is *late* if its version is older, or, where
landing order is the order and the record is read again, if the newest came after it was read first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from treaty.connectors.interface import CsvScan
from treaty.lake.arrivals import Receipt
from treaty.lake.commit import read_files
from treaty.lake.names import column_name, lake_table, landed_id_sql, quote_name, quote_text
from treaty.sessions import Session

SAME = "same"  # _op of staged rows that are not landed
_NO_NULL = "\x1a\x1a"  # what no CSV file says: an empty text stays an empty text
_CONTENT = "chr(30)"  # before a content hash, where it stands in for a key
_CSV_LINE_BYTES = 2_000_000  # longer lines are read record by record, up to limits.record_bytes
_CSV_BUFFER_BYTES = 8_000_000


class RecordIdentity(Protocol):
    """SQL over arriving rows: see :class:`treaty.engines.duckdb.identify.Identification`."""

    @property
    def over(self) -> Callable[[str], str]:
        """Makes a query for arriving rows one that has the columns which the expressions use."""

    @property
    def key(self) -> str:
        """VARCHAR: the source key, null where a part of it is missing."""

    @property
    def version(self) -> str:
        """BIGINT: the source's version, null where landing order is the order."""

    @property
    def delete(self) -> str:
        """BOOLEAN: whether the record says that it is gone."""


@dataclass(frozen=True, slots=True)
class Staging:
    """One commit's worth of arrivals of one stream, with the same columns."""

    client: str
    table: str
    batch: int
    received_at: str  # SQL literal: of the first arrival
    columns: tuple[str, ...] | None  # source columns; None for documents
    receipts: tuple[Receipt, ...]
    identity: RecordIdentity

    @property
    def physical(self) -> tuple[str, ...]:
        """The content columns of the landed table that these arrivals fill."""
        return ("payload",) if self.columns is None else tuple(column_name(name) for name in self.columns)


def csv_rows(scan: CsvScan, first_record: int = 1) -> str:
    """Return a query over a CSV file: ``_arrival``, ``_locator``, ``_told`` and the physical columns, in file order."""
    columns = ", ".join(f"{quote_text(column_name(name))}: 'VARCHAR'" for name in scan.columns)
    quoting = quote_text(scan.quote)
    return (
        f"select 0 as _arrival, {first_record - 1} + row_number() over () as _locator, 'upsert' as _told, * from read_csv({quote_text(str(scan.path))}, "
        f"auto_detect = false, header = {str(scan.header).lower()}, skip = {scan.skip_lines}, delim = {quote_text(scan.delimiter)}, "
        f"quote = {quoting}, escape = {quoting}, columns = {{{columns}}}, nullstr = {quote_text(_NO_NULL)}, strict_mode = true, "
        f"null_padding = false, ignore_errors = false, max_line_size = {_CSV_LINE_BYTES}, buffer_size = {_CSV_BUFFER_BYTES})"
    )


def identified(staging: Staging, arriving: str) -> str:
    """Return a query that adds to arriving rows their key, version, content hash and identity."""
    # each column, null marked, between separators; the names too, so that a renamed column is a change
    if staging.columns is None:
        content = ["payload"]
    else:
        names = quote_text("\x1f".join(sorted(staging.physical)))
        content = [f"md5({names})", *(f"coalesce({quote_name(name)}, chr(0))" for name in sorted(staging.physical))]
    # a microsecond an arrival: what orders versions after landing must order those of one commit as landing does
    received = staging.received_at if len(staging.receipts) == 1 else f"{staging.received_at} + to_microseconds(_arrival)"
    told = f"select *, {received} as _received_at from ({arriving})"
    keyed = (
        f"select *, ({staging.identity.key})::VARCHAR as _source_key, ({staging.identity.version})::BIGINT as _source_version, "
        f"(_told = 'delete' or ({staging.identity.delete})) as _gone from ({staging.identity.over(told)})"
    )
    hashed = f"select *, md5(concat_ws(chr(31), if(_gone, 'delete', null), {', '.join(content)}))::UUID as _hash from ({keyed})"
    return f"select *, coalesce(_source_key, {_CONTENT} || _hash::VARCHAR) as _identity from ({hashed})"


def newest_query(staging: Staging, only: str | None) -> str:
    """Return a query for the newest landed row of each identity: ``_identity, n_id, n_hash, n_version, n_gone, n_batch``.

    ``only`` is a relation of the identities asked for.
    """
    table = lake_table(staging.table)
    mine = f"_client = {quote_text(staging.client)}"
    rows = (
        f"select coalesce(_source_key, {_CONTENT} || _hash::VARCHAR) as _identity, _landed_id as n_id, _hash as n_hash, "
        f"_source_version as n_version, _op = 'delete' as n_gone, _batch as n_batch from {table} where {mine} and not _late and _op <> 'refused'"
    )
    asked = f"semi join (select _identity from {only}) using (_identity)" if only else ""
    return (
        f"select r.* from ({rows}) r {asked} "
        f"anti join (select _supersedes from {table} where {mine} and _supersedes is not null) s on s._supersedes = r.n_id"
    )


def staged_query(staging: Staging, rows: str, newest: str | None, known: Sequence[tuple[str, str]]) -> str:
    """Return the query whose rows are written to staged files; :func:`staged_rows` reads them back.

    ``rows`` are identified rows; ``newest`` a relation of :func:`newest_query`. If that is None, nothing has landed yet, and the files
    are the landed files: every column of the table, and ``_arrival``. Else rows that are *same* keep only what is needed to put them in
    order, and the content of the others is packed into one list, ``_content``: of few rows most of the time, and a list that is null
    costs a tenth of many columns that are. What a row supersedes is looked up later, for those that are not *same*: the join here
    holds 24 bytes for each landed record, so that wide rows stream past it.
    """
    ours = {
        "_landed_id": landed_id_of_arrival(staging),
        "_client": quote_text(staging.client),
        "_receipt_id": by_arrival(staging, [quote_text(str(each.receipt)) for each in staging.receipts]) + "::UUID",
        "_locator": "_locator",
        "_source_key": "_source_key",
        "_source_version": "_source_version",
        "_op": "if(_gone, 'delete', 'upsert')",
        "_hash": "_hash",
        "_supersedes": "null",
        "_late": "false",
        "_received_at": "_received_at",
        "_batch": f"{staging.batch}::BIGINT",
    }
    if newest is None:
        own = set(staging.physical)
        parts = [f"({ours.get(name) or (quote_name(name) if name in own else 'null')})::{kind} as {quote_name(name)}" for name, kind in known]
        return f"select {', '.join(parts)}, _arrival from ({rows})"
    ours["_op"] = f"if(n_same, '{SAME}', {ours['_op']})"
    parts = [f"({ours[name]})::{kind} as {quote_name(name)}" for name, kind in known if name in ours and name not in ("_supersedes", "_late")]
    content = ", ".join(quote_name(name) for name in staging.physical)
    there = f"select hash(_identity) as n_key, n_hash, true as n_same from {newest}"
    return (
        f"select {', '.join(parts)}, case when n_same then null else [{content}] end as _content, _arrival "
        f"from ({rows}) a left join ({there}) n on n.n_key = hash(a._identity) and n.n_hash = a._hash"
    )


def keep_known(session: Session, staged: Sequence[Path], newest: str) -> None:
    """Fill ``l_known``: the newest landed row of each identity that the staged files have something new to say about."""
    identity = identity_of_staged()
    session.duck.execute(
        f"create or replace temp table l_known as select * from {newest} "
        f"semi join (select distinct {identity} as _identity from {read_files(staged)} where _op <> '{SAME}') using (_identity)"
    )


def staged_rows(staging: Staging, staged: Sequence[Path], newest: str | None, known: Sequence[tuple[str, str]]) -> str:
    """Return the relation of the staged rows with every column of the table, and ``_arrival``; needs ``l_known`` if there is a newest."""
    file = read_files(staged)
    if newest is None:
        return file
    place = {name: number for number, name in enumerate(staging.physical, 1)}
    changed = f"_op <> '{SAME}'"
    late = f"coalesce(_source_version < n_version, {_overtaken(staging)}, false)"
    ours = {"_supersedes": f"if({changed} and not {late}, n_id, null)", "_late": f"({changed} and {late})"}
    parts = []
    for name, kind in known:
        if name in place:
            parts.append(f"_content[{place[name]}] as {quote_name(name)}")
        elif name in ours:
            parts.append(f"{ours[name]} as {name}")
        else:
            parts.append(name if name.startswith("_") else f"null::{kind} as {quote_name(name)}")
    return f"(select {', '.join(parts)}, _arrival from (select *, {identity_of_staged()} as _identity from {file}) left join l_known using (_identity))"


def identity_of_staged() -> str:
    """Return the expression for a staged row's identity."""
    return f"coalesce(_source_key, {_CONTENT} || _hash::VARCHAR)"


def order_repeats(session: Session, staging: Staging, file: str, newest: str | None) -> bool:
    """Fill ``l_repeat`` with every staged row of an identity that the commit holds more than once, not only as it is, and what it should be.

    Columns: ``_landed_id``, ``staged`` (as written), ``kept``, ``supersedes``, ``late``, ``same_as`` (the landed row with its content,
    for a row written as *same*). Return whether there is any.
    """
    identity = identity_of_staged()
    session.duck.execute(
        f"""create or replace temp table l_twice as
        select {identity} as _identity from {file}
        where hash({identity}) in (select h from (select hash({identity}) as h from {file}) group by h having count(*) > 1)
        group by _identity having count(*) > 1 and bool_or(_op <> '{SAME}')"""
    )
    found = session.duck.execute("select count(*) from l_twice").fetchone()
    if found is None or not found[0]:
        return False
    known = f"left join {newest} n using (_identity)" if newest else "cross join (select null::UUID n_id, null::UUID n_hash, null::BIGINT n_version, null::BIGINT n_batch)"
    session.duck.execute(
        f"""create or replace temp table l_repeat as
        with rows as (
            select {identity} as _identity, _landed_id, _hash, _source_version, _op, _supersedes, _late, _arrival, _locator from {file}
            semi join l_twice on l_twice._identity = {identity}),
        placed as (
            select r.*, n_id, n_hash, n_version,
                coalesce(_source_version < greatest(n_version, max(_source_version) over before), {_overtaken(staging)}, false) as late,
                row_number() over (partition by _identity, _source_version, _hash order by _arrival, _locator) as again
            from rows r {known}
            window before as (partition by _identity order by _arrival, _locator rows between unbounded preceding and 1 preceding)),
        compared as (
            select *, if(late, again = 1, _hash is distinct from coalesce(lag(_hash) over (partition by _identity, late order by _arrival, _locator), n_hash)) as kept
            from placed),
        chained as (
            select *, if(kept and not late, coalesce(lag(_landed_id) over (partition by _identity, kept, late order by _arrival, _locator), n_id), null) as supersedes
            from compared)
        select _landed_id, _op as staged, kept, supersedes, late, if(_op = '{SAME}', n_id, null) as same_as,
            _op <> '{SAME}' and kept and _supersedes is not distinct from supersedes and _late = late as right_as_written
        from chained"""
    )
    return True


def mark_wrong(session: Session, staging: Staging, file: str, *, repeats: bool) -> int:
    """Fill ``l_wrong`` with the staged rows, besides *same* ones, that must not be landed as they are; return how many there are."""
    parts = ["select null::UUID as _landed_id where false"]
    if repeats:
        parts.append(f"select _landed_id from l_repeat where not right_as_written and staged <> '{SAME}'")
    if session.duck.execute(f"select 1 from {file} where _late limit 1").fetchone():
        # a late version that has landed before, in this version and with this content
        parts.append(
            f"select s._landed_id from (select * from {file} where _late) s join {lake_table(staging.table)} l "
            f"on l._source_key = s._source_key and l._hash = s._hash and l._source_version is not distinct from s._source_version and l._client = {quote_text(staging.client)}"
        )
    session.duck.execute(f"create or replace temp table l_wrong as {' union '.join(parts)}")
    found = session.duck.execute("select count(*) from l_wrong").fetchone()
    return int(found[0]) if found else 0


def corrected_query(staging: Staging, file: str, known: Sequence[tuple[str, str]]) -> str:
    """Return the rows of ``l_repeat`` that land otherwise than they were written, with their content."""
    own = set(staging.physical)
    ours = {"_supersedes": "r.supersedes", "_late": "r.late", "_op": f"if(s._op = '{SAME}', l._op, s._op)"}
    parts = []
    for name, kind in known:
        content = f"if(s._op = '{SAME}', l.{quote_name(name)}, s.{quote_name(name)})" if name in own else f"s.{quote_name(name)}"
        parts.append(f"({ours.get(name, content)})::{kind} as {quote_name(name)}")
    landed = f"(select * from {lake_table(staging.table)} where _landed_id in (select same_as from l_repeat where kept and same_as is not null))"
    return (
        f"select {', '.join(parts)} from {file} s join l_repeat r on r._landed_id = s._landed_id and r.kept and not r.right_as_written "
        f"left join {landed} l on l._landed_id = r.same_as "
        f"where not (r.late and exists (select 1 from {lake_table(staging.table)} o where o._client = {quote_text(staging.client)} "
        f"and o._source_key = s._source_key and o._hash = s._hash and o._source_version is not distinct from s._source_version))"
    )


def vanished_query(staging: Staging, file: str, newest: str, known: Sequence[tuple[str, str]], first_locator: int) -> str:
    """Return rows that say that identities which a complete snapshot does not hold are gone.

    Where the newest of one has no version that could be read, the highest that it ever had is that of the row.
    """
    there = f"(select {identity_of_staged()} as _identity from {file})"
    receipt = staging.receipts[0]
    ours = {
        "_landed_id": landed_id_sql(receipt.prefix, "_locator"),
        "_client": quote_text(staging.client),
        "_receipt_id": quote_text(str(receipt.receipt)),
        "_locator": "_locator",
        "_source_key": f"if(starts_with(_identity, {_CONTENT}), null, _identity)",
        "_source_version": "coalesce(n_version, had)",
        "_op": "'delete'",
        "_hash": "md5('vanished' || chr(31) || _identity)",
        "_supersedes": "n_id",
        "_late": "false",
        "_received_at": staging.received_at,
        "_batch": str(staging.batch),
    }
    parts = (f"({ours.get(name, 'null')})::{kind} as {quote_name(name)}" for name, kind in known)
    gone = f"select * from {newest} where not n_gone and _identity not in (select _identity from {there})"
    had = (
        f"select _source_key as _identity, max(_source_version) as had from {lake_table(staging.table)} "
        f"where _client = {quote_text(staging.client)} and _source_version is not null and _source_key in (select _identity from ({gone}) where n_version is null) group by 1"
    )
    return (
        f"select {', '.join(parts)} from (select *, {first_locator} + row_number() over (order by _identity) as _locator "
        f"from ({gone}) left join ({had}) using (_identity))"
    )


def _overtaken(staging: Staging) -> str:
    """Return SQL that is true where the newest of an identity came after a record was read first: landing it now must not make it the newer."""
    if all(each.again is None for each in staging.receipts):
        return "null"
    return f"n_batch > {by_arrival(staging, [str(each.again or 'null') for each in staging.receipts], 'BIGINT')}"


def landed_id_of_arrival(staging: Staging) -> str:
    """Return SQL for the landed id: constant but for the locator where there is one arrival."""
    if len(staging.receipts) == 1:
        return landed_id_sql(staging.receipts[0].prefix, "_locator")
    high = by_arrival(staging, [quote_text(each.prefix.hex[:16]) for each in staging.receipts])
    low = by_arrival(staging, [str(each.prefix.int & (1 << 64) - 1) for each in staging.receipts], "UBIGINT")
    return f"({high} || lower(hex({low} + _locator::UBIGINT)))::UUID"


def by_arrival(staging: Staging, values: list[str], kind: str = "VARCHAR") -> str:
    """Return SQL for a value of the arrival that a row came in."""
    if len(staging.receipts) == 1:
        return values[0]
    return f"([{', '.join(values)}]::{kind}[])[_arrival + 1]"
