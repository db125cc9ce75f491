"""``clients/NAME/onboarding.yaml``: what a client gave, what was answered, which files were written, and when each step was done.

The loader passes it by: it is a record of how the project came about, and nothing of it runs.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from treaty.errors import UsageError
from treaty.onboarding.questions import Answer, Topic

FILE = "onboarding.yaml"


@dataclass(frozen=True, slots=True)
class GivenSample:
    """One thing that was given: its system, its kind (``file``, ``rest``, ``table``), where it is now, and when it came."""

    system: str
    kind: str
    place: str
    at: datetime
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class OnboardingRecord:
    """The record of one client."""

    client: str
    deliver_to: str = ""
    samples: list[GivenSample] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)  # file → SHA-256 of what was written
    steps: dict[str, datetime] = field(default_factory=dict)
    open: int = 0

    def add_sample(self, sample: GivenSample) -> None:
        """Add what was given; the same place keeps the time at which it came first."""
        for number, each in enumerate(self.samples):
            if (each.kind, each.place, each.system) == (sample.kind, sample.place, sample.system):
                self.samples[number] = GivenSample(each.system, each.kind, each.place, each.at, sample.settings)
                return
        self.samples.append(sample)

    def add_answer(self, answer: Answer) -> None:
        """Add an answer; a later one on the same topic takes the place of the earlier."""
        self.answers = [each for each in self.answers if each.topic.id != answer.topic.id]
        self.answers.append(answer)

    def note(self, step: str, at: datetime) -> None:
        """Note when a step was first done."""
        self.steps.setdefault(step, at)


def read_record(root: Path, client: str) -> OnboardingRecord:
    """Return the record of a client; an empty one where there is none. Raises UsageError where it cannot be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = root / "clients" / client / FILE
    if not path.is_file():
        return OnboardingRecord(client)
    try:
        told = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {}
        return OnboardingRecord(
            client, str(told.get("deliver-to") or ""), [_sample(each) for each in told.get("samples") or ()], [_answer(each) for each in told.get("answers") or ()],
            {str(file): str(digest) for file, digest in (told.get("written") or {}).items()},
            {str(step): _time(at) for step, at in (told.get("steps") or {}).items()}, int(told.get("open") or 0),
        )  # fmt: skip
    except (YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}.", remedy="Mend it, or remove it and onboard the client again.") from None


def list_records(root: Path) -> Iterator[OnboardingRecord]:
    """Yield the records of all clients, by name."""
    for path in sorted(root.glob(f"clients/*/{FILE}")):
        yield read_record(root, path.parent.name)


def render_record(record: OnboardingRecord) -> bytes:
    """Return the record's file."""
    from ruamel.yaml import YAML

    told: dict[str, Any] = {"client": record.client}
    if record.deliver_to:
        told["deliver-to"] = record.deliver_to
    told["steps"] = {step: _spell(at) for step, at in record.steps.items()}
    told["open"] = record.open
    told["samples"] = [
        {"system": each.system, "kind": each.kind, "place": each.place, "at": _spell(each.at), **({"settings": dict(each.settings)} if each.settings else {})}
        for each in record.samples
    ]
    told["answers"] = [_spell_answer(each) for each in record.answers]
    told["written"] = dict(sorted(record.written.items()))
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(told, out)
    return f"# Written by `treaty onboard`: the samples, answers and times of {record.client}. Answers may be changed here; then onboard again.\n{out.getvalue()}".encode()


def _sample(told: Mapping[str, Any]) -> GivenSample:
    return GivenSample(str(told["system"]), str(told["kind"]), str(told["place"]), _time(told["at"]), dict(told.get("settings") or {}))


def _answer(told: Mapping[str, Any]) -> Answer:
    topic = Topic(told["kind"], str(told["of"]), str(told.get("source") or ""), str(told.get("meaning") or ""))
    evidence = tuple(str(each) for each in told.get("evidence") or ())
    return Answer(topic, str(told["answer"]), str(told["who"]), _time(told["at"]), str(told.get("question") or ""), evidence, str(told.get("inherited-from") or ""))


def _spell_answer(answer: Answer) -> dict[str, Any]:
    told: dict[str, Any] = {"question": answer.question, "answer": answer.value, "who": answer.who, "at": _spell(answer.at)}
    if answer.inherited:
        told["inherited-from"] = answer.inherited
    topic = answer.topic
    told |= {name: value for name, value in (("kind", topic.kind), ("of", topic.of), ("source", topic.source), ("meaning", topic.meaning)) if value}
    return {**told, "evidence": list(answer.evidence)}


def _spell(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _time(told: Any) -> datetime:
    found = told if isinstance(told, datetime) else datetime.fromisoformat(str(told).replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
