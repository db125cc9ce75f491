"""Which field of a model each field of a stream is: what is sure is adopted, what is doubtful and matters is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from treaty.compiler.signatures import signature_name
from treaty.matching.composing import find_rest, find_wholes, is_part
from treaty.matching.matcher import Correspondence
from treaty.matching.names import find_meanings
from treaty.matching.profiles import FieldProfile
from treaty.onboarding.cells import fits
from treaty.onboarding.functions import body_text
from treaty.onboarding.modelling import identity_keys
from treaty.onboarding.questions import LEAVE, Interview, Option, Question, Topic
from treaty.onboarding.samples import SampleStream
from treaty.project.declarations import ClientProject, DataContract, DecisionRecord
from treaty.project.loading import Project

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
"""Meanings of texts that identify: neither words without a digit nor amounts are one."""
ADOPTED, OPEN, LEFT = "adopted", "open", "left"


@dataclass(frozen=True, slots=True)
class TargetChooser:
    """Chooses the targets of one client's stream in one model."""

    project: Project
    view: ClientProject
    sample: SampleStream
    contract: DataContract
    interview: Interview

    def choose(self, correspondences: Sequence[Correspondence]) -> dict[str, tuple[str | None, str]]:
        """Return for each source path its target (None: none, or not decided yet) and the state."""
        found: dict[str, tuple[str | None, str]] = {}
        taken: set[str] = set()
        wanted = {each.target for each in correspondences}
        said = {each.source: self._asked(self._completed(each, wanted)) for each in correspondences}
        for each in correspondences:  # what a person says goes first
            answer = said[each.source]
            if answer is not None:
                target, state = answer
                if state == ADOPTED and target in taken:
                    target, state = None, LEFT
                found[each.source] = (target, state)
                taken |= {target} if target else set()
        for each in correspondences:
            if each.source not in found:
                target = each.target if each.target not in taken and self._adoptable(each) else None
                found[each.source] = (target, ADOPTED if target else LEFT)
        return self._grouped(found)

    def _grouped(self, found: Mapping[str, tuple[str | None, str]]) -> dict[str, tuple[str | None, str]]:
        """Return the targets without those of a repeating group whose source is not in the one list that most of the group is from."""
        lists: dict[str, Counter[str]] = {}
        for source, (target, _) in found.items():
            if target and "/" in target and self.list_around(source):
                lists.setdefault(target.partition("/")[0], Counter())[self.list_around(source)] += 1
        homes = {group: counted.most_common(1)[0][0] for group, counted in lists.items()}
        kept = {}
        for source, (target, state) in found.items():
            around = self.list_around(source)
            astray = target is not None and (homes.get(target.partition("/")[0]) != around if "/" in target else bool(around) and not self.sample.profile.records)
            kept[source] = (None, LEFT) if astray else (target, state)
        return kept

    def _adoptable(self, each: Correspondence) -> bool:
        """Whether a target is adopted without being asked for: it is likely, and an empty column is not taken for something that matters."""
        profile = self.sample.profile.field(each.source)
        empty = profile is not None and bool(profile.records) and not profile.filled
        if each.target is None or each.confidence < LIKELY or not self._fits(each):
            return False
        return not (empty and self._matters(each.target) in (*GRAVE, "codes"))

    def _fits(self, each: Correspondence) -> bool:
        declared, profile = self.contract.find((each.target or "").replace("/", ".")), self.sample.profile.field(each.source)
        if declared is None or profile is None:
            return False
        values = self.sample.values.get(each.source, Counter())
        unlike = not any(character.isdigit() for value in values for character in value) or profile.main_shape in ("decimal", "comma-decimal")
        numbered = bool(NUMBERED & set(find_meanings((each.target or "").rpartition("/")[2]))) and not any(self._code_lists(f"{self.contract.name}.{declared.name}"))
        return fits(declared.type, values, profile.type) and not (unlike and numbered and declared.type == "string" and profile.filled)

    def _asked(self, each: Correspondence) -> tuple[str | None, str] | None:
        """Return what the question about a field came to, or None where there is nothing to ask."""
        profile = self.sample.profile.field(each.source)
        assert profile is not None, "correspondences are of the profile"
        options = [(each.target, each.confidence)] if each.target else []
        options += [(other.target, other.confidence) for other in each.alternatives if other.confidence >= RIVAL]
        whole, misplaced = self._whole(each, profile)
        if misplaced:
            options = [(whole, each.confidence), *((target, share) for target, share in options if target != whole)]
        matters = next((why for target, _ in options if (why := self._matters(target or ""))), "")
        split = each.target is not None and each.confidence >= LIKELY and len(options) > 1
        unlike = each.target is not None and not self._codes_fit(each.target, each.source)
        likely = each.confidence >= LIKELY or (matters in GRAVE and "/" not in (each.target or ""))
        doubtful = each.target is not None and (misplaced or each.confidence < SURE) and likely and (split or matters)
        seen = profile.filled or not profile.records
        asking = bool(options and seen and (doubtful or unlike) and not (each.target and not self._fits(each)))
        topic = Topic("field", self.sample.name, each.source, f"{self.contract.name} {' '.join(find_meanings(each.source))} {profile.main_shape}".strip())
        choices = [Option((target or "").replace("/", "."), f"{confidence:.0%}") for target, confidence in options]
        choices.append(Option(LEAVE, "none of these: it stays in the landing"))
        shown = ", ".join(repr(value[:40]) for value in profile.samples[:3])
        against = ("hardly any of them is in the code list of that field",) if unlike else ()
        evidence = (*((f"values: {shown}",) if shown else ()), *against, *each.reasons)
        proposal = choices[0].value if each.target and each.confidence >= LIKELY and not unlike else LEAVE
        text = f"Which field of {self.contract.name} is {each.source}?"
        question = Question(topic, text, matters or "split", evidence, tuple(choices), proposal, each.confidence, only_options=False, known=tuple(self.contract.paths))
        answer = self.interview.ask(question, optional=not asking)
        if answer is None:
            return (None, OPEN) if asking else None
        known = answer.value != LEAVE and self.contract.find(answer.value) is not None
        return (answer.value.replace(".", "/"), ADOPTED) if known else (None, LEFT)

    def _whole(self, each: Correspondence, profile: FieldProfile) -> tuple[str, bool]:
        """Return what a field named like a whole is, and whether its target speaks against that.

        A name that holds given and family name is no company's, whatever the column is called; beside the given name it is the family name;
        and without one it is no family name, whatever it was at another client.
        """
        rest = self._rest(profile)
        found = rest or find_wholes(profile.name, [one.name for one in self.contract.properties])
        if each.target is None or not found or each.target in found:
            return "", False
        return found[0], bool(rest) or each.confidence < SURE or is_part(profile.name, each.target)

    def _rest(self, profile: FieldProfile) -> tuple[str, ...]:
        beside = (one.name for one in self.sample.profile.fields if one.path != profile.path)
        return find_rest(profile.name, beside, [one.name for one in self.contract.properties])

    def _completed(self, each: Correspondence, wanted: Set[str | None]) -> Correspondence:
        """Return a field without a likely target as the part that its siblings leave of a whole, where no other field is that."""
        profile = self.sample.profile.field(each.source)
        unlikely = each.target is None or each.confidence < LIKELY
        rest = self._rest(profile) if unlikely and profile is not None and profile.filled else ()
        return replace(each, target=rest[0], confidence=LIKELY) if rest and rest[0] not in wanted - {each.target} else each

    def _matters(self, target: str) -> str:
        declared = self.contract.find(target.replace("/", "."))
        if declared is None:
            return ""
        if declared.currency is not None:
            return "money"
        if any(target in key for key in identity_keys(self.project, self.contract)):
            return "identity"
        if declared.type in ("date", "timestamp", "local_timestamp"):
            return "dates"
        if declared.classification == "personal":
            return "personal data"
        governed = f"{self.contract.name}.{target.replace('/', '.')}"
        return "codes" if any(self._code_lists(governed)) else ""

    def _code_lists(self, governed: str) -> Iterator[DecisionRecord]:
        yield from (each for each in self.view.decisions.values() if each.kind == "value-map" and each.runs and governed in each.governs and not _calls_more(self.view, each))

    def _codes_fit(self, target: str, source: str) -> bool:
        """Whether a code list of the target knows some of the values; a few unknown ones are asked one by one."""
        values = {each.strip().casefold() for each in self.sample.values.get(source, ()) if each.strip()}
        lists = list(self._code_lists(f"{self.contract.name}.{target.replace('/', '.')}"))
        known = [len(values & {row.casefold() for row in each.map}) for each in lists]
        return not known or len(values) < 4 or max(known) >= KNOWN_CODES * len(values)

    def list_around(self, source: str) -> str:
        """Return the outermost list that a path is in; empty where it is in none."""
        return next((each for each in sorted(self.sample.lists, key=len) if source == each or source.startswith(f"{each}/")), "")


def _calls_more(view: ClientProject, code_list: DecisionRecord) -> bool:
    """Whether another decision on the same fields calls a code list: then it is not the field's own values that it lists."""
    name = f"{signature_name(code_list.function or '')}("
    return any(name in body_text(each) for each in view.decisions.values() if each.id != code_list.id and set(each.governs) & set(code_list.governs))
