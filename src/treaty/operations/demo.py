"""``demo``: the demo project, made and run, with what there is to see in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treaty.errors import UsageError
from treaty.flows.results import RunResult
from treaty.lake.quarantine import QuarantineGroup
from treaty.lake.verify import VerifyResult
from treaty.operations.explain import Explanation, explain
from treaty.operations.quarantine import quarantine_groups
from treaty.operations.records import records
from treaty.operations.run import run
from treaty.operations.verify import verify
from treaty.operations.workspace import find_workspace
from treaty.project.files import SETTINGS_FILE, catalog_folder

MODEL, FIELD = "contact", "phone"


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo shows: what ran, a golden record that two systems share, one of its values explained, quarantine, and the proof."""

    folder: Path
    made: bool  # whether the project was made by this call
    run: RunResult
    shared: Mapping[str, Any] | None
    explanation: Explanation | None
    quarantine: tuple[QuarantineGroup, ...]
    verified: VerifyResult


def demo(folder: Path | str = "demo", *, progress: Callable[[str], None] = lambda text: None) -> DemoResult:
    """Make the demo project in ``folder`` if it is not there, with the database of its billing system, and run it.

    Raises:
        UsageError: the folder holds something else.
    """
    root = Path(folder).expanduser().resolve()
    progress("making the project")
    made = make_demo(root)
    ran = run(root, progress=progress)
    progress("looking at what came out")
    shared = _shared(root)
    explanation = explain(MODEL, shared["_id"], FIELD, project=root, client=shared["_client"]) if shared else None
    return DemoResult(root, made, ran, shared, explanation, quarantine_groups(root), verify(root))


def make_demo(root: Path) -> bool:
    """Make the demo project and the databases of its systems, where they are not there yet; return whether the project is new."""
    made = _copy(root)
    _fill_databases(root)
    return made


def _copy(root: Path) -> bool:
    if (root / SETTINGS_FILE).exists():
        return False
    if root.exists() and any(root.iterdir()):
        raise UsageError(f"{root} is not empty, and is no project.", remedy="Name another folder: `treaty demo DIR`.")
    shutil.copytree(catalog_folder() / "demo" / "project", root, dirs_exist_ok=True)
    return True


def _fill_databases(root: Path) -> None:
    """Fill databases of the embedded PostgreSQL by the script of their name; what is there stays as it is."""
    from treaty.sessions.guests import guest_database, run_script

    with find_workspace(root).open() as session:
        for script in sorted((catalog_folder() / "demo").glob("*.sql")):
            run_script(guest_database(session.database, script.stem), script.read_text(encoding="utf-8"))


def _shared(root: Path) -> Mapping[str, Any] | None:
    """Return a golden record that several systems tell of, preferably with the field that is explained."""
    found = [row for row in records(MODEL, root).to_pylist() if len({each["system"] for each in row["_sources"]}) > 1]
    return max(found, key=lambda row: (row[FIELD] is not None, sum(value is not None for value in row.values())), default=None)
