"""What differs between the lake as it stands and as a prospect has it, for one client and model: counted exactly, with samples.

Golden records are counted as changed, added, removed, merged (gone into another) or split (new, made of another's members), landed
records as going into or out of quarantine. Only what the prospect writes is looked at: nothing else can differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from treaty.lake.current import ModelTables, columns, current_golden, effective_dispositions, latest_xref
from treaty.lake.names import golden_table, lake_table, quote_name, quote_text
from treaty.lake.prospect import CATALOG, Prospect
from treaty.lake.relationships import Relationship, as_read
from treaty.lake.schema import table_columns

COUNTS = ("changed", "added", "removed", "into_quarantine", "out_of_quarantine", "merged", "split")
MOST_SAMPLES = 3
WHOLE = "*"  # the ``field`` of a sample that is about a whole record


@dataclass(frozen=True, slots=True)
class Sample:
    """One value, or with the field ``*`` one record, before and after."""

    id: str
    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class MovedMapping:
    """One mapping's generations before and after; before is 0 where it never ran. ``landed`` is its stream's table."""

    name: str
    before: int
    after: int
    landed: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One client's records of one model: how many differ and how, by field, and values of few of them.

    ``overwritten`` counts changed records in which a value that was there is another now, ``lost`` records that were canonical and go
    into quarantine.
    """

    client: str
    model: str
    records: Mapping[str, int]
    fields: Mapping[str, int] = field(default_factory=dict)
    rewrites: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    overwritten: int = 0
    lost: int = 0

    def __bool__(self) -> bool:
        return any(self.records.values()) or any(self.rewrites.values())

    @property
    def size(self) -> int:
        """How much differs, to put the worst first."""
        return sum(self.records.values())


@dataclass(frozen=True, slots=True)
class Relations:
    """The relationships of a model before and after."""

    before: Sequence[Relationship] = ()
    after: Sequence[Relationship] = ()

    @property
    def moved(self) -> bool:
        """Whether what is read may differ though no golden record does."""
        return self.before != self.after and any(each.moves for each in (*self.before, *self.after))


def find_difference(prospect: Prospect, model: str, mappings: Sequence[MovedMapping], relations: Relations) -> Difference:
    """Compare one model of the prospect's client."""
    session, client = prospect.session, prospect.client
    duck = session.duck
    fields = _rows(prospect, model, relations)
    if table_columns(session, golden_table(model)) is not None:
        _name_kin(prospect, model)
    sums = "".join(f", count(*) filter (kind = 'changed' and which[{place}])" for place in range(1, len(fields) + 1))
    row = duck.execute(f"""
        select {", ".join(f"count(*) filter (kind = '{each}')" for each in ("changed", "added", "removed", "merged", "split"))},
            count(*) filter (kind = 'changed' and overwrites){sums} from d_rows""").fetchone()
    assert row is not None, "a sum has a row"
    records = dict(zip(("changed", "added", "removed", "merged", "split"), map(int, row[:5]), strict=True))
    by_field = {name: int(number) for name, number in zip(fields, row[6:], strict=True) if number}
    samples = _samples(prospect, model, fields, relations)
    into = out = lost = 0
    for each in mappings:
        went, came, gone, shown = _quarantine(prospect, model, each)
        into, out, lost, samples = into + went, out + came, lost + gone, [*samples, *shown]
    records |= {"into_quarantine": into, "out_of_quarantine": out}
    duck.execute("drop table if exists d_rows")
    return Difference(client, model, {name: records[name] for name in COUNTS}, by_field, {}, tuple(samples), int(row[5]), lost)


