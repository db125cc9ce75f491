"""What could not be read: refused records and files land, and are in quarantine until they can be read, or somebody discards them.

What was refused is read again once its stream is read in another way: another encoding, a new stream beside it that takes such documents, a
limit that was raised. What is refused then no more leaves quarantine in the same commit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from treaty.connectors.interface import Refusal
from treaty.lake.arrivals import NOT_READ_TEXT, LastArrival, Receipt
from treaty.lake.names import lake_table, landed_id
from treaty.lake.staging import Staging
from treaty.sessions import Session

READABLE = "read again: it is refused no more"  # the reason of a refusal that left quarantine by itself
REFUSED_FROM = 1 << 41  # locators of refusals of which several have the same one

_Refused = Sequence[tuple[Receipt, Sequence[Refusal]]]


@dataclass(frozen=True, slots=True)
class ReadingMapping:
    """A mapping that reads the stream: refused records are quarantined under it."""

    mapping: str
    generation: int
    model: str


@dataclass(slots=True)
class RefusedRows:
    """Rows of the landed table, of ``disposition`` and of ``quarantine``; ``repeated`` of the landed ones another stream has in quarantine."""

    landed: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    opened: list[dict[str, Any]] = field(default_factory=list)
    repeated: int = 0


def origins_to_read_again(last: Mapping[str, LastArrival], read_as: str, asked: frozenset[str]) -> set[str]:
    """Return the origins that are ``asked`` for, or of which something was refused when they were read otherwise, with the archives they are in."""
    from treaty.connectors.archives import SEPARATOR

    again = {origin for origin, each in last.items() if origin in asked or (each.refused_as and each.refused_as != read_as)}
    return again | {archive for each in again if (archive := each.partition(SEPARATOR)[0]) in last}


def refused_rows(
    session: Session, staging: Staging, system: str, stream: str, mappings: Sequence[ReadingMapping], refused: _Refused, opened_at: datetime
) -> RefusedRows:
    """Return what is to be written of refusals that are new, under every mapping that reads the stream.

    What another stream of the system, reading the same file, has in quarantine for the same reason is a duplicate of that.
    """
    found: dict[str, tuple[Receipt, Refusal, int]] = {}
    for receipt, refusals in refused:
        used: set[int] = set()
        for place, refusal in enumerate(refusals):
            locator = refusal.locator if refusal.locator not in used else REFUSED_FROM + place
            used.add(locator)
            found[_hash_of(receipt.origin, refusal)] = (receipt, refusal, locator)
    for known in _refused_before(session, staging, list(found)):
        del found[known]
    elsewhere = _refused_elsewhere(session, staging, system, stream, [refusal for _, refusal, _ in found.values()])
    rows = RefusedRows()
    for content_hash, (receipt, refusal, locator) in found.items():
        other = elsewhere.get((receipt.origin, refusal.reason, refusal.excerpt))
        rows.repeated += other is not None
        identifier = str(landed_id(receipt.prefix, locator))
        rows.landed.append(_landed_row(staging, receipt, refusal, locator, identifier, content_hash, opened_at))
        for reading in mappings:
            common: dict[str, Any] = {"_landed_id": identifier, "_client": staging.client, "_system": system, "_stream": stream}
            common |= {"_mapping": reading.mapping, "_generation": reading.generation}
            if other is not None:
                rows.states.append(common | {"state": "duplicate", "reason": f"refused in {system}/{other}", "_batch": staging.batch})
                continue
            rows.states.append(common | {"state": "quarantined", "reason": refusal.reason, "_batch": staging.batch})
            rows.opened.append(common | _quarantine_fields(reading, receipt.origin, refusal) | {"opened_at": opened_at, "_batch": staging.batch})
    return rows


def readable_now(
    session: Session, staging: Staging, system: str, stream: str, again: Sequence[Receipt], refused: _Refused
) -> list[dict[str, Any]]:
    """Return the dispositions that take out of quarantine what was refused of the same bytes before, and is not among the refusals now.

    A file that was too large to be read has no bytes yet: it leaves as soon as something is read in its place.
    """
    still = [_hash_of(receipt.origin, refusal) for receipt, refusals in refused for refusal in refusals]
    rows = session.duck.execute(
        f"""select d._landed_id::varchar, d._mapping, d._generation
            from {lake_table(staging.table)} l join {lake_table("receipt")} r using (_receipt_id)
            join (select _landed_id, _mapping, _generation, arg_max(state, _batch) as state from {lake_table("disposition")}
                where _client = $client and _system = $system and _stream = $stream group by all) d on d._landed_id = l._landed_id
            where l._client = $client and l._op = 'refused' and d.state in ('quarantined', 'duplicate')
                and ((r.origin, r.object_hash) in (select unnest($origins), unnest($hashes)) or (r.origin in (select unnest($unread)) and contains(r.details, {NOT_READ_TEXT})))
                and l._hash::varchar not in (select unnest($still))""",
        {
            "client": staging.client, "system": system, "stream": stream, "still": still,
            "origins": [each.origin for each in again if each.again is not None], "hashes": [each.sha256 for each in again if each.again is not None],
            "unread": [each.origin for each in again if each.unread],
        },
    ).fetchall()  # fmt: skip
    common = {"_client": staging.client, "_system": system, "_stream": stream, "state": "filtered", "reason": READABLE, "_batch": staging.batch}
    return [common | {"_landed_id": identifier, "_mapping": mapping, "_generation": generation} for identifier, mapping, generation in rows]


def _refused_before(session: Session, staging: Staging, hashes: list[str]) -> list[str]:
    """Return which refusals have landed, but for those that left quarantine by themselves: they are refused anew."""
    if not hashes:
        return []
    rows = session.duck.execute(
        f"""select distinct _hash::varchar from {lake_table(staging.table)} l where _client = $client and _op = 'refused' and _hash::varchar in (select unnest($hashes))
            and not exists (from {lake_table("disposition")} d where d._landed_id = l._landed_id and d._client = $client and d.reason = $readable)""",
        {"client": staging.client, "hashes": hashes, "readable": READABLE},
    ).fetchall()
    return [row[0] for row in rows]


def _refused_elsewhere(session: Session, staging: Staging, system: str, stream: str, refusals: list[Refusal]) -> dict[tuple[str, str, str], str]:
    """Return, by origin, reason and excerpt, the other stream of the system that has the same refusal in quarantine."""
    if not refusals:
        return {}
    rows = session.duck.execute(
        f"""select distinct json_extract_string(fields, '$.origin'), rule, value, _stream from {lake_table("quarantine")} q
            where _client = $client and _system = $system and _stream <> $stream and field is null and rule in (select unnest($reasons))
                and not exists (from {lake_table("disposition")} d where d._landed_id = q._landed_id and d._client = $client and d.reason = $readable)
            order by _stream desc""",
        {"client": staging.client, "system": system, "stream": stream, "reasons": list({each.reason for each in refusals}), "readable": READABLE},
    ).fetchall()
    return {(origin, reason, excerpt): other for origin, reason, excerpt, other in rows}


def _landed_row(
    staging: Staging, receipt: Receipt, refusal: Refusal, locator: int, identifier: str, content_hash: str, received_at: datetime
) -> dict[str, Any]:
    row = {
        "_landed_id": identifier,
        "_client": staging.client,
        "_receipt_id": str(receipt.receipt),
        "_locator": locator,
        "_op": "refused",
        "_hash": content_hash,
        "_late": False,
        "_received_at": received_at,
        "_batch": staging.batch,
    }
    return row | ({"payload": refusal.excerpt} if staging.columns is None else {})


def _quarantine_fields(reading: ReadingMapping, origin: str, refusal: Refusal) -> dict[str, Any]:
    group = hashlib.md5("|".join((reading.model, reading.mapping, "", refusal.reason)).encode(), usedforsecurity=False).hexdigest()[:12]
    return {
        "model": reading.model,
        "field": None,
        "rule": refusal.reason,
        "value": refusal.excerpt,
        "group_id": group,
        "fields": json.dumps({"message": refusal.message, "origin": origin}, ensure_ascii=False),
    }


def _hash_of(origin: str, refusal: Refusal) -> str:
    text = "\x1f".join((origin, str(refusal.locator), refusal.reason, refusal.excerpt))
    digest = hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"
