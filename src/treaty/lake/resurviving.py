"""Survivorship alone has changed: golden records of several members are joined anew from the contributions that stand."""

from __future__ import annotations

from treaty.lake.current import Connection, latest_xref, model_fields
from treaty.lake.golden import write_golden
from treaty.lake.names import golden_end_table, golden_table, quote_text
from treaty.lake.task import PreparedWrite, ResolveTask


def resurvive(connection: Connection, task: ResolveTask) -> tuple[PreparedWrite, ...]:
    """Work out the golden versions that ``task.rules`` change; nothing is conformed, and nobody changes the record they are in."""
    at = "null::timestamptz" if task.caused_at is None else f"{quote_text(task.caused_at.isoformat())}::timestamptz"
    connection.execute(f"""
        create or replace temp table r_joined as
        select _member_id, _canonical_id, _valid_from from ({latest_xref(task.tables, task.client)}) where not ended
        qualify count(*) over (partition by _canonical_id) > 1""")
    connection.execute("""
        create or replace temp table r_members as
        select _member_id, _canonical_id as old_id, null::timestamptz as caused_at, true as live, _valid_from as first_at from r_joined
        union all
        select _canonical_id, _canonical_id, null, false, null from (select distinct _canonical_id from r_joined)
        where _canonical_id not in (select _member_id from r_joined)""")
    connection.execute("create or replace temp table r_groups as select _member_id, _canonical_id, true as lives from r_joined")
    connection.execute(f"create or replace temp table r_causes as select distinct _canonical_id, {at} as at from r_joined")
    connection.execute("""
        create or replace temp table r_versions (_member_id uuid, _landed_id uuid, _op varchar, fresh boolean, place bigint)""")
    connection.execute(f"create or replace temp view r_unknown as select * from {task.tables.contribution} where false")
    write_golden(connection, task, model_fields(connection, task.tables))
    return (
        PreparedWrite(golden_table(task.tables.model), "select * from w_golden"),
        PreparedWrite(golden_end_table(task.tables.model), "select * from w_golden_end"),
    )

