"""The cell of a field: how its values are read. What the values leave open about money, dates, zones and codes is asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from treaty.compiler.functions.times import zone_names
from treaty.matching.names import find_meanings
from treaty.matching.shapes import BLANKS, MARKS, QUOTES, find_shape
from treaty.onboarding.drafts import Draft, Drafts
from treaty.onboarding.functions import Reader, find_readers
from treaty.onboarding.paths import spell_text
from treaty.onboarding.questions import LEAVE, Interview, Option, Question, Topic, first_words
from treaty.project.declarations import ClientProject, SchemaProperty
from treaty.project.loading import Project

ASKED_VALUES = 6  # of one code list; more of them are counted by the dry run, and listed by `treaty coverage`
LISTED_OPTIONS = 9
MOST_CODES = 30
DAY_FIRST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")
YEAR_FIRST = re.compile(r"\d{4}([./])\d{1,2}\1\d{1,2}")
EPOCH = re.compile(r"1[0-9]{9}(?:[0-9]{3})?")
CLOCK = re.compile(r"[T ]\d?\d:\d\d(:\d\d)?")
ZONED = re.compile(r"\d(Z|UTC|[+-]\d\d:?(\d\d)?)\Z")
ZONES = {
    "DE": "Europe/Berlin", "AT": "Europe/Vienna", "CH": "Europe/Zurich", "FR": "Europe/Paris", "NL": "Europe/Amsterdam", "BE": "Europe/Brussels",
    "GB": "Europe/London", "IE": "Europe/Dublin", "ES": "Europe/Madrid", "PT": "Europe/Lisbon", "IT": "Europe/Rome", "PL": "Europe/Warsaw",
    "DK": "Europe/Copenhagen", "SE": "Europe/Stockholm", "NO": "Europe/Oslo", "FI": "Europe/Helsinki",
}  # fmt: skip
NUMBERS = frozenset({"integer", "decimal", "comma-decimal", "epoch", "percent", "number"})
FITTING: Mapping[str, frozenset[str]] = {
    "decimal": NUMBERS, "integer": frozenset({"integer", "epoch"}), "boolean": frozenset({"boolean"}),
    "date": frozenset({"date", "timestamp", "epoch"}), "timestamp": frozenset({"timestamp", "date", "epoch", "integer"}),
}  # fmt: skip
"""The shapes of values that a type can be read from."""
FIT_SHARE = 0.5
TRUE_WORDS, FALSE_WORDS = ("ja", "yes", "y", "j", "oui", "wahr", "t", "x"), ("nein", "no", "n", "non", "falsch", "f")


@dataclass(slots=True)
class CellChooser:
    """Chooses the cells of one client's stream for one model. ``countries`` are the country codes seen in the sample, the most frequent first."""

    project: Project
    view: ClientProject
    system: str
    model: str
    interview: Interview
    drafts: Drafts
    countries: tuple[str, ...] = ()
    cells: dict[str, str] = field(default_factory=dict)  # chosen so far: dotted field → cell

    def choose(self, target: str, declared: SchemaProperty, path: str, values: Counter[str], seen: str = "") -> str | None:
        """Return the cell that reads ``values`` at a spelled path into a field; None where a question is open.

        ``seen`` is the type that the source's field has by its values, or by its description where there are none.
        """
        kind = declared.type.partition("(")[0]
        texts = [each for each in values if each.strip()]
        if kind == "decimal":
            return self._decimal(target, declared, path, texts)
        if not texts and seen == "integer" and kind in ("date", "timestamp"):
            texts = ["1700000000"]  # whole numbers that are times count seconds
        if kind == "date":
            return self._date(target, path, texts)
        if kind == "timestamp":
            return self._timestamp(path, texts)
        if kind == "boolean":
            return _boolean(path, texts)
        if kind == "integer":
            return f"to_integer({path})"
        return self._text(target, path, values)

    # ---- texts and codes

    def _text(self, target: str, path: str, values: Counter[str]) -> str | None:
        for reader in find_readers(self.project, self.view, self.model, target):
            further = [name for name, _ in reader.signature.parameters[1:]]
            found = {name: self._beside(target, name) for name in further}
            if any(found[name] is None and name != "country" for name in further):
                continue
            if reader.record.kind == "value-map":
                self._codes(reader, target, values)
            if "country" in found and found["country"] is None:
                found["country"] = self._country(target, values)
            arguments = [path, *(found[name] for name in further)]
            return None if None in arguments else f"{reader.signature.name}({', '.join(each for each in arguments if each)})"
        return f"trim({path})"

    def _beside(self, target: str, name: str) -> str | None:
        """Return the cell of the field that a further parameter is named after: ``country``, or ``seller_country`` for ``seller_phone``."""
        prefix = target.rpartition("_")[0]
        return next((self.cells[each] for each in (f"{prefix}_{name}", name) if each in self.cells), None)

    def _country(self, target: str, values: Counter[str]) -> str | None:
        national = [each for each in values if each.strip() and not each.strip().startswith(("+", "00"))]
        topic = Topic("country", self.system, "", f"country of {self.model}.{target}")
        options = tuple(Option(each, each) for each in self.countries) or (Option("DE", "DE"),)
        evidence = (f"{len(national)} of {len(values)} values do not begin with + or 00: {first_words(national)}",)
        if not national:
            return "null"
        question = Question(topic, f"Which country do values of {self.model}.{target} belong to that do not say it?", "identity", evidence, options,
                            self.countries[0] if self.countries else None, 0.6, only_options=False, known=self._country_codes())  # fmt: skip
        answer = self.interview.ask(question)
        return None if answer is None else "null" if answer.value == LEAVE else spell_text(answer.value)

    def _country_codes(self) -> tuple[str, ...]:
        lists = (each for each in self.view.decisions.values() if each.kind == "value-map" and any(one.endswith(".country") for one in each.governs))
        return tuple(sorted({code for each in lists for code in each.map.values()}))

    def _codes(self, reader: Reader, target: str, values: Counter[str]) -> None:
        """Ask what the values mean that the code list does not have."""
        code_list = reader.record
        folded = {_fold(each, code_list.match) for each in code_list.map}
        unknown = Counter({each.strip(): count for each, count in values.items() if each.strip() and _fold(each, code_list.match) not in folded})
        if len(unknown) > MOST_CODES:
            return
        meanings = tuple(dict.fromkeys(code_list.map.values()))
        total = sum(values.values())
        for value, count in unknown.most_common(ASKED_VALUES):
            proposal = _same_meaning(value, code_list.map)
            options = tuple(Option(each, f"as {_examples(each, code_list.map)}") for each in meanings) if len(meanings) <= LISTED_OPTIONS else ()
            options = (*options, Option(LEAVE, "leave it open: the value is counted, the field stays empty")) if options else ()
            topic = Topic("value", f"{self.model}.{target}", value, value.casefold())
            evidence = (f"{count} of {total} records have it", f"the code list {code_list.id} has no row for it")
            text = f"What does {value!r} mean in {self.model}.{target}?"
            answer = self.interview.ask(Question(topic, text, "codes", evidence, options, proposal, 0.8 if proposal else 0.0, only_options=bool(options), known=meanings))
            if answer is not None:
                self.drafts.add_row(code_list.id, value, answer)

    # ---- money

    def _decimal(self, target: str, declared: SchemaProperty, path: str, texts: list[str]) -> str | None:
        money = declared.currency is not None
        shapes = Counter(find_shape(each.strip()) for each in texts)
        if shapes["comma-decimal"]:
            return self._comma(target, declared, path, texts)
        if money and texts and set(shapes) <= {"integer", "epoch"}:
            return self._minor(target, declared, path, texts)
        readers = [each for each in find_readers(self.project, self.view, self.model, target) if len(each.signature.parameters) == 1]
        return f"{readers[0].signature.name}({path})" if readers else f"plain_decimal({path})"

    def _comma(self, target: str, declared: SchemaProperty, path: str, texts: list[str]) -> str | None:
        commas = [each for each in texts if "," in each] or texts
        evidence = (f"{len(commas)} of {len(texts)} values have a comma: {first_words(commas)}",) if "," in commas[0] else (first_words(texts),)
        options = (Option("comma", "the comma is the decimal point, dots group"), Option("point", "the point is the decimal point, commas group"))
        topic = Topic("amounts", self.system, "", "comma")
        text = f"How are amounts of {self.system} written?"
        proposal = "point" if any(0 <= each.rfind(",") < each.rfind(".") or each.count(",") != 1 for each in commas) else "comma"
        answer = self.interview.ask(Question(topic, text, "money", evidence, options, proposal, 0.95))
        if answer is None or answer.value not in ("comma", "point"):
            return None
        grouping, point = (".", ",") if answer.value == "comma" else (",", ".")
        kind = declared.type
        name = f"{_name(self.drafts.client)}_{_name(self.system)}_{'amount' if kind == 'decimal(18,4)' else _name(kind)}"
        draft = self.drafts.made.get(name.replace("_", "-"))
        if draft is None:
            body = _amount_body(texts, grouping, point)
            credit = "replace(replace(trim(text), '(', ''), ')', '')"
            cases = [{"when": "starts_with(trim(text), '(')", "then": f"0 - {body.format(credit)}"}]
            if any(each.strip().endswith("-") for each in texts):
                owed = "replace(trim(text), '-', '')"
                cases.append({"when": "ends_with(trim(text), '-')", "then": f"0 - {body.format(owed)}"})
            draft = Draft(
                name.replace("_", "-"), f"{self.system} of {self.drafts.client} writes amounts with a {answer.value} before the decimals", f"{name}(text: string) -> {kind}",
                {"cases": cases, "otherwise": body.format("trim(text)")},
                tuple(_example(each, grouping, point) for each in sorted(commas, key=lambda each: (-len(each), each))[:3]),
                tuple(f"{each.value}: {each.label}" for each in options), f"{answer.value}: parentheses mean minus.", answer,
            )  # fmt: skip
            self.drafts.made[draft.id] = draft
        draft.governs.append(f"{self.model}.{target}")
        return f"{name}({path})"

    def _minor(self, target: str, declared: SchemaProperty, path: str, texts: list[str]) -> str | None:
        evidence = (f"all {len(texts)} values are whole numbers: {first_words(texts)}",)
        options = (Option("cents", "the smallest unit of the currency: 1250 is 12.50"), Option("units", "whole units: 1250 is 1250.00"))
        topic = Topic("amounts", self.system, "", "whole")
        proposal = "cents" if sum(len(each) for each in texts) / len(texts) >= 4 else "units"
        answer = self.interview.ask(Question(topic, f"In which unit are amounts of {self.system}?", "money", evidence, options, proposal, 0.6))
        if answer is None:
            return None
        return f"from_minor_units(to_integer({path}), 2)" if answer.value == "cents" else f"plain_decimal({path})"

    # ---- dates

    def _date(self, target: str, path: str, texts: list[str]) -> str | None:
        if texts and (all(CLOCK.search(each) for each in texts) or all(EPOCH.fullmatch(each) for each in texts)):
            return self._day_of_instant(target, path, texts)
        if texts and all(re.fullmatch(r"\d{8}", each.strip()) for each in texts):
            return f"date_in(trim({path}), 'YYYYMMDD')"
        form = self._day_form(texts)
        if form is None:
            return None
        return f"iso_date(trim({path}))" if form == "YYYY-MM-DD" else f"date_in(trim({path}), '{form}')"

    def _day_form(self, texts: list[str]) -> str | None:
        """Return the format of the dates; which of day and month comes first is asked where the values leave it open."""
        found = [matched for each in texts if (matched := DAY_FIRST.match(each.strip()))]
        if not found:
            year = next((matched.group(1) for each in texts if (matched := YEAR_FIRST.match(each.strip()))), "-")
            return f"YYYY{year}MM{year}DD"
        mark = found[0].group(2)
        day, month = ("DD", "MM") if all(len(each.group(1)) == 2 for each in found) else ("D", "M")
        day_first, month_first = (sum(int(each.group(number)) > 12 for each in found) for number in (1, 3))
        if mark == "." or (day_first and not month_first):
            return f"{day}{mark}{month}{mark}YYYY"
        if month_first and not day_first:
            return f"{month}{mark}{day}{mark}YYYY"
        options = (Option("day", "day, month, year"), Option("month", "month, day, year"))
        evidence = (f"{day_first} values can only have the day first, {month_first} only the month, {len(found) - day_first - month_first} both: {first_words(texts)}",)
        topic = Topic("dates", self.system, "", f"order of 9{mark}9{mark}9")
        answer = self.interview.ask(Question(topic, f"Which comes first in dates of {self.system}?", "dates", evidence, options, None, 0.5))
        if answer is None:
            return None
        return f"{day}{mark}{month}{mark}YYYY" if answer.value == "day" else f"{month}{mark}{day}{mark}YYYY"

    def _day_of_instant(self, target: str, path: str, texts: list[str]) -> str | None:
        """Adopt a decision that says which day it is at an instant: that depends on the zone."""
        zone = self._zone(texts)
        instant = self._timestamp("text", texts)
        answer = self.interview.answered("zone", self.system)
        if zone is None or instant is None or answer is None:
            return None
        name = f"{_name(self.drafts.client)}_{_name(self.system)}_day"
        id, title = name.replace("_", "-"), f"The day of a time of {self.system} is the day in {zone}"
        options = (f"{zone}: where people read the date", "UTC: another day for some hours of each night")
        made = Draft(id, title, f"{name}(text: string) -> date", {"expression": f"date_at({instant}, '{zone}')"}, (), options, f"The day in {zone}.", answer)
        draft = self.drafts.made.setdefault(id, made)
        draft.governs.append(f"{self.model}.{target}")
        return f"{name}({path})"

    def _timestamp(self, path: str, texts: list[str]) -> str | None:
        if texts and all(len(each) == 10 and EPOCH.fullmatch(each) for each in texts):
            return f"epoch_seconds({path})"
        if texts and all(len(each) == 13 and EPOCH.fullmatch(each) for each in texts):
            return f"epoch_millis({path})"
        if not texts or all(ZONED.search(each.strip()) for each in texts):
            return f"iso_timestamp({path})"
        if not all(CLOCK.search(each) for each in texts):
            return None
        form = self._day_form(texts)
        zone = self._zone(texts)
        if form is None or zone is None:
            return None
        clock = "HH:MI:SS" if all(each.count(":") == 2 for each in texts) else "HH:MI"
        local = f"local_timestamp({path})" if form == "YYYY-MM-DD" else f"local_timestamp_in(trim({path}), '{form} {clock}')"
        return f"in_zone({local}, '{zone}')"

    def _zone(self, texts: list[str]) -> str | None:
        guess = next((ZONES[each] for each in self.countries if each in ZONES), "UTC")
        options = tuple(Option(each, each) for each in dict.fromkeys((guess, "UTC")))
        evidence = (f"times do not say it: {first_words(texts, 3)}", f"countries in the sample: {', '.join(self.countries[:3]) or 'none'}")
        topic = Topic("zone", self.system, "", f"zone of times in {guess}")
        text, known = f"In which time zone are times of {self.system}?", tuple(sorted(zone_names()))
        answer = self.interview.ask(Question(topic, text, "dates", evidence, options, guess, 0.7, only_options=False, known=known))
        return None if answer is None or answer.value == LEAVE else answer.value


