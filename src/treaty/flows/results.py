"""What a run came to: frozen results that the command line prints and the pages render."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from treaty.lake.issues import Issue


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One stream through one mapping: records landed by this run, and the state each came to.

    ``skipped`` are records that equalled what had landed before; ``arrivals`` the files, pages or queries that landed.
    """

    stream: str
    mapping: str
    landed: int
    dispositions: Mapping[str, int] = field(default_factory=dict)
    skipped: int = 0
    arrivals: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """One sink stream: how many golden versions it was to get, and what became of them in this run."""

    sink: str
    acknowledged: int = 0
    dead_lettered: int = 0
    ambiguous: int = 0
    coalesced: int = 0
    held: int = 0
    waiting: int = 0
    baseline: int = 0  # that the sink had already at the first load


def add_up(results: Iterable[DeliveryResult]) -> Iterator[DeliveryResult]:
    """Yield what several clients' deliveries came to, one a sink."""
    sinks: dict[str, list[DeliveryResult]] = {}
    for each in results:
        sinks.setdefault(each.sink, []).append(each)
    counts = [each.name for each in fields(DeliveryResult) if each.name != "sink"]
    for sink, found in sinks.items():
        yield DeliveryResult(sink, **{name: sum(getattr(each, name) for each in found) for name in counts})


@dataclass(frozen=True, slots=True)
class DecisionCount:
    """How many current contributions a decision governs, and in how many of them it changed something."""

    passed: int
    changed: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a person must see to: where, what, and what to do."""

    place: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class FlowResult:
    """One flow of one client."""

    flow: str
    client: str
    streams: tuple[StreamResult, ...] = ()
    deliveries: tuple[DeliveryResult, ...] = ()
    decisions: Mapping[str, DecisionCount] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    issues: tuple[Issue, ...] = ()  # open ones about its streams and sinks

    def to_json(self) -> dict[str, Any]:
        """The documented shape; ``problems`` and ``issues`` only where there are some."""
        streams = [{"stream": each.stream, "mapping": each.mapping, "landed": each.landed, "dispositions": each.dispositions} for each in self.streams]
        shaped = {"flow": self.flow, "client": self.client, "streams": streams, "deliveries": self.deliveries, "decisions": self.decisions}
        shaped |= {"problems": self.problems} if self.problems else {}
        return shaped | ({"issues": self.issues} if self.issues else {})

    @property
    def changed(self) -> bool:
        """Whether this run wrote anything for this flow."""
        sent = any(each.acknowledged or each.dead_lettered or each.ambiguous for each in self.deliveries)
        return sent or any(each.landed or each.dispositions for each in self.streams)


@dataclass(frozen=True, slots=True)
class RunResult:
    """A whole run. ``ok`` is false where a person must act; quarantined records alone do not make it so."""

    run_id: str
    flows: tuple[FlowResult, ...]
    applied_id: str = ""
    folder_differs: bool = False  # the project folder is not what is applied, and --apply was not given

    def to_json(self) -> dict[str, Any]:
        """The documented shape."""
        return {"run_id": self.run_id, "ok": self.ok, "flows": self.flows}

    @property
    def ok(self) -> bool:
        """Whether every flow ran to its end."""
        return not any(each.problems for each in self.flows)

    @property
    def changed(self) -> bool:
        """Whether this run wrote anything."""
        return any(each.changed for each in self.flows)
