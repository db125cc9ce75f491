"""``correct``: a steward says what a field of a golden record should be; explain shows who said so and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.types import ListType, StructType, Type, parse_type, type_of
from treaty.errors import UsageError
from treaty.flows.correcting import Correction, land_corrections
from treaty.flows.corrections import conform_corrections
from treaty.lake.reads import golden_records
from treaty.lake.scope import OneClient
from treaty.operations.applied import AppliedProject, open_applied
from treaty.operations.explaining.corrected import locate_corrected
from treaty.operations.explaining.locating import Located, did_you_mean, locate
from treaty.operations.explaining.walking import parse_field
from treaty.operations.records import ensure_model
from treaty.operations.workspace import Folder, find_workspace
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class CorrectResult:
    """What was corrected: the field of which golden record, and what it was before and is now."""

    model: str
    client: str
    canonical_id: str
    field: str
    before: Any
    after: Any
    who: str
    reason: str
    until: date | None


def correct(
    model: str,
    key: str,
    field: str,
    value: str,
    *,
    reason: str,
    until: date | None = None,
    who: str | None = None,
    project: Folder = None,
    environment: str | None = None,
    client: str | None = None,
) -> CorrectResult:
    """Land a correction of one field of one golden record, and let it take effect; sinks are told by the next run.

    Args:
        key: a canonical id, or a business key with its parts joined by ``|``.
        value: written as in the contract: ``2026-11-21``, ``12.50``, ``true``.
        until: the first day on which it no longer holds; for ever where not given.
        who: who says so; the user of this computer where not given.

    Raises:
        UsageError: there is no such record or field, the value is not of the field's type, or no reason is given.
    """
    if not reason.strip():
        raise UsageError("No reason is given.", remedy="Say why: `treaty explain` shows it to whoever asks.")
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client)
    ensure_model(workspace, model)
    workspace.ensure_ran()
    with workspace.open() as session:
        applied = open_applied(session)
        _ensure_value(session, applied, model, field, value)
        clients = [client] if client else applied.clients
        located = locate(session, clients, model, key) or locate_corrected(session, [applied.of_client(each) for each in clients], model, key)
        found = _one(located, model, key, "" if located else did_you_mean(session, clients, model, key))
        scope, resultant = OneClient(found.client), applied.of_client(found.client)
        before = _field(session, scope, model, found.canonical_id, field)
        said = Correction(
            found.client, model, found.canonical_id, field, value, who or session.who, reason, until.isoformat() if until else None
        )  # fmt: skip
        land_corrections(session, resultant, [said])
        conform_corrections(session, resultant, model, applied_id=applied.applied_id, as_of=applied.as_of)
        after = _field(session, scope, model, found.canonical_id, field)
        return CorrectResult(model, found.client, found.canonical_id, field, before, after, said.who, reason, until)


def _ensure_value(session: Session, applied: AppliedProject, model: str, field: str, value: str) -> None:
    contract = applied.project.models[model]
    path = parse_field(contract, field)
    declared = next(each for each in contract.properties if each.name == path.name)
    kind: Type = parse_type(type_of(declared))
    if path.inner is not None or path.element is not None or isinstance(kind, ListType | StructType):
        raise UsageError(f"{model}.{field} is part of a repeating group.", remedy="Correct it in the source, or by a decision; a steward corrects single fields.")
    row = session.duck.execute(f"select try_cast(? as {duckdb_type(kind)}) is not null", [value]).fetchone()
    if row is None or not row[0]:
        raise UsageError(f"{value!r} is no {kind}, which {model}.{field} is.", remedy="Write it as in the contract: 2026-11-21, 12.50, true.")


def _one(found: tuple[Located, ...], model: str, key: str, meant: str) -> Located:
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"No record of {model} has the key {key!r}.", remedy=meant or f"`treaty records {model}` lists them.")
    listed = "\n".join(f"  {each.canonical_id} of {each.client}" for each in found)
    raise UsageError(f"{key!r} means {len(found)} records of {model}:\n{listed}", remedy="Name one by its id, or its client with --client.")


def _field(session: Session, scope: OneClient, model: str, canonical_id: str, field: str) -> Any:
    rows = golden_records(session, scope, model, ids=[canonical_id]).to_pylist()
    return rows[0][field] if rows else None
