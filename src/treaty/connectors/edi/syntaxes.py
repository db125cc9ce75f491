"""The two syntaxes: how an interchange begins, what parts it, and which segments make its envelope."""

from __future__ import annotations

from dataclasses import dataclass

from treaty.connectors.edi.segments import BLANK, Delimiters, SegmentReader
from treaty.errors import SetAsideError

ISA_ELEMENTS = 16
HEAD_BYTES = 4096  # an interchange's first segment is far shorter
LEVELS = {  # ISO 9735-1, syntax identifiers; those not here (UNOX, UNOY) need `encoding`
    "UNOA": "utf-8", "UNOB": "utf-8", "UNOC": "iso8859-1", "UNOD": "iso8859-2", "UNOE": "iso8859-5", "UNOF": "iso8859-7", "UNOG": "iso8859-3",
    "UNOH": "iso8859-4", "UNOI": "iso8859-6", "UNOJ": "iso8859-8", "UNOK": "iso8859-9", "UNOL": "iso8859-15", "UNOW": "utf-8",
}  # fmt: skip
OTHER_FORMAT = "other-format"  # why a file of the other syntax is refused
UNREAD_LEVELS = {"UNOX", "UNOY"}


@dataclass(frozen=True, slots=True)
class Level:
    """One pair of envelope segments, and the elements of them that must agree."""

    opens: str
    closes: str
    reference: int  # the element of the opening segment that names it; the closing one repeats it in its second


@dataclass(frozen=True, slots=True)
class Syntax:
    """What the reader must know of a syntax."""

    name: str
    interchange: Level
    group: Level
    message: Level
    type_element: str  # of the segment that opens a message: what kind of message it is
    numeric_references: bool  # whether 1 and 0001 are one control number

    def agree(self, first: str, second: str) -> bool:
        """Tell whether two control numbers are one."""
        first, second = first.strip(), second.strip()
        return first == second or (self.numeric_references and first.lstrip("0") == second.lstrip("0"))


EDIFACT = Syntax("EDIFACT", Level("UNB", "UNZ", 5), Level("UNG", "UNE", 5), Level("UNH", "UNT", 1), "UNH02", False)
X12 = Syntax("X12", Level("ISA", "IEA", 13), Level("GS", "GE", 6), Level("ST", "SE", 2), "ST01", True)
SYNTAXES = {"edifact": EDIFACT, "x12": X12}


def find_delimiters(reader: SegmentReader, syntax: Syntax) -> Delimiters | None:
    """Return what parts the interchange that begins here, None at the end of the file. Raises SetAsideError for anything else.

    A service string advice (UNA) is gone past; ISA and UNB are not.
    """
    reader.skip_blank(b"\0\x1a")
    head = reader.peek(HEAD_BYTES)
    if head.startswith(b"\xef\xbb\xbf"):
        reader.skip(3)
        return find_delimiters(reader, syntax)
    if not head:
        return None
    if syntax is X12 and head.startswith(b"ISA"):
        return _of_x12(head)
    if syntax is EDIFACT and head.startswith((b"UNA", b"UNB")):
        return _of_edifact(reader, head)
    raise _unknown(head, syntax)


def _unknown(head: bytes, syntax: Syntax) -> SetAsideError:
    begins = head[:12].decode("latin-1")
    if head.startswith(b"STX="):
        message = f"this is TRADACOMS ({begins!r}), which Treaty does not read."
        return SetAsideError("tradacoms", message, remedy="Have it sent as EDIFACT, which replaced it in 1995, or as XML.")
    if head.startswith((b"UNH", b"ST", b"GS", b"UNG")):
        message = f"the file begins with a message ({begins!r}); the interchange around it ({syntax.interchange.opens}) is missing."
        return SetAsideError("no-envelope", message, remedy="Have the whole interchange sent.")
    for name, other in SYNTAXES.items():
        if head.startswith(other.interchange.opens.encode()) or (other is EDIFACT and head.startswith(b"UNA")):
            return SetAsideError(OTHER_FORMAT, f"this is {other.name}.", remedy=f"Declare `format: {name}` for the stream.")
    wanted = "UNA or UNB" if syntax is EDIFACT else "ISA"
    return SetAsideError("no-envelope", f"an interchange begins with {wanted}, not {begins!r}.", remedy="Have the whole interchange sent.")


