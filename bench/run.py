"""Measure Treaty beside the tools that people would use instead, on one workload, and write ``docs/benchmarks.md``.

    python bench/run.py --rows 50000 [--format jsonl] [--rounds 3] [--tools treaty,duckdb] [--steps 1] [--again]

Each round gives each tool an empty store and then five files, each loaded by a process of its own: the first load, the same
file again, the same rows in another order, the whole of the next day, and a day's changes alone. Tools take turns within a round,
so that a slow minute of the machine meets all of them. After the last file each store is compared with ``reference.py``.

Wall is the time until the process has ended; CPU is that of the process and its children, and of the PostgreSQL server where one
is used; peak memory is that of the largest of the tool's own processes.

What is measured is kept in ``work/`` round by round, with the commit it was measured at. A run that was stopped goes on where it was:
rounds that are complete at this commit are not measured again, unless ``--again`` is given.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from generate import generate
from report import write_report

BENCH = Path(__file__).parent
WORK, DATA = BENCH / "work", BENCH / "data"
TREATY = Path(sys.executable).with_name("treaty")
PEER_PYTHON = BENCH.parent / ".venv-peers" / "bin" / "python"
AS_OF = "2026-11-01"
STEPS = {"first load": "day1", "same file again": "day1", "rewritten file": "day1-rewritten", "day-2 snapshot": "day2", "delta": "delta"}
SLOW_ABOVE_ROWS = 200_000  # beyond this the slow tools load once, and the first file alone


@dataclass(frozen=True)
class Sample:
    """One measured process."""

    tool: str
    step: str
    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float


def server_cpu_seconds(data: Path | None) -> float:
    """CPU of a PostgreSQL server and all its processes so far, those that have ended included."""
    pid_file = next(data.rglob("postmaster.pid"), None) if data is not None and data.exists() else None
    if pid_file is None:
        return 0.0
    main = psutil.Process(int(pid_file.read_text().split()[0]))
    times = main.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in main.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return float(total)


def measure(tool: str, step: str, command: Sequence[str], *, server: Path | None, env: dict[str, str], cwd: Path) -> Sample:
    """Run one process and return what it took; raise where it fails."""
    log = WORK / f"{tool}.log"
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # what is installed is compiled
    server_before = server_cpu_seconds(server)
    begun = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=inherited | env, cwd=cwd)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{tool}, {step}: exit status {process.returncode}\n{log.read_text(errors='replace')[-3000:]}")
    cpu = usage.ru_utime + usage.ru_stime + server_cpu_seconds(server) - server_before
    return Sample(tool, step, wall, cpu, usage.ru_maxrss / 1024)


class Tool:
    """One tool with one store."""

    slow = False

    def __init__(self, name: str, folder: Path, files: Path, kind: str) -> None:
        self.name = name
        self.folder = folder
        self.files = files
        self.kind = kind  # the format of the files
        self.server: Path | None = None
        self.env: dict[str, str] = {}

    def prepare(self) -> None:
        """Make an empty store; not measured."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def command(self, file: str) -> list[str]:
        """Return the command that loads a file of the workload."""
        raise NotImplementedError

    def export(self) -> Path:
        """Write the store as a file that ``check.py`` reads."""
        raise NotImplementedError

    def finish(self) -> None:
        """Stop what was started."""


