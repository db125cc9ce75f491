"""Derives what a sink is to get: one intent for each golden record that it was not told of as it stands now.

An intent is one *delivery version* of one golden record: the golden version plus a revision, which grows when the same version must be
told again since the outbound mapping changed, its key was another record's before, or its own key changed: then a delete of the key that
it had comes first, and the new key one revision above. So a sink never gets a lower version after a higher one, whatever changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from treaty.clock import Clock
from treaty.compiler.outbound import CompiledOutbound
from treaty.engines.duckdb.outbound import outbound_sql
from treaty.engines.duckdb.paths import quote_name
from treaty.faults import faultpoint
from treaty.flows.baseline import UNASKED, is_first_load
from treaty.lake.current import ModelTables, current_golden
from treaty.lake.names import LAKE, golden_table
from treaty.lake.relationships import as_read, relationships
from treaty.lake.schema import table_columns
from treaty.project.declarations import ClientProject
from treaty.sessions import Session

BATCH_ROWS = 2_000
OPEN = ("waiting", "held")
SET_ASIDE = ("held", "dead-lettered")  # states of which the sink knows nothing
UNCHANGED = "nothing that the sink takes has changed"


@dataclass(frozen=True, slots=True)
class Intent:
    """One delivery version that the sink is to have."""

    key: str
    golden_version: int
    revision: int
    canonical_id: str
    op: str
    state: str
    message: str
    content_hash: str
    remote_id: str | None

    @property
    def version(self) -> int:
        """What the sink's guard compares."""
        return self.golden_version + self.revision

    def message_id(self, sink: str) -> str:
        """Return the id that the message keeps over all attempts."""
        number = f"{self.golden_version}.{self.revision}" if self.revision else str(self.golden_version)
        return f"{self.canonical_id}:{number}:{sink}"


@dataclass(frozen=True, slots=True)
class Told:
    """What is written down of a golden record: the newest intent of all, and the newest that the sink has or will have."""

    newest: Intent
    standing: Intent | None

    def revision_of(self, golden_version: int) -> int:
        """Return the revision of the next intent for a golden version."""
        return self.newest.revision + (1 if golden_version <= self.newest.golden_version else 0)


def derive(session: Session, project: ClientProject, mapping: CompiledOutbound, *, as_of: str, run_id: str, clock: Clock) -> int:
    """Write down what the sink is to get that it was not yet told of; return how many intents are new."""
    pg = session.as_client(mapping.client)
    row = pg.execute(
        "select mapping_version, golden_batch from treaty.sink_progress where client = %s and sink = %s and mapping = %s",
        (mapping.client, mapping.sink, mapping.name),
    ).fetchone()
    seen = int(row[1]) if row and row[0] == mapping.version else -1
    tables = ModelTables(mapping.model)
    if table_columns(session, golden_table(mapping.model)) is None:
        return 0  # nothing of the model has ever been read
    newest = session.duck.execute(f"select coalesce(max(_batch), 0) from {tables.golden} where _client = ?", [mapping.client]).fetchone()
    batch = int(newest[0]) if newest else 0
    moves = any(each.moves for each in relationships(project, mapping.model))  # what is sent may change though no golden record does
    if batch <= seen and not moves:
        return 0
    same = row is not None and row[0] == mapping.version
    intents = _above_former_holders(
        session, mapping, list(_intents(session, project, mapping, -1 if moves else seen, as_of, same_mapping=same))
    )
    if is_first_load(session, mapping):
        intents = [replace(each, message=UNASKED) if each.state == "waiting" else each for each in intents]
    if intents or batch > seen:
        _write(session, mapping, intents, batch, run_id, clock)
    return len(intents)


def outbound_rows(session: Session, project: ClientProject, mapping: CompiledOutbound, where: str, as_of: str) -> Iterator[dict[str, Any]]:
    """Yield golden records as the sink's rows, as :func:`outbound_query` gives them; those that it is to lose come first."""
    reader = session.duck.execute(f"{outbound_query(session, project, mapping, where, as_of)} order by _wanted, _canonical_id")
    for batch in reader.to_arrow_reader(BATCH_ROWS):
        yield from batch.to_pylist()


