"""Corrections by a steward: landed records of the built-in system ``steward``, conformed into contributions of one field each.

A correction is pinned to the golden record it corrects, wins over every other system unless a survivorship decision says otherwise, and
ends when it is withdrawn or its ``until`` has passed.
"""

from __future__ import annotations

from datetime import date

from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.types import parse_type, type_of
from treaty.engines.duckdb.conform import uuid8
from treaty.engines.duckdb.paths import quote_name, quote_text
from treaty.flows.conforming import MAPPING, exclusively, resolve_and_commit, resolving
from treaty.lake.batches import open_batch
from treaty.lake.current import PIN, STEWARD, ModelTables
from treaty.lake.cursors import Fence, read_cursor
from treaty.lake.names import lake_table, landed_table
from treaty.lake.schema import ensure_model, table_columns
from treaty.lake.scope import OneClient
from treaty.lake.task import ResolveTask, match_keys, survivorship_rules
from treaty.project.declarations import ClientProject
from treaty.sessions import Session

STREAM = "corrections"


def correction_mapping(model: str) -> str:
    """Return the name of the built-in mapping that makes corrections contributions of a model."""
    return f"{STEWARD}.{STREAM}.{model}"


def conform_corrections(session: Session, project: ClientProject, model: str, *, applied_id: str, as_of: str) -> dict[str, int]:
    """Conform the pending corrections of one model for one client; return how many came to each state."""
    table = landed_table(STEWARD, STREAM)
    if table_columns(session, table) is None or model not in project.models:
        return {}
    name, client = correction_mapping(model), project.client
    with exclusively(session, f"conform|{client}|{name}"), resolving(session, client, model):
        cursor = read_cursor(session, OneClient(client), MAPPING, name)
        pending = f"_client = {quote_text(client)} and _batch > {int(cursor.position.get('batch', 0))} and _op <> 'refused'"
        row = session.duck.execute(f"select count(*), max(_batch) from {lake_table(table)} where {pending}").fetchone()
        if not row or not row[0]:
            return {}
        fields = {each.name: parse_type(type_of(each)) for each in project.models[model].properties}
        ensure_model(session, model, fields)
        batch = open_batch(
            session, OneClient(client), "conform", stream=f"{STEWARD}/{STREAM}", mapping=name, applied_id=applied_id, generation=1,
            as_of=date.fromisoformat(as_of), versions={"mapping": name, "fired": []},
        )  # fmt: skip
        types = {each: duckdb_type(kind) for each, kind in fields.items()}
        _query(session, client, model, types, f"select * from {lake_table(table)} where {pending}")
        task = ResolveTask(
            client=client, tables=ModelTables(model), mapping=name, generation=1, system=STEWARD, stream=STREAM, batch=batch.number,
            conformed="conformed", set_aside="set_aside", landed=lake_table(table), keys=match_keys(project, model),
            rules=survivorship_rules(project, model),
        )  # fmt: skip
        fence = Fence(client, MAPPING, name, cursor.seq, {"batch": int(row[1]), "generation": 1})
        return resolve_and_commit(session, batch, task, fence, new_generation=cursor.seq == 0)


def _query(session: Session, client: str, model: str, types: dict[str, str], pending: str) -> None:
    """Make the relations ``conformed`` and ``set_aside`` out of pending corrections."""
    told = {name: f"json_extract_string(payload, '$.{name}')" for name in ("model", "canonical_id", "field", "value")}
    texts = ", ".join(f"{sql} as _{name}" for name, sql in told.items())
    member = uuid8(f"concat_ws('|', _client, {quote_text(model)}, '{STEWARD}/{STREAM}', _source_key)")
    columns = ", ".join(
        f"case when _field = {quote_text(name)} then {_read('_value', kind)} end as {quote_name(name)}" for name, kind in types.items()
    )
    readable = " ".join(f"when {quote_text(name)} then {_read('_value', kind)} is not null" for name, kind in types.items())
    known = ", ".join(quote_text(name) for name in types) or "''"
    state = f"""case when _model <> {quote_text(model)} then 'filtered' when _op = 'delete' then 'good'
        when _field not in ({known}) or not coalesce(case _field {readable} end, false) then 'quarantined' else 'good' end"""
    for name in ("conformed", "set_aside"):
        session.duck.execute(f"drop view if exists {name}")
    session.duck.execute(f"""create or replace temp table correction_all as
        select _landed_id, _client, {quote_text(correction_mapping(model))} as _mapping, 1::integer as _generation, '{STEWARD}' as _system,
            '{STREAM}' as _stream, _source_key, _source_version, _received_at, _op, {member} as _member_id,
            ['{PIN}' || _canonical_id] as _keys, [0::bigint] as _fired, []::varchar[] as _findings,
            []::struct(field varchar, rule varchar, value varchar)[] as _notes, {columns},
            _field, _value, {state} as _state from (select *, {texts} from ({pending}))""")
    names = ", ".join(quote_name(each) for each in types)
    session.duck.execute(f"""create temp view conformed as select _landed_id, _client, _mapping, _generation, _system, _stream, _source_key,
        _source_version, _received_at, _op, _member_id, _keys, _fired, _findings, _notes, {names} from correction_all where _state = 'good'""")
    session.duck.execute(f"""create temp view set_aside as select _landed_id, _member_id, _system, _stream, _source_key, _source_version,
        _received_at, _state, if(_state = 'filtered', 'other-model', 'not-a-value') as _reason, _field, 'not-a-value' as _rule, _value,
        _findings, to_json({{{', '.join(f"{quote_name(each)}: {quote_name(each)}" for each in types)}}})::varchar as _fields
        from correction_all where _state <> 'good'""")


def _read(text: str, kind: str) -> str:
    """Return SQL that reads a correction's text as a field's type: a plain one as it is written, a group as JSON."""
    if kind.endswith("[]") or kind.startswith("STRUCT"):
        return f"try_cast(try_cast({text} as json) as {kind})"
    return f"try_cast({text} as {kind})"
