"""``quarantine``: what was set aside, and what a steward does about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from treaty.errors import UsageError
from treaty.lake import quarantine as lake
from treaty.lake.quarantine import OpenRecord, QuarantineGroup
from treaty.operations.applied import open_applied
from treaty.operations.workspace import Folder, find_workspace
from treaty.project.overlays import SHARED, shared_project

if TYPE_CHECKING:
    import pyarrow as pa

    from treaty.lake.scope import ClientScope
    from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """How many records were conformed again, how many of them are still in quarantine, and the new state of the others.

    ``unread`` of them could not be read: no replay helps these, they are read again once their stream is read otherwise.
    """

    group: str
    records: int
    remaining: int
    dispositions: Mapping[str, int] = field(default_factory=dict)
    unread: int = 0


@dataclass(frozen=True, slots=True)
class DiscardResult:
    """How many records were left out for good, and why."""

    group: str
    records: int
    reason: str


def quarantine_groups(
    project: Folder = None, *, environment: str | None = None, client: str | None = None, model: str | None = None
) -> tuple[QuarantineGroup, ...]:
    """Return what is in quarantine, grouped by what is wrong, the largest group first."""
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client, shared=True)
    workspace.ensure_ran()
    with workspace.open() as session:
        return lake.quarantine_groups(session, workspace.scope(client, "quarantine"), model=model)


def quarantine_records(group: str, project: Folder = None, *, environment: str | None = None, client: str | None = None) -> pa.Table:
    """Return the records of one group: where each is from, its fields as far as they are known, what is wrong, with what value.

    Raises:
        UsageError: nothing is in quarantine under that group.
    """
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client, shared=True)
    workspace.ensure_ran()
    with workspace.open() as session:
        scope = workspace.scope(client, "quarantine")
        table = lake.quarantine_records(session, scope, group)
        if not table.num_rows:
            _refuse(session, scope, group)
        return table


def replay(
    group: str, project: Folder = None, *, environment: str | None = None, client: str | None = None, source_keys: Sequence[str] = ()
) -> ReplayResult:
    """Conform the records of a group again, by the applied project; those that are good now leave quarantine.

    What a shared stream has in quarantine is told apart again; the next run brings to a client what is found to be of it.

    Raises:
        UsageError: nothing is in quarantine under that group.
    """
    from treaty.flows.handing_over import tell_apart
    from treaty.flows.replaying import replay_records

    workspace = find_workspace(project, environment)
    workspace.ensure_client(client, shared=True)
    workspace.ensure_ran()
    with workspace.open() as session:
        applied = open_applied(session)
        found = _open(session, workspace.scope(client, "quarantine"), group, source_keys)
        states: dict[str, int] = {}
        for stream in dict.fromkeys(f"{each.system}/{each.stream}" for each in found if each.client == SHARED):
            shared, known = shared_project(applied.project), applied.clients
            tell_apart(session, shared, stream, known, applied_id=applied.applied_id, as_of=applied.as_of, anew=True)
        for one, mapping in dict.fromkeys((each.client, each.mapping) for each in found if each.client != SHARED):
            chosen = [each.landed_id for each in found if (each.client, each.mapping) == (one, mapping)]
            for state, number in replay_records(session, applied.of_client(one), mapping, chosen, applied_id=applied.applied_id, as_of=applied.as_of).items():
                states[state] = states.get(state, 0) + number
        ids = {each.landed_id for each in found}
        still = lake.open_records(session, workspace.scope(client, "quarantine"), group, source_keys=source_keys)
        return ReplayResult(group, len(found), sum(each.landed_id in ids for each in still), states, sum(each.refused for each in found))


def discard(
    group: str, reason: str, project: Folder = None, *, environment: str | None = None, client: str | None = None, source_keys: Sequence[str] = ()
) -> DiscardResult:
    """Leave the records of a group out for good: they are ``filtered``, with the reason.

    Raises:
        UsageError: nothing is in quarantine under that group, or no reason is given.
    """
    if not reason.strip():
        raise UsageError("No reason is given.", remedy="Say why the records are left out: whoever asks later is told.")
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client, shared=True)
    workspace.ensure_ran()
    with workspace.open() as session:
        scope = workspace.scope(client, "quarantine")
        _open(session, scope, group, source_keys)
        return DiscardResult(group, lake.discard_records(session, scope, group, reason, source_keys=source_keys), reason)


def _open(session: Session, scope: ClientScope, group: str, source_keys: Sequence[str]) -> tuple[OpenRecord, ...]:
    found = lake.open_records(session, scope, group, source_keys=source_keys)
    if not found:
        if source_keys and lake.open_records(session, scope, group):
            raise UsageError(f"Group {group} has no record with the source key {', '.join(source_keys)}.", remedy=f"`treaty quarantine show {group}` lists its records.")
        _refuse(session, scope, group)
    return found


def _refuse(session: Session, scope: ClientScope, group: str) -> NoReturn:
    known = [each.group for each in lake.quarantine_groups(session, scope)]
    begins = [each for each in known if group and each.startswith(group)]
    remedy = f"Did you mean {begins[0]}?" if len(begins) == 1 else "`treaty quarantine list` shows the groups." if known else "Nothing is in quarantine."
    raise UsageError(f"Nothing is in quarantine under {group!r}.", remedy=remedy)
