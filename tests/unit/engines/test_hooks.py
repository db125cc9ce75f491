"""Hooks: run as vectorised functions of DuckDB in a process of their own, where nothing they do can end a run."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from treaty.compiler.decisions import hook_function
from treaty.compiler.ir import Call, Param
from treaty.compiler.signatures import parse_signature
from treaty.engines.duckdb.hooks import register_hooks
from treaty.engines.duckdb.paths import quote_name
from treaty.engines.duckdb.scalars import render_reason, render_value
from treaty.project.declarations import Hook, Limits
from treaty.project.findings import Findings
from treaty.project.hooks import find_hooks
from treaty.sessions.duckdb import Engine, open_engine
from treaty.settings import RuntimeSettings

SECONDS = 1


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine in memory."""
    connection = open_engine(Limits(), None, RuntimeSettings())
    yield connection
    connection.close()


def hook_of(body: str, signature: str = "made(text: string) -> string", pure: bool = True) -> Hook:
    """Return a hook with this body over its arguments."""
    names = ", ".join(name for name, _ in parse_signature(signature).parameters)
    indented = "\n    ".join(dedent(body).strip().splitlines())
    code = f"import pyarrow as pa\nimport pyarrow.compute as pc\nimport treaty\n\n\n@treaty.hook({signature!r}, pure={pure})\ndef made({names}):\n    {indented}\n"
    (found,) = find_hooks(code.encode(), "hooks/made.py", Findings())
    return found


def run(engine: Engine, hook: Hook, *rows: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    """Return value and reason of a hook for each row of arguments."""
    register_hooks(engine, [hook], SECONDS)
    signature = parse_signature(hook.signature)
    call = Call(hook_function(hook), tuple(Param(name, kind) for name, kind in signature.parameters), signature.returns)
    names = [name for name, _ in signature.parameters]
    marks = ", ".join("(?, " + ", ".join("?" for _ in names) + ")" for _ in rows)
    listed = ", ".join(quote_name(each) for each in ("n", *names))

    def columns(node: Any) -> str | None:
        return quote_name(node.name) if isinstance(node, Param) else None

    sql = f"select {render_value(call, columns)}, {render_reason(call, columns)} from (values {marks}) t({listed}) order by n"
    return engine.execute(sql, [value for number, row in enumerate(rows) for value in (number, *row)]).fetchall()


def test_values(engine: Engine) -> None:
    """A hook gives a value for each row; a null argument gives null, and has not failed."""
    hook = hook_of("return pc.utf8_upper(text)")
    assert [("A", None), (None, None), ("B", None)] == run(engine, hook, ("a",), (None,), ("b",))


def test_nothing_but_nulls(engine: Engine) -> None:
    """Rows that are null in some argument are not given to the hook at all."""
    hook = hook_of("raise AssertionError", "made(text: string, more: string) -> string")
    assert [(None, None)] == run(engine, hook, ("a", None))


def test_types(engine: Engine) -> None:
    """Arguments and values have the types of the signature, whatever the array that the hook gives."""
    hook = hook_of("return [each.as_py() * 2 for each in price]", "made(price: decimal(18,2)) -> decimal(18,3)")
    register_hooks(engine, [hook], SECONDS)
    assert (Decimal("25.000"),) == engine.execute(f"select {quote_name(hook_function(hook))}(12.50).value").fetchone()


def test_null_is_an_answer(engine: Engine) -> None:
    """A hook may answer null, which is no failure."""
    assert [(None, None)] == run(engine, hook_of("return pa.nulls(len(text), pa.string())"), ("a",))


@pytest.mark.parametrize(
    "body",
    [
        "if 'bad' in text.to_pylist(): raise ValueError('bad')\nreturn text",
        "if 'bad' in text.to_pylist(): raise SystemExit\nreturn text",
        "return text.filter(pc.not_equal(text, 'bad'))",
        "return [7 if each == 'bad' else each for each in text.to_pylist()]",
        "import os\nif 'bad' in text.to_pylist(): os._exit(3)\nreturn text",
        "import time\nif 'bad' in text.to_pylist(): time.sleep(60)\nreturn text",
    ],
    ids=["raises", "exits", "wrong length", "wrong type", "ends its process", "takes too long"],
)
def test_a_row_that_fails_fails_alone(engine: Engine, body: str) -> None:
    """A row for which a hook fails has the reason ``hook-failed``; the others have their values."""
    found = run(engine, hook_of(body), ("a",), ("bad",), ("b",), ("c",))
    assert [("a", None), (None, "hook-failed"), ("b", None), ("c", None)] == found


def test_a_file_that_cannot_run(engine: Engine) -> None:
    """A hook whose file does not run fails for every row."""
    good = hook_of("return text")
    code = "import no_such_package\n" + good.code
    (hook,) = find_hooks(code.encode(), "hooks/made.py", Findings())
    assert [(None, "hook-failed")] == run(engine, hook, ("a",))


def test_a_hook_that_never_ends_is_given_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that ended its process too often is called no more: its rows fail at once."""
    monkeypatch.setattr("treaty.engines.duckdb.hooks.MOST_OVERRUNS", 2)
    found = run(engine, hook_of("import os\nos._exit(3)"), *[(str(number),) for number in range(64)])
    assert [(None, "hook-failed")] * 64 == found


def test_many_rows(engine: Engine) -> None:
    """More rows than fit one batch, in several threads."""
    hook = hook_of("return pc.add(number, 1)", "made(number: integer) -> integer")
    register_hooks(engine, [hook], SECONDS)
    row = engine.execute(f"select sum({quote_name(hook_function(hook))}(i).value) from range(100000) r(i)").fetchone()
    assert (100_000 * 99_999 // 2 + 100_000,) == row


def test_inside_lists(engine: Engine) -> None:
    """A hook works on the elements of a list."""
    hook = hook_of("return pc.utf8_upper(text)")
    register_hooks(engine, [hook], SECONDS)
    row = engine.execute(f"select list_transform(['a', null, 'b'], lambda e: {quote_name(hook_function(hook))}(e).value)").fetchone()
    assert (["A", None, "B"],) == row


def test_a_hook_sees_no_secrets(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the process that runs hooks holds no more than it takes to start."""
    monkeypatch.setenv("LEDGER_PASSWORD", "secret")
    (value, _), = run(engine, hook_of("import os\nreturn [os.environ.get('LEDGER_PASSWORD', 'nothing')] * len(text)"), ("a",))
    assert "nothing" == value


def test_an_impure_hook_is_not_there(engine: Engine) -> None:
    """Only pure hooks can be called in queries."""
    hook = hook_of("return text", pure=False)
    register_hooks(engine, [hook], SECONDS)
    assert None is engine.execute("select 1 from duckdb_functions() where function_name = ?", [hook_function(hook)]).fetchone()


def test_other_code_is_another_function(tmp_path: Path) -> None:
    """The name by which engines know a hook changes with its code."""
    assert hook_function(hook_of("return text")) != hook_function(hook_of("return pc.utf8_upper(text)"))
