"""``check``: every problem of a project, each with its place and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from treaty.clock import Clock, system_clock
from treaty.operations.workspace import Folder, Workspace, find_root
from treaty.project.findings import Finding, Severity
from treaty.rules.checking import check_project


@dataclass(frozen=True, slots=True)
class CheckResult:
    """All findings by file and place; ``ok`` where none is an error. ``files`` is how many files were read."""

    ok: bool
    findings: tuple[Finding, ...]
    files: int
    as_of: date

    def to_json(self) -> Any:
        """The documented shape: each finding flat, with file, line and column."""
        findings = [
            {
                "code": each.code, "severity": each.severity, "message": each.message, "remedy": each.remedy,
                "file": each.position.file, "line": each.position.line, "column": each.position.column,
            }
            for each in self.findings
        ]  # fmt: skip
        return {"ok": self.ok, "findings": findings, "files": self.files, "as_of": self.as_of}


def check(project: Folder = None, *, as_of: date | None = None, clock: Clock = system_clock) -> CheckResult:
    """Check a project folder: its files, rules, and the examples of its decisions, which run on the engine.

    ``as_of`` is the day by which reviews and periods are judged; today where not given.
    """
    from treaty.operations.examples import ExampleBench

    day = as_of or clock().date()
    loaded = Workspace(find_root(project), "local").project
    with ExampleBench(loaded.settings.limits) as bench:
        findings = check_project(loaded, day, bench.run)
    ok = not any(each.severity is Severity.ERROR for each in findings)
    return CheckResult(ok, findings, len(loaded.files), day)
