"""One demo project, made and run once by the real command line, for the tests that read it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the helper beside the tests

from command_line import Answer, treaty, treaty_process


@pytest.fixture(scope="session")
def demo() -> Iterator[tuple[Path, Answer]]:
    """The folder of the demo, and what its first run said."""
    root = Path(tempfile.mkdtemp(prefix="treaty-demo-"))
    folder = root / "demo"
    try:
        answer = treaty_process("demo", folder, folder=root)
        assert answer.status == 0, answer.errors + answer.output
        yield folder, answer
    finally:
        treaty("stop", "--project", folder)
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder for a project of the test's own; its database is stopped afterwards."""
    folder = tmp_path / "project"
    yield folder
    treaty("stop", "--project", folder)
