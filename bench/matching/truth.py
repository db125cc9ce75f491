"""Which column of a staging table is which column of its export, derived from the material itself.

``input/X_data.csv`` and ``golden/stg_SYSTEM__X.csv`` hold the same records. In this order:

1. A column of the one has the same values as a column of the other, each as often (numbers and instants spelled alike). Where that says one
   column on each side, and it is not empty, it is the truth.
2. Where several columns hold the same values (empty ones, constants, copies), the same name decides; then names of which one is the other with
   words that the packages add (``id`` → ``charge_id``, ``captured`` → ``is_captured``, ``property_hs_email_text`` → ``email_text``); then the same
   description in ``columns/*.yml``.
3. A source column whose values stand in no column of the target has no counterpart: the truth is "none". One whose values do stand there, though
   no name decides (an empty column among empty ones), is likewise "none": nothing says that it was kept.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

SYSTEMS = ("stripe", "hubspot")
OTHER_NAMES = {"price_plan": "price"}  # staging table → export, where they are not named alike
OTHER_WORDS = {"address_zip": "address_postal_code", "tokenization_method": "wallet_type"}  # documented renames of columns that are empty here
ADDED = frozenset(["is", "at", "by", "id", "timestamp", "date", "property", "hs", "hubspot", "fivetran", "data", "event", "name", "address", "field", "email", "emails"])


@dataclass(frozen=True)
class Pair:
    """One export and its staging table, as columns of texts, and the truth."""

    system: str
    name: str
    source: Mapping[str, Sequence[str]]
    target: Mapping[str, Sequence[str]]
    truth: Mapping[str, str | None]


def load_pairs(folder: Path, system: str) -> list[Pair]:
    """Load every pair of tables of a system."""
    described = _descriptions(folder / system / "columns")
    found = []
    for golden in sorted((folder / system / "golden").glob("stg_*.csv")):
        name = golden.stem.partition("__")[2]
        export = folder / system / "input" / f"{OTHER_NAMES.get(name, name)}_data.csv"
        if export.exists():
            source, target = read_columns(export), read_columns(golden)
            texts = (described.get(f"source {OTHER_NAMES.get(name, name)}", {}), described.get(golden.stem, {}))
            found.append(Pair(system, name, source, target, derive(name, source, target, texts)))
    return found


def read_columns(path: Path) -> dict[str, list[str]]:
    """Read a CSV file as columns."""
    with path.open(encoding="utf-8-sig", newline="") as opened:
        rows = csv.reader(opened)
        header = next(rows)
        body = [row for row in rows if len(row) == len(header)]
    return {name: [row[number] for row in body] for number, name in enumerate(header)}


def derive(
    table: str, source: Mapping[str, Sequence[str]], target: Mapping[str, Sequence[str]], described: tuple[Mapping[str, str], Mapping[str, str]]
) -> dict[str, str | None]:
    """Return the truth of one pair: each source column with its staging column or None."""
    left = {name: _counted(values) for name, values in _kept_rows(source, target).items()}
    right = {name: _counted(values) for name, values in target.items()}
    equal = {(one, two) for one in left for two in right if _same(left[one], right[two])}
    truth: dict[str, str | None] = dict.fromkeys(source)
    open_targets = set(target)

    def settle(one: str, two: str) -> None:
        truth[one] = two
        open_targets.discard(two)
        equal.difference_update({pair for pair in equal if pair[0] == one or pair[1] == two})

    for one, two in sorted(equal):
        alone = sum(pair[0] == one for pair in equal) == 1 == sum(pair[1] == two for pair in equal)
        if alone and left[one].keys() - {""}:
            settle(one, two)
    scored = sorted(((_documented(table, one, two, described), one, two) for one, two in equal), reverse=True)
    for score, one, two in scored:
        if score > 0 and (one, two) in equal:
            settle(one, two)
    return truth


def _kept_rows(source: Mapping[str, Sequence[str]], target: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Return the source without the rows that the staging table leaves out, known by their ``id``."""
    rows, kept = (len(next(iter(side.values()))) for side in (source, target))
    if kept >= rows or "id" not in source:
        return source
    ids = next((set(values) for values in target.values() if kept and set(values) <= set(source["id"]) - {""}), None)
    if ids is None:
        return source
    chosen = [number for number, each in enumerate(source["id"]) if each in ids]
    return {name: [values[number] for number in chosen] for name, values in source.items()}


def _same(one: Counter[str], two: Counter[str]) -> bool:
    """Whether two columns hold the same values, a tenth of them apart at most (the golden tables were cut at a hundred rows)."""
    return sum((one & two).values()) >= 0.9 * max(sum(one.values()), sum(two.values()))


def _documented(table: str, one: str, two: str, described: tuple[Mapping[str, str], Mapping[str, str]]) -> float:
    if one == two:
        return 3.0
    here, there = described[0].get(one, ""), described[1].get(two, "")
    own = set(table.split("_"))
    left, right = ([each for each in re.split(r"[_\W]+", OTHER_WORDS.get(name, name).lower()) if each] for name in (one, two))
    left = [re.sub(r"d$", "", each) if each in ("created", "closed") else each for each in left]
    right = [re.sub(r"d$", "", each) if each in ("created", "closed") else each for each in right]
    main_left, main_right = ([each for each in side if each not in own | ADDED] for side in (left, right))
    shared = len(set(left) & set(right)) / len(set(left) | set(right))
    if "".join(main_left) == "".join(main_right) and (main_left or set(left) & set(right)):
        return 2.0 + shared
    if here and here == there and sum(text == there for text in described[1].values()) == 1:
        return 1.0 + shared
    return 0.0


def _counted(values: Sequence[str]) -> Counter[str]:
    return Counter(_spelled(each) for each in values)


def _spelled(value: str) -> str:
    value = value.strip()
    if value.lower() in ("true", "false"):
        return value.lower()
    if re.fullmatch(r"-?\d+(\.\d+)?", value) and len(value) < 16:
        return format(float(value), ".6g" if "." in value else ".16g")
    if matched := re.fullmatch(r"(\d{4}-\d\d-\d\d)[ T](\d?\d:\d\d:\d\d)(\.\d+)?(?: UTC|Z|[+]00(?::?00)?)?", value):
        clock = f" {matched[2]:0>8}{(matched[3] or '').rstrip('0').rstrip('.')}"
        return matched[1] + ("" if clock == " 00:00:00" else clock)
    return value


def _descriptions(folder: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        tables = [(each["name"], each) for each in content.get("models", ())]
        tables += [(f"source {each['name']}", each) for source in content.get("sources", ()) for each in source.get("tables", ())]
        for name, table in tables:
            found[name] = {each["name"]: str(each.get("description", "")).strip() for each in table.get("columns", ())}
    return found
