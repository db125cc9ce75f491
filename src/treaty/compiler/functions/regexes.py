"""Regular expressions: the common subset of RE2 and Java, with ASCII classes, read and rewritten so that both mean the same.

Refused: lookaround, back-references, ``\\b``, POSIX and Unicode classes, possessive quantifiers, a quantifier over a group
that itself repeats without bound, and more than 1,000 repetitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treaty.compiler.functions.definition import Function, constant, constant_value, define, sql_text
from treaty.compiler.ir import Call, Node

MAX_PATTERN_CHARACTERS = 1_000
MAX_REPEAT = 1_000
CLASSES = {
    "d": "0-9",
    "w": "0-9A-Za-z_",
    "s": r"\t\n\x0B\f\r ",
}
ESCAPES = {"t": r"\t", "n": r"\n", "r": r"\r", "f": r"\f"}
SPECIAL = ".^$*+?()[]{}|\\"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as both engines read it, how many groups it has, and whether it can match nothing at all."""

    text: str
    groups: int
    matches_empty: bool


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    empty: bool  # can match the empty text
    endless: bool  # holds a repetition without bound


class _Reader:
    def __init__(self, source: str) -> None:
        self.fold = source.startswith("(?i)")
        self.source = source[4:] if self.fold else source
        self.position = 0
        self.groups = 0

    def peek(self) -> str:
        return self.source[self.position] if self.position < len(self.source) else ""

    def take(self) -> str:
        character = self.peek()
        if not character:
            raise ValueError("the pattern ends too early")
        self.position += 1
        return character

    def alternatives(self) -> _Piece:
        pieces = [self.sequence()]
        while self.peek() == "|":
            self.take()
            pieces.append(self.sequence())
        return _Piece("|".join(each.text for each in pieces), any(each.empty for each in pieces), any(each.endless for each in pieces))

    def sequence(self) -> _Piece:
        text, empty, endless = "", True, False
        while self.peek() not in ("", "|", ")"):
            piece = self.repeated()
            text += piece.text
            empty = empty and piece.empty
            endless = endless or piece.endless
        return _Piece(text, empty, endless)

    def repeated(self) -> _Piece:
        piece = self.atom()
        low, high, written = self.quantifier()
        if not written:
            return piece
        if piece.endless and high is None:
            raise ValueError("a repeated group repeats without bound itself; write it without nesting")
        if self.peek() == "?":
            written += self.take()
        if self.peek() in ("*", "+", "?", "{"):
            raise ValueError(f"{self.peek()!r} cannot follow a repetition")
        return _Piece(piece.text + written, piece.empty or low == 0, piece.endless or high is None)

    def quantifier(self) -> tuple[int, int | None, str]:
        sign = self.peek()
        if sign in ("*", "+", "?") and sign:
            self.take()
            return {"*": (0, None, "*"), "+": (1, None, "+"), "?": (0, 1, "?")}[sign]
        if sign != "{":
            return 1, 1, ""
        end = self.source.find("}", self.position)
        inside = self.source[self.position + 1 : end] if end > 0 else ""
        low, comma, high = inside.partition(",")
        if not low.isascii() or not low.isdigit() or (high and not (high.isascii() and high.isdigit())):
            raise ValueError("write {n}, {n,} or {n,m}, and \\{ for a brace")
        self.position = end + 1
        top = int(low) if not comma else int(high) if high else None
        if int(low) > MAX_REPEAT or (top is not None and not int(low) <= top <= MAX_REPEAT):
            raise ValueError(f"a repetition is at most {MAX_REPEAT} times")
        return int(low), top, "{" + inside + "}"

    def atom(self) -> _Piece:
        character = self.take()
        if character == "(":
            return self.group()
        if character == "[":
            return _Piece(self.character_class(), False, False)
        if character == ".":
            return _Piece(r"[^\n]", False, False)
        if character in "^$":
            if self.peek() in ("*", "+", "?", "{"):
                raise ValueError(f"{character} marks a place, which does not repeat")
            return _Piece(r"\A" if character == "^" else r"\z", True, False)
        if character == "\\":
            return _Piece(self.escape(inside=False), False, False)
        if character in "*+?{":
            raise ValueError(f"{character!r} has nothing to repeat; write \\{character} for the character")
        if character in "]}":
            raise ValueError(f"write \\{character} for the character {character}")
        return _Piece(self.literal(character), False, False)

    def group(self) -> _Piece:
        kind = "("
        if self.peek() == "?":
            self.take()
            if self.take() != ":":
                raise ValueError("of (?…) only (?:…) is taken, and (?i) at the very beginning; there is no lookaround")
            kind = "(?:"
        else:
            self.groups += 1
        inner = self.alternatives()
        if self.peek() != ")":
            raise ValueError("a ( is not closed")
        self.take()
        return _Piece(f"{kind}{inner.text})", inner.empty, inner.endless)

    def escape(self, *, inside: bool) -> str:
        character = self.take()
        if character in CLASSES:
            return CLASSES[character] if inside else f"[{CLASSES[character]}]"
        if character.lower() in CLASSES:
            if inside:
                raise ValueError(f"\\{character} cannot stand in a class; write it as [^…]")
            return f"[^{CLASSES[character.lower()]}]"
        if character in ESCAPES:
            return ESCAPES[character]
        if character.isalnum():
            raise ValueError(f"\\{character} does not mean the same everywhere; write the characters themselves")
        return "\\" + character if character.isascii() else character

    def literal(self, character: str) -> str:
        if self.fold and character.isascii() and character.isalpha():
            return f"[{character.lower()}{character.upper()}]"
        return "\\" + character if character in SPECIAL else character

    def character_class(self) -> str:
        text = "["
        if self.peek() == "^":
            text += self.take()
        first = True
        while self.peek() != "]" or first:
            if self.peek() == "]":
                raise ValueError("a class [ ] is not empty; write \\] for the character")
            text += self.class_member()
            first = False
        self.take()
        return text + "]"

    def class_member(self) -> str:
        low = self.class_character()
        if self.peek() != "-" or self.source[self.position + 1 : self.position + 2] == "]":
            return self.both_cases(low) if low != "-" else r"\-"
        self.take()
        high = self.class_character()
        if len(low.lstrip("\\")) != 1 or len(high.lstrip("\\")) != 1 or low.lstrip("\\") > high.lstrip("\\"):
            raise ValueError("a range in a class goes from a lower to a higher character")
        if self.fold and (low.isalpha() or high.isalpha()):
            return f"{low.lower()}-{high.lower()}{low.upper()}-{high.upper()}"
        return f"{low}-{high}"

    def both_cases(self, character: str) -> str:
        return (
            character.lower() + character.upper()
            if self.fold and len(character) == 1 and character.isascii() and character.isalpha()
            else character
        )

    def class_character(self) -> str:
        character = self.take()
        if character == "\\":
            return self.escape(inside=True)
        if character == "[" and self.peek() in (":", ".", "="):
            raise ValueError("classes such as [:alpha:] are not taken; write A-Za-z")
        if character in "[&~^":
            return "\\" + character
        return character


