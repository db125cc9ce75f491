"""UN/EDIFACT: one record a message, with its envelope; the manual is ``docs/edi.md``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from treaty.connectors.formats.interface import FileFormat, Reading, Records, check_encoding
from treaty.project.declarations import Stream, declared

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy


@dataclass(frozen=True, slots=True, kw_only=True)
class EdiSettings:
    """What a stream of EDIFACT or X12 may say beside ``record``, the type of message that is its own."""

    encoding: str | None = declared(
        "the text's encoding; else a byte order mark or the syntax identifier (UNOA to UNOW) tells, else it is UTF-8", default=None, example="cp1252"
    )
    counts: Literal["refuse", "mark"] = declared(
        "a message whose own count of segments or control number is wrong: set aside, or taken with `problems` in its record", default="refuse"
    )
    others: tuple[str, ...] = declared(
        "types of messages in the same files that no stream of the system takes, `*` for any: left out, not refused", default=(), example=["CONTRL"]
    )
    structure: str | None = declared(
        "how the segments of the messages nest, where they are of a type that Treaty does not know, or nest another way",
        default=None,
        example="BGM NAD(LOC) LIN(DTM PRI(RNG)) UNS(CNT)",
    )


def read_as(syntax: str, copy: Copy, settings: EdiSettings, reading: Reading) -> Records:
    """Read the messages of one of the two syntaxes."""
    from treaty.connectors.edi.records import Wanted, read_edi
    from treaty.connectors.edi.structures import parse_structure
    from treaty.connectors.edi.syntaxes import SYNTAXES

    structure = parse_structure(settings.structure) if settings.structure else None
    alike = [each for each in reading.siblings if each.stream.format == syntax]
    theirs = tuple(each.stream.record or "*" for each in alike)
    others = (*settings.others, *(name for each in alike for name in each.settings.others if name != "*"))
    wanted = Wanted(reading.stream.record, others, structure, settings.counts == "mark", theirs, other_syntax=len(alike) < len(reading.siblings))
    return read_edi(
        copy, reading.spool, SYNTAXES[syntax], wanted=wanted, encoding=settings.encoding, limits=reading.limits, refusals=reading.refusals
    )


def read(copy: Copy, settings: EdiSettings, reading: Reading) -> Records:
    """Read EDIFACT messages."""
    return read_as("edifact", copy, settings, reading)


def check(settings: EdiSettings, stream: Stream) -> list[tuple[str, str]]:
    """Return settings that cannot be."""
    from treaty.connectors.edi.structures import parse_structure

    found = check_encoding(settings.encoding)
    if settings.structure:
        try:
            parse_structure(settings.structure)
        except ValueError as error:
            found.append((f"`structure` cannot be read: {error}.", "Write segments, and what a group holds in parentheses: `NAD LIN(QTY PRI)`."))
    if settings.others and not stream.record:
        found.append(("`others` is for streams that name their own type of message.", "Add `record`, such as `record: INVOIC`."))
    return found


FORMAT = FileFormat(EdiSettings, read, check, shares=("x12",))
