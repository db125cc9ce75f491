"""Tables and columns as a database's catalogue tells them: only what is found there is ever named in a statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treaty.connectors.interface import Site
from treaty.connectors.tables.settings import TableRead
from treaty.errors import StopError
from treaty.project.findings import suggest


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalogue tells it."""

    name: str
    type: str  # in the catalogue's own spelling, fit for a cast or a definition
    category: str  # PostgreSQL's letters: A array, B boolean, D date/time, N number, S string, U anything else


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view that is there, and may be named in a statement."""

    schema: str
    name: str
    columns: dict[str, Column]
    primary_key: tuple[str, ...]

    def find(self, name: str, setting: str) -> Column:
        """Return a column. Raises StopError with the nearest name."""
        if name not in self.columns:
            raise StopError(f"{self.schema}.{self.name} has no column {name!r} ({setting}).", remedy=suggest(name, self.columns, "Mend the name."))
        return self.columns[name]


def ensure_found(table: Table | None, name: str) -> Table:
    """Return the table. Raises StopError where there is none that this user may see."""
    if table is None:
        raise StopError(f"there is no table or view {name!r} that this user may see.", remedy="Mend the name (`schema.table`), or grant the user its rights.")
    return table


def ensure_unique(table: Table, key: Sequence[str], is_unique: bool) -> None:
    """Raise StopError unless a unique index is over exactly these columns: without one an upsert cannot be."""
    if not is_unique:
        raise StopError(
            f"{table.schema}.{table.name} has no unique index over ({', '.join(key)}).", remedy="Add one, or mend the outbound mapping's `key`."
        )


def columns_to_read(table: Table, read: TableRead) -> tuple[str, ...]:
    """Return the columns of a stream: those named, and those that its positions need."""
    wanted = [table.find(name, "columns").name for name in read.columns] or list(table.columns)
    if read.cursor is not None:
        for name in (read.cursor, *read.key, *table.primary_key):
            if name not in wanted:
                wanted.append(table.find(name, "cursor, key").name)
    return tuple(wanted)


def find_authority(name: str, setting: str, site: Site) -> str:
    """Return the path of a certificate file in the project. Raises StopError for any other file."""
    path = (site.root / name).resolve()
    if not path.is_relative_to(site.root.resolve()) or not path.is_file() or name.startswith("/"):
        raise StopError(f"`{setting}` is not a file in the project.", remedy="Put the authority's certificate into the project folder.")
    return str(path)