def _golden(prospect: Prospect, model: str, relations: Sequence[Relationship], ids: str, *, after: bool) -> str | None:
    """Select living golden records as their readers take them, those with ``ids``; None where the lake has no such table."""
    session = prospect.session
    if not after and table_columns(session, golden_table(model)) is None:
        return None
    written = prospect.written_golden(model)
    if after and ids and written and not any(each.moves for each in relations):  # what has a new version is read from there alone: the lake is wide
        return f"select g.* from ({written}) g where not g._deleted{ids}"
    catalog = {"catalog": CATALOG} if after else {}
    golden = current_golden(ModelTables(model, **catalog), prospect.client, where=f"not g._deleted{ids}")
    if not any(each.moves for each in relations):
        return golden
    read = as_read(session, golden, {prospect.client: relations}, session.clock(), **catalog)
    return f"select * exclude (_missing) from ({read}) where _missing is null"


def _ids(prospect: Prospect, model: str, relations: Relations) -> str:
    if relations.moved:
        return ""
    return f" and g._canonical_id in ({prospect.rewritten(model) or 'select null::uuid where false'})"


def _rows(prospect: Prospect, model: str, relations: Relations) -> list[str]:
    """Fill ``d_rows`` (id, kind, which fields differ, whether a value is overwritten); return the names of the fields."""
    ids = _ids(prospect, model, relations)
    after = _golden(prospect, model, relations.after, ids, after=True)
    before = _golden(prospect, model, relations.before, ids, after=False)
    known = table_columns(prospect.session, golden_table(model)) or {}
    fields = [name for name in prospect.columns[golden_table(model)] if not name.startswith("_")]
    old = {name: f"b.{quote_name(name)}" if name in known else "null" for name in fields}
    differs = ", ".join(f"{old[name]} is distinct from a.{quote_name(name)}" for name in fields) or "false"
    overwrites = " or ".join(f"({old[name]} is not null and {old[name]} is distinct from a.{quote_name(name)})" for name in fields) or "false"
    empty = "select null::uuid as _canonical_id where false"
    there = before or empty
    if before is None:
        old = dict.fromkeys(fields, "null")
        differs, overwrites = ", ".join("false" for _ in fields) or "false", "false"
    prospect.session.duck.execute(f"""
        create or replace temp table d_rows as
        select * from (
            select coalesce(a._canonical_id, b._canonical_id) as id,
                case when b._canonical_id is null then 'added' when a._canonical_id is null then 'removed' else 'changed' end as kind,
                [{differs}] as which, {overwrites} as overwrites
            from ({there}) b full join ({after}) a on a._canonical_id = b._canonical_id)
        where kind <> 'changed' or list_contains(which, true)""")
    return fields


def _name_kin(prospect: Prospect, model: str) -> None:
    """Tell records that are gone into another from removed ones, and those that came out of another from added ones."""
    duck = prospect.session.duck
    found = duck.execute("select 1 from d_rows where kind in ('added', 'removed') limit 1").fetchone()
    if found is None:
        return
    before, after = (f"select _member_id, _canonical_id from ({latest_xref(tables, prospect.client)}) where not ended" for tables in (ModelTables(model), prospect.tables(model)))
    living = "select g._canonical_id from ({}) g"
    now = living.format(current_golden(prospect.tables(model), prospect.client, "g._canonical_id", "not g._deleted"))
    was = living.format(current_golden(ModelTables(model), prospect.client, "g._canonical_id", "not g._deleted"))
    duck.execute(f"""
        create or replace temp table d_kin as
        select b._canonical_id as old_id, a._canonical_id as new_id from ({before}) b join ({after}) a on a._member_id = b._member_id
        where b._canonical_id <> a._canonical_id and (b._canonical_id in (select id from d_rows) or a._canonical_id in (select id from d_rows))""")
    duck.execute(f"""
        create or replace temp table d_rows as
        select id, case when kind = 'removed' and id in (select old_id from d_kin where new_id in ({now})) then 'merged'
                when kind = 'added' and id in (select new_id from d_kin where old_id in ({was})) then 'split' else kind end as kind,
            which, overwrites from d_rows""")


