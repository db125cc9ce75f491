"""XML: each element that ``record`` names is a record."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treaty.connectors.formats.interface import FileFormat, Reading, Records
from treaty.project.declarations import Stream, declared

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlSettings:
    """What an XML stream may say beside ``record`` and ``namespaces``."""

    others: tuple[str, ...] = declared(
        "root elements of documents in the same folder that no stream of the system takes, `*` for any: they are left out, not refused",
        default=(),
        example=["cat:Catalogue"],
    )


def read(copy: Copy, settings: XmlSettings, reading: Reading) -> Records:
    """Read the record elements."""
    from treaty.connectors.xml_records import read_xml

    stream = reading.stream
    theirs = tuple(
        (name, each.stream.namespaces) for each in reading.siblings for name in (each.stream.record, *each.settings.others) if name and name != "*"
    )
    return read_xml(
        copy, record=stream.record or "", namespaces=stream.namespaces, limits=reading.limits, refusals=reading.refusals, others=settings.others,
        theirs=theirs,
    )  # fmt: skip


def check(settings: XmlSettings, stream: Stream) -> list[tuple[str, str]]:
    """Return what is missing."""
    if not stream.record:
        return [("an XML stream needs `record`.", "Name the element that is one record, such as `record: inv:Invoice`.")]
    return []


def complete(copy: Copy, stream: Stream) -> Stream:
    """Return the stream with the document's own namespaces, and its root as the record, where the stream does not say."""
    from treaty.connectors.xml_records import find_root

    if stream.record and stream.namespaces:
        return stream
    record, namespaces = find_root(copy)
    return dataclasses.replace(stream, record=stream.record or record, namespaces=stream.namespaces or namespaces)


FORMAT = FileFormat(XmlSettings, read, check, complete)
