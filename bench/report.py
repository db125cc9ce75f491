"""Write the figures of the benchmark as a page of the manual; it keeps the last result of each size."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "benchmarks.json"
NOTES = Path(__file__).parent / "notes.md"  # what people wrote about the figures: the end of the page
NAMES = {
    "treaty": "Treaty", "duckdb": "DuckDB SQL → DuckDB file", "polars": "Polars → Parquet file",
    "pandas": "pandas + SQLAlchemy → PostgreSQL", "dlt": "dlt, Python function → DuckDB file",
    "xml2arrow": "xml2arrow, DuckDB SQL → DuckDB file",
}  # fmt: skip
FORMATS = {"csv": "CSV", "jsonl": "JSON Lines", "xml": "XML"}
HEAD = """# Benchmarks

`make bench` (or `make bench ROWS=1000000 FORMAT=jsonl`) makes this page on your machine. The work: messy invoices as CSV (25 columns of text,
nested lines, three ways to write a date), as JSON Lines or as XML become 30 typed fields with a lookup, nine rules for odd cases,
rejected rows with their reason, and the newest of duplicate rows. Every tool's result is compared with `bench/reference.py`, all rows and all fields, before a figure is printed.

Treaty does more than the others here: it keeps the source's bytes and every landed version, conforms by decision records, keeps reasons,
history and provenance, and can explain each value. Its catalog and its commits are in PostgreSQL; its CPU seconds include that server's.
Each file is loaded by a process of its own; tools take turns; figures are medians. *x* is the ratio to the hand-written DuckDB SQL,
*of first* the share of the tool's own first load (wall; CPU). PostgreSQL runs before the first load, empty: making the lake, applying the project and
landing the reference file are in Treaty's first load, as reading that file is in every load of the others. The DuckDB peer reads XML by lxml's
iterparse.
"""


def versions() -> str:
    """Name the machine and the versions that were measured."""
    pinned = dict(line.split("==") for line in (Path(__file__).parent / "requirements.txt").read_text().splitlines() if "==" in line)
    names = ", ".join(f"{package} {pinned[package].strip()}" for package in ("duckdb", "polars", "pandas", "SQLAlchemy", "dlt"))
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}; Treaty on DuckDB {version('duckdb')}; {names}"


def table(result: dict[str, Any]) -> str:
    """Return the Markdown table of one size."""
    found = {(each["tool"], each["step"]): each for each in result["medians"]}
    steps = list(dict.fromkeys(step for _, step in found))
    lines = ["| | wall s | CPU s | x wall | x CPU | of first | peak MB | runs |", "|---|---|---|---|---|---|---|---|"]
    for step in steps:
        lines.append(f"| **{step}** | | | | | | | |")
        peer = found.get(("duckdb", step))
        for tool, name in NAMES.items():
            each, first = found.get((tool, step)), found.get((tool, "first load"))
            if each is None or first is None:
                continue
            ratios = [f"{each[figure] / peer[figure]:.2f}" if peer else "" for figure in ("wall_seconds", "cpu_seconds")]
            share = (
                ""
                if step == "first load"
                else f"{each['wall_seconds'] / first['wall_seconds']:.1%}; {each['cpu_seconds'] / first['cpu_seconds']:.1%}"
            )
            cells = [
                name,
                f"{each['wall_seconds']:.2f}",
                f"{each['cpu_seconds']:.2f}",
                *ratios,
                share,
                f"{each['peak_megabytes']:.0f}",
                str(each["runs"]),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write_report(result: dict[str, Any], *, keep: bool) -> str:
    """Write the page, and return the table of this result."""
    made = table(result)
    start_up = ", ".join(f"`{command}` {seconds:.2f} s" for command, seconds in result["start_up_seconds"].items())
    if keep:
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known[f"{result['rows']}-{result['format']}"] = result | {"machine": versions()}
        RESULTS.write_text(json.dumps(known, indent=1) + "\n")
        parts = [HEAD]
        for each in sorted(known.values(), key=lambda each: (list(FORMATS).index(each["format"]), each["rows"])):
            parts.append(f"## {each['rows']:,} rows of {FORMATS[each['format']]}\n\n{each['machine']}; {each['rounds']} rounds.\n\n{table(each)}\n")
            if each["start_up_seconds"]:
                parts.append(
                    "Start-up: "
                    + ", ".join(f"`{command}` {seconds:.2f} s" for command, seconds in each["start_up_seconds"].items())
                    + ".\n"
                )
        (DOCS / "benchmarks.md").write_text("\n".join([*parts, NOTES.read_text()]))
    return f"{made}\n{start_up}"
