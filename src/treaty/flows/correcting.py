"""Lands a steward's corrections: records of the built-in system ``steward``, each for one field of one golden record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from treaty.compiler.mapping import compile_stream
from treaty.connectors.interface import Arrival, Cursor, Rows
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.identify import Identification, identify
from treaty.flows.corrections import STREAM
from treaty.flows.references import newest_landed
from treaty.lake.arrivals import LastArrival
from treaty.lake.current import STEWARD
from treaty.lake.landing import LandingRequest, LandingResult, land
from treaty.lake.names import quote_text
from treaty.lake.scope import OneClient
from treaty.project.declarations import ClientProject
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class Correction:
    """What a steward says of one field: the value, who says so and why, and the first day on which it no longer holds."""

    client: str
    model: str
    canonical_id: str
    field: str
    value: str
    who: str
    why: str
    until: str | None = None

    @property
    def origin(self) -> str:
        """The origin of its arrival: one for each field of each record."""
        return f"{self.model}/{self.canonical_id}/{self.field}"


def land_corrections(session: Session, project: ClientProject, corrections: Sequence[Correction], *, op: str = "upsert") -> LandingResult:
    """Land corrections of one client, or their withdrawal where ``op`` is ``delete``."""
    compiled = compile_stream(project, f"{STEWARD}/{STREAM}")
    assert compiled is not None, "the steward's stream is built in"

    def identity(columns: tuple[str, ...] | None) -> Identification:
        return identify(compiled, Inputs("1970-01-01"))

    def read(cursor: Cursor, last: Mapping[str, LastArrival]) -> Iterator[Arrival]:
        for each in corrections:
            yield _arrival(each, op)

    return land(session, OneClient(project.client), LandingRequest(STEWARD, STREAM, identity), read)


def expire_corrections(session: Session, project: ClientProject, as_of: str) -> int:
    """Withdraw the corrections of a client that no longer hold on a day; return how many."""
    newest = newest_landed(session, project.client, f"{STEWARD}/{STREAM}")
    if newest is None:
        return 0
    until = "json_extract_string(payload, '$.until')"
    rows = session.duck.execute(f"select payload from ({newest}) where {until} <= {quote_text(as_of)} order by _landed_id").fetchall()
    expired = [Correction(**json.loads(payload)) for (payload,) in rows]
    return land_corrections(session, project, expired, op="delete").landed if expired else 0


def _arrival(correction: Correction, op: str) -> Arrival:
    import pyarrow as pa

    payload = json.dumps(asdict(correction), ensure_ascii=False, sort_keys=True)
    content = json.dumps({"op": op, "correction": json.loads(payload)}, ensure_ascii=False, sort_keys=True).encode()
    batch = pa.RecordBatch.from_pydict({"_locator": pa.array([1], pa.int64()), "payload": pa.array([payload]), "_op": pa.array([op])})
    return Arrival(
        origin=correction.origin, content=content, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content),
        records=Rows(iter([batch]), None), cursor={},
    )  # fmt: skip
