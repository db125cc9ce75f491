"""Says in a sentence where an explanation ends, and why: at a sink, at the source, at a decision, in quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from treaty.operations.explaining.evaluating import Conformed
from treaty.operations.explaining.locating import LandedVersion
from treaty.operations.explaining.steps import Step
from treaty.operations.explaining.walking import Walked

ENDS_AT_SINK = {
    "acknowledged": "{sink} has acknowledged it.",
    "coalesced": "{sink} has what it takes of it: nothing of that has changed since.",
    "waiting": "{sink} waits for it: `treaty run` sends it, where the environment says `deliver: true`.",
    "held": "{sink} is not sent it: {message}.",
    "dead-lettered": "{sink} refused it: {message}.",
    "ambiguous": "whether {sink} took it is unknown: {message}.",
    "not sent": "{sink} was not sent it: {message}.",
}


def end_at_sinks(deliveries: Sequence[Step], what: str) -> str:
    """Say what became of a value at the sinks."""
    if not deliveries:
        return f"The chain ends at the golden record: no outbound mapping sends {what}."
    told = [ENDS_AT_SINK[each["state"]].format(sink=each["sink"], message=each.get("message") or "no reason is known") for each in deliveries]
    return "The chain ends at delivery: " + " ".join(told)


def end_of_empty(walked: Walked, field: str, cell: str) -> str:
    """Say why a field is empty."""
    failure = walked.final.fails or walked.cell.fails
    if failure:
        return f"The chain ends at the cell: {field} is empty because {cell or 'its cell'} fails with {failure}; the field is not required, so the record goes on without it."
    if not cell:
        return f"The chain ends at the mapping: nothing fills {field}."
    if walked.sources and all(outcome.value is None for _, outcome in walked.sources):
        paths = ", ".join(path for path, _ in walked.sources)
        return f"The chain ends at the source: {paths} is missing, null or empty in this record."
    last = next((each for each in reversed(walked.steps) if each["step"] in ("decision", "edge-case", "function") and each.get("output") is None), None)
    if last is not None:
        return f"The chain ends at the {last['step']} {last.get('id') or last.get('function')}: it makes the value null."
    return f"The chain ends at the cell: {cell} is null."


def newer_in_quarantine(set_aside: Iterable[tuple[LandedVersion, Conformed]]) -> str:
    """Say which newer versions of a golden record's sources are in quarantine, while their last good ones stay in use; nothing where none is."""
    return "".join(
        f" A newer version of {version.system}/{version.stream} {version.source_key}, received {version.received_at.isoformat()}, is in quarantine"
        f" ({_fatal(conformed)}): the last good one stays in use."
        for version, conformed in set_aside
    )


def _fatal(conformed: Conformed) -> str:
    fatal = [each for each in conformed.notes if each.fatal]
    return "; ".join(f"{each.field or 'the record'}: {each.rule}{f' ({each.value!r})' if each.value is not None else ''}" for each in fatal)


def end_of_record(conformed: Conformed, mapping: str, key: Sequence[str] = ()) -> str:
    """Say why a record is not canonical; ``key`` are the cells of its stream's key."""
    if conformed.state == "filtered":
        kind, _, decision = (conformed.reason or "").partition(":")
        verb = {"scope": "leaves it out on purpose", "reject": "rejects it"}.get(kind, "leaves it out")
        return f"The chain ends before the golden record: the decision {decision or kind} {verb}."
    missing = key and any(each.rule == "missing-key" for each in conformed.notes)
    cells = f" (the key of its stream is made of {' and '.join(key)}, and there is none where one of them is empty)" if missing else ""
    return (
        f"The chain ends in quarantine: {_fatal(conformed) or conformed.reason or 'its source key is missing'}{cells}. Mend the source or the mapping {mapping}, "
        "then `treaty quarantine replay`."
    )
