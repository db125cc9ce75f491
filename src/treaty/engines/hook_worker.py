"""The process in which hooks run: it takes batches of arguments on its standard input and answers with values and reasons.

A process of their own, so that a hook that never ends, or takes the interpreter down, costs the rows that made it do so and nothing else:
an alarm that nothing catches ends this process when one call takes longer than it may, be it in Python or below it.

A frame is its length in eight bytes, then its bytes. A request is two frames, a JSON header and an Arrow stream; an answer is one.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from treaty.connectors.pipes import read_batch, read_frame, write_batch, write_frame

Function = Callable[..., Any]


class Hooks:
    """The functions of the hook files that were sent here, each file run once."""

    def __init__(self) -> None:
        self._files: dict[str, Mapping[str, Any] | Exception] = {}
        self._told: set[str] = set()
        self._seconds = 0.0

    def answer(self, header: Mapping[str, Any], arguments: pa.RecordBatch) -> pa.RecordBatch:
        """Return a value and a reason for each row of arguments."""
        self._seconds = float(header["seconds"])
        kind = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(header["returns"]))).field(0).type
        parts = list(self._parts(header, arguments, kind))
        values = pa.concat_arrays([values for values, _ in parts]) if parts else pa.nulls(0, kind)
        reasons = pa.concat_arrays([reasons for _, reasons in parts]) if parts else pa.nulls(0, pa.string())
        return pa.RecordBatch.from_arrays([values, reasons], names=["value", "reason"])

    def _parts(self, header: Mapping[str, Any], arguments: pa.RecordBatch, kind: pa.DataType) -> Iterator[tuple[pa.Array, pa.Array]]:
        """Call the hook for all rows; where that fails, for each half of them, down to the rows that fail by themselves."""
        rows = arguments.num_rows
        if not rows:
            return
        try:
            values = self._call(header, arguments, kind)
        except BaseException as error:  # even SystemExit: a hook does not end a run
            self._tell(header, error)
            if rows == 1:
                yield pa.nulls(1, kind), pa.array([header["fails"]])
                return
            yield from self._parts(header, arguments.slice(0, rows // 2), kind)
            yield from self._parts(header, arguments.slice(rows // 2), kind)
            return
        yield values, pa.nulls(rows, pa.string())

    def _call(self, header: Mapping[str, Any], arguments: pa.RecordBatch, kind: pa.DataType) -> pa.Array:
        signal.setitimer(signal.ITIMER_REAL, self._seconds)
        try:
            found = self._function(header)(*arguments.columns)
            if isinstance(found, pa.ChunkedArray):
                found = found.combine_chunks()
            values = found if isinstance(found, pa.Array) else pa.array(found, kind)
            if len(values) != arguments.num_rows:
                raise ValueError(f"it gave {len(values)} values for {arguments.num_rows} rows")
            return values.cast(kind)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _function(self, header: Mapping[str, Any]) -> Function:
        key = str(header["content_hash"])
        if key not in self._files:
            self._files[key] = _run_file(str(header["code"]), str(header["file"]))
        names = self._files[key]
        if isinstance(names, Exception):
            raise names
        for each in names.values():
            if getattr(each, "__treaty_hook__", (None,))[0] == header["signature"]:
                return each  # type: ignore[no-any-return]
        raise LookupError(f"{header['file']} has no hook {header['signature']!r} once it has run")

    def _tell(self, header: Mapping[str, Any], error: BaseException) -> None:
        """Say on the error output why a hook failed, the first time that it does."""
        if header["name"] not in self._told:
            self._told.add(str(header["name"]))
            sys.stderr.write(f"hook {header['name']} ({header['file']}) fails for some rows: {type(error).__name__}: {error}\n")


def _run_file(code: str, file: str) -> Mapping[str, Any] | Exception:
    names: dict[str, Any] = {"__name__": "treaty_hooks", "__file__": file}
    try:
        exec(compile(code, file, "exec"), names)  # noqa: S102  deployed code, trusted like Treaty itself
    except Exception as error:
        return error
    return names


def main() -> None:
    """Answer requests until the other side has gone."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a hook prints must not stand among the answers
    hooks = Hooks()
    while (header := read_frame(sys.stdin.buffer)) is not None and (content := read_frame(sys.stdin.buffer)) is not None:
        write_frame(answers, write_batch(hooks.answer(json.loads(header), read_batch(content))))
        answers.flush()


if __name__ == "__main__":
    main()
