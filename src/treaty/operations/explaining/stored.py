"""What is stored of a golden record, for comparing with what was worked out again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treaty.lake.current import ModelTables, current_golden
from treaty.lake.names import golden_table, quote_text
from treaty.lake.schema import table_columns
from treaty.sessions import Session


def stored_record(session: Session, client: str, model: str, canonical_id: str) -> Mapping[str, Any] | None:
    """Return the stored golden record with its columns, an empty mapping where there is none, None where the table cannot be read."""
    if table_columns(session, golden_table(model)) is None:
        return None
    sql = current_golden(ModelTables(model), client, where=f"g._canonical_id = {quote_text(canonical_id)}::uuid")
    cursor = session.duck.execute(f"{sql} order by g._version desc limit 1")
    names = [each[0] for each in cursor.description or ()]
    row = cursor.fetchone()
    return dict(zip(names, row, strict=True)) if row else {}
