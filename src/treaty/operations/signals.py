"""``signals``: what clients' overlays say together about the standard."""

from __future__ import annotations

from treaty.operations.workspace import Folder, find_workspace
from treaty.playbook.signals import Signal, redundant_overrides, shared_overrides


def signals(project: Folder = None) -> tuple[Signal, ...]:
    """Return the overrides that several clients share, most clients first, and those that change nothing any more.

    Raises:
        UsageError: the folder cannot be read without errors.
    """
    workspace = find_workspace(project)
    workspace.ensure_sound()
    return (*shared_overrides(workspace.project), *redundant_overrides(workspace.project))
