"""Finds golden records by the key that a steward has corrected: matching goes on by what sources say, people go by what they see."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from treaty.flows.corrections import STREAM
from treaty.flows.references import newest_landed
from treaty.lake.current import STEWARD, ModelTables, latest_xref
from treaty.lake.names import quote_text
from treaty.lake.schema import table_columns
from treaty.lake.task import identity_keys
from treaty.operations.explaining.locating import Located, locate
from treaty.project.declarations import ClientProject
from treaty.sessions import Session

_PARTS = re.compile(r"((?:[^\\|]|\\.)*)(\||$)", re.DOTALL)


def locate_corrected(session: Session, projects: Sequence[ClientProject], model: str, key: str) -> tuple[Located, ...]:
    """Return the golden records of these clients that have this match key once a steward's corrections of its fields are put into it."""
    found: dict[str, Located] = {}
    for project in projects:
        keys = identity_keys(project, model)
        corrected = _corrections(session, project.client, model, {field for parts in keys for field in parts}, [key, *_parts(key)])
        for canonical_id, values in corrected.items():
            for located in locate(session, [project.client], model, canonical_id):
                if any(key == _put_in(each, keys, values) for each in _keys(session, model, located)):
                    found[located.canonical_id] = located
    return tuple(found.values())


def _corrections(session: Session, client: str, model: str, fields: set[str], values: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return what corrections that hold say of key fields, by canonical id, of the records of which one says one of these values."""
    newest = newest_landed(session, client, f"{STEWARD}/{STREAM}") if table_columns(session, "xref") is not None and fields else None
    if newest is None:
        return {}
    said = ", ".join(f"json_extract_string(payload, '$.{name}') as {name}" for name in ("model", "canonical_id", "field", "value"))
    rows = session.duck.execute(
        f"""with said as (select canonical_id, field, value from (select {said} from ({newest})) where model = ? and list_contains(?, field))
            select * from said where canonical_id in (select canonical_id from said where list_contains(?, value))""",
        [model, sorted(fields), list(values)],
    ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for canonical_id, field, value in rows:
        found.setdefault(canonical_id, {})[field] = value
    return found


def _keys(session: Session, model: str, located: Located) -> list[str]:
    """Return the match keys of a golden record's members, each with the number of the decision's key before it."""
    members = ", ".join(f"{quote_text(each.member_id)}::uuid" for each in located.members if each.system != STEWARD) or "null"
    rows = session.duck.execute(f"select distinct unnest(_keys) from ({latest_xref(ModelTables(model), located.client, f'_member_id in ({members})')})").fetchall()
    return [key for (key,) in rows if key is not None]


def _put_in(numbered: str, keys: Sequence[Sequence[str]], values: Mapping[str, str]) -> str | None:
    """Return a match key with corrected values in place of the parts that are fields; None where it is no key of the decision."""
    number, _, key = numbered.removeprefix("?").partition(":")
    if not number.isdigit() or int(number) >= len(keys):
        return None
    fields = keys[int(number)]
    if len(fields) == 1:
        return values.get(fields[0], key)
    parts = _parts(key)
    if len(parts) != len(fields):
        return None
    put = [values.get(field, part) for field, part in zip(fields, parts, strict=True)]
    return "|".join(each.replace("\\", "\\\\").replace("|", "\\|") for each in put)


def _parts(key: str) -> list[str]:
    """Return the parts of a key of several, as they were before they were joined."""
    found: list[str] = []
    for part, sign in _PARTS.findall(key):
        found.append(re.sub(r"\\(.)", r"\1", part))
        if not sign:
            break
    return found
