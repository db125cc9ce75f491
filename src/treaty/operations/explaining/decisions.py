"""What a decision record says of itself in an explanation: outcome, reason, the options that were rejected, who and when."""

from __future__ import annotations

import re
from typing import Any

from treaty.project.declarations import DecisionRecord

_WORD = re.compile(r"\w+")


def describe_decision(record: DecisionRecord) -> dict[str, Any]:
    """Return the keys that each step of a decision has: id, title, kind, reason, rejected options, who, when, scope."""
    told: dict[str, Any] = {
        "id": record.id,
        "title": record.title,
        "kind": record.kind,
        "reason": record.sections.get("outcome", ""),
        "rejected": list(rejected_options(record)),
        "who": list(record.decision_makers),
        "when": record.date,
        "scope": record.origin,
    }
    if record.reason:
        told["override_reason"] = record.reason
    return told


def rejected_options(record: DecisionRecord) -> tuple[str, ...]:
    """Return the options that were considered and not taken: all but the one that the outcome's first sentence is most like.

    An option that says ``: what is wrong with it`` is less likely to be the one that was taken.
    """
    if not record.options:
        return ()
    outcome = record.sections.get("outcome", "").strip()
    sentence = re.split(r"(?<=[.;])\s", outcome, maxsplit=1)[0] or record.title
    return tuple(each for each in record.options if each != max(record.options, key=lambda option: _likeness(option, sentence)))


def _likeness(option: str, sentence: str) -> tuple[bool, bool, float]:
    head, colon, _ = option.partition(":")
    words = {each.lower() for each in _WORD.findall(head)}
    told = {each.lower() for each in _WORD.findall(sentence)}
    begins = " ".join(_WORD.findall(sentence.lower())).startswith(" ".join(_WORD.findall(head.lower())))
    return begins, not colon, len(words & told) / max(len(words | told), 1)
