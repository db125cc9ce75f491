"""Open questions and their answers: what is asked, what was said, by whom, on which evidence, and what a next client inherits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["model", "key", "field", "pick", "value", "constant", "amounts", "dates", "zone", "country"]
LEAVE = "-"
"""The answer that nothing is adopted: the field stays empty, the value unmapped, the stream unread."""
SAID_FREELY: tuple[Kind, ...] = ("zone", "country", "value")
"""Kinds whose answer holds for another client though it is not among the options; others name something that may not be there."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a question is about.

    ``of`` is the stream or the field (``contact.phone``), ``source`` the name or value as this client has it. ``meaning`` is the same as others
    would have it: two clients' topics with the same kind, ``of`` (where it is a field) and ``meaning`` are one.
    """

    kind: Kind
    of: str
    source: str = ""
    meaning: str = ""

    @property
    def id(self) -> str:
        """How it is named to ``--answer``."""
        return ":".join(each for each in (self.kind, self.of, self.source) if each)

    @property
    def shared(self) -> tuple[str, str, str]:
        """What is the same for another client."""
        return (self.kind, self.of if "." in self.of else "", self.meaning)


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that may be given, and what it says to people."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Question:
    """An open question: its options (none: any text), the one that is proposed with its confidence, why it is asked, and the evidence."""

    topic: Topic
    text: str
    matters: str
    evidence: tuple[str, ...]
    options: tuple[Option, ...] = ()
    proposal: str | None = None
    confidence: float = 0.0
    only_options: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided: the value, who decided when and why, and what was known then; ``inherited`` names the client that decided it first."""

    topic: Topic
    value: str
    who: str
    at: datetime
    question: str = ""
    evidence: tuple[str, ...] = ()
    inherited: str = ""


class Interview:
    """Answers what has been answered, here or by an earlier client, and collects what has not."""

    def __init__(self, own: Iterable[Answer], earlier: Iterable[tuple[str, Answer]] = ()) -> None:
        self._own = {each.topic.id: each for each in own}
        self._earlier = {answer.topic.shared: (client, answer) for client, answer in earlier if answer.topic.meaning}
        self._open: dict[str, Question] = {}
        self._optional: dict[str, Question] = {}
        self._used: dict[str, Answer] = {}

    @property
    def open(self) -> tuple[Question, ...]:
        """The questions that nobody has answered."""
        return tuple(self._open.values())

    @property
    def optional(self) -> tuple[Question, ...]:
        """Questions that need no answer, for what is proposed is clear; a person may answer them all the same."""
        return tuple(self._optional.values())

    @property
    def used(self) -> tuple[Answer, ...]:
        """The answers that were asked for, inherited ones with the client they are from."""
        return tuple(self._used.values())

    def answered(self, kind: Kind, of: str) -> Answer | None:
        """Return an answer that was asked for."""
        return next((each for each in self._used.values() if (each.topic.kind, each.topic.of) == (kind, of)), None)

    def ask(self, question: Question, *, optional: bool = False) -> Answer | None:
        """Return the answer; None where there is none yet, and then the question is open, unless it is ``optional``."""
        topic = question.topic
        answer = self._own.get(topic.id)
        if answer is None and topic.shared in self._earlier:
            client, first = self._earlier[topic.shared]
            if topic.kind in SAID_FREELY or first.value == LEAVE or any(each.value == first.value for each in question.options):
                answer = Answer(topic, first.value, first.who, first.at, question.text, question.evidence, first.inherited or client)
        if answer is None:
            (self._optional if optional else self._open)[topic.id] = question
        else:
            self._used[topic.id] = answer
        return answer


def first_words(values: Sequence[str], count: int = 5) -> str:
    """Return some values as people read them."""
    shown = ", ".join(repr(each[:40]) for each in values[:count])
    return f"{shown} …" if len(values) > count else shown
