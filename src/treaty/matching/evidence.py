"""Evidence for each pair of fields, as arrays of (source fields × target fields). What is not known is 0, never a guess."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from treaty.matching.names import alike, differ, find_meanings, find_opposites, split_words, trigrams
from treaty.matching.profiles import FieldProfile, StreamProfile
from treaty.matching.shapes import spell_epochs, spell_value

Matrix: TypeAlias = NDArray[np.float64]
T = TypeVar("T")

OWN_WEIGHT = 0.15  # of a word that only says whose field it is: `id` of a customer is its `customer_id`
BARE = frozenset({"id", "code", "key"})
TIMES = ("date", "time")
EVENTS = ("created", "updated", "closed", "cancelled", "deleted", "due", "paid", "start", "end")
DOCUMENTS = frozenset({"invoice", "order", "quote", "contract"})
PARTIES = frozenset({"customer", "supplier", "company", "carrier", "contact", "employee", "recipient", "sender", "warehouse", "bank"})
ADDRESSED = "/city"
NAMES_OF_PARTIES = frozenset({"name", "words", "mixed", "text"})  # shapes
# What values a name or a declared format promises, where there are no samples to look at.
PROMISES: dict[str, tuple[str, ...]] = {
    "email": ("email",), "phone": ("phone",), "url": ("url",), "website": ("url",), "currency": ("currency",), "country": ("country",),
    "language": ("language", "locale"), "ip": ("ip",), "date": ("date", "timestamp"), "created": ("timestamp", "date"), "updated": ("timestamp", "date"),
    "due": ("date", "timestamp"), "time": ("timestamp", "time", "date"), "uuid": ("uuid",), "amount": ("decimal", "comma-decimal", "integer"),
    "total": ("decimal", "comma-decimal", "integer"), "price": ("decimal", "comma-decimal", "integer"), "quantity": ("integer", "decimal", "comma-decimal"),
}  # fmt: skip
FAMILIES = {
    "integer": "number", "decimal": "number", "number": "number", "float": "number", "date": "time", "timestamp": "time", "local_timestamp": "time",
    "time": "clock", "boolean": "boolean", "object": "object", "list": "list", "array": "list", "string": "text",
}  # fmt: skip
FEATURES = (
    "name_alike", "name_same", "name_least_share", "name_most_share", "name_letters", "name_head", "name_numbers_differ", "name_differs",
    "name_unexplained", "name_bare", "name_best",
    "type_same", "type_differs", "shape_alike", "shape_promised", "shape_broken", "overlap", "overlap_by_name", "sets_alike", "sets_contained",
    "sets_apart", "nulls_differ", "one_empty", "pattern_alike", "pattern_apart", "overlap_best", "described_alike", "described_named", "around_alike",
    "both_keys", "order_apart", "codes_shared", "name_only",
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """The features of each pair, by name, and what the reasons are made of."""

    features: dict[str, Matrix]

    def stacked(self) -> Matrix:
        """All features in the order of ``FEATURES``: (source fields, target fields, features)."""
        return np.stack([self.features[name] for name in FEATURES], axis=-1)


def gather_evidence(source: StreamProfile, target: StreamProfile, *, unknown: frozenset[str] = frozenset()) -> Evidence:
    """Compare every source field with every target field. ``unknown`` are words whose meaning is not looked up (fitting uses it)."""
    found: dict[str, Matrix] = {}
    found.update(_names(source, target, unknown))
    found.update(_types(source.fields, target.fields))
    found.update(_values(source.fields, target.fields))
    found.update(_documents(source.fields, target.fields, unknown))
    found["overlap_by_name"] = found["overlap"] * found["name_alike"]
    found["name_only"] = found["name_alike"] * (1 - found["_both"])
    size = max(len(source.fields), len(target.fields), 2)
    rows = np.arange(len(source.fields))[:, None] / size
    found["order_apart"] = np.abs(rows - np.arange(len(target.fields))[None, :] / size)
    return Evidence(found)


# ---- names


def _names(source: StreamProfile, target: StreamProfile, unknown: frozenset[str]) -> dict[str, Matrix]:
    own = frozenset(find_meanings(source.name, skip=unknown)) | frozenset(find_meanings(target.name, skip=unknown))
    sides = ((source, target), (target, source))
    left, right = ([_meanings(each, own | _addressed(side, other), unknown) for each in side.fields] for side, other in sides)
    around = [[find_meanings(each.path.rpartition("/")[0], skip=unknown) for each in side.fields] for side in (source, target)]
    full = [[tuple(dict.fromkeys((*up, *own))) for up, own in zip(ups, names, strict=True)] for ups, names in zip(around, (left, right), strict=True)]
    vocabulary = {each: number for number, each in enumerate(dict.fromkeys(word for names in full for name in names for word in name))}
    weights = _weights(vocabulary, full, own)
    here, there = (_incidence(names, vocabulary) for names in full)
    likeness = _likeness(list(vocabulary), here, there)
    found = _shares(here, there, likeness, weights, own, vocabulary)
    found |= _unexplained(here, there, likeness, _missing(weights, own, vocabulary), vocabulary)
    leafs = [["".join(split_words(each.name)) for each in side.fields] for side in (source, target)]
    found["name_letters"] = _pairs(leafs[0], leafs[1], _letters)
    found["name_head"] = _pairs(left, right, lambda one, two: float(bool(one and two) and one[-1] == two[-1]))
    numbers = [[_numbers(name) for name in names] for names in (left, right)]  # of each field once, not of each pair
    opposites = [[find_opposites(name) for name in names] for names in full]
    above = [[frozenset(name) for name in names] for names in around]
    found["name_numbers_differ"] = found["name_alike"] * _pairs(numbers[0], numbers[1], lambda one, two: float(one != two))
    found["name_differs"] = _pairs_filled(opposites[0], opposites[1], lambda one, two: float(differ(one, two)))
    found["around_alike"] = _pairs(above[0], above[1], lambda one, two: len(one & two) / max(len(one | two), 1))
    found["name_best"] = _best(found["name_alike"])
    return found


def _meanings(field: FieldProfile, around: frozenset[str], unknown: frozenset[str]) -> tuple[str, ...]:
    """Return the meanings of a field's name, as what is ``around`` and its values have them.

    The date of a document is that of its issue, a party whose values are names is its name, a tax whose values are numbers of payers is such a number,
    and the state of an address is a region.
    """
    found = find_meanings(field.name, skip=unknown)
    if len(found) == 2 and "date" in found and around & DOCUMENTS & set(found):
        return ("issue", "date")
    if len(found) != 1:
        return found
    if found[0] in PARTIES and field.main_shape in NAMES_OF_PARTIES:
        return (*found, "name")
    if found[0] == "tax" and field.main_shape == "tax-id":
        return ("tax-id",)
    is_state = split_words(field.name)[-1:] == ("state",) and field.main_shape != "word" and field.path.rpartition("/")[0] + ADDRESSED in around
    return ("region",) if is_state else found


def _addressed(side: StreamProfile, other: StreamProfile) -> frozenset[str]:
    """Return the paths, each marked, below which addresses stand; none where the other side has no region that a state may be."""
    if not any(find_meanings(each.name) == ("region",) for each in other.fields):
        return frozenset()
    return frozenset(each.path.rpartition("/")[0] + ADDRESSED for each in side.fields if {"city", "postal"} & set(find_meanings(each.name)))


def _weights(vocabulary: dict[str, int], full: Sequence[Sequence[tuple[str, ...]]], own: frozenset[str]) -> Matrix:
    """Return how much a word tells: little if most fields of its side have it, hardly anything if it is the stream's own name."""
    weights = np.ones(len(vocabulary))
    shares = [Counter(word for name in names for word in set(name)) for names in full]
    for word, number in vocabulary.items():
        share = max(counts[word] / max(len(names), 1) for counts, names in zip(shares, full, strict=True))
        weights[number] = max(0.1, -math.log(max(share, 0.02)) / -math.log(0.02)) if share > 0.15 else 1.0
        if word in own:
            weights[number] = max(weights[number], 0.5)
    return weights


