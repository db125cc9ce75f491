"""Finds what a key means: the members of a golden record through the cross-reference, or landed versions of a source record.

Contribution and golden tables are never read here: an explanation stands on landing, cross-reference and project alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from treaty.lake.current import ModelTables, latest_xref, of_client
from treaty.lake.names import lake_table, landed_table
from treaty.lake.names import quote_text as quote
from treaty.lake.schema import table_columns
from treaty.lake.scope import OneClient, scope_condition
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class Member:
    """One source record that is, or was, part of a golden record."""

    member_id: str
    system: str
    stream: str
    source_key: str | None
    ended: bool

    @property
    def name(self) -> str:
        """The stream, as ``system/stream``."""
        return f"{self.system}/{self.stream}"


@dataclass(frozen=True, slots=True)
class Located:
    """A golden record of one client, by its canonical id, with its members in landing order."""

    client: str
    canonical_id: str
    members: tuple[Member, ...]


def locate(session: Session, clients: Iterable[str], model: str, key: str) -> tuple[Located, ...]:
    """Return the golden records of these clients that a canonical id, a match key or a source key means."""
    if table_columns(session, "xref") is None:
        return ()
    tables = ModelTables(model)
    found: list[Located] = []
    for client in clients:
        for canonical_id in _ids(session, tables, client, key):
            members = _members(session, tables, client, canonical_id)
            found.append(Located(client, canonical_id, members))
    return tuple(found)


def _ids(session: Session, tables: ModelTables, client: str, key: str) -> list[str]:
    try:
        wanted = quote(str(UUID(key)))
    except ValueError:
        text = quote(key)
        ends_so = f"len(list_filter(_keys, lambda k: suffix(k, {text}))) > 0"  # quicker than the exact test, which is left to what ends so
        is_so = f"list_contains(list_transform(_keys, lambda k: substr(k, instr(k, ':') + 1)), {text})"
        found = _latest_of(session, tables, client, f"(_source_key = {text} or {ends_so})")
        rows = session.duck.execute(
            f"select distinct _canonical_id::varchar from ({found}) where (_source_key = {text} or {is_so}) and _system <> 'steward' order by all"
        ).fetchall()
        return [row[0] for row in rows]
    # a canonical id that was merged into another is an alias: its members tell where it went
    found = _latest_of(session, tables, client, f"(_canonical_id = {wanted}::uuid or _member_id = {wanted}::uuid)")
    rows = session.duck.execute(
        f"select distinct x._canonical_id::varchar from ({found}) x order by x._canonical_id = {wanted}::uuid desc, 1"
    ).fetchall()
    exact = [row[0] for row in rows if quote(row[0]) == wanted]
    return exact or [row[0] for row in rows]


def keys_with(session: Session, clients: Iterable[str], model: str, part: str, limit: int = 3) -> tuple[str, ...]:
    """Return business keys one of whose parts is ``part``, each record's strongest key only: what somebody may have meant."""
    if table_columns(session, "xref") is None:
        return ()
    found: list[str] = []
    for client in clients:
        rows = session.duck.execute(
            f"""select any_value(coalesce(key, _source_key) order by key is null) from (
                    select _canonical_id, _source_key, list_filter(list_transform(_keys, lambda k: substr(k, instr(k, ':') + 1)),
                        lambda k: list_contains(string_split(k, '|'), {quote(part)})) [1] as key
                    from ({latest_xref(ModelTables(model), client)}) where not ended and _system <> 'steward')
                where key is not null or list_contains(string_split(_source_key, '|'), {quote(part)})
                group by _canonical_id order by 1 limit {limit}"""
        ).fetchall()
        found += [row[0] for row in rows]
    return tuple(found)[:limit]


def did_you_mean(session: Session, clients: Iterable[str], model: str, key: str) -> str:
    """Say which keys a key that means nothing may have meant, or nothing; quoted as a shell needs it."""
    keys = keys_with(session, clients, model, key)
    return f"Did you mean {' or '.join(repr(each) for each in keys)}?" if keys else ""


