"""Measure many small documents: UBL invoices of about 10 KB each, landed to golden, beside lxml's parse of the same files alone.

    python bench/documents.py [--files 20000]

Prints one line a measurement: files a second by wall clock, CPU seconds, and the peak memory of the process. The second run has
nothing to do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from lxml import etree

BENCH = Path(__file__).parent
TREATY = Path(sys.executable).with_name("treaty")
TEMPLATE = BENCH.parent / "src" / "treaty" / "catalog" / "demo" / "project" / "inbox" / "acme" / "AW-2026-0711.xml"
NUMBER = "AW-2026-0711"
SIZE_BYTES = 10_000


def write_documents(folder: Path, files: int) -> None:
    """Write documents that differ in their number, with as many copies of the template's lines as make about 10 KB."""
    folder.mkdir(parents=True)
    text = TEMPLATE.read_text(encoding="utf-8")
    start, end = text.index("<cac:InvoiceLine>"), text.rindex("</cac:InvoiceLine>") + len("</cac:InvoiceLine>")
    line = text[start : text.index("</cac:InvoiceLine>") + len("</cac:InvoiceLine>")]
    lines = max((SIZE_BYTES - len(text) + (end - start)) // len(line), 1)
    text = text[:start] + "\n".join(line for _ in range(lines)) + text[end:]
    for number in range(files):
        (folder / f"{number:06}.xml").write_text(text.replace(NUMBER, f"N-{number:06}"), encoding="utf-8")


def measure(what: str, files: int, command: list[str]) -> None:
    """Run a command in a process of its own and print what it took."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if status:
        raise SystemExit(f"{what} failed with status {status}")
    cpu = usage.ru_utime + usage.ru_stime
    print(f"{what}: {files / wall:,.0f} files/s, {wall:.1f} s wall, {cpu:.1f} s CPU, {usage.ru_maxrss // 1024} MB", flush=True)


def parse_alone(folder: Path) -> None:
    """Parse every file by lxml and do nothing else."""
    for path in sorted(folder.iterdir()):
        etree.parse(str(path))


def main() -> None:
    """Make the files, measure, and clean up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--parse", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.parse:
        parse_alone(arguments.parse)
        return
    root = BENCH / "work" / "documents"
    if root.exists():
        subprocess.run([TREATY, "stop", "--project", root], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(root)
    subprocess.run([TREATY, "init", root, "--pack", "einvoice"], stdout=subprocess.DEVNULL, check=True)
    inbox = root / "inbox" / "ubl"
    shutil.rmtree(inbox)
    write_documents(inbox, arguments.files)
    print(f"{arguments.files} files of {next(inbox.iterdir()).stat().st_size} bytes")
    measure("lxml parse alone", arguments.files, [sys.executable, __file__, "--parse", str(inbox)])
    measure("treaty run", arguments.files, [str(TREATY), "run", "--project", str(root)])
    measure("treaty run again", arguments.files, [str(TREATY), "run", "--project", str(root)])
    subprocess.run([TREATY, "verify", "--project", root], check=True)
    subprocess.run([TREATY, "stop", "--project", root], stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main()
