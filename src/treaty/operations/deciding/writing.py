"""Writes changed project files, all or none: the project is read with them first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from treaty.errors import UsageError
from treaty.operations.workspace import Workspace
from treaty.project.findings import Severity
from treaty.project.loading import Project, load_project_files


@dataclass(frozen=True, slots=True)
class Written:
    """The files that were written, and those that were removed, by their path in the project."""

    written: tuple[str, ...]
    removed: tuple[str, ...]


def preview(project: Project, changes: Mapping[str, bytes | None]) -> Project:
    """Return the project as it is with changed files; None removes one."""
    files = {**project.files, **{file: content for file, content in changes.items() if content is not None}}
    return load_project_files({file: content for file, content in files.items() if changes.get(file, b"") is not None})


def write_changes(workspace: Workspace, changes: Mapping[str, bytes | None]) -> Written:
    """Write changed files below the project folder; None removes one.

    Raises:
        UsageError: the project could not be read with them; then nothing is written.
    """
    known = {(each.code, each.message) for each in workspace.project.findings}
    for finding in preview(workspace.project, changes).findings:
        if finding.severity is Severity.ERROR and (finding.code, finding.message) not in known:
            raise UsageError(f"Nothing is written: {finding.position}: {finding.message}.", remedy=finding.remedy)
    for file, content in changes.items():
        path = workspace.root / file
        if content is None:
            path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.new")
        draft.write_bytes(content)
        os.replace(draft, path)
    return Written(
        tuple(sorted(file for file, content in changes.items() if content is not None)), tuple(sorted(file for file, content in changes.items() if content is None))
    )
