"""Where the bytes of a landed record are: the object, the file it came in, and its place there."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from treaty.errors import TreatyError
from treaty.lake.handing_over import HANDED_OVER
from treaty.lake.names import lake_table, quote_text
from treaty.lake.objects import find_object, read_object
from treaty.lake.scope import OneClient
from treaty.operations.explaining.locating import LandedVersion, landed_versions
from treaty.operations.explaining.steps import Step
from treaty.project.declarations import Stream
from treaty.project.overlays import SHARED
from treaty.sessions import Session

MOST_BYTES = 256 * 1024 * 1024  # a larger object is not searched for the line: the locator says which record it is


def place_of(session: Session, version: LandedVersion, stream: Stream | None) -> Step:
    """Return the object's hash, the origin and arrival of a landed version, and its line and byte where the format has lines."""
    row = session.duck.execute(
        f"""select origin, arrival, object_hash, details from {lake_table("receipt")}
            where _client = {quote_text(version.client)} and _receipt_id = {quote_text(version.receipt_id)}::uuid"""
    ).fetchone()
    if row is None:
        return {"origin": None, "arrival": None, "object": None}
    place: Step = {"origin": row[0], "arrival": row[1], "object": row[2]}
    if HANDED_OVER in json.loads(row[3] or "{}"):
        return place | {"handed_over": _handed_over(session, version, row[2], stream)}
    if stream is None or stream.format not in ("csv", "jsonl") or row[2] is None:
        return place
    details = json.loads(row[3] or "{}")
    if str(details.get("encoding", "")).lower().startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
        return place
    try:
        scope = OneClient(version.client)
        if find_object(session, scope, row[2]).size_bytes > MOST_BYTES:
            return place
        content = read_object(session, scope, row[2])
    except TreatyError as error:
        return place | {"problem": error.message}
    found = find_csv(content, version.locator, stream.read, details) if stream.format == "csv" else find_line(content, version.locator)
    return place if found is None else place | {"line": found[0], "byte": found[1]}


def _handed_over(session: Session, version: LandedVersion, sha256: str, stream: Stream | None) -> Step | None:
    """Return the record of the shared stream that a client got: its landed id and where its bytes are; None where it cannot be told."""
    try:
        lines = read_object(session, OneClient(version.client), sha256).splitlines()
    except TreatyError as error:
        return {"problem": error.message}
    cause = lines[version.locator - 1].decode("ascii").partition(",")[0]
    found = landed_versions(session, SHARED, f"{version.system}/{version.stream}", f"_landed_id = {quote_text(cause)}::uuid")
    if not found:
        return None
    return {"landed_id": cause, "received_at": found[0].received_at, "locator": found[0].locator, **place_of(session, found[0], stream)}


def find_line(content: bytes, locator: int) -> tuple[int, int] | None:
    """Return the line, from 1, and the byte, from 0, where the n-th line begins that is not blank."""
    at = seen = 0
    for number, line in enumerate(io.BytesIO(content), 1):
        seen += not line.isspace()
        if seen == locator:
            return number, at
        at += len(line)
    return None


def find_csv(content: bytes, locator: int, read: Mapping[str, Any], details: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the line, from 1, and the byte, from 0, where the n-th record begins; a quoted field may span lines."""
    quote = str(details.get("quote", read.get("quote", '"')) or "").encode()
    skipped = int(details.get("skipped", read.get("skip_lines", 0)))
    wanted = locator + (1 if read.get("header", True) else 0)
    at = seen = 0
    inside = False
    for number, line in enumerate(io.BytesIO(content), 1):
        if number > skipped and not inside and line.strip(b"\r\n"):
            seen += 1
            if seen == wanted:
                return number, at
        if number > skipped and quote:
            inside ^= line.count(quote) % 2 == 1
        at += len(line)
    return None
