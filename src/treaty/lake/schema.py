"""The lake's tables: the fixed ones, and those of a stream or a model, made or widened when they are first needed.

All are append-only. Columns of ours begin with an underscore.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.types import Type
from treaty.faults import faultpoint
from treaty.lake.names import (
    contribution_table,
    golden_end_table,
    golden_table,
    lake_table,
    landed_table,
    quote_name,
)
from treaty.lake.transaction import run_transaction
from treaty.lake.widening import widened_type
from treaty.sessions import Session

Columns = Mapping[str, str]  # column → DuckDB type


def _columns(text: str) -> Columns:
    pairs = (line.split(None, 1) for line in text.strip().split(";") if line.strip())
    return MappingProxyType({name: kind.strip() for name, kind in pairs})


FIXED_TABLES: Mapping[str, Columns] = MappingProxyType(
    {
        "object": _columns("_hash VARCHAR; _client VARCHAR; size_bytes BIGINT; path VARCHAR; start_byte BIGINT; encryption VARCHAR; _batch BIGINT"),
        "receipt": _columns(
            "_receipt_id UUID; _client VARCHAR; system VARCHAR; stream VARCHAR; origin VARCHAR; arrival INTEGER; object_hash VARCHAR; "
            "columns VARCHAR; details VARCHAR; records BIGINT; skipped BIGINT; _received_at TIMESTAMPTZ; _batch BIGINT"
        ),
        "disposition": _columns(
            "_landed_id UUID; _client VARCHAR; _system VARCHAR; _stream VARCHAR; _mapping VARCHAR; _generation INTEGER; "
            "state VARCHAR; reason VARCHAR; _batch BIGINT"
        ),
        "quarantine": _columns(
            "_landed_id UUID; _client VARCHAR; _system VARCHAR; _stream VARCHAR; _mapping VARCHAR; _generation INTEGER; model VARCHAR; "
            "field VARCHAR; rule VARCHAR; value VARCHAR; group_id VARCHAR; _findings VARCHAR[]; fields VARCHAR; opened_at TIMESTAMPTZ; _batch BIGINT"
        ),
        "hand_over": _columns(
            "_landed_id UUID; _client VARCHAR; _system VARCHAR; _stream VARCHAR; to_client VARCHAR; op VARCHAR; _content_id UUID; seq BIGINT; _batch BIGINT"
        ),
        "xref": _columns(
            "_client VARCHAR; _model VARCHAR; _system VARCHAR; _stream VARCHAR; _source_key VARCHAR; _member_id UUID; _canonical_id UUID; "
            "_keys VARCHAR[]; _matched_by VARCHAR; _valid_from TIMESTAMPTZ; _batch BIGINT"
        ),
        "xref_end": _columns("_client VARCHAR; _model VARCHAR; _member_id UUID; _canonical_id UUID; _valid_to TIMESTAMPTZ; _batch BIGINT"),
        "cursor": _columns("_client VARCHAR; system VARCHAR; stream VARCHAR; seq BIGINT; position VARCHAR; _batch BIGINT"),
        "batch": _columns(
            "_batch BIGINT; _client VARCHAR; kind VARCHAR; stream VARCHAR; mapping VARCHAR; applied_id VARCHAR; generation INTEGER; as_of DATE; "
            "versions VARCHAR; started_at TIMESTAMPTZ; finished_at TIMESTAMPTZ; counts VARCHAR"
        ),
        "generation": _columns("_client VARCHAR; _mapping VARCHAR; _generation INTEGER; applied_id VARCHAR; _batch BIGINT"),
        "plan": _columns("plan_id VARCHAR; made_at TIMESTAMPTZ; who VARCHAR; relies VARCHAR; content VARCHAR; _batch BIGINT"),
        "applied": _columns("applied_id VARCHAR; content_hash VARCHAR; content VARCHAR; applied_at TIMESTAMPTZ; who VARCHAR; _batch BIGINT"),
    }
)
_LANDED = _columns(
    "_landed_id UUID; _client VARCHAR; _receipt_id UUID; _locator BIGINT; _source_key VARCHAR; _source_version BIGINT; _op VARCHAR; "
    "_hash UUID; _supersedes UUID; _late BOOLEAN; _received_at TIMESTAMPTZ; _batch BIGINT"
)
_CONTRIBUTION = _columns(
    "_landed_id UUID; _client VARCHAR; _mapping VARCHAR; _generation INTEGER; _system VARCHAR; _stream VARCHAR; _source_key VARCHAR; "
    "_source_version BIGINT; _received_at TIMESTAMPTZ; _op VARCHAR; _member_id UUID; _keys VARCHAR[]; _fired BIGINT[]; _findings VARCHAR[]; "
    "_notes STRUCT(field VARCHAR, rule VARCHAR, value VARCHAR)[]; _batch BIGINT"
)
_GOLDEN = _columns(
    "_canonical_id UUID; _client VARCHAR; _version INTEGER; _valid_from TIMESTAMPTZ; _deleted BOOLEAN; _generation INTEGER; "
    "_winners VARCHAR; _landed_id UUID; _batch BIGINT"
)
_GOLDEN_END = _columns("_client VARCHAR; _canonical_id UUID; _version INTEGER; _valid_to TIMESTAMPTZ; _batch BIGINT")
_INLINED_ROWS = 64  # rows of one insert that a flat table keeps in the catalog; more are slower there than in a file


def prepare_lake(session: Session) -> None:
    """Make the fixed tables if they are missing; any number of processes may do so at once."""
    if not FIXED_TABLES.keys() <= _known(session).keys() and not FIXED_TABLES.keys() <= _refresh(session).keys():
        faultpoint("schema.pre_create")
        run_transaction(session, lambda: _create(session, FIXED_TABLES))
        faultpoint("schema.post_create")
        _refresh(session)
    if _lacks_inlining(session):  # DuckLake takes settings of a table only once its making is committed: a kill may stand between
        run_transaction(session, lambda: _inline_flat_tables(session))


def ensure_landed(session: Session, system: str, stream: str, columns: Mapping[str, str] | None) -> str:
    """Make or widen the table of a stream's landed rows; ``columns`` are the physical ones, None for documents. Return its name."""
    table = landed_table(system, stream)
    own = {"payload": "VARCHAR"} if columns is None else dict.fromkeys(columns, "VARCHAR")
    ensure_tables(session, {table: {**_LANDED, **own}})
    return table


