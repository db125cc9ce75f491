"""Whether a path that a mapping reads is there no more: its field would go empty without anybody having decided so.

Columns of tables are compared with those of the arrival before. Of documents a sample of what landed before tells what every record has;
what is in none of the new ones then is gone. Optional paths, which not every record has, are not told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from treaty.compiler.compiled import CompiledMapping
from treaty.connectors.shapes import Shape, add_payloads
from treaty.flows.drifting import mapped_paths
from treaty.lake.issues import Issue, close_issue, open_issue
from treaty.lake.names import lake_table, landed_table, quote_text
from treaty.lake.receipts import newest_columns
from treaty.lake.schema import table_columns
from treaty.lake.scope import OneClient
from treaty.project.formats import shape_of_format
from treaty.sessions import Session

ISSUE = "removed-path"
SAMPLE = 200  # documents before
BATCHES = 50  # landings before, of which the sample is
ALWAYS = 0.9  # the share of the sample that has a path which every record is taken to have


def look_for_removed(session: Session, mapping: CompiledMapping, batches: Sequence[int]) -> tuple[str, ...]:
    """Open an issue for the paths of a mapping that what landed in these batches no longer has; return them."""
    if not batches:
        return ()
    scope, stream = OneClient(mapping.client), mapping.stream.name
    wanted = mapped_paths(mapping)
    system, _, name = stream.partition("/")
    table = landed_table(system, name)
    columns = table_columns(session, table)
    if columns is None:
        return ()
    if "payload" in columns:
        gone = _removed_from_documents(session, mapping, lake_table(table), wanted, batches)
    else:
        gone = _removed_columns(session, scope, stream, wanted, batches)
    if gone is None:  # nothing to compare
        return ()
    subject = f"{stream} in {mapping.name}"
    if not gone:
        close_issue(session, scope, ISSUE, subject, "the path came back")
        return ()
    named = ", ".join(repr(each) for each in gone)
    open_issue(
        session, scope,
        Issue(ISSUE, subject, f"What landed last of {stream} has no {named}, which {mapping.name} reads.",
              f"See `treaty drift {stream}`. If the source renamed it, mend the mapping and `treaty run --apply`; else ask {system}'s owner."),
    )  # fmt: skip
    return gone


def _removed_columns(session: Session, scope: OneClient, stream: str, wanted: frozenset[str], batches: Sequence[int]) -> tuple[str, ...] | None:
    before = newest_columns(session, scope, stream, before=min(batches))
    now = newest_columns(session, scope, stream)
    if now is None:
        return None
    missing = wanted - set(now)
    if before is None:
        return () if not missing else None
    return tuple(sorted(missing & set(before))) or (None if missing else ())  # still missing: what was told before stays open


def _removed_from_documents(
    session: Session, mapping: CompiledMapping, table: str, wanted: frozenset[str], batches: Sequence[int]
) -> tuple[str, ...] | None:
    elements = shape_of_format(mapping.stream.format) == "elements"
    mine = f"_client = {quote_text(mapping.client)} and _op = 'upsert'"
    numbers = session.duck.execute(
        f"select distinct _batch from {table} where {mine} and _batch < {min(batches)} order by 1 desc limit {BATCHES}"
    ).fetchall()
    if not numbers:
        return None
    earlier = f"select payload from {table} where {mine} and _batch in ({', '.join(str(each) for (each,) in numbers)}) limit {SAMPLE}"
    sample = [_paths([payload], elements=elements) for payload in _payloads(session, earlier)]
    seen = Counter(path for each in sample for path in each)
    expected = {path for path in wanted if seen[path] >= ALWAYS * len(sample)} if sample else set()
    new = f"select payload from {table} where {mine} and _batch in ({', '.join(map(str, batches))})"
    missing, any_new = set(wanted), False
    for payload in _payloads(session, new):
        any_new = True
        missing -= _paths([payload], elements=elements)
        if not missing & expected:
            break
    if not any_new:
        return None
    gone = tuple(sorted(missing & expected))
    return gone or (None if not sample else ())


def _payloads(session: Session, query: str) -> Iterator[str | None]:
    rows = session.duck.cursor().execute(query)
    while several := rows.fetchmany(SAMPLE):
        for (payload,) in several:
            yield payload


def _paths(payloads: Sequence[str | None], *, elements: bool) -> set[str]:
    shape: Shape = {}
    add_payloads(shape, payloads, elements=elements)
    return {path.replace("[]", "") for path in shape}
