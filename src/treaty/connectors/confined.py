"""Runs a parser that must not be trusted in a child process with limits, and takes Arrow batches from it.

The child has limits on memory (RLIMIT_AS) and processor time, may write no file, and has nothing of our environment. What it answers is one frame
of JSON (what was found out, or why the file is refused), a frame for each Arrow batch, and one with the refusals of single records. A child
that dies, whatever of, is the refusal of its file and nothing else.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from treaty.connectors.interface import Refusal, Rows
from treaty.connectors.pipes import read_batch, read_frame, write_batch, write_frame
from treaty.errors import SetAsideError
from treaty.project.declarations import Limits

if TYPE_CHECKING:
    import pyarrow as pa

    from treaty.connectors.folders import Copy
    from treaty.connectors.formats.interface import Reading

BASE_MEGABYTES = 512  # address space that the interpreter and its libraries take by being loaded

OUT_OF_MEMORY = 75  # the status of a child that says so; one whose library gives up itself aborts
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}

# What a parser is: a function of the file's path, its settings as JSON, and the limits. It yields first what it found out, as a mapping with
# `columns` (the list of their names) and `details`; then Arrow batches, with single refusals between them. It raises SetAsideError.
Parser: TypeAlias = Callable[[str, Mapping[str, Any], Limits], Iterator[Any]]


def read_confined(parser: str, copy: Copy, settings: Mapping[str, Any], reading: Reading) -> tuple[Rows, dict[str, str]]:
    """Run ``module:function`` in a child process over a file. Raises SetAsideError for the file as a whole.

    Batches come while the child works; single refusals are appended at its end. Where it dies midway, the rest of the file is refused with
    the reason. The child ends at the latest when the next file is asked for.
    """
    path = _as_file(copy, reading.spool)
    task = {"parser": parser, "path": str(path), "settings": dict(settings), "limits": _as_json(reading.limits)}
    child = _Child(task, reading.limits)
    reading.stack.callback(child.stop)
    header = child.header()
    return Rows(child.batches(reading.refusals), tuple(header["columns"])), dict(header["details"])


def _as_file(copy: Copy, spool: Path) -> Path:
    if isinstance(copy.content, Path):
        return copy.content
    handle, name = tempfile.mkstemp(dir=spool, prefix="confined-")
    with os.fdopen(handle, "wb") as file:
        file.write(copy.content)
    return Path(name)


def _as_json(limits: Limits) -> dict[str, int]:
    return {name: getattr(limits, name) for name in limits.__dataclass_fields__}


class _Child:
    """The process that parses one file."""

    def __init__(self, task: Mapping[str, Any], limits: Limits) -> None:
        self._limits = limits
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by stop()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", "from treaty.connectors.confined import work; work()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=ENVIRONMENT,
            cwd="/", close_fds=True, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None and self._process.stdout is not None
        self._answers: IO[bytes] = self._process.stdout
        try:
            self._process.stdin.write(json.dumps(task).encode())
            self._process.stdin.close()
        except BrokenPipeError:  # it died at once: header() tells
            self._process.stdin = None

    def header(self) -> Mapping[str, Any]:
        """Return what the child found out. Raises SetAsideError."""
        frame = read_frame(self._answers)
        if frame is None:
            raise self._death()
        answer: Mapping[str, Any] = json.loads(frame)
        if "refused" in answer:
            raise SetAsideError(answer["refused"], answer["message"])
        return answer

    def batches(self, refusals: list[Refusal]) -> Iterator[pa.RecordBatch]:
        """Yield the batches; then append the refusals."""
        seen = 0
        try:
            while True:
                frame = read_frame(self._answers)
                if frame is None:
                    error = self._death()
                    refusals.append(Refusal(seen + 1, error.reason, f"the rest of the file was not read: {error}", ""))
                    return
                if frame.startswith(b"{"):
                    refusals.extend(Refusal(*each) for each in json.loads(frame)["refusals"])
                    return
                batch = read_batch(frame)
                seen = batch.column(0)[-1].as_py() if batch.num_rows else seen
                yield batch
        finally:
            self.stop()

    def _death(self) -> SetAsideError:
        """Return what the death of the child means."""
        status = self._process.wait()
        told = self._last_words()
        self.stop()
        if status == -signal.SIGXCPU:
            seconds = self._limits.parser_seconds
            remedy = "Raise `limits: parser_seconds` in treaty.yaml."
            return SetAsideError("takes-too-long", f"reading it takes more processor time than limits.parser_seconds ({seconds}).", remedy=remedy)
        if status in (OUT_OF_MEMORY, -signal.SIGABRT) or "memory" in told.lower():
            megabytes = self._limits.parser_megabytes
            remedy = "Raise `limits: parser_megabytes` in treaty.yaml."
            return SetAsideError("takes-too-much-memory", f"reading it takes more memory than limits.parser_megabytes ({megabytes}).", remedy=remedy)
        return SetAsideError("parser-died", f"the parser died of it (status {status}{': ' + told if told else ''}).")

    def _last_words(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 4096))
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    def stop(self) -> None:
        """End the child, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._answers.close()
        if not self._errors.closed:
            self._errors.close()


# ---- within the child


def work() -> None:
    """Parse the file of the task on standard input; answer on standard output."""
    task = json.loads(sys.stdin.buffer.read())
    limits = Limits(**task["limits"])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    module, _, function = task["parser"].partition(":")
    parse: Parser = getattr(importlib.import_module(module), function)
    _confine(limits)
    refusals: list[Refusal] = []
    began = False
    try:
        with closing(parse(task["path"], task["settings"], limits)) as parsing:  # type: ignore[type-var]  # parsers are generators
            for answer in parsing:
                if isinstance(answer, Refusal):
                    refusals.append(answer)
                elif isinstance(answer, Mapping):
                    began = True
                    write_frame(answers, json.dumps(answer).encode())
                else:
                    write_frame(answers, write_batch(answer))
                answers.flush()
    except SetAsideError as error:
        if not began:
            write_frame(answers, json.dumps({"refused": error.reason, "message": str(error)}).encode())
            answers.flush()
            return
        refusals.append(Refusal(0, error.reason, str(error), ""))
    except MemoryError:  # Arrow's too; there may be none left to tell it by
        os._exit(OUT_OF_MEMORY)
    write_frame(answers, json.dumps({"refusals": [_as_row(each) for each in refusals]}).encode())
    answers.flush()


def _confine(limits: Limits) -> None:
    memory = (BASE_MEGABYTES + limits.parser_megabytes) * 1024 * 1024
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_CPU, limits.parser_seconds, limits.parser_seconds + 2),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
    ):
        resource.setrlimit(kind, (soft, hard))


def _as_row(each: Refusal) -> Sequence[Any]:
    return [each.locator, each.reason, each.message, each.excerpt]