def outbound_query(session: Session, project: ClientProject, mapping: CompiledOutbound, where: str, as_of: str, catalog: str = LAKE) -> str:
    """Return SQL for golden records as the sink's rows, with ``_wanted``, ``_hash`` of what the sink takes and ``_key``.

    One whose reference has waited too long for its target is none that the sink is to have.
    """
    golden = current_golden(ModelTables(mapping.model, catalog), mapping.client, where=where)
    golden = as_read(session, golden, {mapping.client: relationships(project, mapping.model)}, session.clock(), catalog)
    shaped = outbound_sql(mapping, golden, as_of)
    texts = ", ".join(f"coalesce(CAST({quote_name(each.name)} AS VARCHAR), chr(0))" for each in mapping.columns) or "''"
    key = " || '|' || ".join(f"CAST({quote_name(each)} AS VARCHAR)" for each in mapping.key) or "CAST(_canonical_id AS VARCHAR)"
    return f"""
        select * replace (_wanted and not _deleted and _missing is null as _wanted), md5(concat_ws(chr(31), {texts})) as _hash, {key} as _key
        from ({shaped})"""


def _intents(
    session: Session, project: ClientProject, mapping: CompiledOutbound, seen: int, as_of: str, *, same_mapping: bool
) -> Iterator[Intent]:
    told = _told(session, mapping)
    holders = {
        each.standing.key: canonical for canonical, each in told.items() if each.standing is not None and each.standing.op == "upsert"
    }
    held = [canonical for canonical, each in told.items() if each.newest.state == "held"]
    session.duck.execute("create or replace temp table outbound_held as select unnest(?::varchar[])::uuid as _canonical_id", [held])
    deriving = _Deriving(mapping, told, holders, same_mapping)
    blocked = []  # whoever holds their key may leave it further down
    for row in outbound_rows(session, project, mapping, f"(g._batch > {seen} or g._canonical_id in (from outbound_held))", as_of):
        if deriving.is_taken(row):
            blocked.append(row)
        else:
            yield from deriving.of(row)
    for row in blocked:
        yield from deriving.of(row)


@dataclass(frozen=True, slots=True)
class _Deriving:
    """What is known while intents are derived; ``holders`` says which record has each key of the sink, and follows the intents."""

    mapping: CompiledOutbound
    told: Mapping[str, Told]
    holders: dict[str, str]
    same_mapping: bool  # whether the sink's keys are written as they were

    def is_taken(self, row: Mapping[str, Any]) -> bool:
        """Tell whether another record has the key that a row is to have."""
        canonical = str(row["_canonical_id"])
        return bool(row["_wanted"]) and self.holders.get(row["_key"], canonical) != canonical

    def of(self, row: Mapping[str, Any]) -> Iterator[Intent]:
        """Yield what the sink is told of a row."""
        canonical = str(row["_canonical_id"])
        known = self.told.get(canonical)
        if not row["_wanted"]:
            farewell = _farewell(self.mapping, row, known)
            if farewell is not None:
                self._release(farewell)
                yield farewell
            return
        reason = row["_held"] or ("missing-key" if row["_key"] is None else None)
        if reason is None and self.is_taken(row):
            reason = f"the key is taken by {self.holders[row['_key']]}"
        left = _left_key(self.mapping, row, known) if reason is None and self.same_mapping else None
        if left is not None and key_parts(self.mapping, left.key) is None:
            reason, left = f"its key was {left.key}, and parts that hold a '|' cannot be told apart to delete it", None
        if left is not None:
            self._release(left)
            yield left
            known = Told(left, left)
        if reason is None:
            self.holders[row["_key"]] = canonical
        news = _news(self.mapping, row, known, reason)
        if news is not None:
            yield news

    def _release(self, farewell: Intent) -> None:
        if farewell.state == "waiting" and self.holders.get(farewell.key) == farewell.canonical_id:
            del self.holders[farewell.key]