def _of_x12(head: bytes) -> Delimiters:
    """Read the delimiters off an ISA: by its sixteen elements, since senders collapse the blanks of its fixed places."""
    element = head[3:4]
    at = 2
    for _ in range(ISA_ELEMENTS):
        at = head.find(element, at + 1)
        if at < 0 or not element.strip() or element.isalnum():
            message = f"ISA has fewer than {ISA_ELEMENTS} elements parted by {element.decode('latin-1')!r}."
            raise SetAsideError("bad-envelope", message, remedy="Have the whole interchange sent.")
    component, terminator = head[at + 1 : at + 2], head[at + 2 : at + 3]
    if component and terminator in (b"", b"\r", b"\n") and _ends_line(head, at + 2, component):
        component, terminator = b"", component  # ISA16 is empty, and what ends the other lines ends this one
    if not terminator or terminator.isalnum() or component.isalnum() or component == element:
        raise SetAsideError("bad-envelope", "ISA does not end with a component separator and a segment terminator.", remedy="Have it sent again.")
    elements = head[:at].split(element)
    repetition = elements[11] if len(elements[11]) == 1 and not elements[11].isalnum() else b""
    if repetition in (element, component, terminator):
        repetition = b""
    return Delimiters(element, component, terminator, repetition=repetition)


def _ends_line(head: bytes, at: int, sign: bytes) -> bool:
    lines = head[at:].strip(BLANK).splitlines()
    return bool(lines) and lines[0].rstrip(BLANK).endswith(sign)


def _of_edifact(reader: SegmentReader, head: bytes) -> Delimiters:
    component, element, decimal, release, repetition, terminator = b":", b"+", ".", b"?", b"*", b"'"
    advised = head.startswith(b"UNA")
    if advised:
        advice = head[3:9]
        if len(advice) < 6 or len({*(advice[i] for i in (0, 1, 5))}) < 3 or advice[:2].isalnum():
            raise SetAsideError("bad-envelope", "UNA must name six characters, and those that part things differ.", remedy="Have it sent again.")
        component, element, decimal = advice[:1], advice[1:2], advice[2:3].decode("latin-1")
        release, repetition, terminator = advice[3:4].strip(), advice[4:5].strip(), advice[5:6]
        reader.skip(9)
        reader.skip_blank()
        head = reader.peek(HEAD_BYTES)
    if not head.startswith(b"UNB"):
        raise SetAsideError("no-envelope", "UNB is missing after UNA.", remedy="Have the whole interchange sent.")
    if not advised and _is_of_lines(head, terminator):
        terminator = b"\n"
    first = head.split(terminator, 1)[0].split(element)
    version = first[1].split(component)[1:2] if len(first) > 1 else []
    repeats = bool(version) and version[0] >= b"4"
    return Delimiters(element, component, terminator, release, repetition if repeats else b"", decimal)


def _is_of_lines(head: bytes, terminator: bytes) -> bool:
    """Tell whether line ends take the terminator's place: UNB has none, and what follows its line is the next service segment."""
    line, _, rest = head.partition(b"\n")
    return terminator not in line and rest.lstrip(BLANK).startswith((b"UNH", b"UNG", b"UNZ"))


def codec_of_level(level: str, declared: str | None) -> str:
    """Return how an EDIFACT interchange of a syntax identifier is encoded. Raises SetAsideError where that must be said."""
    if declared:
        return declared
    if level in UNREAD_LEVELS:
        message = f"the syntax identifier {level} leaves the encoding open."
        raise SetAsideError("bad-encoding", message, remedy="Say under `read: encoding` which one the sender uses.")
    return LEVELS.get(level, "utf-8")
