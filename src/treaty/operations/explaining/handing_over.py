"""Why a record of a shared stream has reached no client."""

from __future__ import annotations

from collections.abc import Iterable

from treaty.compiler.compiled import UNREADABLE_VERSION
from treaty.compiler.handing_over import HAND_OVER
from treaty.flows.handing_over import shared_stream
from treaty.lake.current import ModelTables, effective_dispositions
from treaty.lake.handing_over import UNKNOWN_CLIENT
from treaty.lake.names import lake_table, quote_text
from treaty.operations.explaining.landing import place_of
from treaty.operations.explaining.locating import LandedVersion, landed_versions
from treaty.operations.explaining.steps import Step
from treaty.project.declarations import ClientProject
from treaty.project.overlays import SHARED, is_handed_over
from treaty.sessions import Session


def not_handed_over(session: Session, project: ClientProject, streams: Iterable[str], where: str) -> tuple[LandedVersion, Step, str] | None:
    """Return the newest record of shared streams that ``where`` picks, its step, and why the chain ends there; None where there is none.

    ``project`` is that of :func:`treaty.project.overlays.shared_project`.
    """
    for name in streams:
        found = landed_versions(session, SHARED, name, where)[:1] if is_handed_over(project, name) else ()
        for version in found:
            step: Step = {
                "step": "landed", "system": version.system, "stream": version.stream, "source_key": version.source_key, "landed_id": version.landed_id,
                "op": version.op, "version": version.version, "received_at": version.received_at, "locator": version.locator,
                **place_of(session, version, project.stream(name)),
            }  # fmt: skip
            return version, step, f"The chain ends at the hand-over to clients: {_reason(session, name, version)}."
    return None


def _reason(session: Session, name: str, version: LandedVersion) -> str:
    stream = shared_stream(name)
    chosen = f"_landed_id = {quote_text(version.landed_id)}::uuid"
    states = effective_dispositions(ModelTables(""), f"{stream.of_mapping} and {chosen}")
    row = session.duck.execute(f"select state, reason from ({states})").fetchone()
    if row is None:
        return "the next run tells which client this is of"
    if row[0] != "quarantined":
        return f"it is {row[0]} ({row[1]})"
    told = session.duck.execute(
        f"select rule, value from {lake_table('quarantine')} where {stream.of_mapping} and {chosen} order by _batch desc limit 1"
    ).fetchone()
    rule, value = told or (row[1], None)
    if rule == UNKNOWN_CLIENT:
        return f"it names the client {value!r}, whom the project has not ({rule})"
    if rule == UNREADABLE_VERSION:
        return f"its version cannot be read ({rule}, {value!r}), so it is unknown whether it is the newest"
    return f"nothing tells which client it is of ({HAND_OVER}: {rule}{'' if value is None else f', {value!r}'})"
