"""Which changes of a column's type the lake follows: those after which every value that is there is still one.

A decimal gets more digits, a struct or a list of structs gets more members. DuckLake changes such a type in its catalog and rewrites no
file. A member that a contract has no more stays, and is null in what comes.
"""

from __future__ import annotations

from typing import Any

from treaty.lake.names import quote_name
from treaty.sessions import Session


def widened_type(session: Session, known: str, wanted: str) -> str | None:
    """Return the type that holds the values of both, ``known`` as it is written where that does; None where no widening leads there."""
    if known == wanted or known == wanted.replace('"', "").replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"):
        return known
    before, after = session.duck.sqltype(known), session.duck.sqltype(wanted)
    if before == after:
        return known
    wider = _widened(before, after)
    return known if wider == str(before) else wider


def _widened(before: Any, after: Any) -> str | None:
    """Return the text of the wider type, None where there is none; the types are DuckDB's own."""
    if before == after:
        return str(before)
    if before.id != after.id:
        return None
    if before.id == "decimal":
        (_, precision), (_, scale) = before.children
        (_, digits), (_, places) = after.children
        whole, places = max(precision - scale, digits - places), max(scale, places)
        return f"DECIMAL({whole + places},{places})" if whole + places <= 38 else None
    if before.id == "list":
        item = _widened(before.children[0][1], after.children[0][1])
        return f"{item}[]" if item else None
    if before.id == "struct":
        members, wanted = dict(before.children), dict(after.children)
        kinds = {name: _widened(kind, wanted[name]) if name in wanted else str(kind) for name, kind in members.items()}
        kinds |= {name: str(kind) for name, kind in wanted.items() if name not in members}
        return None if None in kinds.values() else f"STRUCT({', '.join(f'{quote_name(name)} {kind}' for name, kind in kinds.items())})"
    return None
