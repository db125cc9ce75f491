"""Conforms a few landed records of each changed mapping and compares them with what they contribute now: quick, and no verdict.

A sample says nothing of identity, survivorship, relationships or deliveries.
"""

from __future__ import annotations

from treaty.compiler.compiled import CompiledMapping
from treaty.engines.duckdb.conform import conform_sql
from treaty.engines.duckdb.hooks import register_hooks
from treaty.engines.duckdb.paths import quote_name, quote_text
from treaty.engines.duckdb.structures import observed_lists
from treaty.flows.conforming import landed_rows
from treaty.flows.effects import Effects
from treaty.flows.foreseeing import Foresight
from treaty.flows.references import inputs_of
from treaty.lake.current import ModelTables, current_contributions
from treaty.lake.differences import COUNTS, MOST_SAMPLES, Difference, Sample
from treaty.lake.names import contribution_table, lake_table, landed_table
from treaty.lake.schema import table_columns


def sample(foresight: Foresight, effects: Effects, rows: int) -> list[Difference]:
    """Return what differs in at most ``rows`` landed records of each mapping that one client runs otherwise."""
    after = foresight.after(effects.client)
    register_hooks(foresight.session.duck, after.hooks.values(), after.settings.limits.hook_seconds)
    found = [_sample(foresight, each, rows) for each in effects.conform]
    return [each for each in found if each]


def _sample(foresight: Foresight, mapping: CompiledMapping, rows: int) -> Difference:
    session, duck = foresight.session, foresight.session.duck
    nothing = Difference(mapping.client, mapping.model, dict.fromkeys(COUNTS, 0))
    system, _, stream = mapping.stream.name.partition("/")
    landed, known = landed_table(system, stream), table_columns(session, contribution_table(mapping.model))
    if table_columns(session, landed) is None or known is None:
        return nothing
    mine = f"_client = {quote_text(mapping.client)} and _op = 'upsert' and not coalesce(_late, false)"
    chosen = f"select _landed_id from {lake_table(landed)} where {mine} order by md5(_landed_id::varchar) limit {rows}"
    duck.execute(f"create or replace temp table s_chosen as {chosen}")
    relation = f"{landed_rows(session, mapping.stream)} where {mine} and _landed_id in (select _landed_id from s_chosen)"
    lists = observed_lists(duck, mapping.stream, mapping.nodes_read, relation)
    duck.execute(f"create or replace temp table s_rows as {conform_sql(mapping, relation, inputs_of(session, mapping, foresight.as_of, lists))}")
    fields = [each.name for each in mapping.fields]
    old = {name: f"c.{quote_name(name)}" if name in known else "null" for name in fields}
    differs = ", ".join(f"{old[name]} is distinct from s.{quote_name(name)}" for name in fields) or "false"
    overwrites = " or ".join(f"({old[name]} is not null and {old[name]} is distinct from s.{quote_name(name)})" for name in fields) or "false"
    contributed = current_contributions(ModelTables(mapping.model), mapping.client, where=f"c._mapping = {quote_text(mapping.name)}")
    duck.execute(f"""
        create or replace temp table d_rows as
        select s._landed_id as id, case when c._landed_id is null then 'out_of_quarantine' when s._state = 'good' then 'changed'
                when s._state = 'quarantined' then 'into_quarantine' else 'removed' end as kind, [{differs}] as which, {overwrites} as overwrites
        from s_rows s left join ({contributed}) c on c._landed_id = s._landed_id
        where case when c._landed_id is null then s._state = 'good' and s._landed_id in ({_quarantined(mapping)})
                   when s._state = 'good' then list_contains([{differs}], true) else true end""")
    counts = {kind: int(number) for kind, number in duck.execute("select kind, count(*) from d_rows group by all").fetchall()}
    sums = "".join(f", count(*) filter (which[{place}])" for place in range(1, len(fields) + 1))
    row = duck.execute(f"select count(*) filter (overwrites){sums} from d_rows where kind = 'changed'").fetchone()
    assert row is not None, "a sum has a row"
    by_field = {name: int(number) for name, number in zip(fields, row[1:], strict=True) if number}
    shown = []
    for name in list(by_field)[:MOST_SAMPLES]:
        place = fields.index(name) + 1
        values = duck.execute(f"""
            select s._landed_id::varchar, {old[name]}, s.{quote_name(name)} from s_rows s join d_rows d on d.id = s._landed_id
            join ({contributed}) c on c._landed_id = s._landed_id where d.kind = 'changed' and d.which[{place}] order by 1 limit {MOST_SAMPLES}""")
        shown += [Sample(each[0], name, each[1], each[2]) for each in values.fetchall()]
    records = {name: counts.get(name, 0) for name in COUNTS}
    return Difference(mapping.client, mapping.model, records, by_field, {}, tuple(shown), int(row[0]), records["into_quarantine"])


def _quarantined(mapping: CompiledMapping) -> str:
    return f"""select _landed_id from {lake_table("quarantine")} where _client = {quote_text(mapping.client)} and _mapping = {quote_text(mapping.name)}"""
