"""Fault points: named places where a test can kill, stop or delay this process.

In production ``faultpoint`` does nothing. ``TREATY_FAULT=land.pre_commit:2:kill`` kills the process at the second hit of that
point; several faults are separated by commas. Actions: ``kill`` (SIGKILL), ``raise``, ``sleep:SECONDS``, ``stop`` (SIGSTOP).
``TREATY_FAULT_LOG`` names a file that every hit is appended to, so that a test can prove that it reached each point.
"""

from __future__ import annotations

import os
import signal
import time

from treaty.errors import DefectError

FAULT_POINTS: dict[str, str] = {
    "session.opened": "the database answers, nothing has been read",
    "run.begun": "the run is noted as running, nothing is done",
    "run.done": "every flow has run, the run is still noted as running",
    "plan.pre_query": "a mapping of a changed project is to be conformed beside what stands",
    "plan.prepared": "a mapping of a changed project is conformed beside what stands, no reader sees it",
    "plan.compared": "one client's records are compared, the others' are not",
    "apply.prepared": "everything that an apply changes is prepared beside what stands",
    "apply.pre_commit": "the project and all that it changes are prepared, nothing is committed",
    "apply.post_commit": "the project is applied with all that it changes, nothing is delivered",
    "apply.pre_deliver": "the project is applied, what differs is not delivered",
    "schema.pre_create": "under the lock, before the lake's tables are made",
    "schema.post_create": "the lake's tables are made, the lock is held",
    "extract.pre_read": "the cursor is read, the source has not been asked",
    "extract.done": "the source has given everything, and it is landed",
    "object.pre_write": "before an arrival's bytes are kept",
    "object.pre_sync": "the bytes are written, not synced",
    "object.synced": "the bytes are on disk, nothing refers to them",
    "land.pre_prepare": "an arrival is open, nothing has been read from it",
    "land.pre_commit": "the landed rows are prepared as files, nothing is committed",
    "land.post_commit": "the landed rows and the cursor are committed",
    "hand_over.pre_commit": "records of a shared stream are told apart by client, nothing is committed",
    "hand_over.post_commit": "whom each record of a shared stream goes to is committed, no client has it",
    "conform.pre_query": "a batch has its number and its rows are chosen, nothing is conformed",
    "conform.done": "a batch is conformed into files",
    "resolve.done": "a batch is resolved, nothing of it is prepared for the commit",
    "conform.pre_commit": "a batch is resolved, nothing is committed",
    "conform.post_commit": "a conformed batch is committed",
    "deliver.pre_derive": "before intents are derived",
    "deliver.deriving": "intents are written in an open transaction, how far they go is not",
    "deliver.derived": "intents are written down, nothing is sent",
    "sink.pre_commit": "a batch is written to the sink, its transaction is open",
    "sink.post_commit": "the sink has committed a batch, and nobody else knows",
    "request.pre_send": "a write is about to be sent to an API",
    "request.answered": "an API has answered a write, and nobody else knows",
    "deliver.pre_write": "before a batch of items is sent to a sink",
    "deliver.post_write": "the sink has answered, nothing is written down",
    "deliver.settled": "what became of a batch of items is written down",
    "commit.pre_lock": "files are synced, the lake's lock is not held",
    "commit.locked": "the lake's lock is held, the fence is not checked",
    "commit.pre_write": "the fence is passed, nothing is written",
    "commit.mid_write": "some tables are written, others are not",
    "commit.pre_commit": "everything is written, the transaction is open",
    "commit.post_commit": "the transaction is committed, the lock is held",
    "commit.unlocked": "the lock is given back, the caller does not know yet",
    "compact.flushed": "rows of the catalog are in files, nothing is merged",
    "compact.expired": "old snapshots are forgotten, their files are there",
    "compact.merged": "a table's files are merged, the old ones are there",
    "compact.cleaned": "old files are removed, nobody has noted that compaction is done",
    "sweep.pre_delete": "orphaned files are found, none is deleted",
}
_hits: dict[str, int] = {}


class InjectedFault(Exception):
    """What the action ``raise`` raises; deliberately outside the tree of Treaty's errors."""


def faultpoint(name: str) -> None:
    """Do what ``TREATY_FAULT`` asks for at this point, if anything."""
    plan, log = os.environ.get("TREATY_FAULT"), os.environ.get("TREATY_FAULT_LOG")
    if plan is None and log is None:
        return
    if name not in FAULT_POINTS:
        raise DefectError(f"fault point {name!r} is not registered in treaty/faults.py")
    _hits[name] = _hits.get(name, 0) + 1
    if log:
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{name}\n")
    for fault in (plan or "").split(","):
        target, _, rest = fault.strip().partition(":")
        hit, _, action = rest.partition(":")
        if target == name and int(hit or 1) == _hits[name]:
            _act(action or "kill", name)


def forget_hits() -> None:
    """Count hits from zero again; for tests that inject more than once in one process."""
    _hits.clear()


def _act(action: str, name: str) -> None:
    verb, _, argument = action.partition(":")
    if verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif verb == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif verb == "sleep":
        time.sleep(float(argument))
    elif verb == "raise":
        raise InjectedFault(name)
    else:
        raise DefectError(f"unknown fault action {action!r}: use kill, raise, stop or sleep:SECONDS")
