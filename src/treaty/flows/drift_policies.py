"""What a change of shape does to what arrives, where a stream or its flow says other than ``evolve``.

``freeze`` lands nothing of an arrival of another shape and stops the stream there; ``discard_value`` lands the records without the values
at new paths or of new kinds; ``quarantine`` sets aside the records that have such values. The bytes of what lands are kept whole in each case.
What is known is written into the receipts, so it commits with what landed. A path that is missing is no new shape: that is an issue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from treaty.connectors.interface import Arrival, CsvScan, Refusal, Rows
from treaty.errors import StopError
from treaty.flows.references import newest_landed
from treaty.lake.issues import Issue, close_issue, open_issue, open_issues
from treaty.lake.names import quote_text
from treaty.lake.quarantine import discard_records, open_records, quarantine_groups
from treaty.lake.receipts import drift_read_again, drifted_origins, known_columns, known_shape
from treaty.lake.scope import OneClient
from treaty.sessions import Session

if TYPE_CHECKING:
    import pyarrow as pa

Policy: TypeAlias = Literal["evolve", "freeze", "discard_value", "quarantine"]
KnownPaths: TypeAlias = dict[str, set[str]]  # path → kinds of value seen at it; null says nothing of a kind

NUMERAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")
ISSUE = REASON = "drift"
EXCERPT = 200
NAMED = 5  # paths that a message names


class ShapeFrozenError(StopError):
    """A stream whose shape may not change was sent another one."""


@dataclass(slots=True)
class DriftGuard:
    """Applies one policy to the arrivals of one stream, in their order."""

    session: Session
    client: str
    stream: str
    policy: Policy
    paths: KnownPaths
    columns: set[str]
    stored: bool  # whether some receipt says what is known
    found: dict[str, int] = field(default_factory=dict)  # new path → records that had it

    @classmethod
    def of(cls, session: Session, client: str, stream: str, policy: Policy) -> DriftGuard:
        """Return the guard of a stream, with what is known of its shape by now."""
        scope = OneClient(client)
        stored = known_shape(session, scope, stream)
        paths = {path: set(kinds) for path, kinds in (stored or {}).items()}
        if stored is None:
            paths = _landed_paths(session, client, stream)
        return cls(session, client, stream, policy, paths, known_columns(session, scope, stream), stored is not None)

    def check(self, arrival: Arrival) -> Arrival:
        """Return the arrival as it is to land. Raises ShapeFrozenError where the policy is to freeze and its shape is new."""
        if arrival.records is None:
            return arrival
        if arrival.records.columns is not None:
            return self._check_table(arrival, arrival.records, arrival.records.columns)
        assert isinstance(arrival.records, Rows), "a scan has columns"
        details = dict(arrival.details)
        if self.policy == "freeze":
            batches = list(arrival.records.batches)
            known, stored = {path: set(kinds) for path, kinds in self.paths.items()}, self.stored
            checked = list(self._documents(iter(batches), arrival, details))
            if self.found:
                self.paths, self.stored = known, stored
                raise self._frozen(arrival)
            arrival.records, arrival.details = Rows(iter(checked), None), details
        else:
            arrival.records, arrival.details = Rows(self._documents(arrival.records.batches, arrival, details), None), details
        return arrival

    def tell(self) -> None:
        """Open an issue for what was found, so that nobody need look for it."""
        if self.found:
            done = {"discard_value": "were left out of", "quarantine": "set aside", "freeze": "stop"}[self.policy]
            message = f"{len(self.found)} paths are new or of a new kind: {_named(list(self.found))}. They {done} {max(self.found.values())} records."
            open_issue(self.session, OneClient(self.client), Issue(ISSUE, self.stream, message, self._remedy()))

    def _remedy(self) -> str:
        return (
            "If the source is right, say `drift: evolve` for the stream or its flow, map what is new, and `treaty run --apply`: what was left out of "
            "files is then read again. `treaty drift` lists the paths."
        )

    def _frozen(self, arrival: Arrival) -> ShapeFrozenError:
        self.found = dict.fromkeys(self.found, 1)
        self.tell()
        return ShapeFrozenError(
            f"{self.stream} is frozen, and {arrival.origin} has another shape: {_named(list(self.found))}. Nothing of it landed.", remedy=self._remedy()
        )

    # ---- documents

    def _documents(self, batches: Iterator[pa.RecordBatch], arrival: Arrival, details: dict[str, str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        learns = not self.paths
        before = json.dumps({path: sorted(kinds) for path, kinds in self.paths.items()}, sort_keys=True)
        mine: dict[str, int] = {}
        for batch in batches:
            keep, payloads = [], []
            places = batch.column("_locator").to_pylist()
            for place, (locator, payload) in enumerate(zip(places, batch.column("payload").to_pylist(), strict=True)):
                kept, new = self._document(payload, learns=learns)
                for path in new:
                    mine[path] = mine.get(path, 0) + 1
                if new and self.policy == "quarantine":
                    self._refuse(arrival, int(locator), new, payload)
                    continue
                keep.append(place)
                payloads.append(kept)
            batch = batch.take(pa.array(keep, pa.int64()))
            column = batch.schema.get_field_index("payload")
            yield batch.set_column(column, "payload", pa.array(payloads, pa.string()))
        now = json.dumps({path: sorted(kinds) for path, kinds in self.paths.items()}, sort_keys=True)
        if now != before or not self.stored:
            details["shape"], self.stored = now, True
        self._note(mine, details)

    def _document(self, payload: str | None, *, learns: bool) -> tuple[str | None, list[str]]:
        """Return a payload as it is to land, and the paths at which it is not what is known."""
        if payload is None:
            return None, []
        value = json.loads(payload)
        new: list[str] = []
        kept = self._value(value, "", new, learns=learns)
        if not new:
            self._learn(value, "")
            return payload, new
        return (json.dumps(kept, ensure_ascii=False, separators=(",", ":")) if self.policy == "discard_value" else payload), new

    def _value(self, value: Any, path: str, new: list[str], *, learns: bool) -> Any:
        """Return a value less what is new below it."""
        if learns:
            return value
        if isinstance(value, dict):
            kept = {}
            for name, below in value.items():
                here = f"{path}/{name}" if path else name
                if self._is_new(here, below):
                    new.append(here)
                else:
                    kept[name] = self._value(below, here, new, learns=learns)
            return kept
        if isinstance(value, list):
            here = f"{path}[]"
            fresh = [self._is_new(here, below) for below in value]
            if any(fresh):
                new.append(here)
            return [self._value(below, here, new, learns=learns) for below, is_new in zip(value, fresh, strict=True) if not is_new]
        return value

    def _is_new(self, path: str, value: Any) -> bool:
        known = self.paths.get(path)
        if known is None:
            return True
        kind = kind_of(value)
        if kind == "null" or not known - {"null"} or kind in known:
            return False
        alike = {"numeral": {"number", "string"}, "number": {"numeral"}, "string": {"numeral"} if "number" not in known else set()}
        return not alike.get(kind, set()) & known

    def _learn(self, value: Any, path: str) -> None:
        if path:
            self.paths.setdefault(path, set()).add(kind_of(value))
        if isinstance(value, dict):
            for name, below in value.items():
                self._learn(below, f"{path}/{name}" if path else name)
        elif isinstance(value, list):
            for below in value:
                self._learn(below, f"{path}[]")

    # ---- tables

    def _check_table(self, arrival: Arrival, records: CsvScan | Rows, columns: tuple[str, ...]) -> Arrival:
        new = [each for each in columns if each not in self.columns]
        if not self.columns or not new:
            gone = sorted(self.columns - set(columns))
            if self.columns and gone and self.policy == "freeze":
                self.found = dict.fromkeys(gone, 1)
                raise self._frozen(arrival)
            self.columns |= set(columns)
            return arrival
        if self.policy == "freeze":
            self.found = dict.fromkeys(new, 1)
            raise self._frozen(arrival)
        rows = records.exact() if isinstance(records, CsvScan) else records
        details = dict(arrival.details)
        kept = tuple(each for each in columns if each in self.columns)
        arrival.records, arrival.details = Rows(self._table(rows.batches, new, arrival, details), kept), details
        return arrival

    def _table(self, batches: Iterator[pa.RecordBatch], new: list[str], arrival: Arrival, details: dict[str, str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        mine = dict.fromkeys(new, 0)
        for batch in batches:
            filled = {name: [bool(value) for value in batch.column(name).to_pylist()] for name in new}
            for name, values in filled.items():
                mine[name] += sum(values)
            if self.policy == "quarantine":
                locators, keep = batch.column("_locator").to_pylist(), []
                for place, locator in enumerate(locators):
                    had = [name for name in new if filled[name][place]]
                    if had:
                        row = {name: batch.column(name)[place].as_py() for name in batch.schema.names if name != "_locator"}
                        self._refuse(arrival, int(locator), had, json.dumps(row, ensure_ascii=False))
                    else:
                        keep.append(place)
                batch = batch.take(pa.array(keep, pa.int64()))
            yield batch.drop_columns(new)
        self._note(mine, details)

    @staticmethod
    def _refuse(arrival: Arrival, locator: int, paths: list[str], text: str | None) -> None:
        message = f"the record has values that are new to the stream: {_named(paths)}; the stream's drift policy is to quarantine them."
        arrival.refusals.append(Refusal(locator, REASON, message, (text or "")[:EXCERPT]))
        arrival.complete_snapshot = False

    def _note(self, mine: Mapping[str, int], details: dict[str, str]) -> None:
        """Write into the receipt what was new in its arrival, so that it can be read again once that is accepted."""
        if mine:
            details["drift"] = json.dumps({"policy": self.policy, "paths": sorted(mine), "records": max(mine.values())}, ensure_ascii=False)
            for path, number in mine.items():
                self.found[path] = self.found.get(path, 0) + number


def origins_to_read_again(session: Session, client: str, stream: str) -> frozenset[str]:
    """Return the origins of which a drift policy held something back, where the stream may change its shape now; most often none."""
    scope = OneClient(client)
    if not any(each.kind == ISSUE for each in open_issues(session, scope, [stream])):
        return frozenset()
    return frozenset(drifted_origins(session, scope, stream))


def accept_drift(session: Session, client: str, stream: str, mappings: Sequence[str]) -> None:
    """Once what was held back has come again: leave out the records set aside for it, and close the issue."""
    scope = OneClient(client)
    if not any(each.kind == ISSUE for each in open_issues(session, scope, [stream])) or not drift_read_again(session, scope, stream):
        return
    for group in quarantine_groups(session, scope):
        if group.reason == REASON and any(each.mapping in mappings for each in open_records(session, scope, group.group)):
            discard_records(session, scope, group.group, "read again once their shape was accepted")
    close_issue(session, scope, ISSUE, stream, "the drift policy")


def kind_of(value: Any) -> str:
    """Return the kind of a landed value. A number with a point lands as a text: it is a numeral, as a text of digits is."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "numeral" if NUMERAL.match(value) else "string"
        case dict():
            return "object"
    return "array"


def _landed_paths(session: Session, client: str, stream: str) -> KnownPaths:
    """Return what is known of a stream that landed without a policy: the shape of its current records."""
    newest = newest_landed(session, client, stream)
    guard = DriftGuard(session, client, stream, "evolve", {}, set(), stored=False)
    if newest is not None and _is_document(session, newest):
        cursor = session.duck.execute(f"select payload from ({newest}) where payload is not null")
        while rows := cursor.fetchmany(1000):
            for (payload,) in rows:
                guard._learn(json.loads(payload), "")
    return guard.paths


def _is_document(session: Session, query: str) -> bool:
    return any(row[0] == "payload" for row in session.duck.execute(f"describe {query}").fetchall())


def _named(paths: list[str]) -> str:
    more = len(paths) - NAMED
    return ", ".join(quote_text(each) for each in sorted(paths)[:NAMED]) + (f" and {more} more" if more > 0 else "")
