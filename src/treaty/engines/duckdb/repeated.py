"""What depends on one column with few values is computed once for each of them.

DuckDB runs a function of one column once for each entry of the column's dictionary, where Parquet gave it one. A ``CASE``, a cast or a
comparison is no function, and after it the dictionary is lost; but a ``list_transform`` of the column's value is one, whatever its
lambda holds. For a column whose every value is another this costs twice as much, so it is done for those that repeat.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TypeAlias

from treaty.engines.duckdb.folding import folded
from treaty.engines.duckdb.paths import quote_name

Layers: TypeAlias = Sequence[Sequence[tuple[str, str]]]
_PURE = "svwrc"  # the letters of columns that are computed of values alone
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\b[A-Za-z_]\w*\b""")
_ELSEWHERE = re.compile(r"doc_\d+|j\d+|_\w+|select", re.IGNORECASE)  # what is read of documents, joins, landing and subqueries


def once_a_value(layers: Layers, repeating: Iterable[str], outputs: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Return layers in which what depends on one of the ``repeating`` columns alone, and more than looks at it, is computed once a value.

    ``layers`` are (name, SQL) pairs, each over the layers before it; ``outputs`` SQL over all of them.
    """
    definitions = {name: sql for pairs in layers for name, sql in pairs}
    origins = _origins(definitions, {quote_name(each) for each in repeating})
    asked = {token for sql in outputs for token in _names(sql)}
    asked |= {token for name, sql in definitions.items() for token in _names(sql) if origins.get(token) != origins.get(name)}
    made: list[list[tuple[str, str]]] = [[] for _ in range(max(len(layers), 2))]  # what is added to the first two layers
    gone = {name for name in origins if name[0] != "s"}  # a mere look at the column costs nothing
    for number, origin in enumerate(dict.fromkeys(origins[name] for name in definitions if name in gone)):
        variable, holder = f"x{number}", f"once_{number}"
        own = [name for name in definitions if origins.get(name) == origin]
        inside = {origin: variable} | {name: f"{variable}.{name}" for name in own}
        columns = {name: _renamed(definitions[name], inside) for name in own}
        wanted = [name for name in own if name in asked and name in gone]
        once = folded(variable, f"[{origin}]", columns, {name: inside[name] for name in wanted})
        made[0].append((holder, f"list_extract({once}, 1)"))
        made[1] += [(name, f"struct_extract({holder}, '{name}')") for name in wanted]
    for place, pairs in enumerate(layers):
        made[place] = [pair for pair in pairs if pair[0] not in gone] + made[place]
    return made


def _origins(definitions: Mapping[str, str], sources: Set[str]) -> dict[str, str]:
    """Return, of the columns that depend on one of the sources and on nothing else, on which."""
    origins: dict[str, str] = {}
    for name, sql in definitions.items():
        used = {origins.get(token, "") if token in definitions else token for token in _names(sql) if token in definitions or _reads(token)}
        if name[0] in _PURE and len(used) == 1 and used <= sources:
            origins[name] = used.pop()
    return origins


def _reads(token: str) -> bool:
    return token.startswith('"') or _ELSEWHERE.fullmatch(token) is not None


def _names(sql: str) -> list[str]:
    return [token for token in _TOKEN.findall(sql) if not token.startswith("'")]


def _renamed(sql: str, names: Mapping[str, str]) -> str:
    return _TOKEN.sub(lambda found: names.get(found[0], found[0]), sql)
