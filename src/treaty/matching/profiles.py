"""Profiles: what can be known of the fields of a side, from samples or from a description.

A profile is all that matching and onboarding see: made from values by :func:`profile_values`, or written by the reader of a schema.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from treaty.matching.shapes import find_pattern, find_prefix, find_shape, spell_value

KEPT_VALUES = 400
LOOKED_AT = 120  # distinct values whose shape is looked at
TYPES = {"boolean": "boolean", "date": "date", "timestamp": "timestamp", "time": "time", "epoch": "integer", "integer": "integer"}
DECIMALS = {"integer", "epoch", "decimal", "comma-decimal", "percent"}
STOP_WORDS: Mapping[str, frozenset[str]] = {
    "en": frozenset(["the", "and", "of", "to", "is", "for", "with", "not", "you", "this", "from", "are", "was", "have", "please"]),
    "de": frozenset(["der", "die", "das", "und", "ist", "nicht", "mit", "für", "von", "zu", "ein", "eine", "auf", "den", "bitte", "wurde"]),
    "fr": frozenset(["le", "la", "les", "et", "est", "pas", "avec", "pour", "de", "du", "des", "une", "un", "dans", "sur", "vous"]),
    "es": frozenset(["el", "los", "las", "y", "es", "con", "para", "de", "del", "una", "por", "que", "se", "su", "no"]),
    "it": frozenset(["il", "lo", "gli", "e", "è", "non", "con", "per", "di", "del", "della", "una", "che", "si", "sono"]),
    "nl": frozenset(["de", "het", "een", "en", "is", "niet", "met", "voor", "van", "op", "dat", "wordt", "zijn"]),
}


@dataclass(frozen=True)
class FieldProfile:
    """One field: what its description says, and what its values show. ``values`` are spelled alike and sampled alike on every side."""

    path: str  # `/` between nested names
    type: str = ""  # string integer decimal boolean date timestamp time object list; empty: not known
    title: str = ""
    description: str = ""
    required: bool = False
    key: bool = False  # declared as key or as unique
    codes: tuple[str, ...] = ()  # the values that are allowed, where they are listed
    format: str = ""  # a shape that the description promises: email, url, uuid …
    repeated: bool = False  # below a list
    records: int = 0  # looked at; 0: there are no samples
    nulls: int = 0
    distinct: int = 0
    values: Mapping[str, int] = field(default_factory=dict, repr=False)
    samples: tuple[str, ...] = ()
    shapes: Mapping[str, float] = field(default_factory=dict)
    patterns: Mapping[str, float] = field(default_factory=dict, repr=False)
    prefixes: Mapping[str, float] = field(default_factory=dict, repr=False)
    least: str | None = None
    most: str | None = None
    mean_length: float = 0.0
    language: str = ""

    @property
    def name(self) -> str:
        """The last name of the path."""
        return self.path.rpartition("/")[2]

    @property
    def filled(self) -> int:
        """How many values there are."""
        return self.records - self.nulls

    @property
    def candidate_key(self) -> bool:
        """Whether each record looked at has a value of its own."""
        return self.records > 1 and self.nulls == 0 and self.distinct == self.records

    @cached_property
    def main_shape(self) -> str:
        """The shape of at least four fifths of the values, else empty."""
        name = max(self.shapes, key=lambda each: self.shapes[each], default="")
        return name if name and self.shapes[name] >= 0.8 else ""


@dataclass(frozen=True, slots=True)
class StreamProfile:
    """One side: its name, and its fields in their order."""

    name: str
    fields: tuple[FieldProfile, ...]
    records: int = 0
    description: str = ""

    @property
    def candidate_keys(self) -> tuple[str, ...]:
        """Fields that tell the records looked at apart, in their order."""
        return tuple(each.path for each in self.fields if each.candidate_key or each.key)

    def field(self, path: str) -> FieldProfile | None:
        """Return a field by its path."""
        return next((each for each in self.fields if each.path == path), None)


@dataclass(frozen=True, slots=True)
class Reference:
    """A field whose values are nearly all values of another stream's key."""

    stream: str
    field: str
    to_stream: str
    to_field: str
    share: float


