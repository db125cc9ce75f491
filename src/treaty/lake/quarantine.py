"""Records set aside until somebody acts, grouped by what is wrong with them.

Nothing is taken out: a record leaves quarantine by a later disposition, when a replay finds it good, a newer version overtakes it, or
somebody discards it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treaty.lake.arrivals import KEYLESS
from treaty.lake.batches import open_batch
from treaty.lake.commit import commit, discard, prepare_select
from treaty.lake.current import ModelTables, client_or_none, current_generations, effective_dispositions, of_client
from treaty.lake.names import lake_table, landed_table, quote_text
from treaty.lake.refusals import REFUSED_FROM
from treaty.lake.schema import table_columns
from treaty.lake.scope import ClientScope, OneClient
from treaty.sessions import Session

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE_VALUES = 5
DISCARDED = "discarded: "  # begins the reason of what a steward left out


@dataclass(frozen=True, slots=True)
class QuarantineGroup:
    """Records with the same thing wrong in the same field of the same model and mapping.

    ``files`` are some of those that could not be read, in part or as a whole; none where what is wrong was found in what was read.
    """

    group: str
    model: str
    mapping: str
    field: str | None
    reason: str
    sample_values: tuple[str, ...]
    records: int
    clients: tuple[str, ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """One record in quarantine, as a replay needs it."""

    client: str
    system: str
    stream: str
    mapping: str
    generation: int
    landed_id: str
    refused: bool  # it could not be read


def group_sql(model: str, mapping: str) -> str:
    """Return the SQL of a quarantine row's group: the same model, mapping, field and rule give the same id everywhere."""
    return f"substr(md5(concat_ws('|', {quote_text(model)}, {quote_text(mapping)}, coalesce(_field, ''), coalesce(_rule, ''))), 1, 12)"


def quarantine_groups(session: Session, scope: ClientScope, *, model: str | None = None) -> tuple[QuarantineGroup, ...]:
    """Return what is in quarantine, the largest group first."""
    where = "true" if model is None else f"model = {quote_text(model)}"
    rows = session.duck.execute(f"""
        select group_id, any_value(model), any_value(_mapping), any_value(field), any_value(rule), list_sort(list_distinct(list(value)))[:{SAMPLE_VALUES}], count(*),
            list_sort(list_distinct(list(_client))),
            list_sort(list_distinct(list(json_extract_string(fields, '$.origin')) filter (_findings is null)))[:{SAMPLE_VALUES}] from ({_open(session, scope)}) where {where}
        group by group_id order by count(*) desc, group_id""").fetchall()
    return tuple(
        QuarantineGroup(group, of, mapping, field, rule, tuple(each for each in values if each is not None), int(records), tuple(clients), tuple(files or ()))
        for group, of, mapping, field, rule, values, records, clients, files in rows
    )


def quarantine_records(session: Session, scope: ClientScope, group: str, *, source_keys: Sequence[str] = ()) -> pa.Table:
    """Return the records of one group with where each is from, what is wrong, and its fields as far as they are known (JSON).

    ``record`` is the record's number in its origin; null where a file as a whole, or something between its records, could not be read.
    """
    table: pa.Table = session.duck.execute(f"""
        select _client as client, _system as system, _stream as stream, source_key, _landed_id::varchar as landed_id, origin,
            if(locator between 1 and {REFUSED_FROM - 1}, locator, null) as record, _mapping as mapping, model, field, rule, value, _findings as findings, fields, opened_at
        from ({_located(session, scope, group, source_keys)}) order by client, system, stream, opened_at, landed_id""").to_arrow_table()
    return table


def open_records(session: Session, scope: ClientScope, group: str, *, source_keys: Sequence[str] = ()) -> tuple[OpenRecord, ...]:
    """Return the records of one group for a replay: conformed again, those that are good leave quarantine."""
    rows = session.duck.execute(f"""
        select _client, _system, _stream, _mapping, _generation, _landed_id::varchar, _findings is null
        from ({_located(session, scope, group, source_keys)}) order by all""").fetchall()
    return tuple(OpenRecord(*row) for row in rows)


