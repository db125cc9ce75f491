"""How this process works, whatever the project says: threads, batch sizes, waiting times.

Each can be set in the environment as ``TREATY_`` and its name in capitals, for instance ``TREATY_THREADS=8``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields

from treaty.errors import UsageError


def _usable_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """The tuning of one process."""

    threads: int = field(default_factory=_usable_processors)
    row_group_rows: int = 20_480  # of landed and prepared Parquet files; engine-notes.md: memory and dictionaries favour 20–30 k
    inline_cells: int = 800  # a write of at most so many cells goes into the catalog, a larger one into a Parquet file
    land_batch_bytes: int = 64 * 1024 * 1024  # small arrivals are landed together up to so many bytes …
    land_batch_arrivals: int = 2_000  # … or so many arrivals
    packed_object_bytes: int = 1024 * 1024  # smaller objects share one file a batch, larger ones have their own
    lock_wait_seconds: int = 60  # how long a commit waits for the lake's lock
    commit_tries: int = 12
    orphan_age_seconds: int = 3_600  # files that nothing refers to are swept when they are older
    start_wait_seconds: int = 60  # how long the embedded database may take to start

    @classmethod
    def from_environment(cls) -> RuntimeSettings:
        """Read the settings of this process; raise ``UsageError`` for a value that is not a whole number."""
        given: dict[str, int] = {}
        for each in fields(cls):
            name = f"TREATY_{each.name.upper()}"
            text = os.environ.get(name)
            if text is None:
                continue
            if not text.isdecimal():
                raise UsageError(f"{name} is {text!r}, which is not a whole number.", remedy=f"Unset it or give it a number, as in {name}=4.")
            given[each.name] = int(text)
        return cls(**given)
