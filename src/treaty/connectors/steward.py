"""The built-in system ``steward``: corrections arrive like any other record, as JSON documents, and are landed for good."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

from treaty.connectors.interface import Arrival, Connector, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a steward says about one field of one golden record: who, why, and until when it holds."""

    client: str
    model: str
    canonical_id: str
    field: str
    value: str | None
    who: str
    why: str
    at: datetime  # aware
    until: date | None = None
    withdrawn: bool = False


def corrections_arrival(corrections: Sequence[Correction]) -> Arrival:
    """Return corrections of one client, made together, as an arrival of the stream ``steward/corrections``."""
    documents = [_document(each) for each in corrections]
    content = b"".join(document + b"\n" for document in documents)
    from treaty.connectors.batches import document_batches

    return Arrival(
        origin="corrections", content=content, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content),
        records=Rows(document_batches(enumerate(documents, 1)), None), cursor={"last": corrections[-1].at.isoformat()},
    )  # fmt: skip


def _document(correction: Correction) -> bytes:
    told = asdict(correction)
    told["at"] = correction.at.isoformat()
    told["until"] = correction.until.isoformat() if correction.until else None
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class StewardConnection:
    """Nothing can be set: the system is built in."""


CONNECTOR = Connector(kind="steward", connection=StewardConnection, read=None, write=None, open_source=None, open_sink=None)
