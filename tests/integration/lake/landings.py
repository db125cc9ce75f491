"""Arrivals and requests for tests of landing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from treaty.connectors.interface import Arrival, CsvScan, Refusal, Rows
from treaty.lake.landing import LandingRequest, LandingResult, land
from treaty.lake.names import column_name
from treaty.lake.scope import OneClient
from treaty.sessions import Session

MAIN = OneClient("main")


@dataclass(frozen=True)
class Identity:
    """Key, version and delete as SQL, as an engine gives them."""

    key: str = "CAST(NULL AS VARCHAR)"
    version: str = "CAST(NULL AS BIGINT)"
    delete: str = "false"
    over: Callable[[str], str] = str  # the rows as they are: the expressions use nothing else


def csv_request(key: str = "id", version: str = "CAST(NULL AS BIGINT)", **more: Any) -> LandingRequest:
    """A table stream with one key column."""
    identity = Identity(column_name(key) if key else "CAST(NULL AS VARCHAR)", version)
    return LandingRequest("erp", "invoices", lambda columns: identity, **more)


def csv_arrival(folder: Path, text: str, origin: str = "a.csv", cursor: Mapping[str, Any] | None = None, **more: Any) -> Arrival:
    """An arrival that the engine may read by itself."""
    data = text.encode()
    path = folder / f"{hashlib.sha256(data).hexdigest()}.csv"
    path.write_bytes(data)
    columns = tuple(text.splitlines()[0].split(","))

    def exact() -> Rows:
        lines = [line.split(",") for line in text.strip().split("\n")[1:]]
        good = [(number, line) for number, line in enumerate(lines, 1) if len(line) == len(columns)]
        for number, line in enumerate(lines, 1):
            if len(line) != len(columns):
                arrival.refusals.append(Refusal(number, "bad-csv", "ragged", ",".join(line)))
        arrays: dict[str, Any] = {"_locator": pa.array([number for number, _ in good], pa.int64())}
        arrays |= {name: pa.array([line[place] for _, line in good], pa.string()) for place, name in enumerate(columns)}
        return Rows(iter([pa.RecordBatch.from_pydict(arrays)]), columns)

    scan = CsvScan(path, columns, ",", '"', True, exact=exact)
    arrival = Arrival(origin, path, hashlib.sha256(data).hexdigest(), len(data), scan, cursor or {"at": origin}, **more)
    return arrival


def document_arrival(payloads: list[str], origin: str, ops: list[str] | None = None, **more: Any) -> Arrival:
    """An arrival of documents."""
    data = "\n".join([*payloads, *(ops or [])]).encode()
    columns = {"_locator": pa.array(range(1, len(payloads) + 1), pa.int64()), "payload": pa.array(payloads, pa.string())}
    if ops:
        columns["_op"] = pa.array(ops, pa.string())
    rows = Rows(iter([pa.RecordBatch.from_pydict(columns)] if payloads else []), None)
    return Arrival(origin, data, hashlib.sha256(data).hexdigest(), len(data), rows, more.pop("cursor", {"at": origin}), **more)


@dataclass
class Feed:
    """A source whose arrivals are given; it starts over at each reading, as a connector without a cursor would."""

    make: Callable[[], list[Arrival]]
    cursors: list[Mapping[str, Any]] = field(default_factory=list)

    def __call__(self, cursor: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Arrival]:
        """Read."""
        self.cursors.append(cursor)
        yield from self.make()


def land_all(session: Session, request: LandingRequest, *arrivals: Arrival, scope: OneClient = MAIN) -> LandingResult:
    """Land arrivals that were made beforehand."""
    return land(session, scope, request, lambda cursor, known: iter(arrivals))


def landed(session: Session, columns: str = "*", where: str = "true", table: str = "landed_erp__invoices") -> list[tuple[Any, ...]]:
    """Rows of a landed table in order of landing."""
    rows: list[tuple[Any, ...]] = session.duck.execute(f"select {columns} from lake.{table} where {where} order by _batch, _landed_id").fetchall()
    return rows
