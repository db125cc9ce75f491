"""What a client gave first, read and profiled: the input of a proposal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from treaty.matching.profiles import StreamProfile


@dataclass(frozen=True, slots=True)
class SampleStream:
    """One stream of a client's system, as a sample shows it.

    ``settings`` are the stream's as its system file has them, without key and version. ``values`` counts the raw texts of each path of the profile;
    ``lists`` are paths at which records have several elements; ``shipped`` is the stream ``system/stream`` of a pack that reads it already;
    ``primary_key`` are the columns of which the source itself says that they tell its records apart.
    """

    system: str
    name: str
    connector: str
    connection: Mapping[str, Any]
    settings: Mapping[str, Any]
    profile: StreamProfile
    values: Mapping[str, Counter[str]] = field(default_factory=dict, repr=False)
    lists: frozenset[str] = frozenset()
    shipped: str = ""
    primary_key: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """``system/stream``."""
        return f"{self.system}/{self.name}"

    @property
    def mapping(self) -> str:
        """The name of its mapping."""
        return f"{self.system}.{self.name}"
