"""Printing: plain lines in a pipe, tables on a terminal, JSON without rounding."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from treaty.cli.output import Output, Styled
from treaty.operations.init import InitResult
from treaty.operations.shapes import dump, shape


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Be a terminal."""
        return True


def test_a_table_in_a_pipe_is_tab_separated() -> None:
    """A pipe gets a header and a line a row, without colour."""
    stream = io.StringIO()
    Output(as_json=False, stream=stream).table(("a", "b"), [(1, Styled("x", "red")), (None, ["p", "q"])])
    assert stream.getvalue() == "a\tb\n1\tx\n\tp, q\n"


def test_a_table_on_a_terminal_is_drawn() -> None:
    """A terminal gets aligned columns and markup is never read out of data."""
    stream = Terminal()
    Output(as_json=False, stream=stream).table(("name",), [("[bold]x",)])
    assert "[bold]x" in stream.getvalue()


def test_errors_stand_on_two_lines() -> None:
    """An error is what happened, then what to do, on the error stream."""
    errors = io.StringIO()
    Output(as_json=False, errors=errors).error("It broke.", "Mend it.")
    assert errors.getvalue() == "It broke.\nMend it.\n"


def test_decimals_become_texts_with_all_their_digits() -> None:
    """Nothing is rounded and nothing gets an exponent on the way to JSON."""
    assert dump({"a": Decimal("1.10"), "b": Decimal("1E+3"), "c": [Decimal("0.00000001")]}) == '{"a": "1.10", "b": "1000", "c": ["0.00000001"]}'


def test_dates_ids_and_results_have_a_shape() -> None:
    """Dates are ISO 8601, ids are texts, and a result is an object of its fields."""
    assert shape([date(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC), UUID(int=1)]) == [
        "2026-01-31", "2026-01-31T00:00:00+00:00", "00000000-0000-0000-0000-000000000001",
    ]  # fmt: skip
    made = InitResult(folder=__import__("pathlib").Path("x"), packs=("p",), inboxes=(), models=("m",), flows=())
    assert shape(made) == {"folder": "x", "packs": ["p"], "inboxes": [], "models": ["m"], "flows": [], "system": None, "workflow": None}


def test_progress_is_silent_in_a_pipe() -> None:
    """Progress draws nothing where nobody watches."""
    stream = io.StringIO()
    with Output(as_json=False, stream=stream).progress() as progress:
        progress("landing", 1, 2)
    assert stream.getvalue() == ""


def test_what_commands_a_terminal_is_shown_and_not_obeyed() -> None:
    """Escapes, other control characters and marks of direction in data and messages are visible signs, and a line stays one line (E15)."""
    for stream in (io.StringIO(), Terminal()):
        output = Output(as_json=False, stream=stream, errors=(errors := io.StringIO()))
        output.table(("name",), [("\x1b[31mred\x07 \u202eabc\x9b2J\ntwo",)])
        output.line("file \x1b]0;title\x07.csv")
        output.error("bad \x1b[2J.csv")
        shown = stream.getvalue() + errors.getvalue()
        assert "\x1b[31mred" not in shown
        assert not {"\x07", "\u202e", "\x9b"} & set(shown)
        assert "␛[31mred␇ \\u202eabc\\u009b2J⏎two" in shown
        assert "file ␛]0;title␇.csv" in shown
        assert errors.getvalue() == "bad ␛[2J.csv\n"