def _incidence(names: Sequence[Iterable[str]], vocabulary: dict[str, int]) -> Matrix:
    found = np.zeros((len(names), len(vocabulary)))
    for row, name in enumerate(names):
        for word in name:
            found[row, vocabulary[word]] = 1.0
    return found


def _likeness(words: Sequence[str], here: Matrix, there: Matrix) -> Matrix:
    found = np.eye(len(words))
    left, right = (np.flatnonzero(side.any(axis=0)).tolist() for side in (here, there))
    for one in left:
        for two in right:
            if one != two and words[one][0] == words[two][0]:
                found[one, two] = found[two, one] = alike(words[one], words[two])
    return found


def _shares(
    here: Matrix, there: Matrix, likeness: Matrix, weights: Matrix, own: frozenset[str], vocabulary: dict[str, int]
) -> dict[str, Matrix]:
    """Return how much of each name is found in the other, by weight. A word of the stream's own name costs little where it has no counterpart."""
    missing = _missing(weights, own, vocabulary)
    forward, backward = _nearest(likeness, there), _nearest(likeness, here)
    matched_here, matched_there = (here * weights) @ forward, ((there * weights) @ backward).T
    lost_here, lost_there = (here * missing) @ (1 - forward), ((there * missing) @ (1 - backward)).T
    share_here = matched_here / np.maximum(matched_here + lost_here, 1e-9)
    share_there = matched_there / np.maximum(matched_there + lost_there, 1e-9)
    total = matched_here + matched_there
    alike_names = total / np.maximum(total + lost_here + lost_there, 1e-9)
    return {
        "name_alike": alike_names,
        "name_same": (alike_names > 0.999).astype(float),
        "name_least_share": np.minimum(share_here, share_there),
        "name_most_share": np.maximum(share_here, share_there),
    }