def profile_values(path: str, values: Sequence[str | None], *, described: FieldProfile | None = None) -> FieldProfile:
    """Profile one column of texts; None and the empty text are nulls. What ``described`` says of the field is kept."""
    counted = Counter(values)
    nulls = counted.pop(None, 0) + counted.pop("", 0)
    base = described or FieldProfile(path)
    if not counted:
        return replace(base, path=path, records=len(values), nulls=nulls)
    raw = Counter({str(value): count for value, count in counted.items()})
    looked = sorted(raw, key=lambda each: zlib.crc32(each.encode("utf-8", "replace")))[:LOOKED_AT]
    shapes = _shares((find_shape(each.strip() or each), raw[each]) for each in looked)
    spelled: Counter[str] = Counter()
    for value, count in raw.items():
        spelled[spell_value(value)] += count
    kept = sorted(spelled, key=lambda each: zlib.crc32(each.encode("utf-8", "replace")))[:KEPT_VALUES]
    kind = base.type or _type(shapes)
    least, most = _range(raw, kind)
    filled = sum(raw.values())
    return replace(
        base, path=path, type=kind, records=len(values), nulls=nulls, distinct=len(spelled), values={each: spelled[each] for each in kept},
        samples=tuple(looked[:5]), shapes=shapes, patterns=_shares((find_pattern(each), raw[each]) for each in looked),
        prefixes=_shares((prefix, raw[each]) for each in looked if (prefix := find_prefix(each))),
        least=least, most=most, mean_length=sum(len(each) * count for each, count in raw.items()) / filled, language=find_language(looked),
    )  # fmt: skip


def profile_columns(name: str, columns: Mapping[str, Sequence[str | None]], repeated: Iterable[str] = ()) -> StreamProfile:
    """Profile the columns of one stream; nested fields are columns with ``/`` paths, in the order given."""
    below = set(repeated)
    fields = tuple(replace(profile_values(path, values), repeated=path in below) for path, values in columns.items())
    return StreamProfile(name, fields, max((each.records for each in fields), default=0))


def find_references(streams: Sequence[StreamProfile], least_share: float = 0.9) -> tuple[Reference, ...]:
    """Find fields whose kept values are nearly all values of another stream's candidate key; booleans and tiny code lists refer to nothing."""
    keys = [(stream.name, each) for stream in streams for each in stream.fields if each.candidate_key and each.distinct >= 3]
    found = []
    for stream in streams:
        for each in stream.fields:
            if each.distinct < 3 or each.main_shape in ("boolean", "date", "timestamp", "decimal"):
                continue
            for owner, key in keys:
                if owner == stream.name:
                    continue
                share = sum(value in key.values for value in each.values) / len(each.values)
                if share >= least_share:
                    found.append(Reference(stream.name, each.path, owner, key.path, share))
    return tuple(found)


def find_language(values: Iterable[str]) -> str:
    """Guess the language of texts by their small words; empty where there are too few of them."""
    words = Counter(word for value in values for word in value.casefold().split())
    scores = {name: sum(words[each] for each in known) for name, known in STOP_WORDS.items()}
    best = sorted(scores.values(), reverse=True)
    return max(scores, key=lambda each: scores[each]) if best[0] >= 5 and best[0] > 1.3 * best[1] else ""


def _shares(counted: Iterable[tuple[str, int]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for name, count in counted:
        total[name] += count
    whole = sum(total.values()) or 1
    return {name: count / whole for name, count in total.most_common(12)}


def _type(shapes: Mapping[str, float]) -> str:
    if sum(share for name, share in shapes.items() if name in DECIMALS) >= 0.99:
        return "integer" if shapes.get("decimal", 0) + shapes.get("comma-decimal", 0) + shapes.get("percent", 0) == 0 else "decimal"
    for name in ("boolean", "timestamp", "date", "time"):
        if shapes.get(name, 0) >= 0.95:
            return name
    if shapes.get("timestamp", 0) + shapes.get("date", 0) >= 0.95:
        return "timestamp"
    return "string"


def _range(raw: Mapping[str, int], kind: str) -> tuple[str | None, str | None]:
    if kind in ("integer", "decimal"):
        numbers = sorted((spell_value(each) for each in raw), key=_number)
        return numbers[0], numbers[-1]
    texts = sorted(raw)
    return texts[0][:80], texts[-1][:80]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


