"""Finds echoes: rows that a system gives back as they were delivered to it, where one stream is both read and written.

An echo says nothing of its own. It is ``duplicate: echo``, so that what another system said, and we passed on, does not come back as the
word of this one. A row is an echo if all that was delivered to its key last stands in it, and whatever else its mapping reads is as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.lineage import walk
from treaty.compiler.outbound import CompiledOutbound, compile_outbound
from treaty.engines.duckdb.conform import sources_of
from treaty.engines.duckdb.paths import quote_name, quote_text
from treaty.flows.references import member_path
from treaty.lake.names import column_name, lake_table, landed_table
from treaty.lake.schema import table_columns
from treaty.project.declarations import ClientProject
from treaty.project.overlays import running_mappings
from treaty.sessions import Session

ECHOES = "conform_echoes"  # temporary: landed ids
KEYS_A_QUERY = 10_000


def returning(project: ClientProject, mapping: CompiledMapping) -> list[CompiledOutbound]:
    """Return the outbound mappings that deliver to the stream which a mapping reads."""
    names = [name for name in running_mappings(project) if not project.mappings[name].inbound and project.mappings[name].to == mapping.stream.name]
    return [compiled for compiled in (compile_outbound(project, name) for name in names) if compiled.key]


def find_echoes(session: Session, mapping: CompiledMapping, sinks: Sequence[CompiledOutbound], relation: str) -> bool:
    """Fill ``conform_echoes`` with the landed rows of a relation that are echoes of what was delivered; return whether there are any."""
    session.duck.execute(f"create or replace temp table {ECHOES} (_landed_id uuid)")
    for each in sinks:
        _find(session, mapping, each, relation)
    return session.duck.execute(f"select 1 from {ECHOES} limit 1").fetchone() is not None


def _find(session: Session, mapping: CompiledMapping, outbound: CompiledOutbound, relation: str) -> None:
    table = landed_table(*mapping.stream.name.split("/", 1))
    known = table_columns(session, table) or {}
    delivered = [each.name for each in outbound.columns]
    if "payload" not in known and any(column_name(each) not in known for each in delivered):
        return
    given = ", ".join(f"coalesce({_text(each, 'l', known)}, chr(0))" for each in delivered)
    key = " || '|' || ".join(_text(each, "l", known) for each in outbound.key)
    others = [name for name in _read_by(mapping) if name not in delivered]
    keyed = {str(each.path.steps[0].name) for node in mapping.stream.key for each in walk(node) if isinstance(each, ir.Source)}
    same = [f"case when p._landed_id is null then {_text(each, 'l', known)} is null or {str(each in keyed).lower()} "
            f"else {_text(each, 'l', known)} is not distinct from {_text(each, 'p', known)} end" for each in others]  # fmt: skip
    session.duck.execute(f"""
        create or replace temp table conform_returned as
        select l._landed_id, {key} as key, md5(concat_ws(chr(31), {given})) as hash from ({relation}) l
        left join {lake_table(table)} p on p._landed_id = l._supersedes and p._client = l._client
        where l._op = 'upsert' and {" and ".join(same) or "true"}""")
    keys = [row[0] for row in session.duck.execute("select distinct key from conform_returned where key is not null").fetchall()]
    pg = session.as_client(mapping.client)
    for start in range(0, len(keys), KEYS_A_QUERY):
        told = pg.execute(
            """select key, content_hash from (
                   select distinct on (key) key, op, content_hash from treaty.delivery
                   where client = %s and sink = %s and key = any(%s) and state in ('acknowledged', 'ambiguous')
                   order by key, golden_version + revision desc) d where op = 'upsert'""",
            (mapping.client, outbound.sink, keys[start : start + KEYS_A_QUERY]),
        ).fetchall()
        if told:
            session.duck.execute(
                f"""insert into {ECHOES} select r._landed_id from conform_returned r
                    join (select unnest(?::varchar[]) as key, unnest(?::varchar[]) as hash) d using (key, hash)""",
                [[row[0] for row in told], [row[1] for row in told]],
            )
    session.duck.execute("drop table conform_returned")


def _read_by(mapping: CompiledMapping) -> list[str]:
    """Return the names at the top of a record that its mapping reads."""
    paths, groups = sources_of(mapping.roots)
    steps = [path.steps for path in paths] + [each.path.steps for each in groups if each.path is not None]
    return list(dict.fromkeys(str(each[0].name) for each in steps))


def _text(name: str, alias: str, known: Mapping[str, str]) -> str:
    """Return SQL for the text of a column of a landed row, or of a member at the top of a document."""
    if "payload" in known:
        return f"json_extract_string({alias}.payload, {quote_text(member_path(name))})"
    column = column_name(name)
    return f"{alias}.{quote_name(column)}" if column in known else "null::varchar"
