"""The lake as it was at a time: what had been committed by then, read as readers read it at that time.

Every row of the lake carries the batch that it came with, a commit gives all its batches one time, and nothing is ever updated. So the
rows of the batches that were finished by a time are the lake of that time, for as long as the lake is kept: compaction merges files, and
forgets snapshots, which nothing here asks. A catalog of views holds these rows under the names of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from treaty.compiler.types import Type
from treaty.lake.current import ModelTables
from treaty.lake.names import LAKE, lake_table, quote_name, quote_text
from treaty.lake.schema import table_columns
from treaty.sessions import Session

CATALOG = "past"
_SHARED = ("xref", "xref_end", "disposition", "generation")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time at which the lake is read, and the catalog that holds it as it was then."""

    at: datetime
    catalog: str = LAKE
    fields: Mapping[str, Mapping[str, Type]] = field(default_factory=dict)  # model → field → type, as they were declared then; none: as the lake has them


@contextmanager
def open_past(session: Session, at: datetime, models: Mapping[str, Mapping[str, Type]]) -> Iterator[Moment]:
    """Let these models be read as they were at a time (aware), with the fields and types that they had; one at a time in a session."""
    session.duck.execute(f"detach database if exists {CATALOG}")
    session.duck.execute(f"attach ':memory:' as {CATALOG}")
    try:
        session.duck.execute(f"""
            create table {CATALOG}.main.known_batches as
            select distinct _batch from {lake_table("batch")} where finished_at <= {quote_text(at.isoformat())}::timestamptz""")
        for table in (*_SHARED, *(each for model in models for each in ModelTables(model).own)):
            if table_columns(session, table) is not None:
                session.duck.execute(f"""
                    create view {CATALOG}.main.{quote_name(table)} as
                    select * from {lake_table(table)} where _batch in (select _batch from {CATALOG}.main.known_batches)""")
        yield Moment(at, CATALOG, models)
    finally:
        session.duck.execute(f"detach database if exists {CATALOG}")
