"""A proposal: samples and answers in; files, and the questions that are open, out. No file is read or written, and no clock is asked.

An answer is one more entry, and everything is proposed again: so the same samples and answers always give the same files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from treaty.matching.names import find_meanings
from treaty.matching.profiles import FieldProfile, Reference, find_references
from treaty.onboarding.cells import CellChooser
from treaty.onboarding.drafts import Drafts
from treaty.onboarding.keys import choose_key
from treaty.onboarding.modelling import LEAST, NONE, ModelGuess, describe_rivals, is_clear, rank_models
from treaty.onboarding.paths import spell_path, spell_step, spell_text
from treaty.onboarding.questions import FORMS, LEAVE, Answer, Interview, Option, Question, Topic, first_words
from treaty.onboarding.samples import SampleStream
from treaty.onboarding.targets import ADOPTED, OPEN, TargetChooser
from treaty.project.declarations import ClientProject, DataContract
from treaty.project.loading import Project
from treaty.project.overlays import client_project

LISTED_FIELDS = 9


@dataclass(frozen=True, slots=True)
class FieldProposal:
    """One field of a stream: which field of the model it is, how it is read, how surely, and why.

    ``state`` is adopted, open (a question is) or left (no field of the model takes it; it stays in the landing).
    """

    source: str
    target: str | None
    cell: str | None
    confidence: float
    reasons: tuple[str, ...]
    state: str


@dataclass(frozen=True, slots=True)
class StreamProposal:
    """One stream: its model (None: open, or none), how each field is mapped, its key and version, and the sample that says so."""

    sample: SampleStream
    model: str | None
    models: tuple[ModelGuess, ...]
    fields: tuple[FieldProposal, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)  # target → cell
    key: tuple[str, ...] = ()
    version: str = "landing-order"
    missing: tuple[str, ...] = ()  # required fields that nothing fills yet: the mapping waits for them

    @property
    def mapping(self) -> str:
        """The mapping's name: the pack's own where a pack reads the stream."""
        return (self.sample.shipped or self.sample.place).replace("/", ".")


@dataclass(frozen=True, slots=True)
class Proposal:
    """Everything that is proposed for a client."""

    streams: tuple[StreamProposal, ...]
    drafts: Drafts
    questions: tuple[Question, ...]
    optional: tuple[Question, ...]  # need no answer, and may have one
    closed: tuple[Question, ...]  # have an answer, and may get another
    answers: tuple[Answer, ...]
    references: tuple[Reference, ...]


def propose(
    project: Project, client: str, samples: Sequence[SampleStream], answers: Iterable[Answer], earlier: Iterable[tuple[str, Answer]] = (),
    ranks: Mapping[str, tuple[ModelGuess, ...]] | None = None,
) -> Proposal:  # fmt: skip
    """Propose models, mappings, keys and code lists for all samples of a client.

    ``project`` has the client, without the files that were written for it before; ``earlier`` are other clients' answers, each with the client;
    ``ranks`` are the models of each stream (:func:`rank_samples`), where they are known already.
    """
    ranks = ranks if ranks is not None else rank_samples(project, samples)
    interview = Interview(answers, earlier)
    drafts = Drafts(client)
    view = client_project(project, client)
    streams = tuple(
        _shipped(project, each) if each.shipped else _Stream(project, view, each, interview, drafts).propose(ranks[each.place]) for each in samples
    )
    return Proposal(streams, drafts, interview.open, interview.optional, interview.closed, interview.used, find_references([each.profile for each in samples if not each.shipped]))


def rank_samples(project: Project, samples: Iterable[SampleStream]) -> dict[str, tuple[ModelGuess, ...]]:
    """Return for each stream that no pack reads which models it may be: this does not depend on answers, and is what takes time."""
    ranks = {each.place: rank_models(project, each.profile, groups=bool(each.lists)) for each in samples if not each.shipped}
    described = [each.place for each in samples if not each.profile.records and ranks.get(each.place)]
    best: dict[str, str] = {}
    for place in sorted(described, key=lambda each: -ranks[each][0].score):
        best.setdefault(ranks[place][0].model, place)
    for place in described:  # of the many lists of a description, the one that is most like a model; others are named by hand: FILE#LIST
        if best[ranks[place][0].model] != place:
            ranks[place] = ()
    return ranks


def _shipped(project: Project, sample: SampleStream) -> StreamProposal:
    model = next(each.to for each in project.mappings.values() if each.from_ == sample.shipped)
    return StreamProposal(sample, model, ())


class _Stream:
    """One stream on its way to a proposal."""

    def __init__(self, project: Project, view: ClientProject, sample: SampleStream, interview: Interview, drafts: Drafts) -> None:
        self.project, self.view, self.sample, self.interview, self.drafts = project, view, sample, interview, drafts

    def propose(self, guesses: tuple[ModelGuess, ...]) -> StreamProposal:
        """Return the proposal of the stream, of the models that it may be."""
        name = self._model(guesses)
        if name is None:
            return StreamProposal(self.sample, None, guesses)
        guess = next(each for each in guesses if each.model == name)
        contract = self.project.models[name]
        targets = TargetChooser(self.project, self.view, self.sample, contract, self.interview)
        wanted = targets.choose(guess.correspondences)
        chooser = CellChooser(
            self.project, self.view, self.sample.system, name, self.interview, self.drafts, tuple(self._countries(wanted)), {}
        )
        constants = self._required(contract, wanted)
        chooser.cells.update(constants)
        fields = self._fields(targets, guess, wanted, chooser)
        version = next((each.cell for each in fields if each.target == "updated_at" and each.cell and self._filled(each.source)), None)
        filled = {*constants, *((each.target or "").partition(".")[0] for each in fields if each.state == ADOPTED)}
        missing = tuple(each.name for each in contract.properties if each.required and each.name not in filled)
        return StreamProposal(self.sample, name, guesses, fields, constants, choose_key(self.sample, self.interview), version or "landing-order", missing)

    # ---- the model

    def _model(self, guesses: Sequence[ModelGuess]) -> str | None:
        if not guesses:
            return None
        first = guesses[0]
        none = first.score < NONE
        clear = none or (is_clear(guesses) and first.score >= 2 * LEAST)
        if not clear and not self.sample.profile.records:
            return None  # a description of hundreds of lists is no reason for hundreds of questions
        options = [Option(each.model, f"{each.score:.0%}") for each in guesses[:4]]
        options.append(Option(LEAVE, "none of these: leave it out"))
        proposal = first.model if first.score >= LEAST else LEAVE
        topic = Topic("model", self.sample.place, "", " ".join(find_meanings(self.sample.name)))
        text = f"What are the records of {self.sample.place}?"
        answer = self.interview.ask(Question(topic, text, "identity", describe_rivals(guesses), tuple(options), proposal, first.score, only_options=False), optional=clear)
        if answer is None and clear:
            return None if none else first.model
        return None if answer is None or answer.value not in self.project.models else answer.value

    # ---- how each is read

    def _fields(
        self, targets: TargetChooser, guess: ModelGuess, wanted: Mapping[str, tuple[str | None, str]], chooser: CellChooser
    ) -> tuple[FieldProposal, ...]:
        cells: dict[str, str | None] = {}
        order = sorted(guess.correspondences, key=lambda each: not (wanted[each.source][0] or "").endswith("country"))
        for each in order:  # telephone numbers are read by the country beside them
            target, state = wanted[each.source]
            if target is not None and state == ADOPTED:
                cells[each.source] = self._cell(targets, target, each.source, chooser)
        proposals = []
        for each in guess.correspondences:
            target, state = wanted[each.source]
            cell = cells.get(each.source)
            if state == ADOPTED and cell is None:
                state = OPEN
            chosen = target is not None and target != each.target
            reasons = ("a person said so", *each.reasons) if chosen else each.reasons
            proposals.append(FieldProposal(each.source, target.replace("/", ".") if target else None, cell, 1.0 if chosen else each.confidence, reasons, state))
        return tuple(proposals)

    def _cell(self, targets: TargetChooser, target: str, source: str, chooser: CellChooser) -> str | None:
        dotted, contract = target.replace("/", "."), targets.contract
        declared = contract.find(dotted)
        assert declared is not None, "targets are of the contract"
        around = targets.list_around(source)
        if around and "/" in target:
            path: str | None = spell_path(source, below=around)
        else:
            path = self._pick(contract, dotted, source, around) if around else spell_path(source)
        if path is None:
            return None
        seen = self.sample.profile.field(source)
        cell = chooser.choose(dotted, declared, path, self.sample.values.get(source, Counter()), seen.type if seen else "")
        if cell is not None:
            chooser.cells[dotted] = cell
        return cell

    def _pick(self, contract: DataContract, target: str, source: str, around: str) -> str | None:
        """Ask which element of a list is meant where one value is wanted; return the path to it."""
        rest = source.removeprefix(around).removeprefix("/")
        below = "/".join(spell_step(each) for each in rest.split("/")) if rest else ""
        base = spell_path(around)
        ends = f"/{below}" if below else ""
        options = []
        for path, values in self.sample.values.items():
            told = path.removeprefix(f"{around}/")
            if path.startswith(f"{around}/") and path != source and "/" not in told and 1 <= len(values) <= 6 and sum(values.values()) > len(values):
                options += [Option(f"{base}[{spell_step(told)}={spell_text(each)}]{ends}", f"{count} have it") for each, count in values.most_common(4)]
        options.append(Option(f"{base}[1]{ends}", "the first, whatever it is"))
        topic = Topic("pick", f"{contract.name}.{target}", source, f"{' '.join(find_meanings(source))} of {around}")
        evidence = (f"{around} has several elements in some records",)
        text = f"Which of {around} is {contract.name}.{target}?"
        answer = self.interview.ask(Question(topic, text, "identity", evidence, tuple(options), options[0].value, 0.6, only_options=False))
        return None if answer is None or answer.value == LEAVE else answer.value

    def _required(self, contract: DataContract, wanted: dict[str, tuple[str | None, str]]) -> dict[str, str]:
        """Ask for what is required and not found: a field of the sample, which is added to ``wanted``, or a value for every record; return the values."""
        constants: dict[str, str] = {}
        found = {target for target, _ in wanted.values() if target}
        pending = {option.value for each in self.interview.open if (each.topic.kind, each.topic.of) == ("field", self.sample.name) for option in each.options}
        for each in contract.properties:
            if not each.required or each.properties or each.name in found | pending:
                continue
            free = [path for path, (target, _) in wanted.items() if target is None]
            options = tuple(Option(path, f"the field, such as {first_words(list(self.sample.values.get(path, ())), 2)}") for path in free[:LISTED_FIELDS])
            topic = Topic("constant", f"{contract.name}.{each.name}", self.sample.name)
            evidence = (f"{contract.name}.{each.name} is required, and no field of {self.sample.place} is surely it", each.description)
            text = f"What is {contract.name}.{each.name}: one of the fields, or a value that every record has?"
            form = each.type.partition("(")[0]
            known, form = (tuple(free), form) if form in FORMS else ((), "")
            question = Question(topic, text, "identity", evidence, options, None, 0.0, only_options=False, known=known, form=form)
            answer = self.interview.ask(question)
            if answer is None or answer.value == LEAVE:
                continue
            if answer.value in wanted:
                wanted[answer.value] = (each.name, ADOPTED)
            else:
                constants[each.name] = f"date '{answer.value}'" if each.type == "date" else spell_text(answer.value) if each.type == "string" else answer.value
        return constants

    def _countries(self, wanted: Mapping[str, tuple[str | None, str]]) -> list[str]:
        rows = {known.casefold(): code for each in self.view.decisions.values() if each.kind == "value-map" and any(one.endswith(".country") for one in each.governs)
                for known, code in each.map.items()}  # fmt: skip
        counted: Counter[str] = Counter()
        for source, (target, _) in wanted.items():
            if (target or "").endswith("country"):
                for value, count in self.sample.values.get(source, Counter()).items():
                    code = rows.get(value.strip().casefold())
                    counted.update({code: count} if code else {})
        return [code for code, _ in counted.most_common(4)]

    def _filled(self, source: str) -> bool:
        profile: FieldProfile | None = self.sample.profile.field(source)
        return profile is not None and profile.nulls == 0
