"""The cell language: what a field of a mapping may say. A cell is a path, a literal or a call; it has no operators.

    cell    = path | literal | call
    call    = name "(" [ arg { "," arg } ] ")"         arg = [ param "=" ] cell
    path    = [ "./" | "^/" { "^/" } ] step { "/" step }
    step    = ( name | prefix ":" name | "@" name | 'any name' ) [ "[" n | path "=" 'text' "]" ]
    literal = 'text' | 12 | 12.50 | true | false | null | date '2026-01-31'
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from treaty.compiler.ir import Literal, SourcePath, Step
from treaty.compiler.types import BOOLEAN, DATE, INTEGER, NULL, STRING, DecimalType

NAME = re.compile(r"@{0,2}[^\W\d][\w\-]*(?::[^\W\d][\w\-]*)?")
NUMBER = re.compile(r"\d+(\.\d+)?")
TEXT = re.compile(r"'((?:[^']|'')*)'")
SPACE = re.compile(r"\s*")
MAX_CELL_CHARACTERS = 10_000
MAX_CELL_DEPTH = 30


class CellError(ValueError):
    """A cell that cannot be read: what is wrong, at which character (from 0), and what to write instead."""

    def __init__(self, message: str, offset: int, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class PathCell:
    """The text at a path."""

    path: SourcePath
    offset: int = 0


@dataclass(frozen=True, slots=True)
class LiteralCell:
    """A constant."""

    literal: Literal
    offset: int = 0


@dataclass(frozen=True, slots=True)
class CallCell:
    """A call of a standard function, a decision or a hook; an argument may name its parameter."""

    name: str
    args: tuple[tuple[str | None, Cell], ...]
    offset: int = 0


Cell: TypeAlias = PathCell | LiteralCell | CallCell


class _Reader:
    """Reads one cell from left to right; ``position`` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def skip(self) -> None:
        match = SPACE.match(self.text, self.position)
        assert match is not None
        self.position = match.end()

    def peek(self, token: str) -> bool:
        return self.text.startswith(token, self.position)

    def take(self, token: str, remedy: str) -> None:
        self.skip()
        if not self.peek(token):
            found = self.text[self.position : self.position + 12] or "the end"
            raise CellError(f"expected {token!r}, found {found!r}", self.position, remedy)
        self.position += len(token)

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.position)
        if found:
            self.position = found.end()
        return found

    def cell(self, depth: int = 0) -> Cell:
        if depth > MAX_CELL_DEPTH:
            raise CellError(f"calls are nested deeper than {MAX_CELL_DEPTH}", self.position, "Move the logic into a decision record.")
        self.skip()
        start = self.position
        if self.peek("'"):
            return LiteralCell(Literal(self._text(), STRING), start)
        number = self.match(NUMBER)
        if number:
            return LiteralCell(_number(number.group()), start)
        if self.peek("./") or self.peek("^/"):
            return PathCell(self.path(), start)
        word = self.match(NAME)
        if word is None:
            found = self.text[start : start + 12] or "the end"
            raise CellError(f"a cell begins with a path, a literal or a call, not {found!r}", start, "Write a path such as cbc:ID, a 'text', or name(…).")
        return self._after_word(word.group(), start, depth)

    def _after_word(self, word: str, start: int, depth: int) -> Cell:
        constant = {"true": Literal(True, BOOLEAN), "false": Literal(False, BOOLEAN), "null": Literal(None, NULL)}.get(word)
        end = self.position
        self.skip()
        if self.peek("("):
            self.position += 1
            return CallCell(word, self._args(depth), start)
        if word == "date" and self.peek("'"):
            text = self._text()
            try:
                return LiteralCell(Literal(date.fromisoformat(text), DATE), start)
            except ValueError:
                raise CellError(f"{text!r} is not a date", start, "Write date 'YYYY-MM-DD'.") from None
        self.position = end
        if constant is not None and not (self.peek("/") or self.peek("[")):
            return LiteralCell(constant, start)
        self.position = start
        return PathCell(self.path(), start)

    def _args(self, depth: int) -> tuple[tuple[str | None, Cell], ...]:
        args: list[tuple[str | None, Cell]] = []
        self.skip()
        if self.peek(")"):
            self.position += 1
            return ()
        while True:
            self.skip()
            start = self.position
            name: str | None = None
            word = self.match(NAME)
            if word:
                self.skip()
                if self.peek("="):
                    self.position += 1
                    name = word.group()
                else:
                    self.position = start
            args.append((name, self.cell(depth + 1)))
            self.skip()
            if self.peek(","):
                self.position += 1
                continue
            self.take(")", "Close the call with ')'; cells have no operators, so put arithmetic and conditions into a decision record.")
            return tuple(args)

    def path(self) -> SourcePath:
        up = 0
        if self.peek("./"):
            self.position += 2
        while self.peek("^/"):
            self.position += 2
            up += 1
        steps = [self._step()]
        while self.peek("/"):
            self.position += 1
            steps.append(self._step())
        return SourcePath(tuple(steps), up)

    def _step(self) -> Step:
        start = self.position
        if self.peek("'"):
            name = self._text()
        else:
            word = self.match(NAME)
            if word is None:
                found = self.text[start : start + 12] or "the end"
                raise CellError(f"expected a name in the path, found {found!r}", start, "Quote names with spaces or signs: ./'Invoice No.'")
            name = word.group()
        if not self.peek("["):
            return Step(name)
        self.position += 1
        self.skip()
        number = self.match(re.compile(r"\d+"))
        if number:
            if int(number.group()) < 1:
                raise CellError("[n] counts from 1", start, "Write [1] for the first.")
            self.take("]", "Write [1], [2] …")
            return Step(name, index=int(number.group()))
        inner = self.path()
        self.take("=", "A selector is [path='text'].")
        self.skip()
        value = self._text()
        self.take("]", "A selector is [path='text'].")
        return Step(name, where=(inner, value))

    def _text(self) -> str:
        found = self.match(TEXT)
        if found is None:
            raise CellError("a 'text' is not closed", self.position, "Close it with ' and write '' for a quote inside.")
        return found.group(1).replace("''", "'")


def _number(text: str) -> Literal:
    if "." in text:
        digits = text.replace(".", "").lstrip("0") or "0"
        scale = len(text.partition(".")[2])
        return Literal(Decimal(text), DecimalType(max(len(digits), scale, 1), scale))
    return Literal(int(text), INTEGER)


@functools.lru_cache(maxsize=4096)
def parse_cell(text: str) -> Cell:
    """Read a cell; raise :class:`CellError` naming the character at which it stops being one."""
    if len(text) > MAX_CELL_CHARACTERS:
        raise CellError(f"a cell has at most {MAX_CELL_CHARACTERS} characters", 0, "Move the logic into a decision record.")
    reader = _Reader(text)
    cell = reader.cell()
    reader.skip()
    if reader.position != len(text):
        rest = text[reader.position : reader.position + 12]
        raise CellError(f"unexpected {rest!r} after the cell", reader.position, "Cells have no operators: put them into a decision record and call it.")
    return cell


def parse_path(text: str) -> SourcePath:
    """Read a path alone, as in ``each:`` or ``source('…')``; raise :class:`CellError`."""
    reader = _Reader(text)
    reader.skip()
    path = reader.path()
    reader.skip()
    if reader.position != len(text):
        raise CellError(f"unexpected {text[reader.position : reader.position + 12]!r} after the path", reader.position, "Write steps joined by '/'.")
    return path
