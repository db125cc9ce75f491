"""A person at a terminal: types commands, and answers what they ask, as a transcript has it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = 160
STYLES = re.compile(r"\x1b\[[0-9;?]*[mhlJHA-G]")
DRAWN_OVER = "\x1b[2K"
PROGRESS = re.compile("[\u2800-\u28ff] ")
PROMPT = re.compile(r"^\[[^\]\n]*\] \Z", re.MULTILINE)
TYPED = re.compile(r"\[[^\]]*\] (.*)")


@dataclass(frozen=True, slots=True)
class Shown:
    """What stood on the terminal after a command: its lines, how many prompts were answered, and the exit status."""

    lines: list[str]
    prompts: int
    status: int


def plain(content: bytes) -> str:
    """Return what is left on a terminal: without styles, and without lines that were drawn over."""
    text = STYLES.sub("", content.decode("utf-8", "replace").replace("\r\n", "\n"))
    lines = [line.rpartition(DRAWN_OVER)[2].rpartition("\r")[2].rstrip() if "\r" in line or DRAWN_OVER in line else line for line in text.split("\n")]
    return "\n".join(line for line in lines if not PROGRESS.match(line))


def type_command(command: Sequence[str], answers: Sequence[str], *, folder: Path, environment: Mapping[str, str], seconds: float = 300) -> Shown:
    """Run a command on a terminal of 160 columns without colours, and type an answer at each prompt (``[…]``)."""
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    told = {**os.environ, **environment, "TERM": "xterm", "NO_COLOR": "1"}
    told.pop("COLUMNS", None)
    process = subprocess.Popen(command, cwd=folder, env=told, stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
    os.close(inner)
    raw, shown, answered, waiting, asked, until = b"", "", "", list(answers), 0, time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            if not select.select([terminal], [], [], 0.2)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                read = os.read(terminal, 65536)
            except OSError:  # the other side is closed
                break
            if not read:
                break
            shown = plain(raw := raw + read)
            if PROMPT.search(shown) and shown != answered:  # and not the same one, before the answer is echoed
                asked, answered = asked + 1, shown
                assert waiting, f"a question that the transcript does not answer:\n{shown[-600:]}"
                os.write(terminal, f"{waiting.pop(0)}\n".encode())
        return Shown(shown.splitlines(), asked, process.wait(timeout=30))
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
