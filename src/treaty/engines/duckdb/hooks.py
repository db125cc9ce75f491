"""Runs users' hooks as functions of DuckDB: vectorised, over Arrow arrays, in a process of their own.

A hook is strict like any function: rows with a null argument are null and are not sent. A row for which it fails, be it by an exception,
an answer of another length or type, by taking too long or by ending its process, has the reason ``hook-failed``; the others pass.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, reduce
from typing import TYPE_CHECKING

from treaty.compiler.decisions import HOOK_FAILED, hook_function
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.signatures import parse_signature
from treaty.engines.duckdb.paths import quote_name
from treaty.project.declarations import Hook

if TYPE_CHECKING:
    import pyarrow as pa

    from treaty.sessions.duckdb import Engine

MOST_OVERRUNS = 8  # rows for which a hook may end its process before it is called no more
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH")  # no secrets


def register_hooks(connection: Engine, hooks: Iterable[Hook], seconds: int) -> None:
    """Make the pure hooks of a project callable in queries of a connection; one that is callable already stays as it is.

    A function's name holds the hash of its code, so that what runs is what was compiled. Nothing of a hook runs before its first call.
    """
    from treaty.sessions.duckdb import register_function

    for hook in hooks:
        if hook.pure:
            signature = parse_signature(hook.signature)
            returns = duckdb_type(signature.returns)
            called = _Called(hook, _arrow_schema(connection, returns))
            parameters = [duckdb_type(kind) for _, kind in signature.parameters]
            answer = f"STRUCT({quote_name('value')} {returns}, {quote_name('reason')} VARCHAR)"
            register_function(connection, hook_function(hook), _on_columns(called, _worker(seconds)), parameters, answer)


@dataclass(frozen=True, slots=True)
class _Called:
    """A hook and the Arrow type that it must give, as a serialised schema."""

    hook: Hook
    returns: str

    def header(self, seconds: int) -> bytes:
        """Return what a request says besides its arguments."""
        hook = self.hook
        told = {"name": hook.name, "signature": hook.signature, "file": hook.file, "content_hash": hook.content_hash, "code": hook.code}
        return json.dumps({**told, "returns": self.returns, "seconds": seconds, "fails": HOOK_FAILED}).encode()


def _arrow_schema(connection: Engine, returns: str) -> str:
    schema = connection.execute(f"SELECT CAST(NULL AS {returns}) AS value LIMIT 0").to_arrow_table().schema
    return base64.b64encode(schema.serialize()).decode()


def _on_columns(called: _Called, worker: HookWorker) -> Callable[..., pa.Array]:
    """Return the function that DuckDB calls with one array an argument: it leaves nulls out and puts them back."""

    def call(*columns: pa.Array) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        flat = [each.combine_chunks() if isinstance(each, pa.ChunkedArray) else each for each in columns]
        given = pa.RecordBatch.from_arrays(flat, names=[str(number) for number in range(len(flat))])
        there = reduce(pc.and_, [pc.is_valid(each) for each in flat])
        answer = pa.concat_arrays([each.to_struct_array() for each in worker.answer(called, given.filter(there))])
        if len(answer) == len(there):
            return answer
        places = pc.subtract(pc.cumulative_sum(pc.cast(there, pa.int64())), 1)
        return answer.take(pc.if_else(there, places, None))

    return call


class HookWorker:
    """One worker process, begun with the first call and anew whenever a hook has ended it; calls take turns."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._overruns: Counter[str] = Counter()

    def answer(self, called: _Called, given: pa.RecordBatch) -> list[pa.RecordBatch]:
        """Return values and reasons for rows of arguments; rows that end the process are found by halving."""
        import pyarrow as pa

        broken = self._overruns[called.hook.content_hash] >= MOST_OVERRUNS
        found = None if broken else self._ask(called, given)
        if found is not None:
            return [found]
        rows = given.num_rows
        if broken or rows == 1:
            self._overruns[called.hook.content_hash] += 1
            schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(called.returns)))
            return [pa.RecordBatch.from_arrays([pa.nulls(rows, schema.field(0).type), pa.array([HOOK_FAILED] * rows)], names=["value", "reason"])]
        return [*self.answer(called, given.slice(0, rows // 2)), *self.answer(called, given.slice(rows // 2))]

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            self._let_go(process)

    def _ask(self, called: _Called, given: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return the worker's answer, or None where it ended instead of answering."""
        from treaty.connectors.pipes import read_batch, read_frame, write_batch, write_frame

        with self._turn:
            process = self._process = self._process or _start()
            assert process.stdin is not None and process.stdout is not None, "both are pipes"
            try:
                write_frame(process.stdin, called.header(self._seconds))
                write_frame(process.stdin, write_batch(given))
                process.stdin.flush()
                content = read_frame(process.stdout)
            except OSError:
                content = None
            if content is not None:
                return read_batch(content)
            self._process = None
            self._let_go(process)
            return None

    @staticmethod
    def _let_go(process: subprocess.Popen[bytes]) -> None:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what it was being told when it ended
                    continue
        process.wait()


def _start() -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name in _KEPT}
    command = [sys.executable, "-P", "-m", "treaty.engines.hook_worker"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


@cache
def _worker(seconds: int) -> HookWorker:
    """Return this process's worker for a time limit."""
    worker = HookWorker(seconds)
    atexit.register(worker.close)
    return worker


__all__ = ["HookWorker", "register_hooks"]