def _missing(weights: Matrix, own: frozenset[str], vocabulary: Mapping[str, int]) -> Matrix:
    return np.array([OWN_WEIGHT if word in own else weight for word, weight in zip(vocabulary, weights, strict=True)])


def _nearest(likeness: Matrix, side: Matrix) -> Matrix:
    """Return for each word how alike the nearest word of each name is: (words, names)."""
    found = [likeness[:, np.flatnonzero(row)].max(axis=1, initial=0.0) for row in side]  # a name has few words of all
    return np.stack(found, axis=1) if found else np.zeros((len(likeness), 0))


def _unexplained(here: Matrix, there: Matrix, likeness: Matrix, missing: Matrix, vocabulary: Mapping[str, int]) -> dict[str, Matrix]:
    """Return how far both names say something that the other does not: the heaviest such word of the name that has the lighter one.

    What only one of them says makes it more exact; what each says alone (an order's date, a date of delivery) makes them two things.
    So does what one says beside a bare `id` or `code`, which is that of the record itself.
    """
    explaining = likeness.copy()
    times, events = ([vocabulary[each] for each in words if each in vocabulary] for words in (TIMES, EVENTS))
    explaining[np.ix_(times, events)] = explaining[np.ix_(events, times)] = 1.0  # what was created says a time
    left = _heaviest(here * missing, 1 - _nearest(explaining, there))
    right = _heaviest(there * missing, 1 - _nearest(explaining, here)).T
    bare = np.array([word in BARE for word in vocabulary])
    alone_here, alone_there = ((side.sum(axis=1) == 1) & (side[:, bare].sum(axis=1) == 1) for side in (here, there))
    return {"name_unexplained": np.minimum(left, right), "name_bare": np.maximum(alone_here[:, None] * right, alone_there[None, :] * left)}


def _heaviest(side: Matrix, lost: Matrix) -> Matrix:
    held = [(row, np.flatnonzero(row)) for row in side]
    return np.array([(row[words, None] * lost[words]).max(axis=0, initial=0.0) for row, words in held]).reshape(len(side), lost.shape[1])


def _letters(one: str, two: str) -> float:
    left, right = trigrams(one), trigrams(two)
    return len(left & right) / math.sqrt(len(left) * len(right))


def _numbers(name: Iterable[str]) -> frozenset[str]:
    return frozenset(each for each in name if each.isdigit()) - {"1"}  # the first of several often has no number


def _pairs(left: Sequence[T], right: Sequence[T], compare: Callable[[T, T], float]) -> Matrix:
    return np.array([[compare(one, two) for two in right] for one in left], dtype=float).reshape(len(left), len(right))


def _pairs_filled(left: Sequence[T], right: Sequence[T], compare: Callable[[T, T], float]) -> Matrix:
    """Compare the pairs of which both sides have something; others are 0. Where nothing was sampled, as in a contract, that is none of them."""
    found = np.zeros((len(left), len(right)))
    there = [(column, two) for column, two in enumerate(right) if two]
    for row, one in enumerate(left if there else ()):
        if one:
            for column, two in there:
                found[row, column] = compare(one, two)
    return found


def _shared_mass(one: Mapping[str, float], two: Mapping[str, float]) -> float:
    return sum(min(share, two.get(name, 0)) for name, share in one.items())


def _best(scores: Matrix) -> Matrix:
    """Return how far each score is above the best other one of its row and of its column; below, it is negative."""
    return np.minimum(scores - _other(scores), scores - _other(scores.T).T)


def _other(scores: Matrix) -> Matrix:
    if scores.shape[1] < 2:
        return np.zeros_like(scores)
    order = np.sort(scores, axis=1)
    first, second = order[:, -1:], order[:, -2:-1]
    return np.where(scores >= first, second, first)


# ---- types and shapes


