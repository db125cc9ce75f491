"""The reasons for an answer, for people: which evidence spoke for it and against it."""

from __future__ import annotations

from collections.abc import Mapping

from treaty.matching.evidence import Matrix
from treaty.matching.names import find_meanings
from treaty.matching.profiles import FieldProfile

ALIKE_LETTERS = 0.3


def explain_pair(
    source: FieldProfile, target: FieldProfile, features: Mapping[str, Matrix], row: int, column: int, earlier: float
) -> tuple[str, ...]:
    """Return short sentences without full stop, the strongest kind of evidence first."""

    def has(name: str) -> float:
        return float(features[name][row, column])

    found = []
    if earlier > 0:
        found.append("mapped so before in this project")
    if source.name.casefold() == target.name.casefold():
        found.append("the same name")
    elif has("name_same"):
        found.append(f"names mean the same: {' '.join(find_meanings(target.name))}")
    elif has("name_alike") >= 0.5:
        common = [each for each in find_meanings(source.name) if each in find_meanings(target.name)]
        alone = "names are spelled alike" if has("name_letters") >= ALIKE_LETTERS else "names mean the same, as they stand here"
        found.append(f"names share: {' '.join(common)}" if common else alone)
    if has("sets_alike") >= 0.3 or has("overlap") >= 0.3:
        found.append(f"{round(100 * max(has('sets_alike'), has('overlap')))} % of the values are the same")
    elif has("sets_contained") >= 0.5:
        found.append("the values of one are among the other's")
    if has("codes_shared") >= 0.3:
        found.append("values are of the other's code list")
    if has("shape_promised") >= 0.8 or (has("shape_alike") >= 0.8 and source.main_shape not in ("", "text", "words", "word", "mixed", "name")):
        found.append(f"values look like {source.main_shape or target.main_shape or 'what the name says'}")
    if has("described_alike") >= 0.4 or has("described_named") >= 0.99:
        found.append("descriptions agree")
    if has("around_alike") >= 0.5:
        found.append("stands below the same name")
    if has("both_keys"):
        found.append("both tell the records apart")
    found += [said for name, said in AGAINST if has(name) >= 0.8]
    return tuple(found)


AGAINST = (
    ("type_differs", "but the types differ"),
    ("shape_broken", "but values do not look like the name"),
    ("sets_apart", "but values differ though the records seem the same"),
    ("name_differs", "but the names differ in a word that matters"),
)