def fits(kind: str, texts: Iterable[str], seen: str) -> bool:
    """Whether values can be of a type; where there are none, whether a described type can."""
    wanted = FITTING.get(kind.partition("(")[0])
    if wanted is None:
        return True
    shapes = [find_shape(each) for each in map(str.strip, texts) if each]
    if not shapes:
        return seen in wanted or (seen in ("string", "") and kind != "boolean")
    return sum(each in wanted for each in shapes) >= FIT_SHARE * len(shapes)


def _boolean(path: str, texts: Iterable[str]) -> str:
    words = {each.strip().casefold() for each in texts}
    if words <= {"true", "false", "1", "0"}:
        return f"to_boolean({path})"
    return f"boolean_in({path}, '{'|'.join(TRUE_WORDS)}', '{'|'.join(FALSE_WORDS)}')"


def _fold(text: str, match: str) -> str:
    return text.strip().casefold() if match == "trim_casefold" else text


def _same_meaning(value: str, rows: Mapping[str, str]) -> str | None:
    """Return what a row says whose value means the same in another language or spelling."""
    meanings = find_meanings(value)
    return next((target for known, target in rows.items() if meanings and find_meanings(known) == meanings), None)


def _examples(target: str, rows: Mapping[str, str]) -> str:
    return ", ".join([known for known, each in rows.items() if each == target][:3])


def _name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _amount_body(texts: Iterable[str], grouping: str, point: str) -> str:
    """Return the expression that reads an amount: what stands between its thousands and the signs of currencies are left out, as far as they were seen."""
    seen = sorted({each for text in texts for each in text.strip()} & set(BLANKS + MARKS + QUOTES))
    body = "{}"
    for each in (*seen, grouping):
        body = f"replace({body}, {spell_text(each)}, '')"
    return f"plain_decimal({body})" if point == "." else f"plain_decimal(replace({body}, '{point}', '.'))"


def _example(text: str, grouping: str, point: str) -> dict[str, object]:
    bare = text.strip()
    number = Decimal(bare.strip("()-+").translate({ord(each): None for each in BLANKS + MARKS + QUOTES}).strip("-+").replace(grouping, "").replace(point, "."))
    return {"text": bare, "returns": -number if bare.startswith("(") or "-" in bare else number}