def discard_records(session: Session, scope: ClientScope, group: str, reason: str, *, source_keys: Sequence[str] = ()) -> int:
    """Leave the records of one group out for good: ``filtered``, with the reason; return how many."""
    done = 0
    for client in sorted({each.client for each in open_records(session, scope, group, source_keys=source_keys)}):
        mine = OneClient(client)
        done += _leave_out(session, mine, _located(session, mine, group, source_keys), reason, f"discard {group}")
    return done


def leave_out_keyless(session: Session, scope: OneClient, system: str, stream: str) -> int:
    """Leave out what landed of a stream while it had no key and has landed again, word for word, with one; return how many records.

    What has no key in the source either stays where it is.
    """
    table, mine, mark = lake_table(landed_table(system, stream)), f"_client = {quote_text(scope.client)}", quote_text(f'"{KEYLESS}"')
    keyless = f"""select _receipt_id from {lake_table("receipt")} where {mine} and system = {quote_text(system)} and stream = {quote_text(stream)}
        and contains(details, {mark})"""
    again = f"select _landed_id from {table} where {mine} and _receipt_id in ({keyless}) and _hash in (select _hash from {table} where {mine} and _source_key is not null)"
    rows = f"select * from ({_open(session, scope)}) where _system = {quote_text(system)} and _stream = {quote_text(stream)} and _landed_id in ({again})"
    if session.duck.execute(f"select 1 from ({rows}) limit 1").fetchone() is None:
        return 0
    return _leave_out(session, scope, rows, "read again once the stream had a key", f"read again {system}/{stream}")


def _leave_out(session: Session, scope: OneClient, located: str, reason: str, message: str) -> int:
    batch = open_batch(session, scope, "discard")
    rows = f"""
        select _landed_id, _client, _system, _stream, _mapping, _generation, 'filtered' as state,
            {quote_text(DISCARDED + reason)} as reason, {batch.number}::bigint as _batch from ({located})"""
    write = prepare_select(session, batch, "disposition", rows)
    if write is None:
        discard(session, batch, [])
        return 0
    commit(session, scope, [write], batch=batch, message=message, counts={"filtered": write.rows})
    return write.rows


def _open(session: Session, scope: ClientScope) -> str:
    """Select the quarantine rows of records that are in quarantine now, in the one generation that counts."""
    client = client_or_none(session, scope)
    tables = ModelTables("")
    return f"""
        select q.* from (
            select * from {tables.table("quarantine")} where {of_client(client)}
            qualify row_number() over (partition by _landed_id, _mapping, _generation order by _batch desc) = 1) q
        semi join (select * from ({effective_dispositions(tables, of_client(client))}) where state = 'quarantined') d
            on d._landed_id = q._landed_id and d._mapping = q._mapping and d._generation is not distinct from q._generation
        anti join ({current_generations(tables, client)}) g on g._client = q._client and g._mapping = q._mapping
            and g._generation <> q._generation and q._findings is not null"""  # refusals have no findings and hold for every generation


def _located(session: Session, scope: ClientScope, group: str, source_keys: Sequence[str]) -> str:
    """Select the open rows of a group with the source key and the place of each, from the landed tables of the streams that it spans."""
    mine = f"select * from ({_open(session, scope)}) where group_id = {quote_text(group)}"
    streams = session.duck.execute(f"select distinct _system, _stream from ({mine})").fetchall()
    parts = []
    for system, stream in streams:
        table = landed_table(system, stream)
        landed = f"(select _landed_id, _client, _source_key, _locator, _receipt_id from {lake_table(table)})"
        if table_columns(session, table) is None:
            landed = "(select null::uuid as _landed_id, null::varchar as _client, null::varchar as _source_key, null::bigint as _locator, null::uuid as _receipt_id where false)"
        parts.append(f"""
            select q.*, l._source_key as source_key, r.origin as origin, l._locator as locator
            from ({mine}) q left join {landed} l on l._landed_id = q._landed_id and l._client = q._client
                left join {lake_table("receipt")} r on r._receipt_id = l._receipt_id
            where q._system = {quote_text(system)} and q._stream = {quote_text(stream)}""")
    if not parts:
        parts = [f"select *, null::varchar as source_key, null::varchar as origin, null::bigint as locator from ({mine}) where false"]
    wanted = ", ".join(quote_text(each) for each in source_keys)
    return f"select * from ({' union all '.join(parts)})" + (f" where source_key in ({wanted})" if source_keys else "")
