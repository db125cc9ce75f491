"""A proposal: samples and answers in; files, and the questions that are open, out. No file is read or written, and no clock is asked.

An answer is one more entry, and everything is proposed again: so the same samples and answers always give the same files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from treaty.compiler.signatures import signature_name
from treaty.matching.composing import find_wholes
from treaty.matching.matcher import Correspondence
from treaty.matching.names import find_meanings
from treaty.matching.profiles import FieldProfile, Reference, find_references
from treaty.onboarding.cells import CellChooser, fits
from treaty.onboarding.drafts import Drafts
from treaty.onboarding.functions import body_text
from treaty.onboarding.keys import choose_key
from treaty.onboarding.modelling import LEAST, ModelGuess, describe_rivals, identity_keys, is_clear, rank_models
from treaty.onboarding.paths import spell_path, spell_step, spell_text
from treaty.onboarding.questions import LEAVE, Answer, Interview, Option, Question, Topic
from treaty.onboarding.samples import SampleStream
from treaty.project.declarations import ClientProject, DataContract, DecisionRecord
from treaty.project.loading import Project
from treaty.project.overlays import client_project

SURE = 0.9
"""Nothing is asked of a field whose target is surer than this, unless its values speak against it."""
LIKELY = 0.7
"""A target that is less likely is adopted by an answer only."""
RIVAL = 0.2
"""A second target of at least this confidence is a rival: the evidence is split."""
KNOWN_CODES = 0.2
"""The values of a field are not those of a code list that knows a smaller share of them."""
GRAVE = ("money", "identity", "dates")
"""What a field may be about so that even an unlikely target is worth a question."""
NUMBERED = frozenset({"tax", "vat", "number", "iban", "bic"})
"""Meanings of fields whose values have digits: words alone are something else."""
ADOPTED, OPEN, LEFT = "adopted", "open", "left"


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
    return Proposal(streams, drafts, interview.open, interview.used, find_references([each.profile for each in samples]))


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


def _calls_more(view: ClientProject, code_list: DecisionRecord) -> bool:
    """Whether another decision on the same fields calls a code list: then it is not the field's own values that it lists."""
    name = f"{signature_name(code_list.function or '')}("
    return any(name in body_text(each) for each in view.decisions.values() if each.id != code_list.id and set(each.governs) & set(code_list.governs))


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
        wanted = self._targets(contract, guess)
        chooser = CellChooser(
            self.project, self.view, self.sample.system, name, self.interview, self.drafts, tuple(self._countries(wanted)), {}
        )
        constants = self._constants(contract, {each for each, _ in wanted.values() if each})
        chooser.cells.update(constants)
        fields = self._fields(contract, guess, wanted, chooser)
        version = next((each.cell for each in fields if each.target == "updated_at" and each.cell and self._filled(each.source)), None)
        filled = {*constants, *((each.target or "").partition(".")[0] for each in fields if each.state == ADOPTED)}
        missing = tuple(each.name for each in contract.properties if each.required and each.name not in filled)
        return StreamProposal(self.sample, name, guesses, fields, constants, choose_key(self.sample, self.interview), version or "landing-order", missing)

    # ---- the model

    def _model(self, guesses: Sequence[ModelGuess]) -> str | None:
        if not guesses:
            return None
        first = guesses[0]
        if is_clear(guesses) and first.score >= 2 * LEAST:
            return first.model
        if not self.sample.profile.records:
            return None  # a description of hundreds of lists is no reason for hundreds of questions
        options = [Option(each.model, f"{each.score:.0%}") for each in guesses[:4]]
        options.append(Option(LEAVE, "none of these: leave it out"))
        proposal = first.model if first.score >= LEAST else LEAVE
        topic = Topic("model", self.sample.place, "", " ".join(find_meanings(self.sample.name)))
        text = f"What are the records of {self.sample.place}?"
        answer = self.interview.ask(Question(topic, text, "identity", describe_rivals(guesses), tuple(options), proposal, first.score, only_options=False))
        return None if answer is None or answer.value not in self.project.models else answer.value

    # ---- which field is which

    def _targets(self, contract: DataContract, guess: ModelGuess) -> dict[str, tuple[str | None, str]]:
        """Return for each source path its target (None: none, or not decided yet) and the state."""
        found: dict[str, tuple[str | None, str]] = {}
        taken: set[str] = set()
        said = {each.source: self._asked(contract, each) for each in guess.correspondences}
        for each in guess.correspondences:  # what a person says goes first
            answer = said[each.source]
            if answer is not None:
                target, state = answer
                if state == ADOPTED and target in taken:
                    target, state = None, LEFT
                found[each.source] = (target, state)
                taken |= {target} if target else set()
        for each in guess.correspondences:
            if each.source not in found:
                target = each.target if each.target not in taken and self._adoptable(contract, each) else None
                found[each.source] = (target, ADOPTED if target else LEFT)
        return self._grouped(found)

    def _grouped(self, found: Mapping[str, tuple[str | None, str]]) -> dict[str, tuple[str | None, str]]:
        """Return the targets without those of a repeating group whose source is not in the one list that most of the group is from."""
        lists: dict[str, Counter[str]] = {}
        for source, (target, _) in found.items():
            if target and "/" in target and self._list_around(source):
                lists.setdefault(target.partition("/")[0], Counter())[self._list_around(source)] += 1
        homes = {group: counted.most_common(1)[0][0] for group, counted in lists.items()}
        kept = {}
        for source, (target, state) in found.items():
            around = self._list_around(source)
            astray = target is not None and (homes.get(target.partition("/")[0]) != around if "/" in target else bool(around) and not self.sample.profile.records)
            kept[source] = (None, LEFT) if astray else (target, state)
        return kept

    def _adoptable(self, contract: DataContract, each: Correspondence) -> bool:
        """Whether a target is adopted without being asked for: it is likely, and an empty column is not taken for something that matters."""
        profile = self.sample.profile.field(each.source)
        empty = profile is not None and bool(profile.records) and not profile.filled
        if each.target is None or each.confidence < LIKELY or not self._fits(contract, each):
            return False
        return not (empty and self._matters(contract, each.target) in (*GRAVE, "codes"))

    def _fits(self, contract: DataContract, each: Correspondence) -> bool:
        declared, profile = contract.find((each.target or "").replace("/", ".")), self.sample.profile.field(each.source)
        if declared is None or profile is None:
            return False
        values = self.sample.values.get(each.source, Counter())
        worded = bool(values) and not any(character.isdigit() for value in values for character in value)
        numbered = bool(NUMBERED & set(find_meanings((each.target or "").rpartition("/")[2]))) and not any(self._code_lists(f"{contract.name}.{declared.name}"))
        return fits(declared.type, values, profile.type) and not (worded and numbered and profile.filled)

    def _asked(self, contract: DataContract, each: Correspondence) -> tuple[str | None, str] | None:
        """Return what the question about a field came to, or None where there is nothing to ask."""
        profile = self.sample.profile.field(each.source)
        assert profile is not None, "correspondences are of the profile"
        options = [(each.target, each.confidence)] if each.target else []
        options += [(other.target, other.confidence) for other in each.alternatives if other.confidence >= RIVAL]
        wholes = find_wholes(profile.name, [one.name for one in contract.properties]) if each.target and each.confidence < SURE else ()
        if wholes and each.target not in wholes:  # a name that holds given and family name is no company's, whatever the column is called
            options = [(wholes[0], each.confidence), *((target, share) for target, share in options if target != wholes[0])]
        matters = next((why for target, _ in options if (why := self._matters(contract, target or ""))), "")
        split = each.target is not None and each.confidence >= LIKELY and len(options) > 1
        unlike = each.target is not None and not self._codes_fit(contract, each.target, each.source)
        likely = each.confidence >= LIKELY or (matters in GRAVE and "/" not in (each.target or ""))
        doubtful = each.target is not None and each.confidence < SURE and likely and (split or matters)
        if not options or not (profile.filled or not profile.records) or not (doubtful or unlike) or (each.target and not self._fits(contract, each)):
            return None
        topic = Topic("field", self.sample.name, each.source, f"{contract.name} {' '.join(find_meanings(each.source))} {profile.main_shape}".strip())
        choices = [Option((target or "").replace("/", "."), f"{confidence:.0%}") for target, confidence in options]
        choices.append(Option(LEAVE, "none of these: it stays in the landing"))
        shown = ", ".join(repr(value[:40]) for value in profile.samples[:3])
        against = ("hardly any of them is in the code list of that field",) if unlike else ()
        evidence = (*((f"values: {shown}",) if shown else ()), *against, *each.reasons)
        proposal = choices[0].value if each.target and each.confidence >= LIKELY and not unlike else LEAVE
        text = f"Which field of {contract.name} is {each.source}?"
        answer = self.interview.ask(Question(topic, text, matters or "split", evidence, tuple(choices), proposal, each.confidence, only_options=False))
        if answer is None:
            return (None, OPEN)
        known = answer.value != LEAVE and contract.find(answer.value) is not None
        return (answer.value.replace(".", "/"), ADOPTED) if known else (None, LEFT)

    def _matters(self, contract: DataContract, target: str) -> str:
        declared = contract.find(target.replace("/", "."))
        if declared is None:
            return ""
        if declared.currency is not None:
            return "money"
        if any(target in key for key in identity_keys(self.project, contract)):
            return "identity"
        if declared.type in ("date", "timestamp", "local_timestamp"):
            return "dates"
        if declared.classification == "personal":
            return "personal data"
        governed = f"{contract.name}.{target.replace('/', '.')}"
        return "codes" if any(self._code_lists(governed)) else ""

    def _code_lists(self, governed: str) -> Iterator[DecisionRecord]:
        yield from (each for each in self.view.decisions.values() if each.kind == "value-map" and each.runs and governed in each.governs and not _calls_more(self.view, each))

    def _codes_fit(self, contract: DataContract, target: str, source: str) -> bool:
        """Whether a code list of the target knows some of the values; a few unknown ones are asked one by one."""
        values = {each.strip().casefold() for each in self.sample.values.get(source, ()) if each.strip()}
        lists = list(self._code_lists(f"{contract.name}.{target.replace('/', '.')}"))
        known = [len(values & {row.casefold() for row in each.map}) for each in lists]
        return not known or len(values) < 4 or max(known) >= KNOWN_CODES * len(values)

    # ---- how each is read

    def _fields(
        self, contract: DataContract, guess: ModelGuess, wanted: Mapping[str, tuple[str | None, str]], chooser: CellChooser
    ) -> tuple[FieldProposal, ...]:
        cells: dict[str, str | None] = {}
        order = sorted(guess.correspondences, key=lambda each: not (wanted[each.source][0] or "").endswith("country"))
        for each in order:  # telephone numbers are read by the country beside them
            target, state = wanted[each.source]
            if target is not None and state == ADOPTED:
                cells[each.source] = self._cell(contract, target, each.source, chooser)
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

    def _cell(self, contract: DataContract, target: str, source: str, chooser: CellChooser) -> str | None:
        dotted = target.replace("/", ".")
        declared = contract.find(dotted)
        assert declared is not None, "targets are of the contract"
        around = self._list_around(source)
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

    def _list_around(self, source: str) -> str:
        return next((each for each in sorted(self.sample.lists, key=len) if source == each or source.startswith(f"{each}/")), "")

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

    def _constants(self, contract: DataContract, found: set[str]) -> dict[str, str]:
        """Ask for what is required and not in the sample."""
        constants: dict[str, str] = {}
        for each in contract.properties:
            if each.required and each.name not in found and not each.properties:
                topic = Topic("constant", f"{contract.name}.{each.name}", self.sample.name)
                evidence = (f"{contract.name}.{each.name} is required, and no field of {self.sample.place} is it", each.description)
                text = f"What is {contract.name}.{each.name} of every record?"
                answer = self.interview.ask(Question(topic, text, "identity", evidence, (), None, 0.0, only_options=False))
                if answer is not None and answer.value != LEAVE:
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
