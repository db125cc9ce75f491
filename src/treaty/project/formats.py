"""The formats of streams: one row each, with what its records are like and the module of the connectors that reads it.

To add one, write its module (see ``treaty.connectors.formats.interface``) and its row here; loader, schemas, engine, manual,
``treaty read`` and the connector ``files`` follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

# How records are landed: a text column for each of the source's; a payload of JSON as the source wrote it; or one in which every
# element is an object and every child a list, as XML has it.
RecordShape: TypeAlias = Literal["columns", "json", "elements"]


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """What must be known of a format without reading a file of it."""

    name: str
    shape: RecordShape
    module: str | None  # below treaty.connectors.formats; None: no file has it
    extensions: tuple[str, ...] = ()  # what file names end in, in lower case
    signs: tuple[bytes, ...] = ()  # what the bytes of a file begin with, where that tells


FORMATS: Mapping[str, StreamFormat] = MappingProxyType(
    {
        each.name: each
        for each in (
            StreamFormat("csv", "columns", "csv", (".csv", ".tsv")),
            StreamFormat("json", "json", "json", (".json",)),
            StreamFormat("jsonl", "json", "jsonl", (".jsonl", ".ndjson")),
            StreamFormat("xml", "elements", "xml", (".xml",)),
            StreamFormat("table", "columns", None),
        )
    }
)

if TYPE_CHECKING:
    FormatName: TypeAlias = str
else:
    FormatName = Literal[tuple(FORMATS)]


def format_of_name(file_name: str) -> StreamFormat | None:
    """Return the format that a file's name ends in, or None where it tells nothing."""
    lowered = file_name.lower()
    return next((each for each in FORMATS.values() if lowered.endswith(each.extensions)), None) if lowered else None


def shape_of_format(name: str) -> RecordShape:
    """Return what the records of a format are like."""
    return FORMATS[name].shape
