"""Writes a list of elements as structs of what is computed of them: one ``list_transform`` a level of dependency."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping


def folded(variable: str, elements: str, columns: Mapping[str, str], members: Mapping[str, str]) -> str:
    """Return SQL that turns elements into structs of ``members``, each SQL over ``columns``, named ``variable.name``, of an element."""
    there: list[str] = []
    levels = _Folding(variable, columns, members).levels
    for number, made in enumerate(levels):
        later = {name for below in levels[number + 1 :] for sql in below.values() for name in re.findall(rf"\b{variable}\.(\w+)", sql)}
        there = [name for name in there if name in later]
        spelled = [f"{name}: {variable}.{name}" for name in there] + [f"{name}: {sql}" for name, sql in made.items()]
        elements = f"list_transform({elements}, lambda {variable}: {{{', '.join(spelled) or 'none: NULL'}}})"
        there += made
    return elements


class _Folding:
    """Cuts the columns of an element that some members need into levels: each a dictionary of names and SQL over the level before it.

    Every member of a level costs a vector, so a column that is used once is written into what uses it, and so is a mere look at the
    element; but the element itself is there only for the first level.
    """

    def __init__(self, variable: str, columns: Mapping[str, str], members: Mapping[str, str]) -> None:
        self._named = re.compile(rf"\b{variable}\.(\w+)")
        self._element = re.compile(rf"\b{variable}\b")
        self._inside: dict[str, str] = {}  # what is written into its users
        self._kept: dict[str, str] = {}
        self._columns = self._needed(columns, members)
        texts = [*self._columns.values(), *members.values()]
        uses = Counter(used for sql in texts for used in self._named.findall(sql))
        repeated = {used for sql in texts if "lambda" in sql for used in self._named.findall(sql)}
        for name, sql in self._columns.items():
            written = self._written(sql)
            once = uses[name] == 1 and name not in repeated and name[0] in "lvwrc"
            if once or (name[0] == "s" and "lambda" not in sql):
                self._inside[name] = f"({written})"
            else:
                self._kept[name] = written
        made = {name: self._written(sql, last=True) for name, sql in members.items()}
        self.levels = [*self._ranked(), made]

    def _needed(self, columns: Mapping[str, str], members: Mapping[str, str]) -> dict[str, str]:
        needed: set[str] = set()
        asked = [name for sql in members.values() for name in self._named.findall(sql)]
        while asked:
            name = asked.pop()
            if name in columns and name not in needed:
                needed.add(name)
                asked += self._named.findall(columns[name])
        return {name: sql for name, sql in columns.items() if name in needed}

    def _written(self, sql: str, *, last: bool = False) -> str:
        """Return SQL with the columns that do not stand by themselves written into it; those that look at the element stand if it is gone by then."""
        text = self._put_in(sql)
        if (last and self._kept) or any(name in self._kept for name in self._named.findall(text)):
            for name in self._named.findall(sql):
                if self._looks_at_element(self._inside.get(name, "")):
                    self._kept[name] = self._inside.pop(name)
            text = self._put_in(sql)
        return text

    def _put_in(self, sql: str) -> str:
        return self._named.sub(lambda found: self._inside.get(found[1], found[0]), sql)

    def _looks_at_element(self, sql: str) -> bool:
        return bool(self._element.search(self._named.sub(lambda found: "" if found[1] in self._columns else found[0], sql)))

    def _ranked(self) -> list[dict[str, str]]:
        rank: dict[str, int] = {}
        levels: list[dict[str, str]] = []
        for name in self._columns:
            if name in self._kept:
                used = [rank[each] for each in self._named.findall(self._kept[name]) if each in rank]
                rank[name] = max(used, default=-1) + 1
                levels += [{} for _ in range(rank[name] + 1 - len(levels))]
                levels[rank[name]][name] = self._kept[name]
        return levels