class Treaty(Tool):
    """The project in ``workload/``, run by the command line."""

    def prepare(self) -> None:
        """Copy the project and start its database, as a machine that runs Treaty has it running; nothing is landed or applied yet."""
        self._treaty("stop", there=self.folder.exists())
        super().prepare()
        shutil.copytree(BENCH / "workload", self.folder, dirs_exist_ok=True)
        if self.kind != "csv":
            shutil.copytree(BENCH / "formats" / self.kind, self.folder, dirs_exist_ok=True)
        (self.folder / "inbox").mkdir()
        shutil.copy(self.files / "customers.csv", self.folder / "inbox")
        self.server = self.folder / ".treaty"
        self._treaty("doctor")

    def _treaty(self, *arguments: str, output: Path | None = None, there: bool = True) -> None:
        if not there:
            return
        target = output or WORK / "treaty.log"
        with target.open("wb") as stream:
            done = subprocess.run([TREATY, *arguments], cwd=self.folder, stdout=stream, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise SystemExit(
                f"treaty {' '.join(arguments)}: exit status {done.returncode}\n{done.stderr.decode()[-2000:]}{target.read_bytes()[-2000:].decode()}"
            )

    def command(self, file: str) -> list[str]:
        """Put the file where the last one was, and run."""
        shutil.copyfile(self.files / f"{file}.{self.kind}", self.folder / "inbox" / f"invoices.{self.kind}")
        return [str(TREATY), "run", "--as-of", AS_OF, "--json"]

    def export(self) -> Path:
        """Verify the lake and write its golden records as JSON Lines."""
        self._treaty("verify", "--json")
        target = self.folder / "records.jsonl"
        self._treaty("records", "invoice", "--json", output=target)
        return target

    def finish(self) -> None:
        """Stop the database."""
        self._treaty("stop")


class Peer(Tool):
    """A module of ``peers/``."""

    module = ""
    store_name = ""

    @property
    def store(self) -> Path:
        """The file that holds its data."""
        return self.folder / self.store_name

    def command(self, file: str) -> list[str]:
        """Load a file into the store."""
        return [str(PEER_PYTHON), "-m", f"peers.{self.module}", "load", str(self.files / f"{file}.{self.kind}"), str(self.store)]

    def export(self) -> Path:
        """Write the store as Parquet."""
        target = self.folder / "export.parquet"
        subprocess.run(
            [PEER_PYTHON, "-m", f"peers.{self.module}", "export", self.store, target], cwd=BENCH, env=os.environ | self.env, check=True
        )
        return target


class DuckDB(Peer):
    """Hand-written SQL into a DuckDB file."""

    module, store_name = "duckdb_sql", "store.duckdb"


class Polars(Peer):
    """Expressions into a Parquet file."""

    module, store_name = "polars_frames", "store.parquet"


class Pandas(Peer):
    """pandas and SQLAlchemy into PostgreSQL, with a server of the kind that Treaty uses."""

    module, slow = "pandas_sqlalchemy", True
    store_name = "bench.store"

    def prepare(self) -> None:
        """Start a server with an empty database."""
        self.finish()
        super().prepare()
        self.server = self.folder / "server"
        self.env = {"BENCH_DATABASE": self._server("start")}

    def _server(self, verb: str) -> str:
        done = subprocess.run(
            [sys.executable, BENCH / "server.py", verb, self.folder / "server"], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def finish(self) -> None:
        """Stop the server."""
        if (self.folder / "server").exists():
            self._server("stop")


class Dlt(Peer):
    """dlt with a Python function a row, into a DuckDB file."""

    module, store_name, slow = "dlt_pipeline", "store.duckdb", True


class Xml2Arrow(Peer):
    """xml2arrow's parser before the SQL of the DuckDB peer, which by itself reads XML with lxml."""

    module, store_name = "xml2arrow_sql", "store.duckdb"


TOOLS: dict[str, type[Tool]] = {"treaty": Treaty, "duckdb": DuckDB, "polars": Polars, "pandas": Pandas, "dlt": Dlt, "xml2arrow": Xml2Arrow}
TOOLS_OF = {"csv": ("treaty", "duckdb", "polars", "pandas", "dlt"), "jsonl": ("treaty", "duckdb"), "xml": ("treaty", "duckdb", "xml2arrow")}


def check(tool: Tool, files: Path, steps: Sequence[str]) -> None:
    """Compare a store with the reference, in a process of its own."""
    loaded = [str(files / f"{STEPS[step]}.csv") for step in steps]
    done = subprocess.run([sys.executable, BENCH / "check.py", tool.export(), *loaded], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{tool.name} differs from the reference:\n{done.stdout}{done.stderr}")


def run_round(number: int, tools: Sequence[Tool], rows: int, files: Path, most_steps: int) -> list[Sample]:
    """Run every tool once; they take turns file by file, and the one that begins changes from round to round."""

    def held_back(tool: Tool) -> bool:
        return tool.slow and rows > SLOW_ABOVE_ROWS

    every = list(STEPS)[:most_steps]
    steps = {tool.name: every[:1] if held_back(tool) else every for tool in tools}
    turn = [tool for tool in [*tools[number % len(tools) :], *tools[: number % len(tools)]] if number == 0 or not held_back(tool)]
    for tool in turn:
        tool.prepare()
    samples = []
    try:
        for step in every:
            for tool in turn:
                if step not in steps[tool.name]:
                    continue
                cwd = tool.folder if tool.name == "treaty" else BENCH
                last = measure(tool.name, step, tool.command(STEPS[step]), server=tool.server, env=tool.env, cwd=cwd)
                samples.append(last)
                figures = f"{last.wall_seconds:8.2f} s {last.cpu_seconds:8.2f} CPU s {last.peak_megabytes:7.0f} MB"
                print(f"  {last.tool:<9} {step:<16} {figures}", flush=True)
        for tool in turn:
            print(f"  {tool.name:<9} compared with the reference", flush=True)
            check(tool, files, steps[tool.name])
    finally:
        for tool in turn:
            tool.finish()
    return samples


def commit_now() -> str:
    """Name what is measured: the commit, marked where files differ from it."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=BENCH, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def measure_rounds(arguments: argparse.Namespace, tools: Sequence[Tool], files: Path) -> list[Sample]:
    """Measure the rounds that are not there yet, and keep each as soon as it is complete and its stores are right."""
    kept = WORK / f"samples-{arguments.rows}-{arguments.format}.json"
    about = {"commit": commit_now(), "tools": [tool.name for tool in tools], "steps": arguments.steps}
    known = json.loads(kept.read_text()) if kept.exists() and not arguments.again else {}
    rounds = known["rounds"] if known.get("about") == about else []
    for number in range(len(rounds), arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", flush=True)
        rounds.append([asdict(each) for each in run_round(number, tools, arguments.rows, files, arguments.steps)])
        kept.write_text(json.dumps({"about": about, "rounds": rounds}, indent=1))
    return [Sample(**each) for one in rounds[: arguments.rounds] for each in one]


def medians(samples: Sequence[Sample]) -> list[dict[str, object]]:
    """Return the median of each figure for each tool and step."""
    found: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        found.setdefault((sample.tool, sample.step), []).append(sample)
    figures = ("wall_seconds", "cpu_seconds", "peak_megabytes")
    return [
        {"tool": tool, "step": step, "runs": len(each)}
        | {figure: round(statistics.median(getattr(one, figure) for one in each), 3) for figure in figures}
        for (tool, step), each in found.items()
    ]


def start_up_seconds(arguments: Sequence[str], times: int = 5) -> float:
    """Median wall time of a command that does next to nothing."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        subprocess.run([TREATY, *arguments], stdout=subprocess.DEVNULL, check=True, cwd=BENCH / "workload")
        taken.append(time.perf_counter() - begun)
    return round(statistics.median(taken), 3)


def main() -> None:
    """Read the command line, measure, check and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", choices=tuple(TOOLS_OF), default="csv")
    parser.add_argument("--tools", help="of those that read the format; all of them where it is not given")
    parser.add_argument("--steps", type=int, default=len(STEPS), help="how many of the five files, from the first on")
    parser.add_argument("--again", action="store_true", help="measure again what was measured at this commit")
    parser.add_argument("--no-report", action="store_true", help="print the figures and leave docs/benchmarks.md as it is")
    arguments = parser.parse_args()
    files = DATA / str(arguments.rows)
    print(f"making {arguments.rows} rows of {arguments.format} in {files}", flush=True)
    generate(files, arguments.rows, arguments.format)
    WORK.mkdir(exist_ok=True)
    names = arguments.tools.split(",") if arguments.tools else TOOLS_OF[arguments.format]
    tools = [TOOLS[name](name, WORK / name, files, arguments.format) for name in names]
    samples = measure_rounds(arguments, tools, files)
    start_up = {"treaty --help": start_up_seconds(["--help"]), "treaty check": start_up_seconds(["check"])} if "treaty" in names else {}
    result = {"rows": arguments.rows, "format": arguments.format, "rounds": arguments.rounds, "start_up_seconds": start_up}
    print(write_report(result | {"medians": medians(samples)}, keep=not arguments.no_report))


if __name__ == "__main__":
    main()
