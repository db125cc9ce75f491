"""``records``: the golden records of a model, as an Arrow table or as JSON, now or as they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

from treaty.errors import UsageError
from treaty.operations.workspace import Folder, Workspace, find_workspace
from treaty.project.findings import nearest

if TYPE_CHECKING:
    import pyarrow as pa

    from treaty.lake.past import Moment
    from treaty.lake.relationships import Relationship
    from treaty.lake.scope import ClientScope
    from treaty.sessions import Session


def records(
    model: str,
    project: Folder = None,
    *,
    environment: str | None = None,
    client: str | None = None,
    limit: int | None = None,
    as_of: datetime | None = None,
    as_of_apply: str | None = None,
) -> pa.Table:
    """Return the living golden records of a model: its fields, ``_id``, ``_client``, ``_sources`` and ``_findings``.

    ``_sources`` is a list of structs (system, stream, source_key), ``_findings`` the ids of quality rules that marked the record.
    Polars and pandas take the table as it is. A reference without a target is shown as its relationship decision says: `null` empties it, and
    `quarantine after` leaves the record out once it has waited too long.

    Args:
        as_of: an aware time; the records are those that readers saw at that time, by the project that was applied then.
        as_of_apply: the id of an apply, or how it begins; the records are those that readers saw once it was committed.

    Raises:
        UsageError: there is no such model, client or apply, nothing had run yet, or the time is to come or without a zone.
    """
    from treaty.lake.reads import golden_records

    with _opened(model, project, environment, client, as_of, as_of_apply) as (session, scope, relations, moment):
        return golden_records(session, scope, model, limit=limit, relations=relations, moment=moment)


def record_lines(
    model: str,
    project: Folder = None,
    *,
    environment: str | None = None,
    client: str | None = None,
    limit: int | None = None,
    as_of: datetime | None = None,
    as_of_apply: str | None = None,
) -> Iterator[str]:
    """Yield what :func:`records` returns as JSON, one record a text, with the memory of a few of them; see there."""
    from treaty.lake.reads import golden_lines

    with _opened(model, project, environment, client, as_of, as_of_apply) as (session, scope, relations, moment):
        yield from golden_lines(session, scope, model, limit=limit, relations=relations, moment=moment)


@contextmanager
def _opened(
    model: str, project: Folder, environment: str | None, client: str | None, as_of: datetime | None, as_of_apply: str | None
) -> Iterator[tuple[Session, ClientScope, Mapping[str, Sequence[Relationship]], Moment | None]]:
    """Open the lake for reading a model: whose records, by which relationships, and as of when (None: now)."""
    workspace = find_workspace(project, environment)
    if as_of is not None and as_of_apply is not None:
        raise UsageError("Both a time and an apply are given.", remedy="Give one of them.")
    past = as_of is not None or as_of_apply is not None
    if not past:
        workspace.ensure_client(client)
        ensure_model(workspace, model)
    workspace.ensure_ran()
    from treaty.compiler.types import parse_type, type_of
    from treaty.lake.past import open_past
    from treaty.lake.relationships import relationships
    from treaty.operations.applied import open_applied, open_applied_by

    with workspace.open() as session:
        at = None
        if past:
            at = _time_of(session, as_of_apply) if as_of is None else _ensure_past(as_of, session.clock())
        applied = open_applied(session) if at is None else open_applied_by(session, at)
        if at is not None:
            _ensure_known("model", model, applied.project.models)
            if client is not None:
                _ensure_known("client", client, applied.clients)
        relations = {each: relationships(applied.of_client(each), model) for each in ([client] if client else applied.clients)}
        fields = {name: {each.name: parse_type(type_of(each)) for each in contract.properties} for name, contract in applied.project.models.items()}
        with nullcontext() if at is None else open_past(session, at, fields) as moment:
            yield session, workspace.scope(client, "records"), relations, moment


def _time_of(session: Session, apply_id: str | None) -> datetime:
    """Return when an apply was committed."""
    from treaty.lake.applied import list_applies

    listed = list_applies(session)
    found = [each for each in listed if each.applied_id == apply_id] or [each for each in listed if each.applied_id.startswith(apply_id or " ")]
    if len(found) != 1:
        problem = f"{len(found)} applies begin with {apply_id!r}." if found else f"There is no apply {apply_id!r}."
        raise UsageError(problem, remedy="`treaty apply --list` shows their ids.")
    return found[0].committed_at


def _ensure_past(at: datetime, now: datetime) -> datetime:
    if at.tzinfo is None:
        raise UsageError(f"The time {at.isoformat()} has no zone.", remedy="Give one: datetime(…, tzinfo=UTC).")
    if at > now:
        raise UsageError(f"{at.isoformat()} is yet to come.", remedy="Leave it out for the records of now.")
    return at


def ensure_model(workspace: Workspace, model: str) -> None:
    """Raise UsageError with the nearest name where the project folder has no such model."""
    _ensure_known("model", model, workspace.project.models)


def _ensure_known(what: str, name: str, known: Iterable[str]) -> None:
    known = list(known)
    if name in known:
        return
    found = nearest(name, known)
    raise UsageError(
        f"There is no {what} {name!r}.", remedy=f"Did you mean {found!r}?" if found else f"{what.title()}s: {', '.join(sorted(known)) or 'none'}."
    )
