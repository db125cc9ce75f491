"""Open questions and their answers: what is asked, what was said, by whom, on which evidence, and what a next client inherits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias

from treaty.project.findings import nearest

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
    """An open question: its options (none: any text), the one that is proposed with its confidence, why it is asked, and the evidence.

    A text that is no option is one of ``known``, or several of them parted by commas, or reads as the type ``form``; where neither is given, it is any.
    """

    topic: Topic
    text: str
    matters: str
    evidence: tuple[str, ...]
    options: tuple[Option, ...] = ()
    proposal: str | None = None
    confidence: float = 0.0
    only_options: bool = True
    known: tuple[str, ...] = ()
    several: bool = False
    form: str = ""

    def refuse(self, value: str) -> str | None:
        """Return what to answer instead of a value that is no answer; None where it is one."""
        values = [each.value for each in self.options]
        if value in values:
            return None
        if self.only_options and values:
            return f"Answer with one of: {', '.join(values)}."
        if value == LEAVE or value in self.known:
            return None
        if self.known and not self.form:
            wrong = next((each for each in ([each.strip() for each in value.split(",")] if self.several else [value]) if each not in self.known), None)
            near = nearest(wrong, self.known) if wrong is not None else None
            listed = [each for each in values if each != LEAVE] or list(self.known[:LISTED_KNOWN])
            return None if wrong is None else f"Did you mean {near!r}?" if near else f"Answer with one such as {', '.join(listed)}, or {LEAVE}."
        return None if reads_as(value, self.form) else f"Write {FORMS[self.form]}."


FORMS = {"date": "a day: 2026-11-21", "decimal": "a number: 12.50", "integer": "a whole number: 12", "boolean": "true or false"}
LISTED_KNOWN = 12


def reads_as(value: str, form: str) -> bool:
    """Whether a text is one of a type that an answer may have."""
    try:
        match form:
            case "date":
                date.fromisoformat(value)
            case "integer":
                int(value)
            case "decimal":
                return Decimal(value).is_finite()
            case "boolean":
                return value in ("true", "false")
    except (ValueError, InvalidOperation):
        return False
    return True


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
        self._closed: dict[str, Question] = {}

    @property
    def open(self) -> tuple[Question, ...]:
        """The questions that nobody has answered."""
        return tuple(self._open.values())

    @property
    def optional(self) -> tuple[Question, ...]:
        """Questions that need no answer, for what is proposed is clear; a person may answer them all the same."""
        return tuple(self._optional.values())

    @property
    def closed(self) -> tuple[Question, ...]:
        """The questions that have an answer; a person may answer them anew."""
        return tuple(self._closed.values())

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
            self._closed[topic.id] = question
        return answer


def first_words(values: Sequence[str], count: int = 5) -> str:
    """Return some values as people read them."""
    shown = ", ".join(repr(each[:40]) for each in values[:count])
    return f"{shown} …" if len(values) > count else shown
