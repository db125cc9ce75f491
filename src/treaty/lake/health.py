"""Facts about the lake for ``doctor``: how big it is, and who holds it."""

from __future__ import annotations

from dataclasses import dataclass

from treaty.lake.scope import AllClients, audit_wide_scope
from treaty.lake.transaction import LAKE_LOCK
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds the lake's lock: the name its connection gave, and for how long its statement or rest has lasted."""

    application: str
    seconds: float


@dataclass(frozen=True, slots=True)
class LakeFacts:
    """The size of a lake, from its catalog alone."""

    tables: int
    snapshots: int
    files: int
    size_bytes: int
    holder: LockHolder | None


def read_lake_facts(session: Session, scope: AllClients) -> LakeFacts:
    """Return the facts; a lake that has never been used has none of anything."""
    audit_wide_scope(session, scope)
    found = session.catalog.execute("select to_regclass('treaty_lake.ducklake_snapshot') is not null").fetchone()
    if found is None or not found[0]:
        return LakeFacts(0, 0, 0, 0, lock_holder(session))
    row = session.catalog.execute(
        """select (select count(*) from treaty_lake.ducklake_table where end_snapshot is null),
            (select count(*) from treaty_lake.ducklake_snapshot),
            (select count(*) from treaty_lake.ducklake_data_file where end_snapshot is null),
            (select coalesce(sum(file_size_bytes), 0) from treaty_lake.ducklake_data_file where end_snapshot is null)"""
    ).fetchone()
    assert row is not None, "counts have a row"
    return LakeFacts(int(row[0]), int(row[1]), int(row[2]), int(row[3]), lock_holder(session))


def lock_holder(session: Session) -> LockHolder | None:
    """Return who holds the lake's lock now."""
    row = session.catalog.execute(
        """select a.application_name, coalesce(extract(epoch from clock_timestamp() - a.state_change), 0) from pg_locks l join pg_stat_activity a using (pid)
        where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.database = (select oid from pg_database where datname = current_database())
            and (l.classid::bigint << 32 | l.objid::bigint) = %s""",
        (LAKE_LOCK,),
    ).fetchone()
    return LockHolder(str(row[0]), float(row[1])) if row else None
