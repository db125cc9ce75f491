"""Decisions that an answer adopts: new ones of the client, and rows that its overlay adds to code lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from treaty.onboarding.questions import LEAVE, Answer
from treaty.project.declarations import ClientProject, DecisionRecord
from treaty.project.editing import write_decision

REVIEW_AFTER = timedelta(days=365)


@dataclass(slots=True)
class Draft:
    """A transformation that runs: its signature, its body, its examples, the fields that it governs, and the answer that adopted it."""

    id: str
    title: str
    function: str
    body: Mapping[str, Any]
    examples: tuple[Mapping[str, Any], ...]
    options: tuple[str, ...]
    outcome: str
    answer: Answer
    governs: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Drafts:
    """What the answers of one client adopt, by the id of the decision."""

    client: str
    made: dict[str, Draft] = field(default_factory=dict)
    rows: dict[str, dict[str, Answer]] = field(default_factory=dict)  # code list → value → answer

    def add_row(self, code_list: str, value: str, answer: Answer) -> None:
        """Adopt a row of a code list; an answer that leaves the value out adds none."""
        if answer.value != LEAVE:
            self.rows.setdefault(code_list, {})[value] = answer

    def render(self, view: ClientProject) -> dict[str, bytes]:
        """Return the overlay's decision files."""
        found = {f"clients/{self.client}/decisions/{each.id}.md": self._made(each) for each in self.made.values()}
        for name, rows in self.rows.items():
            found[f"clients/{self.client}/decisions/{name}.md"] = self._added(view.decisions[name], rows)
        return found

    def _made(self, draft: Draft) -> bytes:
        answer = draft.answer
        settings: dict[str, Any] = {
            "id": draft.id, "title": draft.title, "status": "accepted", "date": answer.at.date(), "decision-makers": [answer.who], "kind": "transformation",
            "governs": sorted(draft.governs), "function": draft.function, **draft.body, **({"examples": [dict(each) for each in draft.examples]} if draft.examples else {}),
            "review-by": answer.at.date() + REVIEW_AFTER, "reason": f"answered when {self.client} was onboarded",
        }  # fmt: skip
        sections = {
            "Context": answer.question,
            "Considered options": "\n".join(f"- {each}" for each in draft.options),
            "Outcome": draft.outcome,
            "Evidence": "\n".join(f"- {each}" for each in (*answer.evidence, tell(answer))),
        }
        return write_decision(settings, sections)

    def _added(self, code_list: DecisionRecord, rows: Mapping[str, Answer]) -> bytes:
        settings = {"id": code_list.id, "reason": f"values of {self.client} that the standard does not list", "map": {value: each.value for value, each in rows.items()}}
        lines = [f"- `{value}` → `{each.value}`. {'; '.join(each.evidence)}. {tell(each)}" for value, each in rows.items()]
        return write_decision(settings, {"Evidence": "\n".join(lines)})


def tell(answer: Answer) -> str:
    """Return who decided, when, and for whom first."""
    first = f", for {answer.inherited} first" if answer.inherited else ""
    return f"{answer.who} answered {answer.value!r} on {answer.at.date().isoformat()}{first}."
