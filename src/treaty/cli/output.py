"""How results are printed: tables and colour on a terminal, plain lines in a pipe, JSON where it is asked for.

rich is imported only where there is a terminal to draw on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from treaty.operations.shapes import dump

if TYPE_CHECKING:
    from rich.console import Console


_UNSEEN = (*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
SEEN = {each: chr(0x2400 + each) if each < 0x20 else f"\\u{each:04x}" for each in _UNSEEN if chr(each) not in "\n\t"}
"""What commands a terminal, or turns the direction of a line, is shown and not obeyed: data come from strangers."""
ONE_LINE = {**SEEN, **str.maketrans({"\n": "⏎", "\r": "", "\t": " "})}
"""A row of a table is one line, whatever is in its cells."""


class Styled(NamedTuple):
    """A cell of a table with its style on a terminal."""

    text: object
    style: str


class Output:
    """Where a verb prints: ``terminal`` people read tables, pipes get one plain line for each fact."""

    def __init__(self, *, as_json: bool, stream: TextIO | None = None, errors: TextIO | None = None) -> None:
        self.as_json = as_json
        self.stream = stream or sys.stdout
        self.errors = errors or sys.stderr
        self.terminal = self.stream.isatty()
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The console that draws on the terminal."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=self.stream, highlight=False)
        return self._console

    def json(self, value: Any) -> None:
        """Print one value in its machine shape."""
        self.text(dump(value))

    def json_lines(self, values: Iterable[Any]) -> None:
        """Print one value a line, in their machine shape."""
        for value in values:
            self.text(dump(value))

    def text(self, text: str) -> None:
        """Print a text as it is."""
        self.stream.write(text + "\n")

    def line(self, text: str, style: str = "") -> None:
        """Print a line, in a style (``bold``, ``green``, ``dim`` …) on a terminal."""
        text = text.translate(SEEN)
        if self.terminal:
            from rich.text import Text

            self.console.print(Text(text, style=style))
        else:
            self.text(text)

    def title(self, text: str) -> None:
        """Print a heading."""
        if self.terminal:
            self.line("")
        self.line(text, "bold cyan")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
        """Print a table; in a pipe a header line and one line a row, separated by tabs. A cell may be :class:`Styled`."""
        if not self.terminal:
            if title:
                self.text(title)
            self.text("\t".join(columns))
            for row in rows:
                self.text("\t".join(_plain(cell) for cell in row))
            return
        from rich.table import Table
        from rich.text import Text

        drawn = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
        for name in columns:
            drawn.add_column(name, overflow="fold")
        for row in rows:
            drawn.add_row(*(Text(_plain(cell), style=cell.style if isinstance(cell, Styled) else "") for cell in row))
        self.console.print(drawn)

    def error(self, message: str, remedy: str = "") -> None:
        """Print what went wrong and what to do, to the error stream."""
        message, remedy = message.translate(SEEN), remedy.translate(SEEN)
        if self.errors.isatty() and not os.environ.get("NO_COLOR"):
            self.errors.write(f"\x1b[1;31m{message}\x1b[0m\n")
        else:
            self.errors.write(f"{message}\n")
        if remedy:
            self.errors.write(f"{remedy}\n")

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show how far a long piece of work is: a moving bar on a terminal, nothing elsewhere."""
        if self.as_json or not self.terminal:
            yield Progress()
            return
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        with Bars(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=self.console, transient=True) as bars:
            task = bars.add_task("", total=None)
            yield Progress(lambda what, done, total: bars.update(task, description=what, completed=done, total=total))


class Progress:
    """Told what is being done, how much of it is done, and how much there is (None: unknown)."""

    def __init__(self, show: Any = None) -> None:
        self._show = show

    def __call__(self, what: str, done: int = 0, total: int | None = None) -> None:
        """Show where the work stands."""
        if self._show is not None:
            self._show(what, done, total)


def _plain(cell: object) -> str:
    value = cell.text if isinstance(cell, Styled) else cell
    if value is None:
        return ""
    if isinstance(value, list | tuple | frozenset):
        return ", ".join(_plain(each) for each in value)
    return str(value).translate(ONE_LINE)
