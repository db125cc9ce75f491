"""Applied projects, kept whole: what ran can always be read again, whatever became of the folder."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from treaty.faults import faultpoint
from treaty.lake.batches import open_batch
from treaty.lake.commit import Part, commit, prepare_rows
from treaty.lake.cursors import Fence
from treaty.lake.names import lake_table, uuid8
from treaty.lake.schema import table_columns
from treaty.lake.scope import AllClients
from treaty.sessions import Session

CURSOR = "@applied"  # the ``system`` of the cursor that orders applied projects


@dataclass(frozen=True, slots=True)
class AppliedFiles:
    """One applied project: the content of its files by path, when it was applied, and by whom."""

    applied_id: str
    content_hash: str
    files: Mapping[str, bytes]
    applied_at: datetime
    who: str


def newest_applied(session: Session) -> AppliedFiles | None:
    """Return the project that is applied now, None for an empty lake."""
    return _read(session, "order by _batch desc limit 1")


def find_applied(session: Session, applied_id: str) -> AppliedFiles | None:
    """Return an applied project by its id."""
    return _read(session, "where applied_id = ? limit 1", applied_id)


def applied_by(session: Session, at: datetime) -> AppliedFiles | None:
    """Return the project that was applied at a time, None where nothing was yet."""
    known = f"select _batch from {lake_table('batch')} where finished_at <= ?::timestamptz"
    return _read(session, f"where _batch in ({known}) order by _batch desc limit 1", at.isoformat())


def _read(session: Session, which: str, *parameters: str) -> AppliedFiles | None:
    if table_columns(session, "applied") is None:
        return None
    row = session.duck.execute(
        f"select applied_id, content_hash, content, applied_at, who from {lake_table('applied')} {which}", list(parameters)
    ).fetchone()
    return AppliedFiles(row[0], row[1], _unpack(row[2]), row[3], row[4]) if row else None


def store_applied(session: Session, files: Mapping[str, bytes], content_hash: str) -> AppliedFiles:
    """Apply a project that changes nothing in the lake: keep its files. Raises ``RetryError`` if another was applied meanwhile."""
    applied, part = prepare_applied(session, files, content_hash)
    faultpoint("apply.pre_commit")
    commit(session, AllClients("apply"), part.writes, batch=part.batch, fences=part.fences, message=f"apply {applied.applied_id}")
    faultpoint("apply.post_commit")
    return applied


def next_applied_id(session: Session, content_hash: str) -> str:
    """Return the id of a project if it is the next one that is applied."""
    return str(uuid8("applied", str(_applies(session)), content_hash))


def prepare_applied(session: Session, files: Mapping[str, bytes], content_hash: str, plan_id: str | None = None) -> tuple[AppliedFiles, Part]:
    """Return the project as the one that runs once the part is committed; the plan that it follows is kept with its batch."""
    number = _applies(session)
    batch = open_batch(session, AllClients("apply"), "apply", versions={"plan": plan_id} if plan_id else None)
    applied_id = str(uuid8("applied", str(number), content_hash))
    applied = AppliedFiles(applied_id, content_hash, files, batch.started_at, session.who)
    written = {
        "applied_id": applied_id, "content_hash": content_hash, "content": _pack(files), "applied_at": batch.started_at,
        "who": session.who, "_batch": batch.number,
    }  # fmt: skip
    fence = Fence("*", CURSOR, "", number, {"applied_id": applied_id})
    return applied, Part(batch, [prepare_rows(session, batch, "applied", [written])], [fence])


def _applies(session: Session) -> int:
    row = session.duck.execute(
        f"select coalesce(max(seq), 0) from {lake_table('cursor')} where _client = '*' and system = '{CURSOR}' and stream = ''"
    ).fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True, slots=True)
class Apply:
    """One apply: which project, when it began and when it became true, who, by which plan (None for the short way)."""

    applied_id: str
    applied_at: datetime
    who: str
    plan_id: str | None
    content_hash: str
    committed_at: datetime


def list_applies(session: Session) -> tuple[Apply, ...]:
    """Return every apply of this lake, the newest first."""
    if table_columns(session, "applied") is None:
        return ()
    rows = session.duck.execute(f"""
        select a.applied_id, a.applied_at, a.who, json_extract_string(b.versions, '$.plan'), a.content_hash, b.finished_at
        from {lake_table("applied")} a left join {lake_table("batch")} b on b._batch = a._batch order by a._batch desc""").fetchall()
    return tuple(Apply(*row) for row in rows)


def _pack(files: Mapping[str, bytes]) -> str:
    whole = json.dumps({path: base64.b64encode(content).decode() for path, content in sorted(files.items())})
    return base64.b64encode(zlib.compress(whole.encode(), 6)).decode()


def _unpack(text: str) -> dict[str, bytes]:
    whole = json.loads(zlib.decompress(base64.b64decode(text)))
    return {path: base64.b64decode(content) for path, content in whole.items()}
