"""``run``: extract, land, conform, resolve, commit and deliver, by the applied project."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING
from uuid import uuid4

from treaty.clock import Clock, system_clock
from treaty.errors import UsageError
from treaty.operations.workspace import Folder, Workspace, find_workspace

if TYPE_CHECKING:
    from treaty.flows.results import RunResult
    from treaty.project.loading import Project
    from treaty.sessions import Session
