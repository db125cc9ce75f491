"""What ``read`` and ``write`` of a stream say where the stream is a table, whatever the database."""

from __future__ import annotations

from dataclasses import dataclass

from treaty.project.declarations import declared


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRead:
    """``read:`` of a stream: a table or view, whole or from a position on."""

    table: str = declared("the table or view, with its schema", example="public.customer")
    columns: tuple[str, ...] = declared("the columns to read; all where none are named", default=(), example=["id", "email", "updated_at"])
    cursor: str | None = declared(
        "a column that grows with each change: only what is beyond it is read; without one the whole table is", default=None, example="updated_at"
    )
    key: tuple[str, ...] = declared("columns that part rows of one cursor value; the primary key where none are named", default=())
    overlap: str | None = declared(
        "how far behind the last position rows may appear late: a duration, or a number for a cursor of numbers; 5m or 1000 where not given",
        default=None, example="15m",
    )  # fmt: skip
    page_rows: int = declared("rows of one arrival", default=50_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableWrite:
    """``write:`` of a stream: a table with a unique key over the mapping's key columns."""

    table: str = declared("the table, with its schema", example="ledger.invoice")
    version_column: str = declared("a bigint column that holds the golden version written last", default="treaty_version")
    side_table: str | None = declared(
        "a table (delivery_key primary key, version bigint, deleted boolean) that holds the versions instead of a column",
        default=None, example="ledger.treaty_delivered",
    )  # fmt: skip
    archive_column: str = declared("the boolean or timestamp column that marks an archived row", default="archived")
    id_column: str | None = declared("a column whose value is the sink's own id of the row", default=None, example="id")
    message_column: str = declared("at-least-once: the column for the message's id, used if it is there", default="message_id")
    create: bool = declared("make the table if it is missing", default=False)
