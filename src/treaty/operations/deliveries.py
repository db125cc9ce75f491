"""``deliveries``: what is on its way to sinks, and sending again what they refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treaty.errors import UsageError
from treaty.flows.dead_letters import REPLAYED, STATES, UNSETTLED, Delivery, find_deliveries, send_again
from treaty.operations.applied import open_applied
from treaty.operations.workspace import Folder, find_workspace
from treaty.project.findings import nearest

if TYPE_CHECKING:
    from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class SentAgainResult:
    """How many deliveries wait for the next run, and how many a newer one of the same record has overtaken."""

    waiting: int
    overtaken: int


def deliveries(
    project: Folder = None, *, environment: str | None = None, client: str | None = None, sink: str | None = None, state: str | None = None
) -> tuple[Delivery, ...]:
    """Return deliveries in one state; those that are not settled (dead-lettered, ambiguous, held, waiting) where none is named.

    Raises:
        UsageError: there is no such client, sink or state.
    """
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client)
    workspace.ensure_ran()
    if state is not None and state not in STATES:
        raise UsageError(f"No delivery is ever {state!r}.", remedy=f"States: {', '.join(STATES)}.")
    with workspace.open() as session:
        _ensure_sink(session, sink)
        return find_deliveries(session, workspace.scope(client, "deliveries"), sink=sink, states=UNSETTLED if state is None else (state,))


def replay_deliveries(
    keys: Sequence[str] = (),
    project: Folder = None,
    *,
    every: bool = False,
    environment: str | None = None,
    client: str | None = None,
    sink: str | None = None,
    accept_twice: bool = False,
) -> SentAgainResult:
    """Let dead-lettered and ambiguous deliveries wait for the next run, with the message ids that they had.

    Args:
        keys: keys of the sink, message ids or canonical ids.
        every: all of them, instead of ``keys``.
        accept_twice: ambiguous ones too where the sink takes messages at least once, and so may get one twice.

    Raises:
        UsageError: nothing is to be sent again under these keys, or a message could come twice and that was not accepted.
    """
    if bool(keys) == every:
        raise UsageError("Which deliveries?", remedy="Name their keys, or say --all; `treaty deliveries list` shows them.")
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client)
    workspace.ensure_ran()
    with workspace.open() as session:
        _ensure_sink(session, sink)
        found = find_deliveries(session, workspace.scope(client, "deliveries"), sink=sink, states=REPLAYED, keys=None if every else keys)
        known = {name for each in found for name in (each.key, each.message_id, each.canonical_id)}
        for key in keys:
            if key not in known:
                raise UsageError(f"No delivery {key!r} is dead-lettered or ambiguous.", remedy="`treaty deliveries list` shows what is.")
        risky = [each for each in found if each.state == "ambiguous" and (each.client, each.sink) in _at_least_once(session)]
        if risky and not accept_twice:
            raise UsageError(
                f"{len(risky)} of these may have been applied already, such as {risky[0].key}, and {risky[0].sink} would take them twice.",
                remedy="Look into the sink first; then say --yes to send them again.",
            )
        waiting = send_again(session, found)
        return SentAgainResult(waiting, len(found) - waiting)


def _ensure_sink(session: Session, sink: str | None) -> None:
    if sink is None:
        return
    applied = open_applied(session)
    known = {each.to for client in applied.clients for each in applied.of_client(client).mappings.values() if not each.inbound}
    if sink not in known:
        found = nearest(sink, known)
        raise UsageError(f"There is no sink {sink!r}.", remedy=f"Did you mean {found!r}?" if found else f"Sinks: {', '.join(sorted(known)) or 'none'}.")


def _at_least_once(session: Session) -> set[tuple[str, str]]:
    """Return (client, sink) of the sinks that may take a message twice."""
    applied = open_applied(session)
    return {
        (client, each.to)
        for client in applied.clients
        for each in applied.of_client(client).mappings.values()
        if not each.inbound and each.mode == "at-least-once"
    }