def key_parts(mapping: CompiledOutbound, key: str) -> list[str] | None:
    """Return the values of the sink's key columns, as texts; None where they cannot be told apart."""
    if len(mapping.key) <= 1:
        return [key] if mapping.key else []
    parts = key.split("|")
    return parts if len(parts) == len(mapping.key) else None


def _left_key(mapping: CompiledOutbound, row: Mapping[str, Any], told: Told | None) -> Intent | None:
    """Return the farewell to the key that a record had until now, if it has another one. What has a remote id is updated by that."""
    standing = told.standing if told else None
    if told is None or standing is None or standing.op != "upsert" or standing.key == row["_key"] or standing.remote_id is not None:
        return None
    if mapping.delete == "ignore" or mapping.mode == "at-least-once":
        return None
    return _next(row, told, standing.key, "delete" if mapping.delete == "send" else "archive", "waiting", "", None)


def _farewell(mapping: CompiledOutbound, row: Mapping[str, Any], told: Told | None) -> Intent | None:
    """Return what the sink is told of a record that it is not to have any more, if anything."""
    if told is None:
        return None
    standing = told.standing
    if standing is not None and standing.op == "upsert" and mapping.delete != "ignore":
        op = "delete" if mapping.delete == "send" else "archive"
        return _next(row, told, standing.key, op, "waiting", "", standing.remote_id)
    if told.newest.state in OPEN:
        return _next(row, told, told.newest.key, told.newest.op, "coalesced", "the record is not to be sent any more", None)
    return None


def _news(mapping: CompiledOutbound, row: Mapping[str, Any], told: Told | None, reason: str | None) -> Intent | None:
    """Return what the sink is told of a record that it is to have, if it is not told so already; ``reason`` is why it cannot be."""
    standing = told.standing if told else None
    newest = told.newest if told else None
    same_version = newest is not None and newest.golden_version == row["_version"]
    if reason is not None:
        if newest is not None and same_version and newest.state == "held" and newest.message == reason:
            return None
        return _next(row, told, f"{row['_key'] or ''} ({row['_canonical_id']})", "upsert", "held", str(reason), None)
    if newest is not None and same_version and newest.state == "dead-lettered" and newest.content_hash == row["_hash"]:
        return None
    if standing is not None and standing.op == "upsert" and standing.content_hash == row["_hash"]:
        if standing.golden_version == row["_version"]:
            return None
        doubtful = standing.state == "waiting" or (standing.state == "ambiguous" and mapping.mode == "upsert")
        if not doubtful:
            return _next(row, told, standing.key, "upsert", "coalesced", UNCHANGED, None)
    return _next(row, told, row["_key"], "upsert", "waiting", "", standing.remote_id if standing else None)


def _next(row: Mapping[str, Any], told: Told | None, key: str, op: str, state: str, message: str, remote_id: str | None) -> Intent:
    revision = told.revision_of(row["_version"]) if told else 0
    return Intent(key, row["_version"], revision, str(row["_canonical_id"]), op, state, message, row["_hash"], remote_id)


def _above_former_holders(session: Session, mapping: CompiledOutbound, intents: Sequence[Intent]) -> list[Intent]:
    """Return the intents, each with a version above all that the sink was told under the same key by another record."""
    told: dict[str, dict[str, int]] = {}
    upserts = [each for each in intents if each.op == "upsert" and each.state == "waiting"]
    for intent in intents:
        if intent.op != "upsert":
            told.setdefault(intent.key, {})[intent.canonical_id] = intent.version
    pg = session.as_client(mapping.client)
    for start in range(0, len(upserts), BATCH_ROWS):
        keys = [each.key for each in upserts[start : start + BATCH_ROWS]]
        rows = pg.execute(
            """select key, canonical_id::text, max(golden_version + revision) from treaty.delivery
               where client = %s and sink = %s and key = any(%s) and state <> 'held' group by 1, 2""",
            (mapping.client, mapping.sink, keys),
        ).fetchall()
        for key, canonical, version in rows:
            of_key = told.setdefault(key, {})
            of_key[canonical] = max(of_key.get(canonical, 0), int(version))
    return [_raised(each, told.get(each.key, {})) if each.op == "upsert" and each.state == "waiting" else each for each in intents]


