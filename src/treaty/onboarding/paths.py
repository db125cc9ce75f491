"""Paths of a profile as cells write them."""

from __future__ import annotations

import re

PLAIN = re.compile(r"@?[^\W\d][\w-]*(?::[^\W\d][\w-]*)?\Z")
WORDS = frozenset({"true", "false", "null", "date"})


def spell_path(path: str, *, below: str = "") -> str:
    """Return a path as a cell; relative to the element at ``below`` where that is given."""
    steps = (path.removeprefix(below).removeprefix("/") if below else path).split("/")
    spelled = [spell_step(each) for each in steps]
    opening = spelled[0].startswith("'") or spelled[0] in WORDS
    return ("./" if opening else "") + "/".join(spelled)


def spell_step(name: str) -> str:
    """Return one name of a path, quoted where it is no plain name."""
    return name if PLAIN.match(name) else "'" + name.replace("'", "''") + "'"


def spell_text(text: str) -> str:
    """Return a text as a literal."""
    return "'" + text.replace("'", "''") + "'"