def _samples(prospect: Prospect, model: str, fields: Sequence[str], relations: Relations) -> list[Sample]:
    duck = prospect.session.duck
    shown: list[Sample] = []
    found = duck.execute(f"select id::varchar, which from d_rows where kind = 'changed' order by id limit {MOST_SAMPLES}").fetchall()
    if found:
        ids = " and g._canonical_id in (" + ", ".join(f"{quote_text(each)}::uuid" for each, _ in found) + ")"
        moved = {each: [name for name, differs in zip(fields, which, strict=True) if differs][:MOST_SAMPLES] for each, which in found}
        names = list(dict.fromkeys(name for several in moved.values() for name in several))
        before, after = (_values(prospect, _golden(prospect, model, told, ids, after=later), names) for told, later in ((relations.before, False), (relations.after, True)))
        shown = [Sample(each, name, before.get(each, {}).get(name), after.get(each, {}).get(name)) for each, several in moved.items() for name in several]
    kinds = {"added": (None, "added"), "removed": ("canonical", "removed"), "merged": ("canonical", "merged into another"), "split": (None, "split from another")}
    for kind, (was, becomes) in kinds.items():
        rows = duck.execute(f"select id::varchar from d_rows where kind = '{kind}' order by id limit {MOST_SAMPLES}").fetchall()
        shown += [Sample(row[0], WHOLE, was, becomes) for row in rows]
    return shown


def _values(prospect: Prospect, query: str | None, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return these fields of the golden records of a query, by id; only they are read, since records are wide."""
    duck = prospect.session.duck
    if query is None:
        return {}
    known = {name for name, _ in columns(duck, query)}
    there = [name for name in names if name in known]
    rows = duck.execute(f"select {', '.join(['_canonical_id::varchar', *map(quote_name, there)])} from ({query})").fetchall()
    return {row[0]: dict(zip(there, row[1:], strict=True)) for row in rows}


def _quarantine(prospect: Prospect, model: str, mapping: MovedMapping) -> tuple[int, int, int, list[Sample]]:
    """Return how many landed records of a mapping go into and out of quarantine, how many of the former were canonical, and samples."""
    duck, client = prospect.session.duck, quote_text(prospect.client)
    tables = prospect.tables(model)
    of = f"_client = {client} and _mapping = {quote_text(mapping.name)} and _generation ="
    states = effective_dispositions(tables, f"{of} {mapping.after}")
    stood = effective_dispositions(ModelTables(model), f"{of} {mapping.before}")
    read = f"select _landed_id from {lake_table(mapping.landed)} where _client = {client} and _op <> 'refused'"
    duck.execute(f"""
        create or replace temp table d_moved as
        select coalesce(a._landed_id, b._landed_id) as id, a._landed_id is not null as goes, b._landed_id is not null as was
        from (select _landed_id from ({states}) where state = 'quarantined') a
        full join (select _landed_id from ({stood}) where state = 'quarantined') b on b._landed_id = a._landed_id
        where coalesce(a._landed_id, b._landed_id) in ({read}) and (a._landed_id is null or b._landed_id is null)""")
    canonical = "select null::uuid where false"
    if table_columns(prospect.session, golden_table(model)) is not None and mapping.before:
        canonical = f"""select _landed_id from {ModelTables(model).contribution} where {of} {mapping.before}
            except select _landed_id from ({stood}) where state <> 'canonical'"""
    row = duck.execute(f"""select count(*) filter (goes), count(*) filter (not goes), count(*) filter (goes and id in ({canonical})) from d_moved""").fetchone()
    assert row is not None, "a sum has a row"
    rows = duck.execute(f"""
        select m.id::varchar, q.field, q.rule, q.value from d_moved m join {tables.table("quarantine")} q
        on q._landed_id = m.id and q._client = {client} and q._mapping = {quote_text(mapping.name)} and q._generation = {mapping.after}
        where m.goes order by 1 limit {MOST_SAMPLES}""").fetchall()
    shown = [Sample(each[0], each[1] or WHOLE, each[3], f"quarantined: {each[2]}") for each in rows]
    left = duck.execute(f"select id::varchar from d_moved where not goes order by 1 limit {MOST_SAMPLES}").fetchall()
    shown += [Sample(each[0], WHOLE, "quarantined", "out of quarantine") for each in left]
    return int(row[0]), int(row[1]), int(row[2]), shown
