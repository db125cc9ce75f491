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
            StreamFormat("parquet", "columns", "parquet", (".parquet",), (b"PAR1",)),
            StreamFormat("excel", "columns", "excel", (".xlsx", ".xlsm"), (b"PK\3\4",)),
            StreamFormat("edifact", "json", "edifact", (".edi", ".edifact"), (b"UNA", b"UNB")),
            StreamFormat("x12", "json", "x12", (".x12", ".edi"), (b"ISA",)),
            StreamFormat("table", "columns", None),
        )
    }
)

if TYPE_CHECKING:
    FormatName: TypeAlias = str
else:
    FormatName = Literal[tuple(FORMATS)]


def format_of_name(file_name: str) -> StreamFormat | None:
    """Return the format that a file's name ends in, or None where it tells nothing or could be several."""
    found = _ending(file_name)
    return found[0] if len(found) == 1 else None


def guess_format(file_name: str, head: bytes) -> StreamFormat:
    """Return the format of a file by its name, else by its first bytes, else by what they look like; delimited text at last."""
    named = _ending(file_name)
    if len(named) == 1:
        return named[0]
    text = _without_mark(head)
    signed = [each for each in (named or FORMATS.values()) if each.signs and text.startswith(each.signs)]
    if signed or named:
        return (signed or named)[0]
    first, _, rest = text.strip().partition(b"\n")
    if first.startswith(b"<"):
        return FORMATS["xml"]
    if first.startswith((b"{", b"[")):
        return FORMATS["jsonl" if first.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{") else "json"]
    return FORMATS["csv"]


def _ending(file_name: str) -> list[StreamFormat]:
    lowered = file_name.lower()
    return [each for each in FORMATS.values() if lowered.endswith(each.extensions)]


def _without_mark(head: bytes) -> bytes:
    """Return the first bytes as ASCII has them, whatever byte order mark they begin with."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[2:].replace(b"\0", b"")
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


def shape_of_format(name: str) -> RecordShape:
    """Return what the records of a format are like."""
    return FORMATS[name].shape
