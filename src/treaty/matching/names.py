"""Names as meanings: words of a field's name, whatever its case, abbreviation or language."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from importlib.resources import files

PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
LONGEST_PHRASE = 4
FILES = ("western.txt", "central.txt", NORTHERN := "northern.txt")
LEAST_PART = 4  # letters of a part of compounds that is northern, or a word of a phrase: shorter ones stand in many words by chance
# Words that say nothing by themselves; they count only where nothing else is left.
_WEAK = """
the a an of at on in is has was are be de del des du la le les el los das der die het een il lo von van und and et y e for per do da dos das em av til och
"""
WEAK = frozenset(_WEAK.split())
FILLERS = ("", "s", "n", "en", "er", "e", "-")
_LETTERS = {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
_BARE = {**_LETTERS, **{each.upper(): letters.capitalize() for each, letters in _LETTERS.items() if each not in "ßı"}, "#": " number "}
LETTERS = str.maketrans({**_BARE, "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
DATES = frozenset(["issue", "order", "shipping", "due", "birth", "created", "updated", "closed", "cancelled", "paid", "start", "end"])
"""Which date: two names of dates that hold different ones mean different things."""
# Words that part one field from its sibling: two names that hold two different ones of a row mean different things.
OPPOSITES: tuple[frozenset[str], ...] = tuple(
    frozenset(each.split())
    for each in (
        "start end due created updated closed cancelled deleted sent received paid delivered opened shipped birth",
        "first last middle full",
        "billing shipping",
        "customer supplier",
        "net gross tax discount fee",
        "city country region postal street",
        "email phone fax website url",
        "id name type status description",
        "least most min max",
        "source target",
        "from to",
        "cc bcc",
        "day week month year",
        "width height length weight",
        "latitude longitude",
        "quantity price amount",
    )
)


@functools.cache
def _lexicon() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Words by what they mean; where files disagree, the first one says."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for file in FILES:
        for concept, phrase in _read_words(file):
            found.setdefault(concept, concept)
            found.setdefault(phrase, concept)
    return found


@functools.cache
def _folded() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Words of languages whose vowels with signs are written in several ways (``förnamn``, ``foernamn``, ``fornamn``), without any sign."""
    return {_fold(phrase): concept for file in FILES[1:] for concept, phrase in reversed(list(_read_words(file)))}


def _fold(phrase: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each.replace("ae", "a").replace("oe", "o").replace("ue", "u").replace("aa", "a") for each in phrase)


@functools.cache
def _read_words(file: str) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Return (meaning, word) as a file of words lists them."""
    found = []
    for line in files("treaty.matching").joinpath("words", file).read_text(encoding="utf-8").splitlines():
        meaning, colon, words = line.partition(":")
        if colon and not line.startswith("#"):
            found += [(tuple(meaning.split()), split_words(word)) for word in words.split()]
    return tuple(found)


@functools.cache
def _words() -> frozenset[str]:
    """Words out of which compounds are made."""
    western = (part for pair in _read_words(FILES[0]) for phrase in pair for part in phrase if len(part) >= (3 if len(phrase) == 1 else LEAST_PART))
    northern = (phrase[0] for _, phrase in _read_words(NORTHERN) if len(phrase) == 1 and len(phrase[0]) >= LEAST_PART)
    return frozenset((*western, *northern))


def split_words(name: str) -> tuple[str, ...]:
    """Return the words of a name in small letters without accents: ``custAddr2`` gives cust, addr, 2."""
    bare = re.sub(r"\b[A-Za-z]\w*:(?=\w)", "", name)  # a prefix of XML says nothing
    spread = unicodedata.normalize("NFKD", bare.translate(LETTERS))
    plain = "".join(each for each in spread if not unicodedata.combining(each))
    return tuple(each.lower() for each in PARTS.findall(plain))


@functools.cache
def take_apart(word: str) -> tuple[str, ...]:
    """Return the known words that a compound is made of, or the word itself: ``rechnungsnummer`` gives rechnung, nummer."""
    if len(word) < 6 or word in _words() or (word,) in _lexicon():
        return (word,)
    known = _words()
    for cut in range(len(word) - 3, 2, -1):
        head, tail = word[:cut], word[cut:]
        if head not in known:
            continue
        for filler in FILLERS:
            rest = tail[len(filler) :] if tail.startswith(filler) else ""
            if rest in known:
                return (head, rest)
            if len(rest) > 6 and (parts := take_apart(rest)) != (rest,):
                return (head, *parts)
    return (word,)


@functools.lru_cache(maxsize=100_000)  # a field is compared with every model, and the lists of a description share most of theirs
def find_meanings(name: str, *, skip: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return the meanings in a name, in their order, each once. Words in ``skip`` are taken as they stand."""
    words = [part for word in split_words(name) for part in ((word,) if word in skip else take_apart(word))]
    found: list[str] = []
    position = 0
    while position < len(words):
        for length in range(min(LONGEST_PHRASE, len(words) - position), 0, -1):
            phrase = tuple(words[position : position + length])
            concept = None if skip.intersection(phrase) else _look_up(phrase)
            if concept:
                break
        else:
            length, concept = 1, (_singular(words[position]),)
        found += concept
        position += length
    strong = [each for each in found if each not in WEAK]
    return tuple(dict.fromkeys(strong or found))


def _look_up(phrase: tuple[str, ...]) -> tuple[str, ...] | None:
    found = _lexicon().get(phrase) or (_lexicon().get((_singular(phrase[0]),)) if len(phrase) == 1 else None)
    return found or _folded().get(_fold(phrase))


def differ(here: Mapping[int, frozenset[str]], there: Mapping[int, frozenset[str]]) -> bool:
    """Whether two names hold, by :func:`find_opposites`, different words of one row of opposites, and none of it in common."""
    return any(not here[row] & there[row] for row in here.keys() & there.keys()) if here and there else False


def find_opposites(meanings: Iterable[str]) -> dict[int, frozenset[str]]:
    """Return the rows of opposites, by their place, that meanings hold words of, with these words."""
    held = frozenset(meanings)
    found = {place: row & held for place, row in enumerate(OPPOSITES) if row & held}
    return {**found, len(OPPOSITES): DATES & held} if "date" in held and DATES & held else found


@functools.cache
def known_words() -> frozenset[str]:
    """Words that are meanings themselves: two of them are told apart, however alike they are spelled."""
    return frozenset(word for concept in _lexicon().values() for word in concept)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


@functools.cache
def trigrams(text: str) -> frozenset[str]:
    """Return the runs of three letters of a text with its ends marked."""
    padded = f"  {text} "
    return frozenset(padded[each : each + 3] for each in range(len(padded) - 2))


def alike(first: str, second: str) -> float:
    """Return how alike two words are, 0 to 1: of unknown ones abbreviations (``addr``, ``cstmr``) and misspellings count."""
    if first == second:
        return 1.0
    if {first, second} <= known_words():
        return 0.0
    if first.isdigit() or second.isdigit():
        return 0.0
    short, long = sorted((first, second), key=len)
    if len(short) >= 3 and long.startswith(short):
        return 0.85 if len(short) >= 4 else 0.7
    if len(short) >= 3 and short[0] == long[0] and _skeleton(short) and (_skeleton(short) == _skeleton(long) or short == _skeleton(long)):
        return 0.75
    left, right = trigrams(first), trigrams(second)
    share = len(left & right) / len(left | right)
    return share if share >= 0.5 else 0.0


def _skeleton(word: str) -> str:
    return word[0] + "".join(each for each in word[1:] if each not in "aeiou")
