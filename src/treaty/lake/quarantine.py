"""Records set aside until somebody acts, grouped by what is wrong with them."""

from __future__ import annotations

from treaty.lake.names import quote_text


def group_sql(model: str, mapping: str) -> str:
    """Return the SQL of a quarantine row's group: the same model, mapping, field and rule give the same id everywhere."""
    return f"substr(md5(concat_ws('|', {quote_text(model)}, {quote_text(mapping)}, coalesce(_field, ''), coalesce(_rule, ''))), 1, 12)"
