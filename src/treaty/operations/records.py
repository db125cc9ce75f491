"""``records``: the golden records of a model, as an Arrow table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treaty.errors import UsageError
from treaty.operations.workspace import Folder, Workspace, find_workspace
from treaty.project.findings import nearest

if TYPE_CHECKING:
    import pyarrow as pa


def records(
    model: str, project: Folder = None, *, environment: str | None = None, client: str | None = None, limit: int | None = None
) -> pa.Table:
    """Return the living golden records of a model: its fields, ``_id``, ``_client``, ``_sources`` and ``_findings``.

    ``_sources`` is a list of structs (system, stream, source_key), ``_findings`` the ids of quality rules that marked the record.
    Polars and pandas take the table as it is. A reference without a target is shown as its relationship decision says: `null` empties it, and
    `quarantine after` leaves the record out once it has waited too long.

    Raises:
        UsageError: there is no such model or client, or nothing has run yet.
    """
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client)
    ensure_model(workspace, model)
    workspace.ensure_ran()
    from treaty.lake.reads import golden_records
    from treaty.lake.relationships import relationships
    from treaty.operations.applied import open_applied

    with workspace.open() as session:
        applied = open_applied(session)
        relations = {each: relationships(applied.of_client(each), model) for each in ([client] if client else applied.clients)}
        return golden_records(session, workspace.scope(client, "records"), model, limit=limit, relations=relations)


def ensure_model(workspace: Workspace, model: str) -> None:
    """Raise UsageError with the nearest name where the project folder has no such model."""
    models = workspace.project.models
    if model in models:
        return
    found = nearest(model, models)
    raise UsageError(f"There is no model {model!r}.", remedy=f"Did you mean {found!r}?" if found else f"Models: {', '.join(sorted(models)) or 'none'}.")