def _types(left: Sequence[FieldProfile], right: Sequence[FieldProfile]) -> dict[str, Matrix]:
    kinds = [[FAMILIES.get(_plain_type(each), "") for each in side] for side in (left, right)]
    same = _pairs(kinds[0], kinds[1], lambda one, two: float(bool(one) and one == two))
    loose = {"", "text"}
    differs = _pairs(kinds[0], kinds[1], lambda one, two: float(one != two and one not in loose and two not in loose))
    observed = _pairs_filled([each.shapes for each in left], [each.shapes for each in right], _shared_mass)
    promises = [[_promise(each) for each in side] for side in (left, right)]
    kept = np.zeros_like(observed)
    broken = np.zeros_like(observed)
    for row, one in enumerate(left):
        for column, two in enumerate(right):
            if one.shapes and not two.shapes and promises[1][column]:
                share = sum(one.shapes.get(each, 0) for each in promises[1][column])
            elif two.shapes and not one.shapes and promises[0][row]:
                share = sum(two.shapes.get(each, 0) for each in promises[0][row])
            else:
                continue
            kept[row, column], broken[row, column] = share, 1 - share
    return {"type_same": same, "type_differs": differs, "shape_alike": observed, "shape_promised": kept, "shape_broken": broken}


def _plain_type(field: FieldProfile) -> str:
    return field.type.partition("(")[0].partition("<")[0]


def _promise(field: FieldProfile) -> tuple[str, ...]:
    if field.format in PROMISES:
        return PROMISES[field.format]
    if _plain_type(field) == "boolean":
        return ("boolean",)
    found = next((PROMISES[each] for each in reversed(find_meanings(field.name)) if each in PROMISES), ())
    return found or (("date", "timestamp", "epoch") if FAMILIES.get(_plain_type(field)) == "time" else ())


# ---- values


def _values(left: Sequence[FieldProfile], right: Sequence[FieldProfile]) -> dict[str, Matrix]:
    shape = (len(left), len(right))
    sampled = [np.array([float(each.records > 0) for each in side]) for side in (left, right)]
    filled = [np.array([float(each.filled > 0) for each in side]) for side in (left, right)]
    both = sampled[0][:, None] * sampled[1][None, :]
    valued = filled[0][:, None] * filled[1][None, :]
    overlap, alike_sets, contained = (np.zeros(shape) for _ in range(3))
    _overlap(left, right, overlap, alike_sets, contained)
    telling = _telling(left)[:, None] * _telling(right)[None, :]
    shared = _same_records(left, alike_sets)
    nulls = [np.array([each.nulls / max(each.records, 1) for each in side]) for side in (left, right)]
    pattern = _pairs_filled([each.patterns for each in left], [each.patterns for each in right], _shared_mass)
    prefixes = _pairs_filled([each.prefixes for each in left], [each.prefixes for each in right], _prefixes_differ)
    coded = [[_codes(each) for each in side] for side in (left, right)]
    codes = _pairs(coded[0], coded[1], _shared_codes)
    keys = [np.array([float(each.candidate_key or each.key) for each in side]) for side in (left, right)]
    strength = np.sqrt(telling)
    return {
        "_both": valued,
        "overlap": overlap * strength,
        "sets_alike": alike_sets * strength * shared,
        "sets_contained": contained * strength,
        "sets_apart": valued * shared * (1 - alike_sets),
        "nulls_differ": both * shared * np.abs(nulls[0][:, None] - nulls[1][None, :]),
        "one_empty": both * shared * np.abs(filled[0][:, None] - filled[1][None, :]),
        "pattern_alike": pattern * valued,
        "pattern_apart": np.maximum(valued * (1 - pattern) * (1 - overlap), prefixes),
        "overlap_best": _best(alike_sets * strength) * shared,
        "both_keys": keys[0][:, None] * keys[1][None, :],
        "codes_shared": codes,
    }


def _telling(side: Sequence[FieldProfile]) -> Matrix:
    """Return how much equal values say: nothing for a column of one value, all for thirty different ones."""
    return np.array([min(1.0, math.log(max(each.distinct, 1)) / math.log(30) + (0.15 if each.distinct else 0)) for each in side])


