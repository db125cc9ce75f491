"""What an earlier reading of the same bytes made of a file, and this one does not: it goes, as the file never said it.

A record with a key, or one of a stream without, is deleted where no other file has it; one whose key could not be told under the earlier
reading is left out of quarantine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from treaty.lake.current import ModelTables, effective_dispositions
from treaty.lake.names import lake_table, quote_name, quote_text
from treaty.lake.quarantine import DISCARDED
from treaty.lake.staging import Staging, by_arrival, identity_of_staged, landed_id_of_arrival
from treaty.sessions import Session

READ_OTHERWISE = f"{DISCARDED}its file is read in another way now"
_FIRST = 2_000_000_000  # locator: beyond every record of an arrival, and beyond what a snapshot lacks


def gone_query(staging: Staging, system: str, stream: str, reading: str, rows: str, known: Sequence[tuple[str, str]], *, keyless: bool) -> str:
    """Return rows that delete what the earlier reading had of the arrivals that are read ``otherwise``, and ``rows`` (staged) have not."""
    table, mine = lake_table(staging.table), f"_client = {quote_text(staging.client)}"
    keyed = "true" if keyless else "_source_key is not null"
    elsewhere = f"""select {identity_of_staged()} from {table} where {mine} and _op <> 'refused' and _receipt_id in (
        select _receipt_id from {_receipts(staging, system, stream)} where json_extract_string(details, '$.reading') = {quote_text(reading)}
            and origin not in (select origin from {_arrivals(staging)}))"""
    gone = f"""
        select {identity_of_staged()} as _identity, _source_key, _source_version, _landed_id as _was, a._arrival
        from {table} l join {_receipts(staging, system, stream)} r using (_receipt_id) join {_arrivals(staging)} a on a.origin = r.origin and a.sha256 = r.object_hash
        where l.{mine} and not _late and _op = 'upsert' and {keyed} and _landed_id not in (select _supersedes from {table} where {mine} and _supersedes is not null)
            and {identity_of_staged()} not in (select {identity_of_staged()} from {rows}) and {identity_of_staged()} not in ({elsewhere})"""
    ours = {
        "_landed_id": landed_id_of_arrival(staging),
        "_client": quote_text(staging.client),
        "_receipt_id": by_arrival(staging, [quote_text(str(each.receipt)) for each in staging.receipts]) + "::UUID",
        "_locator": "_locator",
        "_source_key": "_source_key",
        "_source_version": "_source_version",
        "_op": "'delete'",
        "_hash": "md5('read otherwise' || chr(31) || _identity)",
        "_supersedes": "_was",
        "_late": "false",
        "_received_at": staging.received_at,
        "_batch": str(staging.batch),
    }
    parts = (f"({ours.get(name, 'null')})::{kind} as {quote_name(name)}" for name, kind in known)
    return f"select {', '.join(parts)} from (select *, {_FIRST} + row_number() over (partition by _arrival order by _identity) as _locator from ({gone}))"


def left_out(session: Session, staging: Staging, system: str, stream: str, rows: str) -> list[dict[str, Any]]:
    """Return the dispositions that leave out what had no key when the files were read in another way, is in quarantine, and is not in ``rows``."""
    told = f"_client = {quote_text(staging.client)} and _system = {quote_text(system)} and _stream = {quote_text(stream)}"
    old = f"""
        select _landed_id from {lake_table(staging.table)} l join {_receipts(staging, system, stream)} r using (_receipt_id)
        where l._client = {quote_text(staging.client)} and _op <> 'refused' and _source_key is null and r.origin in (select origin from {_arrivals(staging)})
            and {identity_of_staged()} not in (select {identity_of_staged()} from {rows})"""
    states = effective_dispositions(ModelTables(""), f"{told} and _landed_id in ({old})")
    found = session.duck.execute(f"select _landed_id::varchar, _mapping, _generation from ({states}) where state = 'quarantined'").fetchall()
    common = {"_client": staging.client, "_system": system, "_stream": stream, "state": "filtered", "reason": READ_OTHERWISE, "_batch": staging.batch}
    return [common | {"_landed_id": identifier, "_mapping": mapping, "_generation": generation} for identifier, mapping, generation in found]


def _arrivals(staging: Staging) -> str:
    """Return the arrivals that are read otherwise as a relation: ``origin, sha256, _arrival``."""
    rows = ", ".join(f"({quote_text(each.origin)}, {quote_text(each.sha256)}, {each.number})" for each in staging.receipts if each.otherwise)
    return f"(select * from (values {rows}) as v(origin, sha256, _arrival))"


def _receipts(staging: Staging, system: str, stream: str) -> str:
    return (
        f"(select _receipt_id, origin, object_hash, details from {lake_table('receipt')} where _client = {quote_text(staging.client)} "
        f"and system = {quote_text(system)} and stream = {quote_text(stream)})"
    )