def _raised(intent: Intent, told: Mapping[str, int]) -> Intent:
    others = max((version for canonical, version in told.items() if canonical != intent.canonical_id), default=0)
    return replace(intent, revision=max(intent.revision, others + 1 - intent.golden_version))


def _told(session: Session, mapping: CompiledOutbound) -> dict[str, Told]:
    """Return what is written down of each golden record, by canonical id."""
    rows = (
        session.as_client(mapping.client)
        .execute(
            """select distinct on (canonical_id, aside) key, golden_version, revision, canonical_id::text, op, state, message, content_hash, remote_id
           from (select *, state = any(%s) as aside from treaty.delivery where client = %s and sink = %s) d
           order by canonical_id, aside, golden_version desc, revision desc""",
            (list(SET_ASIDE), mapping.client, mapping.sink),
        )
        .fetchall()
    )
    told: dict[str, Told] = {}
    for row in rows:
        intent = Intent(*row)
        standing = None if intent.state in SET_ASIDE else intent
        before = told.get(intent.canonical_id)
        if before is None:
            told[intent.canonical_id] = Told(intent, standing)
        else:
            newest = max(before.newest, intent, key=lambda each: (each.golden_version, each.revision))
            told[intent.canonical_id] = Told(newest, before.standing or standing)
    return told


def _write(session: Session, mapping: CompiledOutbound, intents: Iterable[Intent], batch: int, run_id: str, clock: Clock) -> None:
    """Write intents down, let newer ones take the place of older ones that were not sent, and say how far the lake was read."""
    pg, now = session.as_client(mapping.client), clock()
    with pg.transaction(), pg.cursor() as cursor:
        cursor.executemany(
            """insert into treaty.delivery (client, sink, key, golden_version, revision, model, canonical_id, op, message_id, state, message, remote_id,
                   content_hash, run_id, created_at, updated_at)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing""",
            [
                (mapping.client, mapping.sink, each.key, each.golden_version, each.revision, mapping.model, each.canonical_id, each.op,
                 each.message_id(mapping.sink), each.state, each.message, each.remote_id, each.content_hash, run_id, now, now)
                for each in intents
            ],
        )  # fmt: skip
        coalesce(cursor, mapping.client, mapping.sink, now)
        faultpoint("deliver.deriving")
        cursor.execute(
            """insert into treaty.sink_progress values (%s, %s, %s, %s, %s, %s)
               on conflict (client, sink, mapping) do update set mapping_version = excluded.mapping_version,
                   golden_batch = excluded.golden_batch, updated_at = excluded.updated_at""",
            (mapping.client, mapping.sink, mapping.name, mapping.version, batch, now),
        )


def coalesce(cursor: Any, client: str, sink: str, now: Any) -> int:
    """Close what is open of a sink and has a newer intent for the same record; return how many. A farewell is for its key alone."""
    done = cursor.execute(
        """update treaty.delivery d set state = 'coalesced', message = 'a newer version took its place', updated_at = %s
           where d.client = %s and d.sink = %s and d.state = any(%s)
             and exists (select from treaty.delivery n where n.client = d.client and n.sink = d.sink and n.canonical_id = d.canonical_id
                         and (n.key = d.key or d.op = 'upsert') and (n.golden_version, n.revision) > (d.golden_version, d.revision))""",
        (now, client, sink, list(OPEN)),
    )
    return int(done.rowcount)