def _members(session: Session, tables: ModelTables, client: str, canonical_id: str) -> tuple[Member, ...]:
    where = f"_canonical_id = {quote(canonical_id)}::uuid"
    rows = session.duck.execute(
        f"""select _member_id::varchar, _system, _stream, _source_key, ended from ({_latest_of(session, tables, client, where)})
            where {where} order by ended, _valid_from, _member_id"""
    ).fetchall()
    members = tuple(Member(*row) for row in rows)
    return tuple(each for each in members if not each.ended) or members


def _latest_of(session: Session, tables: ModelTables, client: str, where: str) -> str:
    """Select the latest cross-reference rows of the members that have had a row of which ``where`` holds.

    They are looked up first: by their ids the engine skips nearly all of the table.
    """
    mine = f"{of_client(client)} and _model = {quote(tables.model)} and _member_id is not null"
    rows = session.duck.execute(f"select distinct _member_id::varchar from {tables.table('xref')} where {mine} and {where}").fetchall()
    ids = ", ".join(f"{quote(row[0])}::uuid" for row in rows) or "null"
    return latest_xref(tables, client, f"_member_id in ({ids})")


@dataclass(frozen=True, slots=True)
class LandedVersion:
    """One landed version of a source record, with where its bytes are."""

    landed_id: str
    client: str
    system: str
    stream: str
    source_key: str | None
    locator: int
    op: str
    version: int | None
    received_at: Any
    receipt_id: str

    @property
    def landing(self) -> tuple[Any, str]:
        """What tells the order of landing."""
        return self.received_at, self.landed_id


def landed_condition(session: Session, client: str, stream: str, where: str) -> str | None:
    """Return SQL that selects landed rows of a stream of one client, or None where nothing of it has landed."""
    system, _, name = stream.partition("/")
    table = landed_table(system, name)
    known = table_columns(session, table)
    if known is None:
        return None
    payload = "" if "payload" in known else ", null::varchar as payload"  # which documents have, should the stream's format have become one of them
    return f"select *{payload} from {lake_table(table)} where {scope_condition(session, OneClient(client))} and ({where})"


def landed_versions(session: Session, client: str, stream: str, where: str) -> tuple[LandedVersion, ...]:
    """Return landed versions of a stream that a condition picks, newest first."""
    relation = landed_condition(session, client, stream, where)
    if relation is None:
        return ()
    system, _, name = stream.partition("/")
    rows = session.duck.execute(
        f"""select _landed_id::varchar, _source_key, _locator, _op, _source_version, _received_at, _receipt_id::varchar from ({relation})
            order by _source_version desc nulls last, _received_at desc, _landed_id desc"""
    ).fetchall()
    return tuple(
        LandedVersion(landed, client, system, name, key, locator, op, version, received, receipt) for landed, key, locator, op, version, received, receipt in rows
    )


def landed_keys(session: Session, clients: Sequence[str], stream: str, like: str, limit: int = 2) -> tuple[str, ...]:
    """Return source keys (or landed ids, where there are none) of a stream as examples: those that hold ``like`` first."""
    keys: list[str] = []
    for client in clients:
        relation = landed_condition(session, client, stream, "true")
        if relation is not None:
            rows = session.duck.execute(
                f"select distinct coalesce(_source_key, _landed_id::varchar) as key from ({relation}) order by contains(key, {quote(like)}) desc, key limit {limit}"
            ).fetchall()
            keys += [row[0] for row in rows]
    return tuple(sorted(keys, key=lambda each: like not in each))[:limit]


def of_member(member: Member, model: str) -> str:
    """Return the condition over a landed table that picks the versions of one member."""
    if member.source_key is not None:
        return f"_source_key = {quote(member.source_key)}"
    parts = ", ".join((quote(model), quote(member.name), "CAST(_landed_id AS VARCHAR)"))
    return f"_source_key is null and {member_id_sql(f'concat_ws(chr(124), _client, {parts})')} = {quote(member.member_id)}::uuid"


def member_id_sql(text: str) -> str:
    """Return the SQL of a member id over its parts' text, as the conform query has it."""
    from treaty.engines.duckdb.conform import uuid8

    return uuid8(text)


def candidates(session: Session, clients: Sequence[str], streams: Iterable[str], key: str) -> Iterator[LandedVersion]:
    """Yield the newest landed version of each record whose source key is ``key``, over the streams of a model."""
    for client in clients:
        for stream in dict.fromkeys(streams):
            yield from landed_versions(session, client, stream, f"_source_key = {quote(key)}")[:1]
