"""What is said when a limit is met: always the setting's name and its value."""

from __future__ import annotations

from treaty.errors import SetAsideError
from treaty.project.declarations import Limits

REASONS = {
    "record_bytes": "record-too-large", "depth": "too-deep", "fields": "too-many-fields", "file_bytes": "file-too-large", "field_lines": "bad-csv",
    "archive_bytes": "archive-too-large", "archive_ratio": "archive-too-large", "archive_entries": "too-many-members", "archive_depth": "too-deep",
}  # fmt: skip


def limit_exceeded(limits: Limits, setting: str, what: str) -> SetAsideError:
    """Return the error for a limit that was met; ``what`` begins the sentence ("the record is larger than")."""
    return SetAsideError(
        REASONS[setting], f"{what} limits.{setting} ({getattr(limits, setting)}).", remedy=f"Raise `limits: {setting}` in treaty.yaml."
    )
