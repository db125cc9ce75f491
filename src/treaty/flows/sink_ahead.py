"""Finds sinks that have versions above all that was ever sent to them from here: the state was lost, or another Treaty writes there too.

The sink's guard takes what is sent for old news. So that nothing is swallowed, such a delivery is dead-lettered with the version that was
found, an issue says so, and a replay sends it above that version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treaty.compiler.outbound import CompiledOutbound
from treaty.connectors.interface import DeliveryItem, ItemResult
from treaty.lake.issues import Issue, close_issue, open_issue
from treaty.lake.scope import OneClient
from treaty.sessions import Session

KIND = "sink-ahead"


@dataclass(frozen=True, slots=True)
class Refused:
    """One item that the sink has in a version which nothing sent from here explains."""

    sink_version: int
    message: str


def find_refused(session: Session, mapping: CompiledOutbound, sent: Sequence[tuple[DeliveryItem, ItemResult]]) -> dict[int, Refused]:
    """Return, by its place among ``sent``, each item for which the sink is ahead."""
    doubtful = {place: (item, _there(item, result)) for place, (item, result) in enumerate(sent) if _is_doubtful(item, result)}
    if not doubtful:
        return {}
    rows = session.as_client(mapping.client).execute(
        """select key, message_id, golden_version + revision from treaty.delivery
           where client = %s and sink = %s and key = any(%s) and (attempts > 0 or state = 'acknowledged')""",
        (mapping.client, mapping.sink, [item.delivery_key for item, _ in doubtful.values()]),
    ).fetchall()
    told: dict[str, dict[str, int]] = {}
    for key, message_id, version in rows:
        told.setdefault(key, {})[message_id] = int(version)
    found: dict[int, Refused] = {}
    for place, (item, there) in doubtful.items():
        ours = [version for message, version in told.get(item.delivery_key, {}).items() if message != item.message_id or item.first_sent_at is not None]
        if there > max(ours, default=0):
            found[place] = Refused(there, f"the sink has version {there} of it, this is {item.version}, and from here it was told {max(ours, default=0) or 'none'}")
    return found


def _is_doubtful(item: DeliveryItem, result: ItemResult) -> bool:
    """Whether the sink kept what it had: of a later version, or of the same one though this is its first attempt."""
    if result.state == "coalesced":
        return result.found_version is None or result.found_version > item.version
    return result.state == "acknowledged" and result.found_version == item.version and item.first_sent_at is None


def _there(item: DeliveryItem, result: ItemResult) -> int:
    return item.version if result.found_version is None else result.found_version


def tell_if_ahead(session: Session, mapping: CompiledOutbound) -> None:
    """Open the issue of a sink that is ahead, and close it where none of its records stands so any more."""
    rows = session.as_client(mapping.client).execute(
        """select key, sink_version, golden_version + revision from (
               select distinct on (canonical_id) * from treaty.delivery where client = %s and sink = %s
               order by canonical_id, golden_version desc, revision desc) d
           where state = 'dead-lettered' and sink_version is not null order by key""",
        (mapping.client, mapping.sink),
    ).fetchall()
    scope = OneClient(mapping.client)
    if not rows:
        close_issue(session, scope, KIND, mapping.sink, "no record of it is ahead any more")
        return
    key, there, ours = rows[0]
    open_issue(
        session, scope,
        Issue(
            KIND, mapping.sink,
            f"It has {len(rows)} records in versions that were never sent from here, such as {key} (it has {there}, {ours} was to be sent): "
            "this environment's state was lost or is an old copy, or another Treaty writes there. They are dead-lettered; the sink has kept what it had.",
            f"Bring the state folder or database back, if you can. Else `treaty deliveries replay --all --sink {mapping.sink}` and `treaty run` "
            "write what is here over what is there.",
        ),
    )  # fmt: skip