def _overlap(left: Sequence[FieldProfile], right: Sequence[FieldProfile], overlap: Matrix, alike_sets: Matrix, contained: Matrix) -> None:
    index: dict[str, list[tuple[int, float]]] = {}
    for column, each in enumerate(right):
        for value, count in each.values.items():
            index.setdefault(value, []).append((column, count / each.filled))
    instants = [column for column, each in enumerate(right) if FAMILIES.get(_plain_type(each)) == "time" and each.values]
    for row, field in enumerate(left):
        if not field.values:
            continue
        _count(row, field, field.values, index, right, overlap, alike_sets, contained)
        if field.shapes.get("epoch", 0) > 0.9 and instants:
            spelled = spell_epochs(field.values)
            again = {spelled[value]: count for value, count in field.values.items() if value in spelled}
            _count(row, field, again, index, right, overlap, alike_sets, contained)
        elif FAMILIES.get(field.type) == "number":
            for factor in (0.01, 100.0):  # amounts in cents on one side
                scaled = {spell_value(f"{float(value) * factor:.2f}"): count for value, count in field.values.items() if _is_number(value)}
                _count(row, field, scaled, index, right, overlap, alike_sets, contained, least=3, weight=0.95)


def _count(
    row: int, field: FieldProfile, values: Mapping[str, int], index: dict[str, list[tuple[int, float]]], right: Sequence[FieldProfile],
    overlap: Matrix, alike_sets: Matrix, contained: Matrix, least: int = 1, weight: float = 1.0,
) -> None:  # fmt: skip
    common: Counter[int] = Counter()
    mass: dict[int, float] = {}
    for value, count in values.items():
        for column, share in index.get(value, ()):
            common[column] += 1
            mass[column] = mass.get(column, 0.0) + min(share, count / field.filled)
    for column, number in common.items():
        if number < least:
            continue
        there = len(right[column].values)
        whole = len(values) + there - number
        kept_here, kept_there = (sum(each.values.values()) / each.filled for each in (field, right[column]))
        overlap[row, column] = max(overlap[row, column], weight * number / whole)
        contained[row, column] = max(contained[row, column], weight * number / min(len(values), there))
        alike_sets[row, column] = max(alike_sets[row, column], weight * mass[column] / max(kept_here, kept_there))


def _is_number(value: str) -> bool:
    return value.lstrip("-").replace(".", "", 1).isdigit() and len(value) < 16


def _same_records(left: Sequence[FieldProfile], alike_sets: Matrix) -> float:
    """Return how far both sides seem to hold the same records: the share of telling source fields whose values stand on the other side."""
    telling = [row for row, each in enumerate(left) if each.distinct >= 3]
    if not telling or not alike_sets.shape[1]:
        return 0.0
    return float((alike_sets[telling].max(axis=1) > 0.7).mean())


def _prefixes_differ(one: Mapping[str, float], two: Mapping[str, float]) -> float:
    """Return 1 where both are those of identifiers that begin with letters, and never with the same ones."""
    if sum(one.values()) < 0.9 or sum(two.values()) < 0.9 or len(one) > 3 or len(two) > 3:
        return 0.0
    return float(not one.keys() & two.keys())


def _codes(field: FieldProfile) -> tuple[bool, frozenset[str]]:
    """Return whether a field declares codes, and these, or else its values where they are few."""
    return bool(field.codes), frozenset(map(spell_value, field.codes)) or frozenset(field.values if field.distinct <= 20 else ())


def _shared_codes(one: tuple[bool, frozenset[str]], two: tuple[bool, frozenset[str]]) -> float:
    (declared, left), (declared_there, right) = one, two
    if not (declared or declared_there) or not left or not right:
        return 0.0
    return len(left & right) / min(len(left), len(right))


# ---- descriptions


def _documents(left: Sequence[FieldProfile], right: Sequence[FieldProfile], unknown: frozenset[str]) -> dict[str, Matrix]:
    texts = [[frozenset(find_meanings(f"{each.title} {each.description}"[:400], skip=unknown)) for each in side] for side in (left, right)]
    names = [[frozenset(find_meanings(each.name, skip=unknown)) for each in side] for side in (left, right)]
    counts = Counter(word for side in texts for text in side for word in text)
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys((*counts, *(word for side in names for name in side for word in name))))}
    rare = np.array([1 / (1 + math.log(counts[word])) if word in counts else 1.0 for word in vocabulary])
    here, there = (_incidence(side, vocabulary) for side in texts)
    named_here, named_there = (_incidence(side, vocabulary) for side in names)
    common = (here * rare) @ there.T
    either = (here @ rare)[:, None] + (there @ rare)[None, :] - common
    forward = (named_here @ there.T) / np.maximum(named_here.sum(axis=1), 1)[:, None]
    backward = (here @ named_there.T) / np.maximum(named_there.sum(axis=1), 1)[None, :]
    return {"described_alike": common / np.where(either > 0, either, 1.0), "described_named": np.maximum(forward, backward)}
