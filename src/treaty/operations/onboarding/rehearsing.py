"""The dry run: what the sample would become by the files that are written. Nothing is landed and nothing is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from treaty.clock import Clock
from treaty.errors import UsageError
from treaty.onboarding.proposing import StreamProposal
from treaty.operations.onboarding.taking import ReadSample
from treaty.operations.trying import TriedRecord, try_mapping


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that fails in some records: by which rule, how often, with an example; ``fatal`` where such records are quarantined."""

    field: str
    rule: str
    records: int
    example: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the records of one stream would become; ``broken`` says why it could not be tried."""

    mapping: str
    records: int = 0
    canonical: int = 0
    quarantined: int = 0
    filtered: int = 0
    unreadable: int = 0
    problems: tuple[Problem, ...] = ()
    broken: str = ""


def rehearse(root: Path, client: str, streams: Iterable[tuple[StreamProposal, ReadSample]], clock: Clock) -> tuple[Rehearsal, ...]:
    """Try the mapping of each stream that has one on its sample."""
    return tuple(_rehearse(root, client, proposal, sample, clock) for proposal, sample in streams if proposal.model is not None and (sample.contents or proposal.missing))


def _rehearse(root: Path, client: str, proposal: StreamProposal, sample: ReadSample, clock: Clock) -> Rehearsal:
    if proposal.missing:
        named = ", ".join(f"{proposal.model}.{each}" for each in proposal.missing)
        return Rehearsal(proposal.mapping, broken=f"nothing fills {named} yet.")
    try:
        tried = try_mapping(proposal.mapping, sample.contents, project=root, client=client, clock=clock)
    except UsageError as error:
        return Rehearsal(proposal.mapping, broken=f"{error.message} {error.remedy}")
    states = Counter(each.state for each in tried.records)
    return Rehearsal(
        proposal.mapping, len(tried.records), states["canonical"], states["quarantined"], states["filtered"], len(tried.refusals), _problems(tried.records)
    )


def _problems(records: Iterable[TriedRecord]) -> tuple[Problem, ...]:
    counted: Counter[tuple[str, str, bool]] = Counter()
    examples: dict[tuple[str, str, bool], str] = {}
    for record in records:
        if record.state == "filtered":
            continue  # left out by a decision: what fails in it stops nothing
        for note in record.notes:
            key = (note.field or "", note.rule, note.fatal)
            counted[key] += 1
            examples.setdefault(key, "" if note.value is None else str(note.value))
        if record.state == "quarantined" and not any(note.fatal for note in record.notes):
            key = ("", record.reason, True)
            counted[key] += 1
            examples.setdefault(key, "")
    return tuple(Problem(key[0], key[1], count, examples[key], key[2]) for key, count in counted.most_common())