def read_pattern(source: str) -> Pattern:
    """Read a pattern and rewrite it so that RE2 and Java mean the same; raises ValueError saying what is refused."""
    if len(source) > MAX_PATTERN_CHARACTERS:
        raise ValueError(f"a pattern has at most {MAX_PATTERN_CHARACTERS} characters")
    reader = _Reader(source)
    piece = reader.alternatives()
    if reader.position != len(reader.source):
        raise ValueError("a ) has no (")
    return Pattern(piece.text, reader.groups, piece.empty)


def pattern_sql(call: Call, position: int = 1) -> str:
    """Return the rewritten pattern of a constant argument as a SQL literal."""
    return sql_text(read_pattern(constant(call, position)).text)


def _check_pattern(args: Sequence[Node]) -> None:
    read_pattern(str(constant_value(args[1])))


def _check_replace(args: Sequence[Node]) -> None:
    pattern = read_pattern(str(constant_value(args[1])))
    if pattern.matches_empty:
        raise ValueError("the pattern also matches nothing at all; write + rather than *")
    by, position = str(constant_value(args[2])), 0
    while (position := by.find("\\", position)) >= 0:
        follower = by[position + 1 : position + 2]
        if follower != "\\" and not (follower.isdigit() and follower.isascii() and int(follower) <= pattern.groups):
            raise ValueError(f"in the replacement, write \\1 to \\{pattern.groups} for a group, and \\\\ for a backslash")
        position += 2


def _check_group(args: Sequence[Node]) -> None:
    pattern, group = read_pattern(str(constant_value(args[1]))), int(str(constant_value(args[2])))
    if not 0 <= group <= pattern.groups:
        raise ValueError(f"the pattern has {pattern.groups} groups, and 0 is all that matched")


ROWS: tuple[Function, ...] = (
    define(
        "regex_match(text: string, pattern: const string) -> boolean",
        "spelling",
        "Whether the whole text matches the pattern",
        lambda r, c: f"regexp_full_match({r[0]}, {pattern_sql(c)})",
        [
            ("AB12", "[A-Z]{2}\\d+", True),
            ("AB12x", "[A-Z]{2}\\d+", False),
            ("٣", "\\d", False),
            ("ab", "(?i)AB", True),
            ("a\nb", "a.b", False),
        ],
        check=_check_pattern,
    ),
    define(
        "regex_contains(text: string, pattern: const string) -> boolean",
        "spelling",
        "Whether something in the text matches the pattern",
        lambda r, c: f"regexp_matches({r[0]}, {pattern_sql(c)})",
        [("xAB12x", "AB\\d", True), ("x", "^$", False), ("a\n", "a$", False)],
        check=_check_pattern,
    ),
    define(
        "regex_replace(text: string, pattern: const string, by: const string) -> string",
        "choosing",
        "Everything that matches replaced; \\1 is the first group",
        lambda r, c: f"regexp_replace({r[0]}, {pattern_sql(c)}, {r[2]}, 'g')",
        [
            ("a1b22", "\\d+", "#", "a#b#"),
            ("12.03.2026", "(\\d+)\\.(\\d+)\\.(\\d+)", "\\3-\\2-\\1", "2026-03-12"),
            ("$1", "\\$", "\\\\", "\\1"),
        ],
        check=_check_replace,
    ),
    define(
        "regex_extract(text: string, pattern: const string, group: const integer) -> string",
        "choosing",
        "The first match, or one of its groups; null if nothing, or only an empty text, was found",
        lambda r, c: f"nullif(regexp_extract({r[0]}, {pattern_sql(c)}, {constant(c, 2)}), '')",
        [("net 30 days", "(\\d+) days", 1, "30"), ("abc", "\\d+", 0, None), ("ab", "(x?)b", 1, None)],
        check=_check_group,
    ),
)