def ensure_model(session: Session, model: str, fields: Mapping[str, Type]) -> None:
    """Make or widen the tables of a model: contributions, golden versions and their ends."""
    ensure_tables(session, model_tables(model, fields))


def model_tables(model: str, fields: Mapping[str, Type]) -> dict[str, Columns]:
    """Return the tables of a model with these fields, and the columns that each must have."""
    own = {name: duckdb_type(kind) for name, kind in fields.items()}
    return {contribution_table(model): {**_CONTRIBUTION, **own}, golden_table(model): {**_GOLDEN, **own}, golden_end_table(model): _GOLDEN_END}


def ensure_tables(session: Session, tables: Mapping[str, Columns]) -> None:
    """Make these tables, or add the columns that they lack. The type of a column that is there changes only where it can become wider."""
    if not _lacking(session, tables):
        return
    _refresh(session)
    lacking = _lacking(session, tables)
    if lacking:
        run_transaction(session, lambda: _create(session, lacking))
        _refresh(session)


def table_columns(session: Session, table: str) -> Columns | None:
    """Return the columns of a lake table and their types, None if there is no such table."""
    if table not in _known(session):
        _refresh(session)
    return _known(session).get(table)


def forget_tables(session: Session) -> None:
    """Read the lake's tables again when they are next asked for."""
    session.tables = None


def _lacking(session: Session, tables: Mapping[str, Columns]) -> dict[str, Columns]:
    return {name: columns for name, columns in tables.items() if _lacks(session, name, columns)}


def _lacks(session: Session, table: str, columns: Columns) -> bool:
    known = _known(session).get(table)
    return known is None or any(name not in known or widened_type(session, known[name], kind) not in (known[name], None) for name, kind in columns.items())


def _known(session: Session) -> Mapping[str, Columns]:
    return _refresh(session) if session.tables is None else session.tables


def _refresh(session: Session) -> Mapping[str, Columns]:
    """Read the lake's tables. They only grow: what was read once is there, in the same type or a wider one."""
    session.tables = tables = _read_tables(session)
    return tables


def _read_tables(session: Session) -> dict[str, dict[str, str]]:
    rows = session.duck.execute(
        "select table_name, column_name, data_type from duckdb_columns() where database_name = ? order by table_name, column_index",
        [session.lake_name],
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, {})[column] = kind
    return tables


def _create(session: Session, tables: Mapping[str, Columns]) -> None:
    """Make or widen tables inside the open transaction."""
    there = _read_tables(session)
    for table, columns in tables.items():
        if table in there:
            _widen(session, table, there[table], columns)
        else:
            parts = ", ".join(f"{quote_name(name)} {kind}" for name, kind in columns.items())
            session.duck.execute(f"create table {lake_table(table)} ({parts})")


def _widen(session: Session, table: str, there: Columns, columns: Columns) -> None:
    for name, kind in columns.items():
        if name not in there:
            session.duck.execute(f"alter table {lake_table(table)} add column {quote_name(name)} {kind}")
            continue
        wider = widened_type(session, there[name], kind)
        if wider not in (there[name], None):
            session.duck.execute(f"alter table {lake_table(table)} alter column {quote_name(name)} set data type {wider}")


def _lacks_inlining(session: Session) -> bool:
    """Tell whether a flat fixed table has not yet been told to keep small inserts in the catalog."""
    row = session.catalog.execute("select count(*) from treaty_lake.ducklake_metadata where key = 'data_inlining_row_limit' and scope = 'table'").fetchone()
    return row is not None and int(row[0]) < sum(is_flat(columns) for columns in FIXED_TABLES.values())


def _inline_flat_tables(session: Session) -> None:
    for table, columns in FIXED_TABLES.items():
        if is_flat(columns):
            session.duck.execute(f"call {session.lake_name}.set_option('data_inlining_row_limit', {_INLINED_ROWS}, table_name => '{table}')")


def is_flat(columns: Columns) -> bool:
    """Tell whether rows of these columns may be kept in the catalog: lists and structs do not read back from there."""
    return not any("[" in kind or "STRUCT" in kind for kind in columns.values())
