"""What tells the records of a stream apart, and what orders their versions."""

from __future__ import annotations

from treaty.matching.names import find_meanings, split_words
from treaty.matching.profiles import FieldProfile
from treaty.onboarding.paths import spell_path
from treaty.onboarding.questions import LEAVE, Interview, Option, Question, Topic
from treaty.onboarding.samples import SampleStream

NAMED_KEYS = frozenset({"id", "number", "nr", "no", "key", "uuid", "guid", "identifier"})
ENDINGS = ("id", "nr", "no", "number", "nummer", "key", "uuid")
MOST_OPTIONS = 6
NO_KEYS = frozenset({"date", "timestamp", "time", "decimal", "comma-decimal", "boolean"})
"""Values that differ in a sample by chance."""


def choose_key(sample: SampleStream, interview: Interview) -> tuple[str, ...]:
    """Return the cells of the stream's key; none where records are known by their content only, or the question is open."""
    profile = sample.profile
    single = [each for each in profile.fields if not _within_list(each.path, sample)]
    unique = [each for each in single if each.key or (each.candidate_key and each.type not in NO_KEYS and each.main_shape not in NO_KEYS)]
    named = [each for each in unique if is_named_key(each, sample.name)]
    plain = [each for each in named if find_meanings(each.name) in (("id",), ("uuid",), ("key",))]
    declared = ",".join(sample.primary_key)
    clear = bool(declared) or len(plain) == 1 or len(named) == 1
    options = [Option(each.path, _describe(each)) for each in (named or unique)[:MOST_OPTIONS]]
    if declared and declared not in (each.value for each in options):
        options.insert(0, Option(declared, "the primary key"))
    options.append(Option(LEAVE, "nothing does: records are known by their content, and are never updated"))
    evidence = (f"of {len(single)} fields, {len(unique)} differ in all {profile.records} records", f"of those, {len(named)} are named like a key")
    proposal = declared or ((plain or named or unique)[0].path if named or unique else LEAVE)
    topic = Topic("key", sample.place, "", f"key of {' '.join(find_meanings(sample.name))}")
    confidence = 0.7 if named else 0.4
    text = f"What tells the records of {sample.place} apart?"
    known = tuple(each.path for each in single)
    question = Question(topic, text, "identity", evidence, tuple(options), proposal, confidence, only_options=False, known=known, several=True)
    answer = interview.ask(question, optional=clear)
    if answer is None and clear:
        return tuple(spell_path(each) for each in sample.primary_key or (proposal,))
    if answer is None or answer.value == LEAVE:
        return ()
    return tuple(spell_path(each.strip()) for each in answer.value.split(","))


def is_named_key(field: FieldProfile, stream: str) -> bool:
    """Whether a field's name says that it is a key."""
    words = split_words(field.name)
    return bool(words) and (field.key or bool(NAMED_KEYS & set(find_meanings(field.name))) or words[-1] in NAMED_KEYS or words[-1].endswith(ENDINGS[1:5]))


def _describe(field: FieldProfile) -> str:
    return f"{field.distinct} values, such as {field.samples[0]!r}" if field.samples else "no values seen"


def _within_list(path: str, sample: SampleStream) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in sample.lists)
