"""Bugs that the tests must find: each is planted in a copy of the source, and the suite it is meant for must fail (G1).

A bug names the text that is right and what stands there instead. Where the right text is not found exactly once, the bug has to be
written anew for what the source has become: :func:`plant` says so.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import treaty

SOURCE = Path(treaty.__file__).parents[1]


@dataclass(frozen=True, slots=True)
class SeededBug:
    """One wrong change of the source."""

    name: str
    title: str
    file: str  # below src/treaty
    changes: tuple[tuple[str, str], ...]  # the right text, and the wrong


CURSOR_BEFORE_LAND = SeededBug(
    name="cursor-before-land",
    title="the cursor is committed before the rows that it stands behind",
    file="lake/landing.py",
    changes=(
        (
            '        faultpoint("land.pre_commit")\n        fence = self._fence(target)\n',
            '        fence = self._fence(target)\n        self._move_cursor(target)\n        faultpoint("land.pre_commit")\n',
        ),
        ("batch=group.batch, fences=[fence], message=f", "batch=group.batch, message=f"),
    ),
)
CURSOR_BEFORE_CONTRIBUTIONS = SeededBug(
    name="cursor-before-contributions",
    title="a mapping's cursor is committed before the contributions that it stands behind",
    file="flows/conforming.py",
    changes=(
        (
            '        faultpoint("conform.pre_commit")\n',
            '        ahead = open_batch(session, OneClient(task.client), "conform")\n'
            "        commit(session, OneClient(task.client), [], batch=ahead, fences=[fence])\n"
            '        faultpoint("conform.pre_commit")\n',
        ),
        ("writes, batch=batch, fences=[fence], message=", "writes, batch=batch, message="),
    ),
)
ACKNOWLEDGED_BEFORE_SENT = SeededBug(
    name="acknowledged-before-sent",
    title="a delivery is written down as acknowledged before the sink has been asked",
    file="flows/delivering.py",
    changes=(
        (
            '        faultpoint("deliver.pre_write")\n',
            '        _settle(session, mapping, [(place, item, ItemResult("", "acknowledged", "")) for place, item in chunk], clock)\n        faultpoint("deliver.pre_write")\n',
        ),
    ),
)
ISSUE_AFTER_COMMIT = SeededBug(
    name="issue-after-commit",
    title="the issue about deletes that are held is opened after the snapshot is landed",
    file="lake/landing.py",
    changes=(
        (
            "        if counts.held_deletes:  # before the commit: after it, nothing would look at this snapshot again\n"
            "            self._open_issue(counts.held_deletes)\n",
            "",
        ),
        (
            '        faultpoint("land.post_commit")\n',
            '        faultpoint("land.post_commit")\n        if counts.held_deletes:\n            self._open_issue(counts.held_deletes)\n',
        ),
    ),
)
KEY_OF_EACH_ATTEMPT = SeededBug(
    name="key-of-each-attempt",
    title="an idempotency key is made anew whenever a record is sent",
    file="connectors/rest/sink.py",
    changes=(("{self.told.key_header: item.message_id}", '{self.told.key_header: f"{item.message_id}-{datetime.now(UTC).timestamp()}"}'),),
)
MULTI_STATUS_AS_SUCCESS = SeededBug(
    name="multi-status-as-success",
    title="an answer 207 acknowledges every item of a batch, whatever it says of each",
    file="connectors/rest/sink.py",
    changes=(
        (
            "        return [(id(item), result) for item, result in zip(group, self._results(group, answer), strict=True)]\n",
            '        return [(id(item), ItemResult(item.delivery_key, "acknowledged")) for item in group]\n',
        ),
    ),
)
BUGS = (CURSOR_BEFORE_LAND, CURSOR_BEFORE_CONTRIBUTIONS, ACKNOWLEDGED_BEFORE_SENT, ISSUE_AFTER_COMMIT)


def plant(bug: SeededBug, folder: Path) -> Path:
    """Copy the source into a folder with a bug in it; return what to put before the installed source on the path.

    Raises:
        AssertionError: the text that the bug changes is not there, or more than once.
    """
    shutil.copytree(SOURCE / "treaty", folder / "treaty")
    path = folder / "treaty" / bug.file
    text = path.read_text(encoding="utf-8")
    for right, wrong in bug.changes:
        assert text.count(right) == 1, f"{bug.name} cannot be planted: {bug.file} has {text.count(right)} times {right!r}"
        text = text.replace(right, wrong)
    path.write_text(text, encoding="utf-8")
    return folder
