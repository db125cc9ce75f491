"""Landing: what a source said becomes rows of the lake, with its bytes, its receipt and the cursor, in one commit.

A record that says what the newest of its key says is skipped; an arrival whose bytes are the last of its origin is not even opened.
Small arrivals are landed many to a commit, a large one streams through the engine by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from treaty.connectors.interface import Arrival, CsvScan, Cursor, Refusal, Rows
from treaty.errors import RetryError
from treaty.faults import faultpoint
from treaty.lake.arrivals import KEYLESS, LastArrival, Receipt, last_arrivals, new_receipt, receipt_rows
from treaty.lake.batches import Batch, open_batch
from treaty.lake.commit import (
    TableWrite,
    commit,
    copy_parquet,
    discard,
    keep_files,
    prepare_rows,
    prepared_path,
    read_files,
    remove_files,
    write_parquet,
)
from treaty.lake.csv_parts import stage_csv
from treaty.lake.cursors import Fence, FenceError, read_cursor
from treaty.lake.issues import Issue, close_issue, open_issue
from treaty.lake.names import column_name, lake_table, quote_name, quote_text
from treaty.lake.objects import ObjectWriter, stored_hashes
from treaty.lake.refusals import ReadingMapping, origins_to_read_again, readable_now, refused_rows
from treaty.lake.rereading import gone_query, left_out
from treaty.lake.schema import ensure_landed, table_columns
from treaty.lake.scope import OneClient
from treaty.lake.staging import (
    SAME,
    RecordIdentity,
    Staging,
    corrected_query,
    csv_rows,
    identified,
    keep_known,
    mark_wrong,
    newest_query,
    order_repeats,
    staged_query,
    staged_rows,
    vanished_query,
)
from treaty.sessions import Session

if TYPE_CHECKING:
    import pyarrow as pa

Read: TypeAlias = Callable[[Cursor, Mapping[str, LastArrival]], Iterator[Arrival]]
_FEW_WRONG = 4  # up to one staged row in so many is taken out of the file; of more, the file is written again
_TRIES = 20
GUARD_ISSUE = "snapshot-guard"


@dataclass(frozen=True, slots=True)
class LandingRequest:
    """Which stream, and what its declaration says about its records."""

    system: str
    stream: str
    identify: Callable[[tuple[str, ...] | None], RecordIdentity]  # from the source columns of an arrival, None for documents
    snapshot_deletes: bool = False
    guard_percent: int = 20
    accept_deletes: bool = False  # apply a snapshot's deletes though they exceed the guard
    mappings: tuple[ReadingMapping, ...] = ()
    read_again: frozenset[str] = frozenset()  # origins whose last arrival is landed anew, though its bytes are the same
    read_as: str = ""  # what the stream's declaration says about reading; what was refused under another is read again
    reading: str = ""  # how records are read, of all that: arrivals that were read otherwise are read again, and what only the earlier reading had goes
    keyless: bool = False  # the stream has no key; once it has one, what landed before is read again from its beginning


@dataclass(slots=True)
class LandingResult:
    """What landing one stream came to, in records unless it says otherwise."""

    landed: int = 0  # rows written: upserts, deletes and refusals
    deleted: int = 0  # of these, deletes
    refused: int = 0  # of these, refusals
    repeated: int = 0  # of these, refusals that another stream of the system has in quarantine
    unchanged: int = 0  # records that said nothing new
    arrivals: int = 0  # arrivals landed
    skipped_arrivals: int = 0  # arrivals whose bytes had been the last of their origin
    held_deletes: int = 0  # deletes of a snapshot beyond its guard: not applied, an issue is open
    was_keyless: bool = False  # some of what landed before had no key, and the stream has one now
    batches: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """Arrivals that are landed in one commit."""

    batch: Batch
    objects: ObjectWriter
    received_at: datetime
    columns: tuple[str, ...] | None = None
    receipts: list[Receipt] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    scan: CsvScan | None = None  # a large arrival that the engine may read by itself
    stream: Callable[[], str] | None = None  # of a large arrival: gives the query over its rows, record by record
    refusals: list[tuple[Receipt, list[Refusal]]] = field(default_factory=list)
    snapshot: Arrival | None = None
    left_out: list[dict[str, Any]] = field(default_factory=list)  # dispositions of what only an earlier reading had
    cursor: Cursor = field(default_factory=dict)
    size_bytes: int = 0


def land(session: Session, scope: OneClient, request: LandingRequest, read: Read) -> LandingResult:
    """Land everything that ``read`` yields, given the cursor and the last arrivals of each origin.

    Where another process has moved the cursor, what it landed is left to it and reading begins again from there. Raises ``RetryError``
    only if that goes on for long.
    """
    result = LandingResult()
    for _ in range(_TRIES):
        try:
            return _Landing(session, scope, request, result).run(read)
        except FenceError as error:
            problem = error
    raise RetryError(f"Other processes go on landing {request.system}/{request.stream}: {problem.message}", remedy="Run again.")


class _Landing:
    """One reading of a stream from its cursor to its end."""

    def __init__(self, session: Session, scope: OneClient, request: LandingRequest, result: LandingResult) -> None:
        self._session = session
        self._scope = scope
        self._request = request
        self._result = result
        self._position = read_cursor(session, scope, request.system, request.stream)
        self._last = last_arrivals(session, scope, request.system, request.stream)
        keyless = frozenset() if request.keyless else frozenset(origin for origin, last in self._last.items() if last.keyless)
        self._otherwise = {origin: last.sha256 for origin, last in self._last.items() if last.reading and request.reading not in ("", last.reading)}
        self._again = origins_to_read_again(self._last, request.read_as, request.read_again | keyless | self._otherwise.keys())
        for origin in self._again:
            self._last[origin] = replace(self._last[origin], sha256="", stamp=None)
        self._from_start = bool(keyless) and keyless == self._last.keys()
        result.was_keyless = not request.keyless and any(last.keyless or last.once_keyless for last in self._last.values())
        self._group: _Group | None = None

    def run(self, read: Read) -> LandingResult:
        position: Cursor = self._position.position
        settings = self._session.settings
        try:
            for arrival in read({} if self._from_start else self._position.position, dict(self._last)):
                position = arrival.cursor
                last = self._last.get(arrival.origin)
                if last is not None and last.sha256 == arrival.sha256:
                    self._result.skipped_arrivals += 1
                    continue
                faultpoint("land.pre_prepare")
                large = _weight(arrival) > settings.land_batch_bytes // 4
                if large or arrival.complete_snapshot:
                    self._flush(None)
                self._take(arrival, last, large=large)
                group = self._group
                if group is not None and (
                    large or group.snapshot or group.size_bytes >= settings.land_batch_bytes or len(group.receipts) >= settings.land_batch_arrivals
                ):
                    self._flush(position)
            self._flush(position)
        except BaseException:
            if self._group is not None:
                self._group.objects.abandon()
                discard(self._session, self._group.batch, ())
            raise
        if dict(position) != dict(self._position.position):
            self._move_cursor(position)
        return self._result

    # ---- taking arrivals

    def _take(self, arrival: Arrival, last: LastArrival | None, *, large: bool) -> None:
        """Add an arrival to the open group: its bytes, and its records unless they are to stream."""
        records = arrival.records
        columns = records.columns if records is not None else None
        otherwise = self._otherwise.pop(arrival.origin, None)
        again = last is not None and arrival.origin in self._again and otherwise in (None, arrival.sha256)
        if self._group is not None and self._must_part(self._group, columns, records, again=again):
            self._flush(self._group.cursor)
        group = self._group or self._open()
        request = self._request
        receipt = new_receipt(
            self._scope, request.system, request.stream, len(group.receipts), arrival.origin, last, arrival.sha256, columns, arrival.details
        )
        if last is not None and again:
            receipt.again, receipt.otherwise = last.batch, otherwise is not None
            arrival.complete_snapshot &= last.batch >= max(each.batch for each in self._last.values())  # else later ones know better
        receipt.unread = last is not None and last.unread
        group.objects.add(arrival.content, arrival.sha256, arrival.size_bytes)
        group.receipts.append(receipt)
        group.size_bytes += _weight(arrival)
        group.cursor = arrival.cursor
        if records is not None:
            group.columns = columns
            if large:
                self._stream(group, records, receipt)
            else:
                table = self._read_small(records, receipt)
                if table is not None:
                    group.columns = receipt.columns
                    group.tables.append(table)
        group.refusals.append((receipt, arrival.refusals))
        if arrival.complete_snapshot and request.snapshot_deletes:
            group.snapshot = arrival
        self._last[arrival.origin] = LastArrival(receipt.arrival, arrival.sha256, arrival.details.get("stamp"), receipt.again or group.batch.number)
        self._again -= {arrival.origin}

    @staticmethod
    def _must_part(group: _Group, columns: tuple[str, ...] | None, records: CsvScan | Rows | None, *, again: bool) -> bool:
        """Tell whether an arrival must not land with those of a group: a table has other columns, or what is read again could seem the newer."""
        other_columns = records is not None and bool(group.tables) and group.columns != columns
        return other_columns or again != (group.receipts[-1].again is not None)

    def _open(self) -> _Group:
        request = self._request
        batch = open_batch(self._session, self._scope, "land", stream=f"{request.system}/{request.stream}")
        self._group = _Group(batch, ObjectWriter(self._session, self._scope, batch), batch.started_at)
        return self._group

    def _stream(self, group: _Group, records: CsvScan | Rows, receipt: Receipt) -> None:
        group.scan = records if isinstance(records, CsvScan) else None
        group.stream = lambda: self._reading(records.exact() if isinstance(records, CsvScan) else records, receipt)

    def _reading(self, rows: Rows, receipt: Receipt) -> str:
        """Register rows as a stream that can be read once."""
        import pyarrow as pa

        batches = (_physical(batch, receipt.number) for batch in rows.batches)
        first = next(batches, None)
        if first is None:
            return _no_rows(rows.columns)
        reader = pa.RecordBatchReader.from_batches(first.schema, _chain(first, batches))
        self._session.duck.register("l_reader", reader)
        return "select * from l_reader"

    def _read_small(self, records: CsvScan | Rows, receipt: Receipt) -> pa.Table | None:
        import pyarrow as pa

        if isinstance(records, CsvScan):
            try:
                table: pa.Table = self._session.duck.execute(csv_rows(records)).to_arrow_table()
                return table.set_column(0, "_arrival", pa.array([receipt.number] * len(table), pa.int32()))
            except Exception as error:
                if not self._session.is_unreadable_csv(error):
                    raise
                return self._read_small(records.exact(), receipt)
        batches = [_physical(batch, receipt.number) for batch in records.batches]
        return pa.Table.from_batches(batches) if batches else None

    # ---- one commit

    def _flush(self, position: Cursor | None) -> None:
        """Commit the open group. The cursor goes to ``position``, else to where the group's last arrival left it."""
        group, self._group = self._group, None
        if group is None:
            return
        target = group.cursor if position is None else position
        writes: list[TableWrite | None] = []
        counts = LandingResult()
        try:
            writes = self._prepare(group, counts)
            rows = receipt_rows(group.batch, self._scope, self._request.system, self._request.stream, group.receipts, group.received_at)
            writes.append(prepare_rows(self._session, group.batch, "receipt", rows))
            stored = stored_hashes(self._session, self._scope, {each.sha256 for each in group.receipts})
            writes.append(prepare_rows(self._session, group.batch, "object", group.objects.finish(stored)))
        except BaseException:
            group.objects.abandon()
            discard(self._session, group.batch, writes)
            raise
        if group.snapshot is not None and group.snapshot.complete_snapshot and not counts.held_deletes:
            close_issue(self._session, self._scope, GUARD_ISSUE, f"{self._request.system}/{self._request.stream}", "a later snapshot")
        if counts.held_deletes:  # before the commit: after it, nothing would look at this snapshot again
            self._open_issue(counts.held_deletes)
        faultpoint("land.pre_commit")
        fence = self._fence(target)
        told = {"landed": counts.landed, "unchanged": counts.unchanged, "refused": counts.refused, "deleted": counts.deleted, "arrivals": len(group.receipts)}
        try:
            commit(self._session, self._scope, writes, batch=group.batch, fences=[fence], message=f"land {group.batch.stream}", counts=told)
        except FenceError:
            group.objects.abandon()
            raise
        faultpoint("land.post_commit")
        self._position = replace(self._position, seq=fence.expected + 1, position=target)
        self._add_up(group, counts)

    def _add_up(self, group: _Group, counts: LandingResult) -> None:
        total = self._result
        for name in ("landed", "deleted", "refused", "repeated", "unchanged", "held_deletes"):
            setattr(total, name, getattr(total, name) + getattr(counts, name))
        total.arrivals += len(group.receipts)
        total.batches.append(group.batch.number)

    def _move_cursor(self, position: Cursor) -> None:
        """Note that reading has come further though nothing new was read."""
        batch = open_batch(self._session, self._scope, "land", stream=f"{self._request.system}/{self._request.stream}")
        commit(self._session, self._scope, (), batch=batch, fences=[self._fence(position)], message="cursor")

    def _fence(self, position: Cursor) -> Fence:
        return Fence(self._scope.client, self._request.system, self._request.stream, self._position.seq, position)

    def _prepare(self, group: _Group, counts: LandingResult) -> list[TableWrite | None]:
        """Write the landed rows of a group to files, and see what each of them is."""
        request = self._request
        writes: list[TableWrite | None] = []
        has_rows = group.stream is not None or any(len(table) for table in group.tables)
        columns = group.columns
        physical = None if columns is None else {column_name(name): "VARCHAR" for name in columns}
        table = ensure_landed(self._session, request.system, request.stream, physical)
        staging = Staging(
            self._scope.client, table, group.batch.number, _timestamp(group.received_at), columns, tuple(group.receipts), request.identify(columns)
        )
        if has_rows or group.snapshot or any(each.otherwise for each in group.receipts):
            writes += self._stage(group, staging, counts)
        writes += self._refuse(group, staging, counts)
        return writes

    def _stage(self, group: _Group, staging: Staging, counts: LandingResult) -> list[TableWrite | None]:
        duck = self._session.duck
        known = list((table_columns(self._session, staging.table) or {}).items())
        newest = self._find_newest(group, staging)
        staged: tuple[Path, ...] = ()
        try:
            staged = self._write_staged(group, staging, newest, known)
            if newest:
                keep_known(self._session, staged, newest)
            rows = staged_rows(staging, staged, newest, known)
            repeats = order_repeats(self._session, staging, rows, "l_known" if newest else None)
            wrong = mark_wrong(self._session, staging, rows, repeats=repeats)
            total = self._count(group, staged)
            gone = None
            if group.snapshot is not None and newest and group.snapshot.complete_snapshot:
                gone = self._vanish(group, staging, rows, newest, known, counts)
            left = self._leave(group, staging, rows, known, counts) if newest and any(each.otherwise for each in group.receipts) else None
            corrected = corrected_query(staging, rows, known) if repeats else ""
            if newest is None and (not wrong or (total > self._session.settings.row_group_rows and wrong * _FEW_WRONG <= total)):
                writes = [*self._keep(group, staging, staged, total, wrong, corrected), gone, left]
            else:
                writes = [self._write_again(group, staging, rows, known, corrected), gone, left]
            landed = sum(write.rows for write in writes if write)
            counts.landed += landed
            counts.unchanged += total - (landed - counts.deleted)
            self._note_skipped(group, staging, writes)
            if not any(write and set(staged) <= set(write.files) for write in writes):
                remove_files(staged)
            return writes
        except BaseException:
            remove_files(staged)
            raise
        finally:
            for relation in ("l_reader", "l_table"):
                duck.unregister(relation)
            for table in ("l_newest", "l_known", "l_asked", "l_twice", "l_repeat", "l_wrong"):  # they hold memory
                duck.execute(f"drop table if exists {table}")

    def _find_newest(self, group: _Group, staging: Staging) -> str | None:
        """Return the relation of the newest landed rows, of the arriving identities alone where they are few; None if there is none."""
        duck = self._session.duck
        table = lake_table(staging.table)
        if duck.execute(f"select 1 from {table} where _client = {quote_text(staging.client)} limit 1").fetchone() is None:
            return None
        if group.stream is not None or group.snapshot is not None or not group.tables:
            return f"({newest_query(staging, None)})"  # not kept: a copy of every key would take as much memory as the join itself
        self._register(group)
        duck.execute(f"create or replace temp table l_asked as select distinct _identity from ({identified(staging, 'select * from l_table')})")
        duck.execute(f"create or replace temp table l_newest as {newest_query(staging, 'l_asked')}")
        return "l_newest"

    def _register(self, group: _Group) -> None:
        import pyarrow as pa

        self._session.duck.register("l_table", pa.concat_tables(group.tables))

    def _write_staged(self, group: _Group, staging: Staging, newest: str | None, known: list[tuple[str, str]]) -> tuple[Path, ...]:
        """Write what arrives to files, as :func:`staged_query` tells, and return them."""
        session = self._session

        def new_path() -> Path:
            return prepared_path(session, group.batch, staging.table)

        def copy(rows: str, path: Path) -> str:
            select = staged_query(staging, identified(staging, rows), newest, known)
            return copy_parquet(session, path, select, ordered=newest is None and group.stream is not None)

        with session.joins_as_written():  # the engine has no idea how many rows arrive
            if group.scan is not None:
                try:
                    return stage_csv(session, group.scan, new_path, copy)
                except Exception as error:
                    if not session.is_unreadable_csv(error):
                        raise
            if group.stream is not None:
                rows = group.stream()
            elif group.tables:
                self._register(group)
                rows = "select * from l_table"
            else:  # a snapshot of nothing, or nothing in the bytes as they are read now
                rows = _no_rows(staging.columns)
            staged = new_path()
            try:
                session.duck.execute(copy(rows, staged))
            except BaseException:
                remove_files([staged])
                raise
            return (staged,)

    def _count(self, group: _Group, staged: tuple[Path, ...]) -> int:
        """Note in the receipts how many records each arrival had; return how many there are in all."""
        counted = self._session.duck.execute(f"select _arrival, count(*) from {read_files(staged)} group by all").fetchall()
        for number, records in counted:
            group.receipts[number].records = int(records)
        return sum(int(records) for _, records in counted)

    def _keep(
        self, group: _Group, staging: Staging, staged: tuple[Path, ...], total: int, wrong: int, corrected: str
    ) -> list[TableWrite | None]:
        """Land the staged files as they are, less the rows of ``l_wrong``, which land corrected from a file of their own."""
        session = self._session
        kept = _keep_rows(session, staging.table, staged, total)
        if kept is None or not wrong:
            return [kept]
        session.duck.execute("create or replace temp table l_removed as from l_wrong")
        kept = replace(kept, rows=total - wrong, without="l_removed")
        if not corrected:
            return [kept]
        path = prepared_path(session, group.batch, staging.table)
        return [kept, _keep_rows(session, staging.table, (path,), write_parquet(session, path, corrected))]

    def _write_again(self, group: _Group, staging: Staging, rows: str, known: list[tuple[str, str]], corrected: str) -> TableWrite | None:
        """Land what is right as staged and what had to be corrected from a new file."""
        names = ", ".join(quote_name(name) for name, _ in known)
        right = f"select {names} from {rows} anti join l_wrong using (_landed_id) where _op <> '{SAME}'"
        path = prepared_path(self._session, group.batch, staging.table)
        written = write_parquet(self._session, path, f"{right} union all by name {corrected}" if corrected else right)
        return _keep_rows(self._session, staging.table, (path,), written)

    def _note_skipped(self, group: _Group, staging: Staging, writes: list[TableWrite | None]) -> None:
        """Note in each receipt how many of its records said nothing new."""
        landed = dict.fromkeys(range(len(group.receipts)), 0)
        by_receipt = {str(each.receipt): each.number for each in group.receipts}
        for write in writes:
            for path in write.files if write else ():
                without = f"anti join {write.without} using (_landed_id)" if write and write.without else ""
                query = f"select _receipt_id::VARCHAR, count(*) from read_parquet({quote_text(str(path))}) {without} group by all"
                for receipt, rows in self._session.duck.execute(query).fetchall():
                    landed[by_receipt[receipt]] += int(rows)
            if write and write.values:
                place = write.columns.index("_receipt_id")
                for row in write.values:
                    landed[by_receipt[str(row[place])]] += 1
        for receipt in group.receipts:
            receipt.skipped = max(receipt.records - landed[receipt.number], 0)

    def _vanish(
        self, group: _Group, staging: Staging, rows: str, newest: str, known: list[tuple[str, str]], counts: LandingResult
    ) -> TableWrite | None:
        """Prepare deletes for what a complete snapshot no longer holds, unless they are more than its guard allows."""
        session = self._session
        first = max(group.receipts[0].records, 0) + 1_000_000_000  # beyond every record of the arrival
        query = vanished_query(staging, rows, newest, known, first)
        path = prepared_path(session, group.batch, staging.table)
        gone = write_parquet(session, path, query)
        live = session.duck.execute(f"select count(*) from {newest} where not n_gone").fetchone()
        if gone and not self._request.accept_deletes and live is not None and gone * 100 > int(live[0]) * self._request.guard_percent:
            counts.held_deletes, gone = gone, 0
        counts.deleted += gone
        return _keep_rows(session, staging.table, (path,), gone)

    def _leave(self, group: _Group, staging: Staging, rows: str, known: list[tuple[str, str]], counts: LandingResult) -> TableWrite | None:
        """Prepare that goes what only an earlier reading of the same bytes had; of a snapshot, what lacks is deleted as ever, by its guard.

        Nothing goes where the reading of now finds few records in its place: it is mistyped, or not yet right.
        """
        session, request = self._session, self._request
        group.left_out = left_out(session, staging, request.system, request.stream, rows)
        if group.snapshot is not None:
            return None
        query = gone_query(staging, request.system, request.stream, request.reading, rows, known, keyless=request.keyless)
        path = prepared_path(session, group.batch, staging.table)
        gone = write_parquet(session, path, query)
        keyed = session.duck.execute(f"select count(*) from {rows} where {request.keyless} or _source_key is not null").fetchone()
        if keyed is None or int(keyed[0]) * 2 < gone:  # a mistake is likelier than that so much was never said
            gone = 0
        counts.deleted += gone
        return _keep_rows(session, staging.table, (path,), gone)

    # ---- what could not be read

    def _refuse(self, group: _Group, staging: Staging, counts: LandingResult) -> list[TableWrite | None]:
        """Land refused records and files, and quarantine them; take out of quarantine what is refused no more."""
        session, request = self._session, self._request
        found = refused_rows(session, staging, request.system, request.stream, request.mappings, group.refusals, group.received_at)
        declared = {KEYLESS: "true"} if request.keyless else {}
        declared |= {"reading": request.reading} if request.reading else {}
        for receipt, refusals in group.refusals:  # not before: what gave the records may have added to the details
            held = counts.held_deletes and group.snapshot is not None and receipt.origin == group.snapshot.origin
            how = {"read_as": request.read_as} if (refusals or held) and request.read_as else {}
            first = {} if receipt.again is None else {"first_batch": str(receipt.again)}
            receipt.details = {**receipt.details, **how, **first, **declared}
        found.states += group.left_out
        if again := [each for each in group.receipts if each.again is not None or each.unread]:
            found.states += readable_now(session, staging, request.system, request.stream, again, group.refusals)
        counts.repeated += found.repeated
        counts.refused += len(found.landed) - found.repeated
        counts.landed += len(found.landed)
        return [
            prepare_rows(session, group.batch, staging.table, found.landed),
            prepare_rows(session, group.batch, "disposition", found.states),
            prepare_rows(session, group.batch, "quarantine", found.opened),
        ]

    def _open_issue(self, deletes: int) -> None:
        request = self._request
        place = f"{request.system}/{request.stream}"
        message = f"The last snapshot lacks {deletes} records that were there: more than its guard of {request.guard_percent} %. They were not deleted."
        remedy = "Check the source. If they are gone indeed, raise `deletes: guard` and run with --apply: the snapshot is then read again."
        open_issue(self._session, self._scope, Issue(GUARD_ISSUE, place, message, remedy))


