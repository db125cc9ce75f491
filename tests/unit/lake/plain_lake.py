"""A lake of plain DuckDB tables with the columns of the real one, for tests of what only needs the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

import duckdb

from treaty.lake.current import ModelTables
from treaty.lake.resolve import resolve
from treaty.lake.task import MatchKeys, Resolved, ResolveTask
from treaty.project.declarations import FieldSurvivorship

START = datetime(2026, 1, 1, tzinfo=UTC)
TABLES = {
    "contribution_thing": """_landed_id uuid, _client varchar, _mapping varchar, _generation integer, _system varchar, _stream varchar,
        _source_key varchar, _source_version bigint, _received_at timestamptz, _op varchar, _member_id uuid, _keys varchar[], _fired bigint[],
        _findings varchar[], _notes struct(field varchar, rule varchar, value varchar)[], a integer, b varchar, c varchar[], _batch bigint""",
    "golden_thing": """_canonical_id uuid, _client varchar, _version integer, _valid_from timestamptz, _deleted boolean, _generation integer,
        _winners varchar, _landed_id uuid, a integer, b varchar, c varchar[], _batch bigint""",
    "golden_end_thing": "_client varchar, _canonical_id uuid, _version integer, _valid_to timestamptz, _batch bigint",
    "xref": """_client varchar, _model varchar, _system varchar, _stream varchar, _source_key varchar, _member_id uuid, _canonical_id uuid,
        _keys varchar[], _matched_by varchar, _valid_from timestamptz, _batch bigint""",
    "xref_end": "_client varchar, _model varchar, _member_id uuid, _canonical_id uuid, _valid_to timestamptz, _batch bigint",
    "disposition": """_landed_id uuid, _client varchar, _system varchar, _stream varchar, _mapping varchar, _generation integer, state varchar,
        reason varchar, _batch bigint""",
    "quarantine": """_landed_id uuid, _client varchar, _system varchar, _stream varchar, _mapping varchar, _generation integer, model varchar,
        field varchar, rule varchar, value varchar, group_id varchar, _findings varchar[], fields varchar, opened_at timestamptz, _batch bigint""",
    "generation": "_client varchar, _mapping varchar, _generation integer, applied_id varchar, _batch bigint",
    "batch": """_batch bigint, _client varchar, kind varchar, stream varchar, mapping varchar, applied_id varchar, generation integer,
        as_of date, versions varchar, started_at timestamptz, finished_at timestamptz, counts varchar""",
    "receipt": """_receipt_id uuid, _client varchar, system varchar, stream varchar, origin varchar, arrival integer, object_hash varchar,
        columns varchar[], details varchar, records bigint, skipped bigint, _received_at timestamptz, _batch bigint""",
    "object": "_hash varchar, _client varchar, size_bytes bigint, path varchar, encryption varchar, _batch bigint",
}
LANDED = """_landed_id uuid, _client varchar, _receipt_id uuid, _locator bigint, _source_key varchar, _source_version bigint, _op varchar,
    _hash uuid, _supersedes uuid, _late boolean, _received_at timestamptz, _batch bigint, payload varchar"""
NAMES = tuple(TABLES)


@dataclass(frozen=True)
class Row:
    """One landed record, as the conform step would hand it on."""

    system: str
    key: str
    version: int | None = None
    op: str = "upsert"
    k1: str | None = None
    k2: str | None = None
    a: int | None = None
    b: str | None = None
    bad: bool = False
    pin: str | None = None  # corrections: the source key (``system:key``) of the member that they correct
    fired: int = 0


@dataclass
class Landed:
    """A row with its place in the landing order."""

    row: Row
    landed_id: UUID
    received_at: datetime
    batch: int

    @property
    def member_id(self) -> UUID:
        return member(self.row.system, self.row.key)

    @property
    def keys(self) -> list[str | None]:
        if self.row.pin is not None:
            return [f"=:{member(*self.row.pin.split(':'))}"]
        return [None if key is None else f"{place}:{key}" for place, key in enumerate((self.row.k1, self.row.k2))]


def member(system: str, key: str) -> UUID:
    """Return the member id of a source key."""
    return UUID(md5(f"main|thing|{system}|s|{key}".encode()).hexdigest())


@dataclass
class PlainLake:
    """The tables, and what it takes to push batches of rows through ``resolve``."""

    connection: duckdb.DuckDBPyConnection
    rules: tuple[FieldSurvivorship, ...] = ()
    keys: MatchKeys = MatchKeys("same-thing", (0, 1))
    batch: int = 0
    landed: list[Landed] = field(default_factory=list)
    tables: ModelTables = ModelTables("thing")

    def push(self, rows: Sequence[Row], *, again: Sequence[Landed] | None = None, **settings: Any) -> Resolved:
        """Land rows of one system and resolve them as one batch, or resolve ``again`` what has landed before."""
        self.batch += 1
        fresh = again if again is not None else self.land(rows)
        system = fresh[0].row.system
        self.fill(fresh, settings.get("generation", 1))
        task = ResolveTask(
            client="main", tables=self.tables, mapping=f"{system}.s", system=system, stream="s", batch=self.batch, keys=self.keys,
            rules=self.rules, set_aside="aside", landed=f"lake.landed_{system}__s", **{"generation": 1, **settings},
        )  # fmt: skip
        resolved = resolve(self.connection, task)
        for write in resolved.writes:
            self.connection.execute(f"insert into lake.{write.table} by name {write.relation}")
        return resolved

    def land(self, rows: Sequence[Row]) -> list[Landed]:
        """Append rows to the landed table."""
        landed = self._landed(rows, START + timedelta(minutes=self.batch))
        system = rows[0].system
        self.connection.execute(f"create table if not exists lake.landed_{system}__s ({LANDED})")
        for each in landed:
            self.connection.execute(
                f"insert into lake.landed_{system}__s by name select ?::uuid as _landed_id, 'main' as _client, ? as _source_key, "
                "? as _source_version, ?::timestamptz as _received_at, ? as _op, ? as _batch",
                [each.landed_id, each.row.key, each.row.version, each.received_at, each.row.op, each.batch],
            )
        return landed

    def _landed(self, rows: Sequence[Row], received_at: datetime) -> list[Landed]:
        landed = [Landed(row, UUID(int=(self.batch << 64) + place + 1), received_at, self.batch) for place, row in enumerate(rows)]
        self.landed.extend(landed)
        return landed

    def fill(self, landed: Sequence[Landed], generation: int) -> None:
        """Fill ``conformed`` and ``aside`` as the conform step would."""
        self.connection.execute(f"create or replace temp table conformed ({TABLES['contribution_thing'].removesuffix(', _batch bigint')})")
        self.connection.execute("""create or replace temp table aside (_landed_id uuid, _member_id uuid, _system varchar, _stream varchar,
            _source_key varchar, _source_version bigint, _received_at timestamptz, _state varchar, _reason varchar, _field varchar,
            _rule varchar, _value varchar, _findings varchar[], _fields varchar)""")
        for each in landed:
            row = each.row
            if row.bad:
                self.connection.execute(
                    "insert into aside values (?, ?, ?, 's', ?, ?, ?, 'quarantined', 'bad', 'a', 'not-a-number', 'x', [], '{}')",
                    [each.landed_id, each.member_id, row.system, row.key, row.version, each.received_at],
                )
                continue
            self.connection.execute(
                "insert into conformed values (?, 'main', ?, ?, ?, 's', ?, ?, ?, ?, ?, ?, [?], [], [], ?, ?, null)",
                [each.landed_id, f"{row.system}.s", generation, row.system, row.key, row.version, each.received_at, row.op, each.member_id,
                 each.keys, row.fired, row.a, row.b],
            )  # fmt: skip
        self.generations(landed[0].row.system, generation)

    def generations(self, system: str, generation: int) -> None:
        """Say which generation of a mapping counts."""
        self.connection.execute("insert into lake.generation values ('main', ?, ?, 'x', ?)", [f"{system}.s", generation, self.batch])


def plain_lake(**settings: Any) -> Iterator[PlainLake]:
    """Yield an empty lake in memory."""
    connection = duckdb.connect(config={"threads": 1})
    try:
        connection.execute("attach ':memory:' as lake")
        for name, columns in TABLES.items():
            connection.execute(f"create table lake.{name} ({columns})")
        yield PlainLake(connection, **settings)
    finally:
        connection.close()