def _weight(arrival: Arrival) -> int:
    """Return about how many bytes landing has to hold of an arrival that it does not stream."""
    return max(arrival.size_bytes, arrival.records_bytes)


def _physical(batch: pa.RecordBatch, number: int) -> pa.RecordBatch:
    """Give an arrival's batch the physical names of its columns, its number, and what it was told to be."""
    import pyarrow as pa

    rows = batch.num_rows
    names = ["_arrival", "_told"]
    arrays = [pa.array([number], pa.int32()).take(pa.array([0] * rows, pa.int32())), None]
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        if name == "_op":
            arrays[1] = array
        else:
            names.append(name if name in ("_locator", "payload") else column_name(name))
            arrays.append(array)
    if arrays[1] is None:
        arrays[1] = pa.array(["upsert"], pa.string()).take(pa.array([0] * rows, pa.int32()))
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _no_rows(columns: tuple[str, ...] | None) -> str:
    names = ["payload"] if columns is None else [column_name(name) for name in columns]
    return "select 0 as _arrival, 'upsert' as _told, 1::BIGINT as _locator, " + ", ".join(f'null::VARCHAR as "{name}"' for name in names) + " where false"


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _keep_rows(session: Session, table: str, paths: tuple[Path, ...], rows: int) -> TableWrite | None:
    if rows:
        return keep_files(session, table, paths, rows)
    remove_files(paths)
    return None


def _timestamp(at: datetime) -> str:
    return f"{quote_text(at.isoformat())}::TIMESTAMPTZ"
